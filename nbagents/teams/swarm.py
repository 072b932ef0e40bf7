"""Swarms: members who hand over to each other, and see all that was said before."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, cast

from pydantic_core import from_json, to_json

from nbagents.agents.agent import Agent
from nbagents.agents.human import handoff_to_user
from nbagents.context import RunContext
from nbagents.errors import LimitReached, ToolRetry, UserError, unknown_name
from nbagents.events import DurableEvent, HandedOff, RunStarted, ToolFinished, messages_of
from nbagents.limits import Limits, check_limits
from nbagents.messages import (
    FilePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user_message,
)
from nbagents.runnable import Result, Runnable, Sketch, call
from nbagents.runnable.sketch import HUMAN
from nbagents.teams.plan import check_name
from nbagents.tools.base import Tool, ToolResult
from nbagents.tools.function import tool

__all__ = ["Swarm"]

_HANDOFF = "handoff"


@dataclass(frozen=True, eq=False)
class Swarm(Runnable[Any]):
    """Members of which one speaks at a time, until it answers or hands over to another one.

    Whoever comes next sees the whole conversation, who said what, the reason, and the notes that
    the members share. Being a member changes nothing about an agent; it may be in many swarms.
    """

    name: str
    members: Sequence[Runnable[Any]]
    start: str | None = field(default=None, kw_only=True)
    """The member who begins; the first one, if you do not say."""
    hands_off_to: Mapping[str, Sequence[str]] | None = field(default=None, kw_only=True)
    """Whom a member may hand over to: by its name, names of others, or `human`. Members that are
    not named here may hand over to everybody. A member that is no agent calls no tools: it hands
    over, when it has finished, to the only one named here, and else its answer is the swarm's."""
    purposes: Mapping[str, str] = field(default_factory=dict[str, str], kw_only=True)
    """What members are for, in this swarm, as the others are told."""
    max_handoffs: int = field(default=20, kw_only=True)
    repeat_window: int = field(default=8, kw_only=True)
    """A run ends when so many handoffs in a row went to and fro between two members; 0 is never."""
    description: str = field(default="", kw_only=True)
    limits: Limits | None = field(default=None, kw_only=True)

    kind: ClassVar[str] = "swarm"
    is_retraced: ClassVar[bool] = True
    remembers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_name("swarm", self.name)
        object.__setattr__(self, "members", tuple(self.members))
        check_limits(self.limits)
        table = self._table
        if not table:
            raise UserError(f"The swarm {self.name!r} has no members.")
        for limit in ("max_handoffs", "repeat_window"):
            value: Any = getattr(self, limit)
            if not isinstance(value, int) or value < 0:
                raise UserError(f"{limit} must be a number of handoffs, not {value!r}.")
        if self.start is not None and self.start not in table:
            raise unknown_name("member", self.start, table)
        for source, targets in (self.hands_off_to or {}).items():
            if isinstance(targets, str):
                raise UserError(f"hands_off_to[{source!r}] must be a list: [{targets!r}]")
            if source in targets:
                raise UserError(f"{source!r} cannot hand over to itself.")
            for name in (source, *targets):
                if name not in table and (name != HUMAN or name == source):
                    raise unknown_name("member", name, [*table, HUMAN])
        for name in self.purposes:
            if name not in table:
                raise unknown_name("member", name, table)

    def __repr__(self) -> str:
        return f"Swarm({self.name!r}, {list(self._table)})"

    @property
    def is_team(self) -> bool:
        """Tell that there is more than one thing in it."""
        return True

    @cached_property
    def _table(self) -> dict[str, Runnable[Any]]:
        table: dict[str, Runnable[Any]] = {}
        lent = {_HANDOFF, note.spec.name, read_notes.spec.name}
        for member in self.members:
            given = cast("object", member)
            if not isinstance(given, Runnable):
                raise UserError(f"A member of a swarm is an agent or a team, not {given!r:.60}.")
            if member.name == HUMAN:
                raise UserError(f"No member can be named {HUMAN!r}, which stands for the person.")
            if member.name in table:
                raise UserError(f"The swarm {self.name!r} has two members named {member.name!r}.")
            if isinstance(member, Agent) and (taken := lent & member.tool_table.keys()):
                name = taken.pop()
                message = f"{member.name!r} has a tool named {name!r}, which is a swarm's own. Give yours another name: @tool(name=...)."
                raise UserError(message)
            table[member.name] = member
        return table

    def targets(self, name: str) -> list[str]:
        """Whom a member may hand over to, the person aside."""
        named = (self.hands_off_to or {}).get(name)
        if named is not None:
            return [target for target in named if target in self._table]
        return [target for target in self._table if target != name]

    def may_ask(self, name: str) -> bool:
        """Tell whether a member may hand over to the person."""
        return HUMAN not in self._table and HUMAN in (self.hands_off_to or {}).get(name, ())

    def sketch(self, sketch: Sketch, id: str, parent: str | None) -> None:
        """Draw the members, and who may hand over to whom."""
        sketch.add(id, id.rpartition("/")[2], self.kind, parent)
        for name, member in self._table.items():
            member.sketch(sketch, f"{id}/{name}", id)
        for name, member in self._table.items():
            for target in self._ways(name, member):
                sketch.link(f"{id}/{name}", f"{id}/{target}", kind="handoff")
            if self.may_ask(name):
                sketch.ask_human(f"{id}/{name}")

    def _ways(self, name: str, member: Runnable[Any]) -> list[str]:
        """Whom a member can really reach."""
        if isinstance(member, Agent):
            return self.targets(name)
        only = (self.hands_off_to or {}).get(name, ())
        return self.targets(name) if len(only) == 1 else []

    async def execute(self, ctx: RunContext, messages: Sequence[Message]) -> Result[Any]:
        """Let one member after the other speak, until one of them answers."""
        ctx.share_anew()
        talk = _Talk(messages)
        current = self.start or next(iter(self._table))
        last: deque[str] = deque([current], maxlen=max(2, self.repeat_window + 1))
        handoffs = mark = 0
        while True:
            if current not in self._table:  # There was one when it was cut off.
                raise unknown_name("member", current, self._table)
            member = self._table[current]
            given = talk.for_member(current, ctx.state)
            result = await call(
                ctx, member, given, node=current, extra_tools=self._lent(current, member)
            )
            mark, said, wish = _told_by(ctx, mark)
            talk.add(current, said or _answer(current, result))
            target, reason = wish or self._next(current, member)
            if target is None:
                return result
            handoffs += 1
            if handoffs > self.max_handoffs:
                raise _limit("max_handoffs", self.max_handoffs)
            last.append(target)
            if 0 < self.repeat_window < len(last) and len(set(last)) <= 2:
                raise _limit("repeat_window", self.repeat_window)
            if ctx.past is None or not ctx.past.handoffs:
                await ctx.emit(HandedOff(current, target, reason))
            else:
                ctx.past.handoffs.popleft()
            talk.hand_over(current, target, reason)
            current = target

    @property
    def declared(self) -> dict[str, Any]:
        """Its members."""
        return {"parts": list(self._table)}

    def _next(self, name: str, member: Runnable[Any]) -> tuple[str | None, str]:
        ways = [] if isinstance(member, Agent) else self._ways(name, member)
        return (ways[0], "It has finished its part.") if ways else (None, "")

    def _told(self, name: str) -> dict[str, str]:
        """Tell a member whom it may hand over to, and what they are for."""
        told: dict[str, str] = {}
        for target in self.targets(name):
            member = self._table[target]
            own = member.purpose if isinstance(member, Agent) else member.description
            told[target] = self.purposes.get(target) or own
        return told

    def _lent(self, name: str, member: Runnable[Any]) -> list[Tool]:
        if not isinstance(member, Agent):
            return []
        lent: list[Tool] = [note, read_notes]
        if self.targets(name):
            lent.insert(0, _Handoff(self._told(name)))
        if self.may_ask(name) and handoff_to_user.spec.name not in member.tool_table:
            lent.append(handoff_to_user)
        return lent


