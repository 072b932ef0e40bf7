"""The same work with the vendor's SDK alone: streaming, and tools dispatched by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from openai import AsyncOpenAI

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}


HANDOFF = {
    "type": "function",
    "function": {
        "name": "handoff",
        "description": "Hand over to another agent.",
        "parameters": {
            "type": "object",
            "properties": {
                "to": {"type": "string", "enum": ["b"]},
                "reason": {"type": "string"},
            },
            "required": ["to", "reason"],
            "additionalProperties": False,
        },
    },
}


async def ask(
    client: AsyncOpenAI, messages: list[dict], tools: list[dict]
) -> tuple[str, dict[int, dict[str, str]]]:
    text, calls = "", {}
    stream = await client.chat.completions.create(
        model="bench",
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
        **({"tools": tools} if tools else {}),
    )
    async for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                text += choice.delta.content
            for part in choice.delta.tool_calls or ():
                call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
                call["id"] += part.id or ""
                call["name"] += part.function.name or ""
                call["arguments"] += part.function.arguments or ""
    return text, calls


async def hand_over(first: AsyncOpenAI, second: AsyncOpenAI, messages: list[dict]) -> str:
    """Ask one agent, who hands over to another one, and ask that one."""
    _, calls = await ask(first, [{"role": "system", "content": "You are a."}, *messages], [HANDOFF])
    wanted = json.loads(calls[0]["arguments"])
    said = f"a has handed over to {wanted['to']}. Reason: {wanted['reason']}"
    system = {"role": "system", "content": "You are b."}
    text, _ = await ask(second, [system, *messages, {"role": "user", "content": said}], [])
    return text


async def run(
    client: AsyncOpenAI, messages: list[dict], tools: dict[str, Callable[..., Awaitable[object]]]
) -> str:
    messages = list(messages)
    while True:
        text, calls = await ask(client, messages, [ADD] if tools else [])
        if not calls:
            return text
        wire = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for call in calls.values()
        ]
        messages.append({"role": "assistant", "content": text or None, "tool_calls": wire})
        results = await asyncio.gather(
            *(tools[call["name"]](**json.loads(call["arguments"])) for call in calls.values())
        )
        messages.extend(
            {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)}
            for call, result in zip(calls.values(), results, strict=True)
        )
