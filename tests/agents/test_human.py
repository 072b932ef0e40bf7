"""The human in an agent's loop: handoff to the user, and calls that have to be allowed."""

from __future__ import annotations

import asyncio

import pytest

from nbagents import (
    Agent,
    Approval,
    InputReceived,
    InputRequested,
    Limits,
    RunContext,
    Say,
    ScriptedModel,
    Swarm,
    ToolStarted,
    UserError,
    handoff_to_user,
    tool,
)
from nbagents.events import messages_of
from tests.agents.support import never, others
from tests.people import answering, present


def asking(*calls, tools, **declared) -> Agent:
    """Make an agent whose model makes these calls in one turn, and then is done."""
    return Agent("a", model=ScriptedModel(Say(calls=calls), "done"), tools=tools, **declared)


def told(run) -> list[tuple[str, bool]]:
    return [(part.text, part.is_error) for part in run.messages[2].parts]


def asked(run) -> list[InputRequested]:
    return [event for event in run.events if isinstance(event, InputRequested)]


ASK = ("handoff_to_user", {"question": "Which bird?", "reason": "There are two."})


async def test_a_model_asks_the_person_and_reads_the_answer():
    agent = asking(ASK, tools=[handoff_to_user])
    with present(answering(**{"Which bird?": "the robin"})):
        run = await agent.run("go")
    assert (run.output, told(run)) == ("done", [("the robin", False)])
    [question] = asked(run)
    assert (question.prompt, question.reason) == ("Which bird?", "There are two.")
    assert (question.asker, question.call_id, question.run_id) == ("a", "call_0", run.run_id)


async def test_a_model_may_name_the_answers():
    call = ("handoff_to_user", {"question": "Which?", "choices": ["robin", "wren"]})
    run = await asking(call, tools=[handoff_to_user]).run("go", answers=["sparrow"])
    assert run.status == "waiting"
    assert "'robin' or 'wren'" in run.questions[0].problem
    run = await run.resume(["wren"])
    assert told(run) == [("wren", False)]


async def test_an_empty_answer_is_an_answer():
    run = await asking(ASK, tools=[handoff_to_user]).run("go", answers=[""])
    assert told(run) == [("", False)]


async def test_several_questions_of_one_turn_get_their_own_answers():
    calls = [("handoff_to_user", {"question": question}) for question in ("One?", "Two?", "Three?")]
    agent = asking(*calls, tools=[handoff_to_user])
    with present(answering(**{"One?": "1", "Two?": "2", "Three?": "3"})) as person:
        run = await agent.run("go")
    assert told(run) == [("1", False), ("2", False), ("3", False)]
    assert [question.id for question in person.asked] == ["q1", "q2", "q3"]
    assert [question.call_id for question in asked(run)] == ["call_0", "call_1", "call_2"]


async def test_a_question_that_waits_is_resumed_and_the_model_is_not_asked_again():
    agent = asking(ASK, tools=[handoff_to_user])
    run = await agent.run("go")
    assert run.status == "waiting"
    run = await run.resume({"q1": "the robin"})
    assert (run.output, len(agent.model.requests)) == ("done", 2)
    assert run.messages == messages_of(run.events, run.run_id)


class Deletes:
    """A tool that has to be allowed, and what it has done."""

    def __init__(self, approve: object = True) -> None:
        self.deleted: list[str] = []

        @tool(approve=approve)
        async def delete_file(name: str) -> str:
            """Delete a file."""
            self.deleted.append(name)
            return "deleted"

        self.tool = delete_file


DELETE = ("delete_file", {"name": "a.txt"})
MAY = "Allow a to call delete_file?"


@pytest.mark.parametrize(
    "answer", [True, "yes", {"approve": True}, {"approve": True, "comment": "Do."}, Approval(True)]
)
async def test_an_allowed_call_is_made(answer):
    disk = Deletes()
    run = await asking(DELETE, tools=[disk.tool]).run("go", answers={MAY: answer})
    [(text, is_error)] = told(run)
    assert (text.partition("\n")[0], is_error, disk.deleted) == ("deleted", False, ["a.txt"])
    [question] = asked(run)
    assert (question.prompt, question.details, question.call_id) == (
        MAY,
        {"name": "a.txt"},
        "call_0",
    )


@pytest.mark.parametrize("answer", [False, "no", {"approve": False}])
async def test_a_declined_call_is_an_error_result_and_was_not_made(answer):
    disk = Deletes()
    run = await asking(DELETE, tools=[disk.tool]).run("go", answers=[answer])
    refused = "The user denied this call; it was not made."
    assert (told(run), disk.deleted, run.output) == ([(refused, True)], [], "done")
    assert not [event for event in run.events if isinstance(event, ToolStarted)]


async def test_the_comment_of_a_person_who_declines_goes_to_the_model():
    disk = Deletes()
    answer = {"approve": False, "comment": "Use the bin."}
    run = await asking(DELETE, tools=[disk.tool]).run("go", answers=[answer])
    [(text, is_error)] = told(run)
    assert is_error
    assert text.endswith("Comment from the user: Use the bin.")
    [received] = [event for event in run.events if isinstance(event, InputReceived)]
    assert received.answer == answer