def _limit(name: str, value: int) -> LimitReached:
    return LimitReached(name, value, fix=f"Raise it with Swarm(..., {name}=...).")


class _Handoff(Tool):
    """The tool by which a member passes control on; made anew for each time it speaks."""

    is_internal = True
    is_idempotent = True

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._target: str | None = None
        self._names = list(targets)
        listed = "\n".join(f"- {name}: {purpose}" for name, purpose in targets.items())
        schema = {
            "type": "object",
            "properties": {
                "to": {"type": "string", "enum": self._names},
                "reason": {"type": "string", "description": "Why, and what is to be done."},
            },
            "required": ["to", "reason"],
            "additionalProperties": False,
        }
        self.spec = ToolSpec(
            _HANDOFF, f"Hand over to another member, who goes on instead of you.\n{listed}", schema
        )

    def parse(self, args: str) -> dict[str, Any]:
        """Check who is to go on, and why."""
        try:
            value = from_json(args)
        except ValueError as error:
            raise ToolRetry(f"The arguments are not JSON: {error}") from None
        match value:
            case {"to": str(target), "reason": str()} if len(value) == 2:
                if target in self._names:
                    return value
                raise ToolRetry(str(unknown_name("member", target, self._names)))
            case _:
                raise ToolRetry('The arguments must be {"to": "...", "reason": "..."}.')

    async def call(self, ctx: RunContext, args: dict[str, Any]) -> ToolResult:  # noqa: ARG002 - the swarm's loop does it
        """Keep the wish for the swarm, and end the member's run; only the first one counts."""
        if self._target is not None:
            text = f"You have handed over to {self._target} already; nobody else was called."
            return ToolResult((TextPart(text),), is_error=True)
        self._target = args["to"]
        return ToolResult((TextPart(f"Handed over to {self._target}."),), ends_run=True)


