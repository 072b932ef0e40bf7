"""Whatever can be run, and the one way to run it."""

from nbagents.runnable.base import Runnable, RunnableTool, call
from nbagents.runnable.given import Input, conversation
from nbagents.runnable.run import Result, Run, Status
from nbagents.runnable.sketch import Sketch
from nbagents.runnable.stream import RunStream

__all__ = [
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
]
