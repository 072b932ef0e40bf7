"""The model's process: one for each file, ended with its parent, and its failures in plain words.

A stand-in for the runtime makes it start quickly and fail on demand; `test_model.py` has the real one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nbagents.errors import UserError
from nbagents.providers.local.process import check_runtime, serve, stop_all, without_wheel

RUNTIME = """
import json, os, sys
from types import SimpleNamespace

def CommonParams():
    threads = SimpleNamespace(n_threads=0)
    return SimpleNamespace(model=SimpleNamespace(path=""), cpuparams=threads, cpuparams_batch=threads)

class Server:
    listening_address = "http://127.0.0.1:1"
    def __init__(self, params):
        with open(params.model.path, "a") as log:
            facts = {"pid": os.getpid(), "argv": sys.orig_argv, "environ": dict(os.environ)}
            facts |= {"keys": params.api_keys, "context": params.n_ctx, "modules": list(sys.modules)}
            log.write(json.dumps(facts) + chr(10))
        %s
"""


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Put a stand-in for the runtime where the child finds it first."""

    def make(body: str = "pass", *, module: str = RUNTIME) -> Path:
        package = tmp_path / "site" / "xllamacpp"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(module % body if "%s" in module else module)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        return tmp_path / "model.gguf"

    yield make
    stop_all()


def started(path: Path) -> list[dict]:
    """Return what each process of this file knew of itself."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def gone(pid: int) -> None:
    """Wait until a process that is nobody's child here has ended."""
    end = time.monotonic() + 20
    while not is_gone(pid):
        assert time.monotonic() < end, "It still runs."
        time.sleep(0.01)


async def failure(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        await serve(path, 64).ready()
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_the_key_is_told_to_the_child_alone(runtime):
    path = runtime()
    await serve(path, 4096).ready()
    (facts,) = started(path)
    (key,) = facts["keys"]
    assert len(key) >= 32
    assert key not in str(facts["argv"])
    assert key not in str(facts["environ"])
    assert facts["argv"][-2:] == [str(path), "4096"]


async def test_the_child_waits_without_spinning_and_imports_nothing_of_ours(runtime):
    path = runtime()
    await serve(path, 64).ready()
    (facts,) = started(path)
    assert facts["environ"]["GOMP_SPINCOUNT"] == "1000"
    assert not {"nbagents", "pydantic", "asyncio"} & set(facts["modules"])


async def test_a_spin_count_of_the_users_own_is_kept(runtime, monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "300")
    path = runtime()
    await serve(path, 64).ready()
    assert started(path)[0]["environ"]["GOMP_SPINCOUNT"] == "300"


def test_two_loops_that_ask_at_once_share_one_process(runtime):
    path = runtime()

    async def ask() -> None:
        await asyncio.gather(serve(path, 64).ready(), serve(path, 64).ready())

    with ThreadPoolExecutor(2) as pool:
        for asked in [pool.submit(asyncio.run, ask()) for _ in range(2)]:
            asked.result()
    assert len(started(path)) == 1


async def test_the_start_outlives_whoever_was_cancelled_while_waiting_for_it(runtime):
    path = runtime("import time; time.sleep(0.2)")
    waiting = asyncio.create_task(serve(path, 64).ready())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await serve(path, 64).ready()
    assert len(started(path)) == 1


async def test_the_loop_goes_on_while_the_model_is_loaded(runtime):
    path = runtime("import time; time.sleep(0.3)")
    loading = asyncio.create_task(serve(path, 64).ready())
    ticks = 0
    while not loading.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks >= 10


async def test_a_process_that_was_killed_is_followed_by_another(runtime):
    path = runtime()
    server = serve(path, 64)
    await server.ready()
    os.kill(started(path)[0]["pid"], signal.SIGKILL)
    assert await server.epitaph() == "Its process ended with code -9."
    await serve(path, 64).ready()
    assert len({facts["pid"] for facts in started(path)}) == 2


async def test_a_process_that_lives_has_no_epitaph(runtime):
    server = serve(runtime(), 64)
    await server.ready()
    assert await server.epitaph() is None


async def test_stopping_all_ends_the_processes(runtime):
    path = runtime()
    await serve(path, 64).ready()
    stop_all()
    gone(started(path)[0]["pid"])


async def test_an_interrupt_of_the_kernel_is_not_for_the_model(runtime):
    path = runtime()
    server = serve(path, 64)
    await server.ready()
    pid = started(path)[0]["pid"]
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    assert await server.epitaph() is None


PARENT = """
import asyncio, os, signal, sys, time
from pathlib import Path
from nbagents.providers.local.process import serve

asyncio.run(serve(Path(sys.argv[1]), 64).ready())
if sys.argv[2] == "fork" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
sys.stdout.write("ready")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["exit", "kill", "fork"])
def test_the_model_ends_with_the_process_that_started_it(runtime, how):
    path = runtime()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
    ) as parent:
        try:
            assert parent.stdout.read(5) == b"ready"
            pid = started(path)[0]["pid"]
            assert not is_gone(pid)
            if how == "exit":
                parent.stdin.close()
            else:
                parent.kill()
            gone(pid)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


async def test_without_libgomp_the_error_says_what_to_install(runtime):
    error = "libgomp.so.1: cannot open shared object file: No such file or directory"
    path = runtime(module=f"raise ImportError({error!r})")
    message = await failure(path)
    assert "needs the system library libgomp.so.1" in message
    assert "apt-get install libgomp1" in message


async def test_a_runtime_that_cannot_be_imported_says_why(runtime):
    path = runtime(module="raise ImportError('undefined symbol: ggml')")
    assert await failure(path) == (
        "The local model's runtime xllamacpp cannot be imported: undefined symbol: ggml"
    )


async def test_a_file_that_cannot_be_loaded_brings_the_runtimes_own_words(runtime):
    path = runtime("sys.stderr.write('E bad magic\\n'); raise RuntimeError('Failed to init.')")
    assert await failure(path) == (
        "The local model model.gguf could not be loaded: Failed to init. E bad magic"
    )


async def test_a_runtime_that_dies_while_loading_brings_its_last_words(runtime):
    path = runtime("sys.stderr.write('Illegal instruction\\n'); sys.stderr.flush(); os._exit(4)")
    assert await failure(path) == (
        "The local model model.gguf could not be loaded: "
        "its process ended with code 4. Illegal instruction"
    )


async def test_a_failed_start_is_tried_again(runtime):
    path = runtime("raise RuntimeError('Out of memory.')")
    server = serve(path, 64)
    assert "Out of memory." in await failure(path)
    await server.epitaph()
    runtime()
    await serve(path, 64).ready()
    assert len(started(path)) == 2


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(UserError, match=r"'xllamacpp' is missing.* install .*\"xllamacpp[<>=]"):
        check_runtime()


@pytest.mark.parametrize(
    ("system", "machine", "place"),
    [
        ("linux", "x86_64", None),
        ("linux", "aarch64", None),
        ("darwin", "arm64", None),
        ("win32", "AMD64", None),
        ("win32", "ARM64", "Windows on ARM"),
        ("musl", "x86_64", "Linux with musl (Alpine)"),
        ("linux", "ppc64le", "ppc64le processors"),
        ("emscripten", "wasm32", "Pyodide (JupyterLite)"),
    ],
)
def test_platforms_without_a_wheel_are_known(system, machine, place):
    assert without_wheel(system, machine) == place
