"""The child process that holds a model: run by path, so it imports neither nbagents nor pydantic."""

import importlib
import json
import os
import signal
import sys
import threading
from typing import Any


def main() -> None:
    """Serve the GGUF file `argv[1]` with a context of `argv[2]` tokens until stdin closes.

    The API key is the first line of stdin: the command line is public. One line of JSON on stdout
    says `url`, or `error` with `missing` set when the runtime cannot be imported.
    """
    path, context = sys.argv[1:]
    # Stop in a notebook interrupts the kernel's whole process group; only the kernel is meant.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    key = sys.stdin.readline().strip()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # libgomp spins while it waits, which on a busy machine is 50 times slower; it reads this once.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        runtime: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        return _say(error=str(error), missing=True)
    params = runtime.CommonParams()
    params.model.path = path
    params.n_ctx = int(context)
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    # Agents that take turns each find what was read of theirs again; the default is 8 GB.
    params.cache_ram_mib = 256
    params.ui = False
    # Fitting layers into a GPU's memory doubles the time to load.
    params.fit_params = False
    params.verbosity = 1
    params.api_keys = [key]
    params.cors_origins = "http://localhost"
    params.cors_origins_explicit = True
    try:
        server = runtime.Server(params)
    except RuntimeError as error:
        return _say(error=str(error))
    _say(url=server.listening_address)
    threading.Event().wait()
    return None


def _threads() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(4, cores))


def _leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps({"nbagents": what}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