async def test_the_comment_of_a_person_who_allows_goes_to_the_model():
    disk = Deletes()
    agent = asking(DELETE, tools=[disk.tool])
    run = await agent.run("go", answers=[{"approve": True, "comment": "Only this once."}])
    comment = "The user allowed this call. Comment from the user: Only this once."
    [(text, is_error)] = told(run)
    assert (text, is_error, disk.deleted) == (f"deleted\n{comment}", False, ["a.txt"])
    [result] = agent.model.requests[1].messages[-1].parts
    assert result.text == text


@pytest.mark.parametrize("pattern", ["delete_fil", "delete_files", "Delete_file", "remove_*", ""])
def test_a_pattern_that_would_protect_nothing_is_an_error(pattern):
    with pytest.raises(UserError, match="would protect nothing: 'a' has no such tool"):
        asking(tools=[Deletes().tool], approve=[pattern])


def test_a_misspelled_pattern_names_the_close_match():
    with pytest.raises(UserError, match=r"Did you mean 'delete_file'\?"):
        asking(tools=[Deletes().tool], approve=["delet_file"])


@pytest.mark.parametrize("pattern", ["delete_file", "delete_*", "*_file", "*"])
def test_a_pattern_that_matches_a_tool_is_taken(pattern):
    assert asking(tools=[Deletes().tool], approve=[pattern]).approve == (pattern,)


async def test_what_is_protected_stays_so_whatever_happens_to_the_list():
    disk, patterns = Deletes(), ["delete_file"]
    listed = asking(DELETE, tools=[disk.tool], approve=patterns)
    generated = asking(DELETE, tools=[disk.tool], approve=(name for name in patterns))
    patterns.clear()
    for agent in (listed, generated):
        assert (await agent.run("go")).status == "waiting"
    assert disk.deleted == []


@pytest.mark.parametrize("approve", ["delete_file", {"delete_file": False}, None, True])
def test_what_is_no_list_of_patterns_is_an_error(approve):
    with pytest.raises(UserError, match="must be a list of tools' names or patterns"):
        asking(tools=[Deletes().tool], approve=approve)


async def test_a_handoff_that_needs_approval_is_asked_about():
    handoff = ("handoff", {"to": "b", "reason": "It is about tea."})
    a = Agent("a", model=ScriptedModel(Say(calls=[handoff])), approve=["handoff"])
    team = Swarm("s", [a, Agent("b", model=ScriptedModel("tea"))])
    run = await team.run("go")
    assert run.status == "waiting"
    assert [question.prompt for question in run.questions] == ["Allow a to call handoff?"]
    assert (await run.resume([True])).output == "tea"


async def test_a_misspelled_comment_allows_nothing():
    disk = Deletes()
    answer = {"approve": True, "commnt": "Only this once."}
    run = await asking(DELETE, tools=[disk.tool]).run("go", answers=[answer])
    assert (run.status, disk.deleted) == ("waiting", [])


async def test_an_approval_shows_the_defaults_that_the_tool_runs_with():
    @tool(approve=True)
    def remove(path: str, recursive: bool = True) -> str:
        """Remove."""
        return path

    run = await asking(("remove", {"path": "/a"}), tools=[remove]).run("go")
    [question] = run.questions
    assert list(question.asked.details.items()) == [("path", "/a"), ("recursive", True)]


def test_a_copy_without_the_protected_tool_is_an_error():
    agent = asking(tools=[Deletes().tool], approve=["delete_file"])
    with pytest.raises(UserError, match="would protect nothing"):
        agent.replaced(tools=[])


def test_a_pattern_for_a_tool_of_another_agent_says_whose_it_is():
    cleaner = Agent("cleaner", tools=[Deletes().tool])
    with pytest.raises(UserError, match="It is a tool of 'cleaner': give approve= to that agent"):
        asking(tools=[cleaner], approve=["delete_file"])


def test_a_pattern_for_a_tool_that_only_asks_says_so():
    with pytest.raises(UserError, match="'handoff_to_user' only asks you"):
        asking(tools=[handoff_to_user], approve=["handoff_to_user"])


async def test_each_call_of_a_turn_is_allowed_by_itself():
    disk = Deletes()
    calls = [("delete_file", {"name": name}) for name in ("a", "b", "c")]
    agent = asking(*calls, tools=[disk.tool])
    run = await agent.run("go", answers=[True, False, True])
    assert disk.deleted == ["a", "c"]
    assert [is_error for _, is_error in told(run)] == [False, True, False]


async def test_nobody_to_ask_means_that_it_is_not_made():
    disk = Deletes()
    run = await asking(DELETE, tools=[disk.tool]).run("go")
    assert (run.status, disk.deleted) == ("waiting", [])
    run = await run.resume([True])
    assert (run.output, disk.deleted) == ("done", ["a.txt"])


async def test_an_answer_that_is_neither_yes_nor_no_allows_nothing():
    disk = Deletes()
    run = await asking(DELETE, tools=[disk.tool]).run("go", answers=["whatever"])
    assert (run.status, disk.deleted) == ("waiting", [])


