"""Swarms: members who hand over, and what each of them sees and hears."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    FilePart,
    Graph,
    HandedOff,
    InputRequested,
    LimitReached,
    Message,
    Say,
    ScriptedModel,
    StateChanged,
    Swarm,
    TextPart,
    ToolResultPart,
    UserError,
)
from nbagents.messages import ToolCallPart, user_message
from tests.agents.support import never, others
from tests.teams.support import SPENT, hands, named, prompts, says, visits

PICTURE = FilePart("image/png", b"\x89PNG")


def handoffs(run) -> list[tuple[str, str, str]]:
    return [(e.source, e.target, e.reason) for e in run.events if isinstance(e, HandedOff)]


async def test_the_first_member_may_simply_answer():
    run = await Swarm("s", [says("a"), says("b")]).run("go")
    assert (run.output, visits(run), handoffs(run)) == ("a", ["a"], [])


async def test_a_handoff_ends_the_turn_without_another_request_to_the_model():
    a, b = says("a", hands("b", "you know birds", text="Let me see.")), says("b")
    run = await Swarm("s", [a, b]).run("go")
    assert (len(a.model.requests), len(b.model.requests)) == (1, 1)
    assert (run.output, visits(run)) == ("b", ["a", "b"])
    assert handoffs(run) == [("a", "b", "you know birds")]
    assert (run.usage.input_tokens, run.usage.output_tokens) == (20, 2)


async def test_the_swarm_begins_with_the_member_that_is_named():
    run = await Swarm("s", [says("a"), says("b")], start="b").run("go")
    assert visits(run) == ["b"]


async def test_a_handoff_carries_all_that_was_said_and_done_and_by_whom():
    def look(at: str) -> list[object]:
        """Look."""
        return [f"seen {at}", PICTURE]

    first = Say(text="I'll look.", calls=[("look", {"at": "birds"})])
    a = says("a", first, hands("b", "write it down", text="Done."), tools=[look])
    b = says("b", hands("c", "print it", text="Written."))
    c = says("c")
    await Swarm("s", [a, b, c]).run(["go", PICTURE])
    [seen_by_c] = c.model.requests
    assert list(seen_by_c.messages) == [
        user_message("go", PICTURE),
        user_message("a: I'll look.", 'a called look({"at": "birds"})'),
        user_message("look answered a: seen birds", PICTURE),
        user_message("a: Done."),
        user_message("a has handed over to b. Reason: write it down"),
        user_message("b: Written."),
        user_message("b has handed over to c. Reason: print it"),
    ]


async def test_a_member_who_comes_again_finds_its_own_words_as_its_own():
    a = says("a", hands("b", text="One."), "done")
    b = says("b", hands("a", "back to you", text="Two."))
    run = await Swarm("s", [a, b]).run("go")
    assert run.output == "done"
    call = ToolCallPart("call_0", "handoff", '{"to": "b", "reason": "your turn"}')
    told = ToolResultPart("call_0", "handoff", (TextPart("Handed over to b."),))
    assert list(a.model.requests[1].messages) == [
        user_message("go"),
        Message("assistant", (TextPart("One."), call), "a", SPENT, "tools"),
        Message("user", (told,)),
        user_message("a has handed over to b. Reason: your turn"),
        user_message("b: Two."),
        user_message("b has handed over to a. Reason: back to you"),
    ]


async def test_a_second_handoff_in_one_turn_is_refused_to_the_model():
    both = Say(calls=[("handoff", {"to": n, "reason": "x"}) for n in ("b", "c")])
    a, b, c = says("a", both, "done"), says("b", hands("a", text="No.")), says("c")
    run = await Swarm("s", [a, b, c]).run("go")
    assert visits(run) == ["a", "b", "a"]
    results = a.model.requests[1].messages[2].parts
    assert [(part.text, part.is_error) for part in results] == [
        ("Handed over to b.", False),
        ("You have handed over to b already; nobody else was called.", True),
    ]


async def test_other_tools_of_the_turn_of_a_handoff_are_run():
    ran: list[str] = []

    async def save() -> str:
        """Save."""
        ran.append("save")
        return "saved"

    both = Say(calls=[("handoff", {"to": "b", "reason": "x"}), ("save", {})])
    a, b = says("a", both, tools=[save]), says("b")
    run = await Swarm("s", [a, b]).run("go")
    assert (ran, run.output) == (["save"], "b")
    assert "save answered a: saved" in prompts(b)[0]


async def test_the_tool_names_the_others_in_its_schema_and_says_what_they_are_for():
    a = says("a")
    b, c = says("b", description="knows birds"), says("c", instructions="# Printer\nPrints.")
    await Swarm("s", [a, b, c], purposes={"c": "prints"}).run("go")
    [request] = a.model.requests
    handoff, *notes = request.tools
    assert [tool.name for tool in notes] == ["note", "read_notes"]
    assert handoff.parameters["properties"]["to"]["enum"] == ["b", "c"]
    assert handoff.parameters["required"] == ["to", "reason"]
    assert handoff.description.splitlines()[1:] == ["- b: knows birds", "- c: prints"]


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"to": "bb", "reason": "x"}, "There is no member 'bb'. Did you mean 'b'?"),
        ({"to": "a", "reason": "x"}, "There is no member 'a'."),
        ({"to": "b"}, "The arguments must be"),
        ({"to": "b", "reason": "x", "more": 1}, "The arguments must be"),
        ("{", "The arguments are not JSON"),
    ],
)
async def test_a_handoff_that_makes_no_sense_goes_back_to_the_model(args, problem):
    a = says("a", Say(calls=[("handoff", args)]), "done")
    run = await Swarm("s", [a, says("b")]).run("go")
    assert (run.output, visits(run)) == ("done", ["a"])
    [told] = a.model.requests[1].messages[-1].parts
    assert told.is_error
    assert told.text.startswith(problem)


async def test_members_may_only_hand_over_to_whom_they_are_told():
    a, b, c = says("a", hands("b")), says("b", hands("c"), "done"), says("c", hands("b"))
    swarm = Swarm("s", [a, b, c], hands_off_to={"a": ["b"], "c": []})

    def targets(agent) -> list[str]:
        [request, *_] = agent.model.requests
        tools = [tool for tool in request.tools if tool.name == "handoff"]
        return tools[0].parameters["properties"]["to"]["enum"] if tools else []

    run = await swarm.run("go")
    assert visits(run)[:3] == ["a", "b", "c"]
    assert (targets(a), targets(b), targets(c)) == (["b"], ["a", "c"], [])


async def test_a_member_may_hand_over_to_the_person():
    ask = Say(calls=[("handoff_to_user", {"question": "Which?", "choices": ["x", "y"]})])
    a, b = says("a", ask, "done"), says("b")
    swarm = Swarm("s", [a, b], hands_off_to={"a": ["b", "human"]})
    run = await swarm.run("go", answers=["y"])
    assert (run.output, visits(run)) == ("done", ["a"])
    assert a.model.requests[1].messages[-1].parts[0].text == "y"
    [asked] = [event for event in run.events if isinstance(event, InputRequested)]
    assert (asked.asker, asked.prompt) == ("a", "Which?")
    assert [tool.name for tool in a.model.requests[0].tools] == [
        "handoff",
        "note",
        "read_notes",
        "handoff_to_user",
    ]
    await Swarm("s", [a, b]).run("go")
    assert "handoff_to_user" not in [tool.name for tool in a.model.requests[-1].tools]


async def test_notes_are_shared_by_the_members_of_one_run_only():
    write = Say(calls=[("note", {"key": "bird", "value": "robin"})])
    a, b = says("a", write, hands("b")), says("b", Say(calls=[("read_notes", {})]), "done")
    swarm = Swarm("s", [a, b])
    run = await swarm.run("go")
    assert [(e.key, e.value) for e in run.events if isinstance(e, StateChanged)] == [
        ("bird", "robin")
    ]
    assert prompts(b)[0][-1] == 'Shared notes: {"bird":"robin"}'
    assert b.model.requests[1].messages[-1].parts[0].text == '{"bird":"robin"}'
    await Swarm("s", [b]).run("go")
    assert prompts(b)[2] == ["go"]


async def test_the_notes_of_two_swarms_in_one_graph_do_not_mix():
    def swarm(name: str) -> Swarm:
        write = Say(calls=[("note", {"key": "who", "value": name})])
        read = Say(calls=[("read_notes", {})])
        member = says(f"of_{name}", write, read, lambda r: r.messages[-1].parts[0].text)
        return Swarm(name, [member])

    graph = Graph("g", {"one": swarm("one"), "two": swarm("two")}, [])
    run = await graph.run("go")
    assert run.output == {"one": '{"who":"one"}', "two": '{"who":"two"}'}


async def test_max_handoffs_counts_handoffs_and_names_itself():
    def swarm(most: int) -> Swarm:
        members = [says("a", hands("b")), says("b", hands("c")), says("c")]
        return Swarm("s", members, max_handoffs=most)

    assert (await swarm(2).run("go")).output == "c"
    run = await swarm(1).run("go")
    assert (run.status, run.reason) == ("limited", "max_handoffs=1")
    assert visits(run) == ["a", "b"]
    assert len(handoffs(run)) == 1
    assert run.usage.input_tokens == 20
    with pytest.raises(LimitReached, match=r"Raise it with Swarm\(..., max_handoffs=...\)"):
        _ = run.output
    assert (await swarm(0).run("go")).reason == "max_handoffs=0"


async def test_ping_pong_is_caught_by_the_repeat_window_which_names_itself():
    def swarm(**limits) -> Swarm:
        return Swarm("s", [says("a", hands("b")), says("b", hands("a")), says("c")], **limits)

    run = await swarm(repeat_window=4).run("go")
    assert (run.status, run.reason) == ("limited", "repeat_window=4")
    assert visits(run) == ["a", "b", "a", "b"]
    assert (await swarm().run("go")).reason == "repeat_window=8"
    assert (await swarm(repeat_window=0).run("go")).reason == "max_handoffs=20"


async def test_three_members_in_turns_are_no_ping_pong():
    members = [says("a", hands("b")), says("b", hands("c")), says("c", hands("a"))]
    run = await Swarm("s", members, repeat_window=4, max_handoffs=9).run("go")
    assert run.reason == "max_handoffs=9"


async def test_building_a_swarm_changes_no_agent_and_it_can_be_made_again():
    a, b = says("a", hands("b")), says("b")
    before = dict(a.tool_table), dict(b.tool_table), a.tools, b.tools
    for _ in range(2):
        assert (await Swarm("s", [a, b]).run("go")).output == "b"
    assert (dict(a.tool_table), dict(b.tool_table), a.tools, b.tools) == before
    alone = says("alone")
    await Swarm("s", [alone, b]).run("go")
    await alone.run("go")
    assert alone.model.requests[1].tools == ()


async def test_an_agent_may_be_in_two_swarms_at_once():
    meeting = asyncio.Barrier(2)

    async def meet() -> None:
        """Meet."""
        await meeting.wait()

    def goes_on(request):
        other = request.tools[1].parameters["properties"]["to"]["enum"][0]
        if len(request.messages) == 1:
            return Say(calls=[("meet", {})])
        return hands(other)

    shared = Agent("shared", model=ScriptedModel(goes_on, repeat=True), tools=[meet])
    swarms = [Swarm(f"with_{name}", [shared, says(name)]) for name in ("x", "y")]
    runs = await asyncio.gather(*(swarm.run("go") for swarm in swarms))
    assert [run.output for run in runs] == ["x", "y"]


async def test_two_runs_of_one_swarm_at_once_do_not_touch_each_other():
    def first(request):
        return hands("b", request.messages[0].text)

    echo = ScriptedModel(lambda request: request.messages[-1].text, repeat=True)
    swarm = Swarm("s", [says("a", first), Agent("b", model=echo)])
    runs = await asyncio.gather(swarm.run("one"), swarm.run("two"))
    assert [run.output.rpartition(" ")[2] for run in runs] == ["one", "two"]


async def test_a_member_may_be_a_graph_that_hands_over_when_it_has_finished():
    graph = Graph("check", {"x": named("checked"), "y": says("y")}, [("x", "y")])
    a, c = says("a", hands("check")), says("c")
    swarm = Swarm("s", [a, graph, c], hands_off_to={"check": ["c"]})
    run = await swarm.run("go")
    assert (visits(run), run.output) == (["a", "check", "c"], "c")
    assert handoffs(run)[1] == ("check", "c", "It has finished its part.")
    assert prompts(c)[0][-2:] == [
        "check: y",
        "check has handed over to c. Reason: It has finished its part.",
    ]


async def test_the_answer_of_a_graph_that_hands_over_to_nobody_is_that_of_the_swarm():
    swarm = Swarm("s", [says("a", hands("check")), Graph("check", {"x": named("checked")}, [])])
    assert (await swarm.run("go")).output == "checked"


async def test_cancelling_a_swarm_has_cleaned_up_the_deepest_tool_when_the_caller_goes_on():
    begun, cleaned = asyncio.Event(), []

    async def dig() -> None:
        """Dig."""
        begun.set()
        try:
            await never().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("dig")

    digger = says("digger", Say(calls=[("dig", {})]), tools=[dig])
    boss = says("boss", Say(calls=[("digger", {"message": "dig"})]), tools=[digger])
    task = asyncio.create_task(Swarm("s", [says("a", hands("boss")), boss]).run("go"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (cleaned, others()) == (["dig"], set())


async def test_the_error_of_a_member_is_the_error_of_the_swarm():
    async def broken() -> None:
        raise ValueError("no")

    swarm = Swarm("s", [says("a", hands("g")), Graph("g", {"x": broken}, [])])
    with pytest.raises(ValueError, match="no"):
        await swarm.run("go")


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"members": []}, "The swarm 's' has no members"),
        ({"members": ["writer", "writer"]}, "has two members named 'writer'"),
        ({"start": "wirter"}, r"There is no member 'wirter'. Did you mean 'writer'\?"),
        ({"hands_off_to": {"writer": ["crtic"]}}, r"Did you mean 'critic'\?"),
        ({"hands_off_to": {"writer": ["humn"]}}, r"Did you mean 'human'\?"),
        ({"hands_off_to": {"human": ["writer"]}}, "There is no member 'human'"),
        ({"hands_off_to": {"writer": "critic"}}, r"must be a list: \['critic'\]"),
        ({"purposes": {"critik": "judges"}}, r"Did you mean 'critic'\?"),
    ],
)
def test_names_that_do_not_exist_show_when_the_swarm_is_built(about, problem):
    members = [says(name) for name in about.pop("members", ["writer", "critic"])]
    with pytest.raises(UserError, match=problem):
        Swarm("s", members, **about)


def test_a_member_that_cannot_be_run_and_a_tool_whose_name_is_taken():
    with pytest.raises(UserError, match="an agent or a team, not 'writer'"):
        Swarm("s", ["writer"])

    def handoff() -> None:
        """Mine."""

    with pytest.raises(UserError, match="'a' has a tool named 'handoff', which is a swarm's own"):
        Swarm("s", [says("a", tools=[handoff])])


async def test_a_conversation_with_a_swarm_goes_on_with_its_answer():
    swarm = Swarm("s", [says("a")])
    run = await swarm.run("What?")
    assert [message.text for message in run.messages] == ["What?", "a"]
    await swarm.run([*run.messages, "and then?"])
    asked = swarm.members[0].model.requests[-1].messages
    assert [message.text for message in asked] == ["What?", "a", "and then?"]


@pytest.mark.parametrize(
    "limits", [{"max_handoffs": "3"}, {"max_handoffs": -1}, {"repeat_window": None}]
)
def test_a_limit_that_is_no_number_is_an_error(limits):
    with pytest.raises(UserError, match="must be a number of handoffs"):
        Swarm("s", [says("a")], **limits)


def test_a_member_cannot_hand_over_to_itself():
    with pytest.raises(UserError, match="cannot hand over to itself"):
        Swarm("s", [says("a")], hands_off_to={"a": ["a"]})
