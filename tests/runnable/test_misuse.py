"""What people write by mistake around runs: it works, or the error says what to write."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest

from nbagents import Agent, Say, ScriptedModel, UserError, handoff_to_user


def answering() -> Agent[str]:
    return Agent("writer", model=ScriptedModel("ok", repeat=True))


def asking() -> Agent[str]:
    call = Say(calls=[("handoff_to_user", {"question": "Sure?"})])
    return Agent("writer", model=ScriptedModel(call, "done"), tools=[handoff_to_user])


async def test_a_plain_call_may_be_awaited_and_runs_once():
    agent = answering()
    run = await agent("hello")
    assert (run.output, len(agent.model.requests)) == ("ok", 1)
    assert await run is run
    assert await (await agent.run("hello")) is not run
    assert len(agent.model.requests) == 2


async def test_a_run_is_a_coroutine_wherever_one_is_wanted():
    agent = answering()
    task = asyncio.create_task(agent.run("task"))
    one, other = await asyncio.gather(agent.run("one"), agent.run("other"))
    assert [run.output for run in (await task, one, other)] == ["ok"] * 3
    assert (await asyncio.wait_for(agent.run("in time"), 5)).output == "ok"


def test_a_run_is_what_asyncio_run_takes():
    assert asyncio.run(answering().run("hello")).output == "ok"


def test_a_forgotten_await_says_so():
    forgotten = answering().run("hello")
    with pytest.raises(UserError) as caught:
        _ = forgotten.output
    assert str(caught.value) == (
        "writer.run(...) has to be awaited first. "
        "Write (await writer.run(...)).output or writer(...).output"
    )
    assert not hasattr(forgotten, "output")
    forgotten.close()


def test_a_run_that_is_never_awaited_is_warned_of_by_its_name():
    with pytest.warns(RuntimeWarning, match=r"'writer.run\(...\)' was never awaited"):
        answering().run("hello")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cost", "Write run.usage.cost"),
        ("input_tokens", "Write run.usage.input_tokens"),
        ("total_tokens", "Write run.usage"),
        ("result", "Write run.output"),
        ("history", "Write run.messages"),
        ("duration", "Write run.seconds"),
        ("id", "Write run.run_id"),
        ("outptu", "Did you mean 'output'?"),
        ("mesages", "Did you mean 'messages'?"),
    ],
)
def test_a_guess_at_an_attribute_of_a_run_gets_the_right_one(name: str, hint: str):
    run = answering()("hello")
    with pytest.raises(UserError) as caught:
        getattr(run, name)
    assert str(caught.value) == f"A Run has no attribute {name!r}. {hint}"
    assert getattr(run, name, None) is None


def test_what_shells_and_serializers_look_for_is_simply_not_there():
    run = answering()("hello")
    assert not hasattr(run, "_repr_html_")
    assert copy.copy(run).output == "ok"
    assert pickle.loads(pickle.dumps(run)).output == "ok"


def test_what_only_the_run_of_a_stream_has_is_found_there():
    with pytest.raises(UserError, match=r"Write stream\.run\.output"):
        _ = answering().stream("hello").output


def test_a_plain_loop_over_a_stream_says_how_to_write_it():
    with pytest.raises(UserError, match=r"async with agent\.stream") as caught:
        list(answering().stream("hello"))
    assert "async for event in stream" in str(caught.value)
    with pytest.raises(UserError, match=r"async with agent\.stream"):
        answering().stream("hello").__enter__()


@pytest.mark.parametrize("bare", [True, "yes", 3, b"yes"])
async def test_a_bare_answer_says_how_to_write_it_and_loses_nothing(bare: object):
    run = await asking().run("hello")
    with pytest.raises(UserError) as caught:
        await run.resume(bare)
    assert str(caught.value) == (
        f"answers must be a list or a dictionary, not {bare!r}. "
        f"Write [{bare!r}], or {{question: answer}}."
    )
    assert (await run.resume(["yes"])).output == "done"


async def test_too_many_answers_and_a_run_that_waits_for_none():
    run = await asking().run("hello")
    with pytest.raises(UserError, match="Too many answers: 2 for 1 open question"):
        await run.resume(["yes", "no"])
    with pytest.raises(UserError, match="is not waiting for an answer"):
        await (await answering().run("hello")).resume(["yes"])


@pytest.mark.parametrize("answers", ["x", True])
def test_answers_of_the_wrong_kind_are_an_error_of_a_sync_call_too(answers):
    with pytest.raises(UserError, match="must be a list or a dictionary"):
        Agent("a", model=ScriptedModel("x"))("hi", answers=answers)
