"""Questions: what a run asks of a person, and the one answer that each of them gets."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, Literal, Protocol, cast, get_origin

from pydantic import AfterValidator, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import from_json, to_json

from nbagents.errors import UserError
from nbagents.events import InputRequested
from nbagents.jsonable import jsonable
from nbagents.redaction import redact_json
from nbagents.untrusted import received, whole, whole_json_text

__all__ = [
    "Answers",
    "Human",
    "OpenQuestion",
    "Prepared",
    "Question",
    "asks_the_same",
    "in_their_order",
    "meet",
    "present_human",
    "recorded_question",
]

Via = Literal["form", "stdin", "prepared", "code"]
_HIDDEN = "**********"
Answers = Mapping[str, Any] | Sequence[Any]
"""Answers that stand ready: by the question's id, its text, its asker or `"*"`; or in order."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked, and the type of the answer."""

    prompt: str
    schema: Any = str
    """Any type that pydantic can check: `str`, `bool`, `float`, `date`, a model, `FilePart`, ..."""
    choices: Sequence[str | int | bool] = ()
    """The only answers; several of them may be chosen when `schema` is a list."""
    reason: str = field(default="", kw_only=True)
    """Why it is asked."""
    details: Any = field(default=None, kw_only=True)
    """What it is about, displayed beneath the prompt: any value."""

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """The check of the answer. Raises `UserError` for a type that has none."""
        schema = self.schema
        if self.choices:
            # UTF-8 cannot encode some file names; the asker gets back the original.
            given = {whole(each) if isinstance(each, str) else each: each for each in self.choices}
            choice: Any = Literal[tuple(given)]
            if list(given) != list(given.values()):
                choice = Annotated[choice, AfterValidator(given.__getitem__)]
            several = schema in (list, set, tuple) or get_origin(schema) in (list, set, tuple)
            schema = list[choice] if several else choice
        try:
            return _adapter(schema)
        except TypeError:  # An annotation that cannot be hashed.
            return _new_adapter(schema)

    @property
    def declared(self) -> list[str]:
        """What a session remembers of it: its prompt, and a digest of all that decides the answer."""
        whole = _recorded(self.prompt, self.adapter.json_schema(), self.details)
        return [self.prompt, sha256(to_json(whole)).hexdigest()]


def _recorded(prompt: str, schema: Any, details: Any) -> Any:
    """Return what is asked as a record has it: as JSON, and without keys."""
    text = to_json([received(prompt), jsonable(schema), jsonable(details)])
    return from_json(redact_json([text])[0])


def asks_the_same(question: Question, asked: InputRequested) -> bool:
    """Tell whether a recorded question is this one, so that its answer is the answer to this one.

    Compares prompt, type and details, as a record has them: without keys.
    """
    now = _recorded(question.prompt, question.adapter.json_schema(), question.details)
    return now == _recorded(asked.prompt, asked.schema, asked.details)


def recorded_question(asked: InputRequested) -> Question:
    """Make a recorded question again; its answers are checked against its JSON Schema.

    The type that it was made from is known only to the code that asks.
    """
    # Heavy, and needed only when a run is resumed.
    from jsonschema import Draft202012Validator
    from referencing import Registry

    validator = Draft202012Validator(
        dict(asked.schema),
        registry=Registry(),  # Nothing is fetched, whatever the schema refers to.
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )

    def check(value: Any) -> Any:
        problems: Any = validator.iter_errors(jsonable(value))  # pyright: ignore[reportUnknownMemberType]
        for error in problems:
            place = ".".join(map(str, error.absolute_path))
            raise ValueError(f"{place}: {error.message}" if place else error.message)
        return value

    return Question(asked.prompt, Annotated[Any, AfterValidator(check)])


@functools.lru_cache(maxsize=256)
def _adapter(schema: Any) -> TypeAdapter[Any]:
    return _new_adapter(schema)


def _new_adapter(schema: Any) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(schema)
        adapter.json_schema()
    except PydanticUserError as error:
        message = f"A person cannot be asked for {schema!r}: {error.message}"
        raise UserError(message) from None
    return adapter


