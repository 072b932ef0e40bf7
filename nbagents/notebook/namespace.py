"""What the options of magics name: agents, tools, models and types among the notebook's variables."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbagents.errors import UserError, unknown_name
from nbagents.models.registry import resolve_model
from nbagents.runnable import Runnable
from nbagents.tools.base import Tool

__all__ = ["Namespace", "split"]


class Namespace:
    """The notebook's variables, looked up by what they have to be."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    @property
    def variables(self) -> dict[str, Any]:
        """The variables themselves."""
        return self._shell.user_ns

    def runnables(self) -> dict[str, Runnable[Any]]:
        """Everything that `%ask` can run, by the variable that holds it."""
        return {
            name: value
            for name, value in self.variables.copy().items()  # The panel asks from another thread.
            if isinstance(value, Runnable) and not name.startswith("_")
        }

    def define(self, name: str, runnable: Runnable[Any]) -> None:
        """Make a variable of it."""
        self.variables[name] = runnable

    def check_free(self, name: str, kind: type[Runnable[Any]]) -> None:
        """Raise `UsageError` or `UserError` if no runnable of this kind may have the name."""
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{name!r} cannot be the name of a variable; choose another one.")
        taken = self.variables.get(name, getattr(builtins, name, None))
        if taken is not None and not isinstance(taken, kind):
            what = type(taken).__name__
            article = "an" if what[0] in "AEIOU" else "a"
            raise UserError(f"{name!r} is {article} {what} already. Choose another name.")

    def runnable(self, name: str) -> Runnable[Any]:
        """Find an agent or a team. Raises `UserError` with the close match."""
        value = self.variables.get(name)
        if isinstance(value, Runnable):
            return value
        error = unknown_name("agent", name, self.runnables())
        if not self.runnables():
            error = UserError(f"There is no agent {name!r} yet. Define it: %%agent {name}")
        raise error

    def tool(self, name: str) -> Any:
        """Find a tool, or a function that can be one."""
        value = self.variables.get(name)
        if isinstance(value, (Tool, Runnable)) or (callable(value) and not isinstance(value, type)):
            return value
        known = (
            name
            for name, value in self.variables.items()
            if isinstance(value, Tool) or _is_mine(name, value)
        )
        raise unknown_name("tool", name, known)

    def function(self, name: str) -> Callable[..., Any]:
        """Find a function of the notebook."""
        value = self.variables.get(name)
        if callable(value) and not isinstance(value, (type, Runnable)):
            return value
        raise unknown_name("function", name, self.functions())

    def functions(self) -> list[str]:
        """List the functions of the notebook."""
        return [name for name, value in self.variables.items() if _is_mine(name, value)]

    def model(self, name: str | None) -> Any:
        """Find a model, by its name or by the variable that holds it."""
        if name is None:
            return None
        named = self.variables.get(name)
        if named is not None and hasattr(named, "stream") and hasattr(named, "capabilities"):
            return named
        resolve_model(name)
        return name

    def type(self, expression: str | None) -> Any:
        """Evaluate the type of an answer."""
        if expression is None:
            return str
        try:
            return eval(expression, dict(self.variables))  # noqa: S307 - the author's own cell
        except NameError as error:
            types = (name for name, value in self.variables.items() if isinstance(value, type))
            raise unknown_name("type", error.name or expression, types) from None
        except Exception as error:  # noqa: BLE001 - whatever the expression raises
            raise UserError(f"--out {expression} is no type: {error}") from None

    def answers(self, expression: str | None) -> Any:
        """Evaluate the answers that stand ready: a list, a dictionary, or nothing."""
        if expression is None:
            return None
        try:
            return eval(expression, dict(self.variables))  # noqa: S307 - the author's own cell
        except NameError as error:
            names = (name for name in self.variables if not name.startswith("_"))
            raise unknown_name("variable", error.name or expression, names) from None
        except Exception as error:  # noqa: BLE001 - whatever the expression raises
            message = f"--answers {expression} cannot be evaluated: {error}. Give a list, a dictionary, or a variable that holds one."
            raise UserError(message) from None


def _is_mine(name: str, value: Any) -> bool:
    return (
        callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "__main__") == "__main__"
        and not isinstance(value, type)
    )


def split(names: str | None) -> list[str]:
    """Split what is listed with commas."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]
