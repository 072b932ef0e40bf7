"""The portal: running what must be awaited from code that cannot await, and blocking work."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nbagents import UserError
from nbagents._portal import Stopped, in_thread, on_main_thread, portal

PLACE = contextvars.ContextVar("PLACE", default="nowhere")


async def thread_name() -> str:
    return threading.current_thread().name


def test_a_coroutine_runs_on_the_loop_in_the_background_and_its_value_comes_back():
    assert portal().call(thread_name) == "nbagents-portal"
    assert portal().loop is portal().loop


async def test_it_works_while_a_loop_runs_in_this_thread():
    assert portal().call(thread_name) == "nbagents-portal"


def test_an_error_comes_out_as_it_is():
    async def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        portal().call(fail)


def test_what_the_caller_has_set_is_seen_and_what_the_coroutine_sets_stays_inside():
    async def move() -> str:
        before = PLACE.get()
        PLACE.set("inside")
        return before

    token = PLACE.set("outside")
    assert portal().call(move) == "outside"
    assert PLACE.get() == "outside"
    PLACE.reset(token)


def test_many_threads_may_call_at_once():
    meeting = asyncio.Barrier(8)

    async def meet() -> int:
        return await meeting.wait()

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(portal().call, meet) for _ in range(8)]
        assert sorted(call.result(timeout=10) for call in calls) == list(range(8))


def test_a_call_may_be_made_inside_the_thread_of_another():
    async def outer() -> str:
        return await in_thread(lambda: portal().call(thread_name))

    assert portal().call(outer) == "nbagents-portal"


def test_a_call_on_the_loop_itself_is_refused_instead_of_waiting_for_ever():
    async def outer():
        portal().call(thread_name)

    with pytest.raises(UserError, match=r"await agent\.run"):
        portal().call(outer)


async def test_work_in_a_thread_sees_what_the_caller_has_set():
    PLACE.set("here")
    name, place = await in_thread(lambda: (threading.current_thread().name, PLACE.get()))
    assert (name, place) == ("nbagents-work", "here")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ValueError("no"), ValueError),
        (StopIteration("no"), RuntimeError),
        (SystemExit("no"), SystemExit),
        (KeyboardInterrupt("no"), RuntimeError),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_work_in_a_thread_raises_is_raised_where_it_is_awaited(error, raised):
    def work():
        raise error

    with pytest.raises(raised, match="no"):
        await in_thread(work)


async def test_who_gives_up_waiting_for_a_thread_is_not_held_up_by_it():
    go_on, ended = threading.Event(), threading.Event()

    def work():
        go_on.wait()
        ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await in_thread(work)
    assert not ended.is_set()
    go_on.set()
    assert await in_thread(lambda: ended.wait(10))


async def test_the_main_thread_does_work_for_the_loop_that_it_runs():
    assert await on_main_thread(threading.current_thread) is threading.main_thread()


def test_the_main_thread_does_work_while_it_waits_for_the_portal():
    async def ask():
        return await on_main_thread(lambda: (threading.current_thread(), PLACE.get()))

    async def elsewhere():
        PLACE.set("elsewhere")
        return await ask()

    assert portal().call(ask) == (threading.main_thread(), "nowhere")
    assert portal().call(elsewhere) == (threading.main_thread(), "elsewhere")


def test_work_on_the_main_thread_may_call_the_portal_again():
    async def ask() -> str:
        return await on_main_thread(lambda: portal().call(thread_name))

    assert portal().call(ask) == "nbagents-portal"


def test_an_error_of_work_on_the_main_thread_is_raised_where_it_is_awaited():
    def fail():
        raise ValueError("no")

    async def ask() -> str:
        try:
            await on_main_thread(fail)
        except ValueError as error:
            return f"caught {error}"
        return "not raised"

    assert portal().call(ask) == "caught no"


def test_a_main_thread_that_is_busy_elsewhere_is_said_to_be():
    async def ask():
        await on_main_thread(lambda: None)

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(portal().call, ask)
        with pytest.raises(UserError, match="busy"):
            call.result(timeout=10)


def test_work_that_was_accepted_when_the_main_thread_was_about_to_leave_is_still_done():
    busy, leave = asyncio.Event(), threading.Event()
    ours: list[asyncio.Task[None]] = []

    async def run_here():
        ours.append(asyncio.current_task())
        await busy.wait()

    def hold_up():
        portal().loop.call_soon_threadsafe(busy.set)
        assert leave.wait(10)

    async def run_elsewhere() -> str:
        held = asyncio.create_task(on_main_thread(hold_up))
        await busy.wait()
        await asyncio.wait(ours)
        late = asyncio.create_task(on_main_thread(lambda: "done"))
        await asyncio.sleep(0)
        leave.set()
        await held
        return await late

    answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def elsewhere():
        answers.put(portal().call(run_elsewhere))

    async def start():
        threading.Thread(target=elsewhere, daemon=True).start()
        await run_here()

    portal().call(start)
    assert answers.get(timeout=10) == "done"


def run_in_a_new_process(code: str) -> str:
    """Run a program that Ctrl-C is pressed on; what it prints is what happened."""
    start = """
        import asyncio, contextlib, os, signal, threading, time
        from nbagents import *
        from nbagents._portal import Stopped, portal

        def ctrl_c():
            os.kill(os.getpid(), signal.SIGINT)

        def press(at):
            def wait_and_press():
                at.wait()
                ctrl_c()
            threading.Thread(target=wait_and_press, daemon=True).start()
    """
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-c",
            textwrap.dedent(start) + textwrap.dedent(code),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_ctrl_c_cancels_the_run_waits_for_its_clean_up_and_raises_stopped():
    told = run_in_a_new_process("""
        async def work():
            try:
                ctrl_c()
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                print("cancelled:", error)
                await asyncio.sleep(0.1)
                print("cleaned up")
                raise

        try:
            portal().call(work)
        except Stopped as error:
            print("stopped", error.__context__ is None or error.__suppress_context__)
        print(portal().call(lambda: asyncio.sleep(0, "answers again")))
    """)
    assert told == "cancelled: Stopped by you\ncleaned up\nstopped True\nanswers again\n"


def test_the_second_ctrl_c_leaves_at_once():
    told = run_in_a_new_process("""
        stuck = threading.Event()

        async def work():
            ctrl_c()
            try:
                await asyncio.Event().wait()
            finally:
                press(stuck)
                stuck.set()
                await asyncio.sleep(2)
                print("too late")

        start = time.monotonic()
        try:
            portal().call(work)
        except Stopped:
            print("stopped", time.monotonic() - start < 1.5)
    """)
    assert told == "stopped True\n"


def test_ctrl_c_while_a_tool_works_on_the_main_thread_stops_the_tool_and_the_run():
    told = run_in_a_new_process("""
        @tool(thread="main")
        def draw() -> str:
            "Draw."
            ctrl_c()
            time.sleep(30)

        agent = Agent("a", model=ScriptedModel(Say(calls=[("draw", {})]), "done"), tools=[draw])
        start = time.monotonic()
        try:
            agent("draw")
        except Stopped:
            print("stopped", time.monotonic() - start < 5)
        print(agent("again").text)
    """)
    assert told == "stopped True\ndone\n"


def test_ctrl_c_in_a_call_inside_a_call_stops_both():
    told = run_in_a_new_process("""
        async def inner():
            try:
                ctrl_c()
                await asyncio.Event().wait()
            finally:
                print("inner cleaned up")

        silent = type("Silent", (), {
            "name": "silent:x", "capabilities": Capabilities(native_output=False)})()
        async def stream(request):
            await inner()
            yield
        silent.stream = stream
        inside = Agent("inside", model=silent)

        @tool(thread="main")
        def ask() -> str:
            "Ask."
            return inside("hi").text

        agent = Agent("a", model=ScriptedModel(Say(calls=[("ask", {})]), "done"), tools=[ask])
        try:
            agent("go")
        except Stopped:
            print("stopped")
        print(agent("again").text)
    """)
    assert told == "inner cleaned up\nstopped\ndone\n"


def test_a_tool_that_waits_for_the_main_thread_does_not_run_after_ctrl_c():
    told = run_in_a_new_process("""
        @tool(thread="main")
        def first() -> str:
            "First."
            ctrl_c()
            time.sleep(30)

        @tool(thread="main")
        def second() -> str:
            "Second."
            print("must not run")

        model = ScriptedModel(Say(calls=[("first", {}), ("second", {})]), "done")
        agent = Agent("a", model=model, tools=[first, second])
        try:
            agent("go")
        except Stopped:
            print("stopped")
    """)
    assert told == "stopped\n"


def test_work_that_hangs_holds_up_neither_stop_nor_the_end_of_the_process():
    told = run_in_a_new_process("""
        @tool
        def hang() -> str:
            "Hang."
            ctrl_c()
            threading.Event().wait()

        agent = Agent("a", model=ScriptedModel(Say(calls=[("hang", {})]), "done"), tools=[hang])
        try:
            agent("go")
        except Stopped:
            print("stopped")
        print(agent("again").text)
    """)
    assert told == "stopped\ndone\n"


def test_ipython_shows_a_stopped_run_as_one_line():
    assert Stopped()._render_traceback_() == ["Stopped by you"]
    assert issubclass(Stopped, KeyboardInterrupt)