class OpenQuestion:
    """A question that somebody waits for. It is answered once, from any thread."""

    def __init__(self, question: Question, asked: InputRequested) -> None:
        """Make it in the loop of the asker."""
        self.asked = asked
        """The question as it stands in the record."""
        self.problem = ""
        """Why the last answer did not fit."""
        self.answer_json: Any = None
        """The answer as it goes into the record."""
        self.via: Via = "code"
        self.is_answered = False
        self.attendant: asyncio.Task[None] | None = None
        """Who shows it to a person just now."""
        self._adapter = question.adapter
        self._lock = threading.Lock()
        self._closed: str | None = None
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Any] = self._loop.create_future()

    @property
    def id(self) -> str:
        """Its name among the questions of the run: q1, q2, ..."""
        return self.asked.question_id

    @property
    def prompt(self) -> str:
        """What is asked."""
        return self.asked.prompt

    @property
    def is_open(self) -> bool:
        """True until it is answered, or nobody waits for the answer any more."""
        return self._closed is None

    def __repr__(self) -> str:
        return f"<{self.id}, {'open' if self.is_open else 'closed'}: {self.prompt!r}>"

    def check(self, value: Any, *, json: bool = False) -> Any:
        """Turn an answer, or the JSON text of one, into the type that is asked for.

        Raises `UserError` that says what is wrong with it.
        """
        try:
            if json:
                text = value if isinstance(value, str) else bytes(value).decode()
                return self._adapter.validate_json(whole_json_text(text))
            return self._from_python(whole(value) if isinstance(value, str) else value)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}".removeprefix(
                    ": "
                )
                for problem in error.errors(include_url=False, include_context=False)
            )
            message = f"The answer to {self.id} ({self.prompt!r:.60}) does not fit. {problems}"
            raise UserError(message) from None

    def recorded(self, answer: Any) -> Any:
        """Turn an answer as the record has it into the type that is asked for.

        Raises `UserError` when it does not fit, or was a secret, which no record has.
        """
        text = to_json(answer)
        if _HIDDEN.encode() in text:
            raise UserError(f"The answer to {self.id} was a secret.")
        return self.check(text, json=True)

    def answer(self, value: Any, *, via: Via = "code", json: bool = False) -> None:
        """Answer it; whoever asked goes on. With `json`, `value` is JSON text.

        Raises `UserError` when the answer does not fit, and when the question was answered already
        or nobody waits for it any more.
        """
        with self._lock:
            if self._closed is not None:
                raise UserError(f"{self.id} ({self.prompt!r:.60}) {self._closed}")
            fitting = self.check(value, json=json)
            self.answer_json = _without_secrets(jsonable(fitting), self.asked.schema)
            self.via = via
            self.is_answered = True
            self._closed = "was answered already; the first answer counts."
            try:
                self._loop.call_soon_threadsafe(self._settle, fitting)
            except RuntimeError:
                message = f"{self.id} was asked in an event loop that has ended. Ask again."
                raise UserError(message) from None

    def close(self, why: str) -> None:
        """Take no answer any more."""
        with self._lock:
            if self._closed is None:
                self._closed = why

    def fail(self, error: BaseException) -> None:
        """Raise an error where the answer is waited for: the question could not be shown."""
        if not self._future.done():
            self._future.set_exception(error)

    async def answered(self) -> Any:
        """Wait for the answer."""
        return await asyncio.shield(self._future)

    def _settle(self, value: Any) -> None:
        if not self._future.done():
            self._future.set_result(value)

    def _from_python(self, value: Any) -> Any:
        try:
            return self._adapter.validate_python(value)
        except ValidationError:
            if not isinstance(value, str):
                raise
            try:  # As it is typed where there is no form: a list or an object is JSON.
                return self._adapter.validate_json(value)
            except ValidationError:
                pass
            raise


def _without_secrets(answer: Any, schema: Mapping[str, Any]) -> Any:
    """Blank what the schema says is a password, also where the type itself does not hide it."""
    definitions: Mapping[str, Any] = schema.get("$defs", {})

    def blanked(value: Any, part: Mapping[str, Any]) -> Any:
        part = definitions.get(part.get("$ref", "").rpartition("/")[2], part)
        if part.get("format") == "password":
            return None if value is None else _HIDDEN
        for choice in part.get("anyOf", ()):
            value = blanked(value, choice)
        if isinstance(value, dict):
            fields: Mapping[str, Any] = part.get("properties", {})
            rest: Any = part.get("additionalProperties")
            rest = cast("dict[str, Any]", rest) if isinstance(rest, dict) else {}
            known = cast("dict[str, Any]", value)
            return {name: blanked(known[name], fields.get(name, rest)) for name in known}
        if isinstance(value, list):
            return [blanked(item, part.get("items", {})) for item in cast("list[Any]", value)]
        return value

    return blanked(answer, schema)


def in_their_order(answers: Sequence[Any] | None) -> list[Any]:
    """Return answers as a list. Raises `UserError` for a bare answer: which question is it for?"""
    bare = cast("object", answers)
    if isinstance(bare, (str, bytes)) or not isinstance(bare, (Sequence, type(None))):
        raise UserError(
            f"answers must be a list or a dictionary, not {bare!r:.60}. "
            f"Write [{bare!r:.60}], or {{question: answer}}."
        )
    return list(answers or ())


class Prepared:
    """Answers that stand ready for the questions of a run."""

    def __init__(self, answers: Answers | None) -> None:
        self._named: Mapping[str, Any] = answers if isinstance(answers, Mapping) else {}
        self._next = [] if isinstance(answers, Mapping) else in_their_order(answers)

    def serve(self, question: OpenQuestion) -> bool:
        """Answer the question if an answer stands ready; one that does not fit leaves it open."""
        asked = question.asked
        for key in (asked.question_id, asked.prompt, asked.asker, "*"):
            if key in self._named:
                return self._try(question, self._named[key])
        return bool(self._next) and self._try(question, self._next.pop(0))

    def _try(self, question: OpenQuestion, value: Any) -> bool:
        try:
            question.answer(value, via="prepared")
        except UserError as error:
            question.problem = f"{error}."
            return False
        return True


class Human(Protocol):
    """Whoever brings questions before a person: the notebook does, with its forms."""

    async def attend(self, question: OpenQuestion) -> None:
        """Show the question until it is closed.

        Returns earlier when no person can be asked, or the person does not want to answer now.
        Cancelled when the question is over; what is on the screen must then say so.
        """
        ...


_humans: list[Human] = []


def meet(human: Human | None) -> None:
    """Bring the questions of this process before this person from now on."""
    _humans[:] = [human] if human is not None else []


def present_human() -> Human | None:
    """Return who can be asked just now."""
    return _humans[0] if _humans else None
