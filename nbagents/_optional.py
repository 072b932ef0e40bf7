"""Import what an extra installs, or say how to install it."""

import builtins
import importlib
import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from nbagents.errors import UserError

__all__ = ["extras", "install_command", "missing", "require"]

_DISTRIBUTION = "jupyter-nbagents"


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `extra` installs.

    Raises `UserError` with the command to run when the package is missing.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        wanted = missing(extra) or extras().get(extra) or (error.name,)
        msg = f"The package {error.name!r} is missing. Install it with: {install_command(wanted)}"
        raise UserError(msg) from None


def extras() -> dict[str, tuple[str, ...]]:
    """Return the packages of each extra on this machine, such as `{"openai": ("openai>=3",)}`.

    The extra `all`, the sum of the others, is left out. Without the metadata of an installed
    package, as in a bare source tree, there are none.
    """
    from packaging.requirements import Requirement

    try:
        metadata = importlib.metadata.metadata(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return {}
    packages: dict[str, tuple[str, ...]] = {}
    declared = [Requirement(line) for line in metadata.get_all("Requires-Dist") or ()]
    for extra in metadata.get_all("Provides-Extra") or ():
        if extra == "all":
            continue
        own = [
            f"{one.name}{one.specifier}"
            for one in declared
            if one.marker
            and one.marker.evaluate({"extra": extra})
            and not one.marker.evaluate({"extra": ""})
        ]
        if own:
            packages[extra] = tuple(own)
    return packages


def missing(extra: str) -> tuple[str, ...]:
    """Return the packages of an extra that are not installed, or in a version that does not fit."""
    return tuple(one for one in extras().get(extra, ()) if not _is_installed(one))


def install_command(packages: Iterable[str]) -> str:
    """Return the command that installs packages into this very environment.

    It names packages and not an extra of ours, as `pip` may not know where this copy came from.
    """
    names = " ".join(f'"{package}"' for package in packages)
    # IPython sets this flag, and documents it as the way to tell that it runs.
    in_shell = hasattr(builtins, "__IPYTHON__")
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    if importlib.util.find_spec("pip") is None:  # Environments that uv makes are without.
        install = (
            f"uv pip install --python {python}"
            if shutil.which("uv")
            else f"pip --python {python} install"
        )
        return f"{'!' if in_shell else ''}{install} {names}"
    if in_shell:
        return f"%pip install {names}"
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return f"pip install {names}"
    return f"{python} -m pip install {names}"


def _is_installed(package: str) -> bool:
    from packaging.requirements import Requirement

    requirement = Requirement(package)
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)
