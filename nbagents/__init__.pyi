from .agents.agent import Agent
from .agents.history import History, KeepAll, KeepLast, Summarise
from .context import Limits, RunContext
from .errors import (
    Cancelled,
    ContextOverflow,
    LimitReached,
    ModelError,
    NbAgentsError,
    OutputError,
    ToolError,
    ToolRetry,
    UserError,
)
from .events import (
    Event,
    MessageFinished,
    Retrying,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnStarted,
    event_codec,
)
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
from .runnable import Result, Run, Runnable, RunStream, call
from .tools.base import Tool, ToolResult
from .tools.function import tool

__all__ = [
    "Agent",
    "Cancelled",
    "Capabilities",
    "ContextOverflow",
    "Event",
    "FilePart",
    "History",
    "KeepAll",
    "KeepLast",
    "LimitReached",
    "Limits",
    "Message",
    "MessageFinished",
    "Model",
    "ModelError",
    "ModelRequest",
    "NbAgentsError",
    "OutputError",
    "Result",
    "RetryPolicy",
    "Retrying",
    "Run",
    "RunCancelled",
    "RunContext",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "RunStream",
    "Runnable",
    "Say",
    "ScriptedModel",
    "Settings",
    "Summarise",
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
    "TurnStarted",
    "Usage",
    "UserError",
    "call",
    "default_model",
    "event_codec",
    "resolve_model",
    "tool",
]

__version__: str

def load_ipython_extension(ipython: object) -> None: ...
def unload_ipython_extension(ipython: object) -> None: ...
