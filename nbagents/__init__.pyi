from .agents.agent import Agent
from .agents.history import History, KeepAll, KeepLast, Summarise
from .agents.human import Approval, handoff_to_user
from .context import RunContext
from .errors import (
    Cancelled,
    ContextOverflow,
    LimitReached,
    ModelError,
    NbAgentsError,
    OutputError,
    SessionConflict,
    SessionCorrupt,
    SessionError,
    ToolError,
    ToolRetry,
    UserError,
)
from .events import (
    EdgeTaken,
    Event,
    HandedOff,
    InputReceived,
    InputRequested,
    MessageFinished,
    Retrying,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StateChanged,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnStarted,
    event_codec,
)
from .limits import Limits
from .messages import (
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from .models.base import Capabilities, Model, ModelRequest, Settings
from .models.registry import default_model, resolve_model
from .models.retry import RetryPolicy
from .models.scripted import Say, ScriptedModel
from .questions import OpenQuestion, Question
from .runnable import Result, Run, Runnable, RunStream, call
from .sessions.base import SessionStore
from .sessions.diff import Diff
from .sessions.file import FileStore
from .sessions.memory import MemoryStore
from .sessions.s3 import S3Store
from .sessions.session import Session
from .teams.conditions import Outcome
from .teams.graph import Edge, Graph, Node
from .teams.swarm import Swarm
from .tools.base import Tool, ToolResult
from .tools.function import tool
from .topology import Topology

__all__ = [
    "Agent",
    "Approval",
    "Cancelled",
    "Capabilities",
    "ContextOverflow",
    "Diff",
    "Edge",
    "EdgeTaken",
    "Event",
    "FilePart",
    "FileStore",
    "Graph",
    "HandedOff",
    "History",
    "InputReceived",
    "InputRequested",
    "KeepAll",
    "KeepLast",
    "LimitReached",
    "Limits",
    "MemoryStore",
    "Message",
    "MessageFinished",
    "Model",
    "ModelError",
    "ModelRequest",
    "NbAgentsError",
    "Node",
    "OpenQuestion",
    "Outcome",
    "OutputError",
    "Question",
    "Result",
    "RetryPolicy",
    "Retrying",
    "Run",
    "RunCancelled",
    "RunContext",
    "RunFailed",
    "RunFinished",
    "RunResumed",
    "RunStarted",
    "RunStream",
    "Runnable",
    "S3Store",
    "Say",
    "ScriptedModel",
    "Session",
    "SessionConflict",
    "SessionCorrupt",
    "SessionError",
    "SessionStore",
    "Settings",
    "StateChanged",
    "Summarise",
    "Swarm",
    "TextDelta",
    "TextPart",
    "ThinkingDelta",
    "ThinkingPart",
    "Tool",
    "ToolCallDelta",
    "ToolCallPart",
    "ToolError",
    "ToolFinished",
    "ToolProgress",
    "ToolResult",
    "ToolResultPart",
    "ToolRetry",
    "ToolStarted",
    "Topology",
    "TurnStarted",
    "Usage",
    "UserError",
    "call",
    "default_model",
    "event_codec",
    "handoff_to_user",
    "resolve_model",
    "tool",
]

__version__: str

def load_ipython_extension(ipython: object) -> None: ...
def unload_ipython_extension(ipython: object) -> None: ...
