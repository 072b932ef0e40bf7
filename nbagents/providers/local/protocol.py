"""The protocol with a small model: a request in, chat messages and a grammar out.

Small models that are offered tools in the usual way call none of them. Told in words, shown how,
and held to the form by a grammar, they do. Answering is one more tool, `reply`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nbagents.errors import ModelError
from nbagents.messages import (
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from nbagents.models.base import ModelRequest
from nbagents.providers.local.answer import Answer, Call, CallAnswer, JsonAnswer, TextAnswer
from nbagents.providers.local.schema import grammar, object_schema, rooted, sketch, tamed

__all__ = ["Prompt", "encode", "is_futile"]

_FORM = 'Reply with one JSON object: {"tool": <name>, "arguments": {...}}'
_USE = "If a tool can help, use it first. When you have its result, reply."
_MOST_CALLS = 4

_Turn = tuple[str, str]
_ShownCall = tuple[str, tuple[str, dict[str, str]], str, str]
"""A question, the call it leads to, the result, the answer."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is sent, and how its answer is to be read."""

    messages: list[dict[str, str]]
    form: Literal["text", "json", "call", "call_json"]
    """In the last the arguments of `reply` are themselves the answer."""
    grammar: str | None = None
    reply: str = "reply"

    def answer(self) -> Answer:
        """Make the reader of one answer."""
        if self.form == "text":
            return TextAnswer()
        if self.form == "json":
            return JsonAnswer()
        return CallAnswer(self.reply, reply_is_json=self.form == "call_json")


def encode(request: ModelRequest, longest: int, *, must_reply: bool = False) -> Prompt:
    """Write a request as the model is to read it.

    `longest` bounds each string of the answer, in characters. `must_reply` takes the tools away,
    unless the request demands a call. Raises `ModelError` for files.
    """
    if request.tools:
        return _with_tools(request, longest, must_reply=must_reply)
    if request.output is None:
        return Prompt(_wire(request.system, _turns(request.messages)), "text")
    schema = request.output.schema
    system = f"{request.system}\nReply with one JSON object: {sketch(schema)}".strip()
    wire = _wire(system, _turns(request.messages))
    return Prompt(wire, "json", grammar(tamed(schema, longest)))


def is_futile(request: ModelRequest, call: Call) -> bool:
    """Tell whether a call was made already for this question, or is made with its own result.

    Small models do both without end. Never true where the request demands a call.
    """
    if request.tool_choice == "required":
        return False
    args = _values(call.args)
    said = {value.strip() for value in args.values() if isinstance(value, str)}
    for earlier, result in _exchange(request.messages):
        words = {result.text.strip(), _result(result).strip()}
        if earlier.name == call.name and (_values(earlier.args) == args or words & said):
            return True
    return False


def _with_tools(request: ModelRequest, longest: int, *, must_reply: bool) -> Prompt:
    reply = "reply" if all(spec.name != "reply" for spec in request.tools) else "reply_to_user"
    forms = {spec.name: spec.parameters for spec in request.tools}
    lines = [_line(spec) for spec in request.tools]
    ways = [_FORM]
    if request.tool_choice == "auto":
        exchange = _exchange(request.messages)
        if must_reply or len(exchange) >= _MOST_CALLS or _failed(exchange):
            forms.clear()
        if request.output is None:
            forms[reply] = object_schema(text={"type": "string"})
            lines.append(f"- {reply}(text): Answer the user directly with text.")
        else:
            forms[reply] = request.output.schema
            lines.append(f"- {reply}: Give the final answer, {sketch(request.output.schema)}.")
        ways.append(_USE)
    system = "\n".join([request.system, "You can use these tools:", *lines, *ways]).strip()
    turns = [*_demos(request, reply), *_turns(request.messages, reply)]
    form = "call" if request.output is None else "call_json"
    return Prompt(_wire(system, turns), form, _call_grammar(forms, longest), reply)


def _line(spec: ToolSpec) -> str:
    description = " ".join(spec.description.partition("\n\n")[0].split())
    return f"- {spec.name}({', '.join(spec.parameters.get('properties', ()))}): {description}"


def _call_grammar(forms: dict[str, dict[str, Any]], longest: int) -> str:
    """Allow one call of one of the tools."""
    calls = [
        object_schema(tool={"const": name}, arguments={"$ref": f"#/$defs/{name}"}) for name in forms
    ]
    definitions = {
        name: rooted(tamed(form, longest), f"#/$defs/{name}") for name, form in forms.items()
    }
    return grammar({"anyOf": calls, "$defs": definitions})


