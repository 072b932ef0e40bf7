"""Whatever can be run, and the one way to run it."""

from nbagents.runnable.base import Runnable, RunnableTool, call
from nbagents.runnable.given import Input, conversation
from nbagents.runnable.result import Result
from nbagents.runnable.run import Held, Run, Status, look_on
from nbagents.runnable.sketch import Sketch
from nbagents.runnable.stream import RunStream

__all__ = [
    "Held",
    "Input",
    "Result",
    "Run",
    "RunStream",
    "Runnable",
    "RunnableTool",
    "Sketch",
    "Status",
    "call",
    "conversation",
    "look_on",
]
