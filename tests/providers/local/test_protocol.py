"""What the small model is sent for each kind of request."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nbagents.errors import ModelError
from nbagents.messages import (
    FilePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user_message,
)
from nbagents.models.base import ModelRequest, OutputSpec
from nbagents.providers.local.answer import Call, CallAnswer, JsonAnswer, TextAnswer
from nbagents.providers.local.protocol import encode, is_futile
from nbagents.providers.local.schema import object_schema

STRING = {"type": "string"}
WEATHER = ToolSpec(
    "get_weather",
    "Get the current weather\nfor a city.\n\nKnows only big cities.",
    object_schema(city=STRING),
    examples=(("Is it sunny in Athens?", {"city": "Athens"}),),
)
DICE = ToolSpec("roll", "Roll dice.", object_schema(sides={"type": "integer"}))
RESEARCHER = ToolSpec("researcher", "Finds facts.", object_schema(message=STRING))
CRITIC = ToolSpec("critic", "Finds faults.", object_schema(message=STRING))
CITY = OutputSpec("City", object_schema(city=STRING, people={"type": "integer"}))
PNG = FilePart("image/png", b"...")


def call(name: str, args: str, call_id: str = "1") -> Message:
    return Message("assistant", (ToolCallPart(call_id, name, args),))


def result(name: str, text: str, call_id: str = "1", *, is_error: bool = False) -> Message:
    part = ToolResultPart(call_id, name, (TextPart(text),), is_error)
    return Message("user", (part,))


def asked(*tools: ToolSpec, messages: list[Message] | None = None) -> ModelRequest:
    return ModelRequest(messages or [user_message("Rain in Rome?")], "Be kind.", tools)


def system(request: ModelRequest) -> list[str]:
    first = encode(request, 600).messages[0]
    assert first["role"] == "system"
    return first["content"].splitlines()


def turns(request: ModelRequest) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in encode(request, 600).messages[1:]]


def allowed(request: ModelRequest, **how: bool) -> dict[str, dict]:
    """Return the tools that the grammar allows, with the schemas of their arguments."""
    schema = json.loads(encode(request, 600, **how).grammar.partition("%json ")[2])
    names = [choice["properties"]["tool"]["const"] for choice in schema["anyOf"]]
    references = [choice["properties"]["arguments"]["$ref"] for choice in schema["anyOf"]]
    assert references == [f"#/$defs/{name}" for name in names]
    return {name: schema["$defs"][name] for name in names}


def test_a_chat_is_sent_as_it_is_and_answered_in_free_words():
    thought = ThinkingPart("Hm.")
    spoken = Message("assistant", (thought, TextPart("Hello!")))
    prompt = encode(
        ModelRequest([user_message("Hi"), spoken, user_message("How", " are you?")], "Be kind."),
        600,
    )
    assert prompt.messages == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "How\n are you?"},
    ]
    assert prompt.grammar is None
    assert isinstance(prompt.answer(), TextAnswer)


def test_without_instructions_there_is_no_system_turn():
    prompt = encode(ModelRequest([user_message("Hi")]), 600)
    assert prompt.messages == [{"role": "user", "content": "Hi"}]


def test_tools_are_told_in_a_line_each_after_the_instructions():
    assert system(asked(WEATHER, DICE)) == [
        "Be kind.",
        "You can use these tools:",
        "- get_weather(city): Get the current weather for a city.",
        "- roll(sides): Roll dice.",
        "- reply(text): Answer the user directly with text.",
        'Reply with one JSON object: {"tool": <name>, "arguments": {...}}',
        "If a tool can help, use it first. When you have its result, reply.",
    ]


def test_the_form_is_shown_by_turns_that_are_the_same_in_every_request():
    assert turns(asked(WEATHER)) == [
        ("user", "Is it sunny in Athens?"),
        ("assistant", '{"tool": "get_weather", "arguments": {"city": "Athens"}}'),
        ("user", "Hello!"),
        ("assistant", '{"tool": "reply", "arguments": {"text": "Hello! How can I help you?"}}'),
        ("user", "What time is it in Tokyo?"),
        ("assistant", '{"tool": "get_time", "arguments": {"place": "Tokyo"}}'),
        ("user", "Result of get_time: 14:05"),
        ("assistant", '{"tool": "reply", "arguments": {"text": "It is 14:05 in Tokyo."}}'),
        ("user", "Is it late in Cairo?"),
        ("assistant", '{"tool": "get_time", "arguments": {"place": "Cairo"}}'),
        ("user", "Result of get_time: 23:40"),
        ("assistant", '{"tool": "reply", "arguments": {"text": "Yes, it is 23:40 in Cairo."}}'),
        ("user", "Thank you!"),
        ("assistant", '{"tool": "reply", "arguments": {"text": "You are welcome!"}}'),
        ("user", "Rain in Rome?"),
    ]


def test_agents_that_stand_as_tools_are_shown_by_their_own_names():
    shown = turns(asked(RESEARCHER, CRITIC))
    questions = [text for role, text in shown if role == "user"]
    assert questions == [
        "Hello!",
        "How tall is Mont Blanc?",
        "Result of researcher: 4,806 metres.",
        "Write one sentence about Mont Blanc.",
        "Result of researcher: Mont Blanc is 4,806 metres tall.",
        "Ask the critic how tall Mont Blanc is.",
        "Result of critic: 4,806 metres.",
        "Thank you!",
        "Rain in Rome?",
    ]
    assert ("assistant", str(Call("critic", '{"message": "How tall is Mont Blanc?"}'))) in shown


def test_the_past_is_told_in_the_form_in_which_the_answer_is_wanted():
    past = [
        user_message("Hi"),
        Message("assistant", (TextPart('Say "hi" °'),)),
        user_message("Rain in Rome?"),
        call("get_weather", '{"city": "Rome"}'),
        result("get_weather", "18 °C"),
    ]
    assert turns(asked(WEATHER, messages=past))[-5:] == [
        ("user", "Hi"),
        ("assistant", '{"tool": "reply", "arguments": {"text": "Say \\"hi\\" °"}}'),
        ("user", "Rain in Rome?"),
        ("assistant", '{"tool": "get_weather", "arguments": {"city": "Rome"}}'),
        ("user", "Result of get_weather: 18 °C"),
    ]


def test_several_calls_of_one_turn_are_two_turns_at_most_as_templates_want():
    calls = (ToolCallPart("1", "roll", '{"sides": 6}'), ToolCallPart("2", "roll", "{}"))
    results = (
        ToolResultPart("1", "roll", (TextPart("4"),)),
        ToolResultPart("2", "roll", (TextPart("5"),)),
    )
    past = [user_message("Roll"), Message("assistant", calls), Message("user", results)]
    assert turns(asked(DICE, messages=past))[-2:] == [
        (
            "assistant",
            '{"tool": "roll", "arguments": {"sides": 6}}\n{"tool": "roll", "arguments": {}}',
        ),
        ("user", "Result of roll: 4\nResult of roll: 5"),
    ]


def test_the_grammar_allows_the_tools_and_reply():
    assert allowed(asked(WEATHER, DICE)) == {
        "get_weather": object_schema(city={"type": "string", "maxLength": 600}),
        "roll": object_schema(
            sides={"type": "integer", "minimum": -(10**15), "maximum": 10**15},
        ),
        "reply": object_schema(text={"type": "string", "maxLength": 600}),
    }
    answer = encode(asked(WEATHER), 600).answer()
    assert isinstance(answer, CallAnswer)


def test_the_references_of_a_tools_schema_hold_inside_the_grammar():
    place = object_schema(name=STRING)
    spec = ToolSpec("go", "Go.", {**object_schema(to={"$ref": "#/$defs/P"}), "$defs": {"P": place}})
    assert allowed(asked(spec))["go"]["properties"]["to"] == {"$ref": "#/$defs/go/$defs/P"}


def test_a_tool_of_the_users_may_be_called_reply():
    mine = ToolSpec("reply", "Send an e-mail.", object_schema(body=STRING))
    request = asked(mine)
    assert list(allowed(request)) == ["reply", "reply_to_user"]
    assert "- reply_to_user(text): Answer the user directly with text." in system(request)
    assert encode(request, 600).reply == "reply_to_user"


def test_a_request_that_demands_a_call_offers_no_reply():
    request = replace(asked(WEATHER), tool_choice="required")
    assert list(allowed(request)) == ["get_weather"]
    assert list(allowed(request, must_reply=True)) == ["get_weather"]
    assert not any("reply" in line for line in system(request)[:-1])
    assert turns(request) == [
        ("user", "Is it sunny in Athens?"),
        ("assistant", '{"tool": "get_weather", "arguments": {"city": "Athens"}}'),
        ("user", "Rain in Rome?"),
    ]


def test_after_a_failed_call_only_a_reply_is_left():
    past = [
        user_message("Rain?"),
        call("get_weather", '{"city": "Rome"}'),
        result("get_weather", "Down.", is_error=True),
    ]
    assert list(allowed(asked(WEATHER, messages=past))) == ["reply"]
    answered = [*past, Message("assistant", (TextPart("Sorry."),)), user_message("And in Oslo?")]
    assert list(allowed(asked(WEATHER, messages=answered))) == ["get_weather", "reply"]


def test_after_four_calls_for_one_question_only_a_reply_is_left():
    past = [user_message("Roll")]
    for sides in "2345":
        past += [call("roll", f'{{"sides": {sides}}}', sides), result("roll", "1", sides)]
    assert list(allowed(asked(DICE, messages=past[:-2]))) == ["roll", "reply"]
    assert list(allowed(asked(DICE, messages=past))) == ["reply"]


def test_the_same_call_again_is_futile_and_so_is_one_with_its_own_result():
    past = [
        user_message("What is 17 * 23?"),
        call("calculate", '{"expression": "17 * 23"}'),
        result("calculate", "391"),
    ]
    request = asked(DICE, messages=past)
    assert is_futile(request, Call("calculate", '{"expression":"17 * 23"}'))
    assert is_futile(request, Call("calculate", '{"expression": "391"}'))
    assert is_futile(request, Call("calculate", '{"expression": "Result of calculate: 391 "}'))
    assert not is_futile(request, Call("calculate", '{"expression": "391 + 1"}'))
    assert not is_futile(request, Call("other", '{"expression": "17 * 23"}'))
    assert not is_futile(
        replace(request, tool_choice="required"), Call("calculate", '{"expression": "391"}')
    )
    again = asked(DICE, messages=[*past, Message("assistant", ()), user_message("Once more!")])
    assert not is_futile(again, Call("calculate", '{"expression": "17 * 23"}'))


def test_an_earlier_call_that_was_no_json_makes_nothing_futile():
    past = [user_message("Roll"), call("roll", '{"sides"'), result("roll", "No JSON.")]
    assert not is_futile(asked(DICE, messages=past), Call("roll", '{"sides": 6}'))


def test_a_typed_answer_is_sketched_and_held_to_its_schema():
    prompt = encode(replace(asked(), output=CITY), 600)
    assert prompt.messages[0]["content"] == (
        'Be kind.\nReply with one JSON object: {"city": string, "people": integer}'
    )
    schema = json.loads(prompt.grammar.partition("%json ")[2])
    assert list(schema["properties"]) == ["city", "people"]
    assert isinstance(prompt.answer(), JsonAnswer)


def test_a_typed_answer_with_tools_takes_the_place_of_the_replys_text():
    request = replace(asked(DICE), output=CITY)
    assert list(allowed(request)["reply"]["properties"]) == ["city", "people"]
    assert '- reply: Give the final answer, {"city": string, "people": integer}.' in system(request)
    earlier = Message("assistant", (TextPart('{"city": "Rome", "people": 3}'),))
    past = replace(request, messages=[user_message("Rome?"), earlier, user_message("Sure?")])
    assert turns(past)[-2] == (
        "assistant",
        '{"tool": "reply", "arguments": {"city": "Rome", "people": 3}}',
    )
    answer = encode(request, 600).answer()
    answer.feed('{"tool": "reply", "arguments": {"city"')
    assert answer.feed(': "Oslo"') == '": "Oslo'


@pytest.mark.parametrize(
    "message",
    [
        Message("user", (TextPart("What is this?"), PNG)),
        Message("user", (ToolResultPart("1", "plot", (PNG,)),)),
    ],
)
def test_files_are_refused(message):
    with pytest.raises(ModelError, match="reads text only") as caught:
        encode(ModelRequest([message]), 600)
    assert not caught.value.retryable