def _demos(request: ModelRequest, reply: str) -> Iterator[_Turn]:
    """Show how it is done: without this the model calls a tool for "Hello", and none for a fact.

    A tool's own examples come first: what stands last, before the question, is a plain reply.
    """
    for spec in request.tools:
        for question, args in spec.examples:
            yield from (("user", question), ("assistant", _call(spec.name, args)))
    if request.tool_choice == "required" or request.output is not None:
        return

    def said(text: str) -> _Turn:
        return "assistant", _call(reply, {"text": text})

    yield from (("user", "Hello!"), said("Hello! How can I help you?"))
    for question, call, result, answer in _shown_calls(request.tools):
        yield from (("user", question), ("assistant", _call(*call)))
        yield from (("user", f"Result of {call[0]}: {result}"), said(answer))
    yield from (("user", "Thank you!"), said("You are welcome!"))


def _shown_calls(tools: Sequence[ToolSpec]) -> Iterator[_ShownCall]:
    """Show the agents that stand as tools by their own names, or else a tool that is not there."""
    agents = [spec.name for spec in tools if _is_agent(spec)]
    height = {"message": "How tall is Mont Blanc?"}
    told = "Mont Blanc is 4,806 metres tall."
    for name in agents[:1]:
        yield "How tall is Mont Blanc?", (name, height), "4,806 metres.", told
        about = {"message": "Tell me about Mont Blanc."}
        sentence = "Mont Blanc, the highest mountain of the Alps, is 4,806 metres tall."
        yield "Write one sentence about Mont Blanc.", (name, about), told, sentence
    for name in agents[1:]:
        yield f"Ask the {name} how tall Mont Blanc is.", (name, height), "4,806 metres.", told
    if not agents:
        tokyo, cairo = ("get_time", {"place": "Tokyo"}), ("get_time", {"place": "Cairo"})
        yield "What time is it in Tokyo?", tokyo, "14:05", "It is 14:05 in Tokyo."
        yield "Is it late in Cairo?", cairo, "23:40", "Yes, it is 23:40 in Cairo."


def _is_agent(spec: ToolSpec) -> bool:
    """Tell an agent that stands as a tool: it takes a message, and nothing else."""
    return list(spec.parameters.get("properties", ())) == ["message"]


def _call(name: str, args: dict[str, Any]) -> str:
    # Characters as they are: shown "\u00b0C" the model answers "0C".
    return str(Call(name, json.dumps(args, ensure_ascii=False)))


def _turns(messages: Sequence[Message], reply: str | None = None) -> Iterator[_Turn]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, TextPart):
                if message.role == "user" or reply is None:
                    yield message.role, part.text
                else:
                    yield "assistant", _replied(reply, part.text)
            elif isinstance(part, ToolCallPart):
                yield "assistant", str(Call(part.name, part.args or "{}"))
            elif isinstance(part, ToolResultPart) and all(
                isinstance(item, TextPart) for item in part.content
            ):
                yield "user", _result(part)
            elif not isinstance(part, ThinkingPart):
                raise ModelError("The local model reads text only, no files.", provider="local")


def _result(part: ToolResultPart) -> str:
    return f"Result of {part.name}: {part.text}"


def _replied(reply: str, text: str) -> str:
    """Write an earlier answer in the form in which the next one is wanted."""
    return str(Call(reply, text)) if text.startswith("{") else _call(reply, {"text": text})


def _values(args: str) -> dict[str, Any]:
    try:
        return json.loads(args or "{}")
    except ValueError:
        return {}


def _wire(system: str, turns: Iterable[_Turn]) -> list[dict[str, str]]:
    """Write the chat; many templates refuse two turns of one role in a row."""
    wire: list[dict[str, str]] = []
    for role, text in (("system", system), *turns):
        if wire and wire[-1]["role"] == role:
            wire[-1]["content"] += f"\n{text}"
        elif text:
            wire.append({"role": role, "content": text})
    return wire


def _exchange(messages: Sequence[Message]) -> list[tuple[ToolCallPart, ToolResultPart]]:
    """Return the calls since the user last spoke, with their results."""
    calls: dict[str, ToolCallPart] = {}
    results: list[ToolResultPart] = []
    for message in reversed(messages):
        if message.role == "user" and any(isinstance(part, TextPart) for part in message.parts):
            break
        calls.update((call.call_id, call) for call in message.tool_calls)
        results[:0] = [part for part in message.parts if isinstance(part, ToolResultPart)]
    return [(calls[result.call_id], result) for result in results if result.call_id in calls]


def _failed(exchange: Sequence[tuple[ToolCallPart, ToolResultPart]]) -> bool:
    return bool(exchange) and exchange[-1][1].is_error
