"""Import what an extra brings, or say which extra to install."""

import importlib
from types import ModuleType

from nbagents.errors import UserError

__all__ = ["require"]


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `extra` installs.

    Raises `UserError` with the command to run when the package is missing.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        msg = (
            f"The package {error.name!r} is missing. Install it with: "
            f'pip install "jupyter-nbagents[{extra}]"'
        )
        raise UserError(msg) from None
