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


async def run(
    client: AsyncOpenAI, messages: list[dict], tools: dict[str, Callable[..., Awaitable[object]]]
) -> str:
    messages = list(messages)
    while True:
        text, calls = "", {}
        stream = await client.chat.completions.create(
            model="bench",
            messages=messages,
            stream=True,
            stream_options={"include_usage": True},
            **({"tools": [ADD]} if tools else {}),
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
