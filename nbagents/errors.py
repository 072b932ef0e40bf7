"""Every error that nbagents raises, named for the person who must act.

NbAgentsError
├── UserError          you: a wrong name, a missing key or package; says the fix
│   └── UnknownAttribute   an attribute that is not there; an AttributeError too
├── ModelError         the vendor: status, request id, whether a retry may help
│   └── ContextOverflow    the request is longer than the model can read
├── ToolError          a tool: its message goes to the model as the tool's result
│   └── ToolRetry          the polite form: "call me again, like this"
├── OutputError        the model's answer never fitted the output type
├── SessionError       the store of a session: what lies there, or cannot be written
│   ├── SessionConflict    somebody else wrote to the session meanwhile
│   └── SessionCorrupt     a record cannot be read; says which one
├── LimitReached       a limit of the run, which it names
└── Cancelled          the run was stopped, so there is no output
"""

import difflib
from collections.abc import Iterable, Sequence

from nbagents.redaction import redact
from nbagents.untrusted import clean

__all__ = [
    "Cancelled",
    "ContextOverflow",
    "LimitReached",
    "ModelError",
    "NbAgentsError",
    "OutputError",
    "SessionConflict",
    "SessionCorrupt",
    "SessionError",
    "ToolError",
    "ToolRetry",
    "UnknownAttribute",
    "UserError",
    "did_you_mean",
    "unknown_name",
]

_LISTED_NAMES = 12


class NbAgentsError(Exception):
    """The root of all errors raised by nbagents; a message never has a key in it."""

    run: object | None = None
    """The `Run` that this error ended, when there was one."""
    retryable = False
    """True when the same request may succeed later."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(redact(arg) if isinstance(arg, str) else arg for arg in args))

    def __str__(self) -> str:
        """Return the message, safe for a terminal: it may quote servers and tools."""
        return clean(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """Be one line in a notebook: what is wrong is outside of the code. Notes follow."""
        notes: list[str] = getattr(self, "__notes__", [])
        return [f"{type(self).__name__}: {self}", *(clean(redact(str(note))) for note in notes)]


class UserError(NbAgentsError):
    """Something that the reader of the message can put right: a name, an option, a key, a package."""


class UnknownAttribute(UserError, AttributeError):
    """There is no such attribute; the message says which one was probably meant."""


class ModelError(NbAgentsError):
    """The vendor refused, failed or fell silent.

    `status` is the HTTP status, if there was one; `retry_after` is in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        status: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message: str = self.args[0]
        self.provider = provider
        self.status = status
        self.request_id = redact(request_id) if request_id else None
        self.retryable = retryable
        self.retry_after = retry_after

    def __str__(self) -> str:
        status = f" (HTTP {self.status})" if self.status else ""
        request = f" [request {self.request_id}]" if self.request_id else ""
        return clean(f"{self.provider}{status}: {self.message}{request}")


class ContextOverflow(ModelError):
    """The request is longer than the model's context; the history policy may shorten it."""


class ToolError(NbAgentsError):
    """Raise it in a tool to tell the model why the call failed; no traceback is shown."""


class ToolRetry(ToolError):
    """Raise it in a tool to ask the model for another call, saying what should be different."""


class OutputError(NbAgentsError):
    """The model's answer did not fit the output type, also after it was told why."""


class SessionError(NbAgentsError):
    """A session could not be read or written; says where it lies, and what to do."""


class SessionConflict(SessionError):
    """Somebody else has written to the session since it was read; nothing was overwritten."""


class SessionCorrupt(SessionError):
    """A record of a session cannot be read; `events` are all that stand before it.

    A store that misses a record may say by `records` what stands before that one.
    """

    events: Sequence[object] = ()
    records: Sequence[bytes] = ()


class LimitReached(NbAgentsError):
    """A limit of the run was reached; `limit` is its name, mostly a field of `Limits`."""

    def __init__(self, limit: str, value: object, *, fix: str = "") -> None:
        self.limit = limit
        self.value = value
        fix = fix or f"Raise it with limits=Limits({limit}=...)."
        super().__init__(f"The run reached its limit of {limit}={value}. {fix}")


class Cancelled(NbAgentsError):
    """The run was stopped before it had an output."""


def check_type(option: str, value: object, wanted: type, example: str) -> None:
    """Raise `UserError` when an option is not of its type, which would only show in the middle of a run."""
    if not isinstance(value, wanted):
        raise UserError(
            f"{option}={value!r:.60} must be a {wanted.__name__}: {option}={wanted.__name__}({example})."
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name the close match of a misspelled name, as a sentence to append; empty without one."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[close[0]]!r}?" if close else ""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Make the error for an unknown name, with the closest known one."""
    names = sorted(known)
    hint = did_you_mean(name, names)
    listed = (
        f" Known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}." if names else ""
    )
    return UserError(f"There is no {kind} {name!r}.{hint}{listed}")
