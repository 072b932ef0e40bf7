"""Errors of servers: their own words from any form of body, and whether asking again may help."""

from __future__ import annotations

import email.utils
import html
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from pydantic_core import from_json

from nbagents.errors import ContextOverflow, ModelError

__all__ = ["expected_form", "status_error", "stream_error", "title_of", "words_in", "words_of"]

_LONGEST = 1000
_ITEMS = 5
_OVERFLOW = (
    "context_length",
    "context length",
    "context window",
    "context limit",
    "maximum context",
    "prompt is too long",
    "too many tokens",
    "input is too long",
    "exceed_context",
    "too large for model",
)
_NO_CREDIT = (
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit",
    "billing hard limit",
    "insufficient balance",
    "insufficient credit",
    "insufficient_credit",
    "insufficient funds",
    "credit balance is too low",
    "requires more credits",
    "no credit",
    "no more credit",
    "out of credit",
    "payment required",
    "payment_required",
)
_STATUS = {
    "invalid_request": 400,
    "invalid_argument": 400,
    "bad_request": 400,
    "failed_precondition": 400,
    "context_length_exceeded": 400,
    "validation": 400,
    "authentication": 401,
    "unauthorized": 401,
    "unauthenticated": 401,
    "invalid_api_key": 401,
    "billing": 402,
    "permission": 403,
    "permission_denied": 403,
    "forbidden": 403,
    "not_found": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "unprocessable_entity": 422,
    "rate_limit": 429,
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "insufficient_quota": 429,
    "throttling": 429,
    "server": 500,
    "internal": 500,
    "internal_server": 500,
    "api": 500,
    "unavailable": 503,
    "service_unavailable": 503,
    "timeout": 504,
    "deadline_exceeded": 504,
    "overloaded": 529,
}
"""By the kind of an error, without the word "error" or "exception" at its end."""
_FIXES = {
    401: "Check the API key{key}.",
    403: "This key{key} may not use this model.",
    404: "Check the model's name and the base URL{hint}.",
}


def words_in(body: bytes) -> str:
    """Return what the body of an error says: the sentence in its JSON, a page's title, or its text."""
    text = body.decode("utf-8", "replace").strip().removeprefix("\ufeff")
    if text[:1] in {"{", "["}:
        try:
            return words_of(from_json(text)) or text[:_LONGEST]
        except ValueError:
            pass
    if text.startswith("<"):
        return title_of(text)
    return text[:_LONGEST]


def words_of(body: Any) -> str:
    """Return the sentence in an error's JSON, wherever it is; empty if there is none."""
    said = _sentence(body)[:_LONGEST]
    code = next((mark for mark in _marks(body) if str(mark).lower() in _NO_CREDIT), None)
    return f"{said} ({code})" if code and str(code) not in said else said


def _marks(body: Any) -> list[Any]:
    """Return all in an error's JSON that may say its kind or its status."""
    outer = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    inner = outer.get("error")
    error = cast("dict[str, Any]", inner) if isinstance(inner, dict) else outer
    names = ("code", "status", "status_code", "type")
    return [mark for name in names if (mark := error.get(name) or outer.get(name)) is not None]


def _sentence(body: Any, depth: int = 0) -> str:
    if isinstance(body, str):
        return body.strip()
    if depth > _ITEMS:
        return ""
    if isinstance(body, list):
        items = [_sentence(item, depth + 1) for item in cast("list[Any]", body)[:_ITEMS]]
        return "; ".join(filter(None, items))
    if not isinstance(body, dict):
        return ""
    fields = cast("dict[str, Any]", body)
    names = ("error", "errors", "message", "msg", "detail", "details", "error_message", "title")
    said = next(filter(None, (_sentence(fields.get(name), depth + 1) for name in names)), "")
    place = fields.get("loc")  # Which field of the request is meant, as FastAPI says it.
    if said and isinstance(place, list):
        said = f"{'.'.join(map(str, cast('list[Any]', place)))}: {said}"
    about = fields.get("metadata")  # OpenRouter's place for the words of the vendor behind it.
    raw = _sentence(cast("dict[str, Any]", about).get("raw")) if isinstance(about, dict) else ""
    return f"{said}: {raw}" if said and raw else said


def title_of(page: str) -> str:
    """Return what an HTML page says of itself: its title, or the beginning of its text."""
    title = re.search(r"<title[^>]*>(.*?)</title", page[:20_000], re.DOTALL | re.IGNORECASE)
    plain = title[1] if title else re.sub(r"<[^>]*>", " ", page[:5000])
    return " ".join(html.unescape(plain).split())[:200]


def status_error(
    provider: str,
    status: int | None,
    message: str,
    *,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    key: str = "",
    hint: str = "",
    retryable: bool = False,
) -> ModelError:
    """Make the error for an HTTP status; `retryable` holds for one that is not known.

    `key` names where the API key comes from, and `hint` says what the base URL may lack.

    408, 409, 429 and most from 500 may succeed later
    (https://www.rfc-editor.org/rfc/rfc9110#name-status-codes; 529 is Anthropic's "overloaded"), but
    not without money.
    """
    folded = message.lower()
    kind = ModelError
    if status in {None, 400, 413, 422} and any(phrase in folded for phrase in _OVERFLOW):
        kind, retryable = ContextOverflow, False
    elif status is not None:
        retryable = status in {408, 409, 429} or (status >= 500 and status not in {501, 505})
    if status == 402 or any(phrase in folded for phrase in _NO_CREDIT):
        retryable = False
        message = f"{message.rstrip('.')}. Add credit to the account, or use another key."
    elif status in _FIXES:
        message = f"{message.rstrip('.')}. {_FIXES[status].format(key=f' in {key}' if key else '', hint=hint)}"
    return kind(
        message,
        provider=provider,
        status=status,
        request_id=request_id,
        retryable=retryable,
        retry_after=_retry_after(headers or {}) if retryable else None,
    )


def stream_error(provider: str, event: Any, *, key: str = "", retryable: bool = True) -> ModelError:
    """Make the error that an event, or a body, carries that came with the status 200.

    `retryable` holds when it has no status and no kind that is known.
    """
    status = next(filter(None, map(_status, _marks(event))), None)
    fields = cast("dict[str, Any]", event) if isinstance(event, dict) else {}
    request_id = fields.get("request_id")
    return status_error(
        provider,
        status,
        words_of(event) or str(cast("object", event))[:_LONGEST],
        request_id=request_id if isinstance(request_id, str) else None,
        key=key,
        retryable=retryable,
    )


def _status(mark: Any) -> int | None:
    """Read a status from a number, from digits, or from the name of a kind of error."""
    text = str(mark)
    if re.fullmatch(r"[1-5]\d\d", text):
        return int(text)
    folded = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()
    return _STATUS.get(re.sub(r"[ _-]?(?:error|exception)$", "", folded))


@contextmanager
def expected_form(provider: str) -> Generator[None]:
    """Say that it is the server's fault when its events are not what they should be."""
    try:
        yield
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        message = f"It sent an event of an unknown form ({error})."
        raise ModelError(message, provider=provider) from None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, in seconds: a number, or a date (RFC 9110, section 10.2.3)."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        return None if value is None else max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(str(value))
    except ValueError:
        return None
    return max(0.0, when.timestamp() - time.time())