@tool
async def note(ctx: RunContext, key: str, value: str) -> str:
    """Write a note that all members can read.

    Args:
        ctx: The run.
        key: A short name for it; an older note of that name is replaced.
        value: What they should know.
    """
    if not key.strip():
        raise ToolRetry("A note needs a key that is not blank.")
    ctx.state[key] = value
    return "Noted."


@tool
async def read_notes(ctx: RunContext) -> dict[str, Any]:
    """Read all notes of the members."""
    return dict(ctx.state)


note.is_internal = read_notes.is_internal = True
note.is_idempotent = read_notes.is_idempotent = True


def _told_by(ctx: RunContext, mark: int) -> tuple[int, list[Message], tuple[str, str] | None]:
    """Read off the record what the member said whose run began behind `mark`, and its handoff.

    The first value is where the next member's run is looked for.
    """
    events = ctx.record.events
    for place in range(mark, len(events)):
        start = events[place]
        if isinstance(start, RunStarted) and start.parent_id == ctx.run_id:
            own = [event for event in events[place:] if event.run_id == start.run_id]
            said = messages_of(own, start.run_id)[len(start.input) :]
            return place + 1, said, _wish(own, said)
    return mark, [], None


def _wish(own: Sequence[DurableEvent], said: Sequence[Message]) -> tuple[str, str] | None:
    """Return to whom a member has handed over, and why."""
    ended = {event.call_id for event in own if isinstance(event, ToolFinished) and event.ends_run}
    calls = next((message.tool_calls for message in reversed(said) if message.tool_calls), ())
    for part in calls:
        if part.name == _HANDOFF and part.call_id in ended:
            args = from_json(part.args)
            return args["to"], args["reason"]
    return None


def _answer(name: str, result: Result[Any]) -> list[Message]:
    return [Message("assistant", result.parts, name)]


class _Talk:
    """All that was said in a swarm, told to each member as it has to hear it."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._said: list[tuple[str | None, Message]] = [(None, message) for message in messages]

    def add(self, speaker: str, messages: Sequence[Message]) -> None:
        """Add what a member has said and done."""
        self._said.extend((speaker, message) for message in messages)

    def hand_over(self, source: str, target: str, reason: str) -> None:
        """Add that control has passed."""
        text = f"{source} has handed over to {target}. Reason: {reason}"
        self._said.append((None, user_message(text)))

    def for_member(self, name: str, notes: Mapping[str, Any]) -> list[Message]:
        """Tell it all: a member's own words are its own, those of others are told by name."""
        told: list[Message] = []
        for speaker, message in self._said:
            if speaker is None or speaker == name:
                told.append(message)
            elif parts := _retold(speaker, message):
                told.append(Message("user", tuple(parts)))
        if notes:
            in_order = dict(sorted(notes.items()))  # Whoever wrote first, after a crash too.
            told.append(user_message(f"Shared notes: {to_json(in_order).decode()}"))
        return told


def _retold(speaker: str, message: Message) -> list[TextPart | FilePart]:
    """Retell a message of another member; its calls are told by what they came to."""
    parts: list[TextPart | FilePart] = []
    for part in message.parts:
        if isinstance(part, TextPart) and part.text:
            parts.append(TextPart(f"{speaker}: {part.text}"))
        elif isinstance(part, ToolCallPart) and part.name != _HANDOFF:
            parts.append(TextPart(f"{speaker} called {part.name}({part.args})"))
        elif isinstance(part, ToolResultPart) and part.name != _HANDOFF:
            parts.append(TextPart(f"{part.name} answered {speaker}: {part.text}"))
            parts.extend(inner for inner in part.content if isinstance(inner, FilePart))
        elif isinstance(part, FilePart):
            parts.append(part)
    return parts
