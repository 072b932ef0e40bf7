"""What people write by mistake around runs, and the words that say what to write instead."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import CoroutineType
from typing import Any, NoReturn, TypeVar

from nbagents.errors import UnknownAttribute, UserError, did_you_mean

__all__ = ["Unawaited", "awaits_itself", "explains", "only_async"]

T = TypeVar("T")

_MEANT = {
    **dict.fromkeys(("answer", "content", "data", "final_output", "response", "result"), "output"),
    **dict.fromkeys(("cost", "price", "total_cost"), "usage.cost"),
    **{f"{kind}_tokens": f"usage.{kind}_tokens" for kind in ("cached", "input", "output")},
    **dict.fromkeys(("tokens", "total_tokens"), "usage"),
    **dict.fromkeys(("all_messages", "chat_history", "conversation", "history"), "messages"),
    **dict.fromkeys(("log", "logs", "steps", "trace"), "events"),
    **dict.fromkeys(("duration", "elapsed", "latency", "time"), "seconds"),
    **dict.fromkeys(("finish_reason", "stop_reason"), "reason"),
    **dict.fromkeys(("exception", "failure"), "error"),
    **dict.fromkeys(("agent", "agent_name"), "name"),
    "id": "run_id",
    "question": "questions[0]",
    "state": "status",
}


_OF_RUNS = {meant.partition(".")[0].partition("[")[0] for meant in _MEANT.values()} | {"text"}


def explains(owner: type, run: str) -> None:
    """Let a class say which attribute was meant; `run` is how the code gets at a run.

    It is done from outside, as a type checker takes any name of a class with a `__getattr__`.
    """
    kind = owner.__name__

    def missing(self: object, name: str) -> NoReturn:
        if name.startswith("_"):  # Shells and serializers look for these again and again.
            raise AttributeError(name)
        meant = _MEANT.get(name, name if run != "run" and name in _OF_RUNS else "")
        known = [each for each in dir(self) if not each.startswith("_")]
        hint = f" Write {run}.{meant}" if meant else did_you_mean(name, known)
        raise UnknownAttribute(f"A {kind} has no attribute {name!r}.{hint}")

    owner.__getattr__ = missing  # pyright: ignore[reportAttributeAccessIssue]


def awaits_itself(run: T) -> Generator[None, None, T]:
    """Be the `__await__` of what is there already: nothing runs, or costs, a second time."""
    yield from ()
    return run


def only_async(_stream: object, *_details: object) -> NoReturn:
    """Be the plain loop or plain `with` over a stream, which only exists as an asynchronous one."""
    raise UserError(
        "A stream needs `async`. Write: async with agent.stream(...) as stream: "
        "async for event in stream: ..."
    )


class Unawaited(Coroutine[Any, Any, T]):
    """A coroutine that says, when its result is used too early, that it has to be awaited."""

    __slots__ = ("_call", "_coroutine", "_otherwise")

    def __init__(self, coroutine: CoroutineType[Any, Any, T], name: str, method: str) -> None:
        """Wrap what the method of something with this name has made."""
        self._coroutine = coroutine
        self._call = f"{name}.{method}(...)"
        self._otherwise = f"{name}(...)" if method == "run" else ""
        coroutine.__qualname__ = self._call  # Python warns by this name of what is not awaited.

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        """Be a coroutine."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Be a coroutine."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Be a coroutine."""
        self._coroutine.close()

    def __repr__(self) -> str:
        return f"<{self._call} waits for `await`>"

    def _missing(self, name: str) -> NoReturn:
        if name.startswith(("_", "cr_", "gi_", "ag_")):  # Event loops look for these.
            raise AttributeError(name)
        otherwise = f" or {self._otherwise}.{name}" if self._otherwise else ""
        message = f"{self._call} has to be awaited first. Write (await {self._call}).{name}"
        raise UnknownAttribute(message + otherwise)

    locals()["__getattr__"] = _missing  # Unseen by type checkers, which would take any name.