def risky(name: str) -> bool:
    return name.endswith(".py")


async def risky_later(name: str) -> bool:
    await asyncio.sleep(0)
    return name.endswith(".py")


@pytest.mark.parametrize("approve", [risky, risky_later])
async def test_a_function_says_which_calls_have_to_be_allowed(approve):
    disk = Deletes(approve)
    calls = [("delete_file", {"name": name}) for name in ("a.txt", "b.py")]
    run = await asking(*calls, tools=[disk.tool]).run("go", answers=[False])
    assert disk.deleted == ["a.txt"]
    assert [question.details for question in asked(run)] == [{"name": "b.py"}]


def fails(name: str) -> bool:
    raise LookupError(name)


async def fails_later(name: str) -> bool:
    raise LookupError(name)


def takes_nothing() -> bool:
    return False


@pytest.mark.parametrize("approve", [fails, fails_later, takes_nothing])
async def test_a_function_that_fails_leaves_the_decision_to_the_person(approve):
    disk = Deletes(approve)
    run = await asking(DELETE, tools=[disk.tool]).run("go")
    assert (run.status, disk.deleted) == ("waiting", [])


async def test_an_agent_names_patterns_of_tools_that_have_to_be_allowed():
    disk = Deletes(approve=False)

    async def delete_all() -> str:
        """Delete all."""
        disk.deleted.append("all")
        return "deleted"

    async def look() -> str:
        """Look."""
        return "seen"

    calls = [DELETE, ("delete_all", {}), ("look", {})]
    tools = [disk.tool, delete_all, look]
    run = await asking(*calls, tools=tools, approve=["delete_*"]).run("go", answers=[False, True])
    assert disk.deleted == ["all"]
    assert [question.prompt for question in asked(run)] == [MAY, "Allow a to call delete_all?"]
    assert told(run)[2] == ("seen", False)


async def test_an_agent_that_is_a_tool_may_have_to_be_allowed():
    child = Agent("expert", model=ScriptedModel("never asked"))
    call = ("expert", {"message": "x"})
    run = await asking(call, tools=[child], approve=["expert"]).run("go", answers=[False])
    assert told(run)[0][1]
    assert child.model.requests == []


async def test_arguments_that_do_not_fit_are_refused_before_anybody_is_asked():
    disk = Deletes()
    run = await asking(("delete_file", {"nam": "x"}), tools=[disk.tool]).run("go")
    assert (run.output, asked(run)) == ("done", [])
    assert told(run)[0][1]


async def test_the_timeout_of_a_tool_does_not_count_the_time_of_the_person():
    @tool(timeout=0.02)
    async def book(ctx: RunContext) -> str:
        """Book."""
        return await ctx.ask("Which day?")

    run = await asking(("book", {}), tools=[book]).run("go")
    await asyncio.sleep(0.05)
    run = await run.resume(["Monday"])
    assert told(run) == [("Monday", False)]


async def test_the_time_of_a_run_does_not_count_the_time_of_the_person():
    run = await asking(ASK, tools=[handoff_to_user]).run("go", limits=Limits(seconds=0.05))
    await asyncio.sleep(0.1)
    assert (await run.resume(["x"])).status == "finished"


async def test_stop_while_the_person_decides_makes_no_call_and_leaves_every_call_a_result():
    disk = Deletes()
    begun = asyncio.Event()

    async def idle(question) -> None:
        begun.set()
        await never().wait()

    with present(idle) as person:
        async with asking(DELETE, tools=[disk.tool]).stream("go") as stream:
            await begun.wait()
            stream.cancel("Stopped by you")
            _ = [event async for event in stream]
    run = stream.run
    assert (run.status, disk.deleted, person.left, others()) == ("cancelled", [], 1, set())
    assert [part.is_error for part in run.messages[-1].parts] == [True]


async def test_while_a_person_decides_about_one_call_the_others_are_made():
    decided = asyncio.Event()
    disk = Deletes()

    async def look() -> str:
        """Look."""
        decided.set()
        return "seen"

    async def after(question) -> None:
        await decided.wait()
        question.answer(True, via="form")

    with present(after):
        run = await asking(DELETE, ("look", {}), tools=[disk.tool, look]).run("go")
    assert told(run) == [("deleted", False), ("seen", False)]


async def test_a_pattern_that_means_all_tools_does_not_mean_asking_itself():
    model = ScriptedModel(Say(calls=[("handoff_to_user", {"question": "Which?"})]), "done")
    agent = Agent("a", model=model, tools=[handoff_to_user], approve=["*"])
    run = await agent.run("go")
    assert [question.prompt for question in run.questions] == ["Which?"]


async def test_a_name_that_markdown_would_read_is_asked_about_to_the_letter():
    async def purge_() -> str:
        """Purge."""
        return "purged"

    run = await asking(("purge_", {}), tools=[purge_], approve=["*"]).run("go", answers=[True])
    assert asked(run)[0].prompt == "Allow a to call `purge_`?"
