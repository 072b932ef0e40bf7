"""What the options of magics name: agents, tools, models and types among the notebook's variables."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import DollarFormatter

from nbagents.agents.output import Output
from nbagents.errors import UserError, did_you_mean, unknown_name
from nbagents.models.registry import resolve_model
from nbagents.notebook.prompts import expand
from nbagents.runnable import Runnable
from nbagents.runnable.sketch import HUMAN
from nbagents.tools.base import Tool

__all__ = ["Namespace", "kind_of"]


class Namespace:
    """The notebook's variables, looked up by what they have to be."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    @property
    def variables(self) -> dict[str, Any]:
        """The variables themselves."""
        return self._shell.user_ns

    def filled(self, line: str) -> str:
        """Put variables into a line: `{{ x }}` as in prompts, `{x}` and `$x` as in other magics."""
        if "{{" in line:
            return expand(line, self.variables)
        try:
            return DollarFormatter().vformat(line, (), self.variables)
        except Exception:  # noqa: BLE001 - IPython too leaves such a line as it is
            return line

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
        if name == HUMAN:
            raise UserError(f"{name!r} stands for you, the person. Choose another name.")
        if not name.isidentifier() or keyword.iskeyword(name):
            close = re.sub(r"\W+", "_", name).strip("_")
            hint = f" For example: {close}" if close.isidentifier() else ""
            raise UsageError(f"{name!r} cannot be the name of a variable.{hint}")
        taken = self.variables.get(name, getattr(builtins, name, None))
        if taken is not None and not isinstance(taken, kind):
            raise UserError(f"{name!r} is {kind_of(taken)} already. Choose another name.")

    def runnable(self, name: str) -> Runnable[Any]:
        """Find an agent or a team, by its variable or else by its own name.

        Raises `UserError` with the close match.
        """
        known = self.runnables()
        if name in known:
            return known[name]
        called = {variable: value for variable, value in known.items() if value.name == name}
        if len({id(value) for value in called.values()}) == 1:
            return next(iter(called.values()))
        if called:
            variables = ", ".join(sorted(called))
            raise UserError(f"Several agents are named {name!r}. Use a variable: {variables}.")
        if (value := self.variables.get(name)) is not None:
            use = f" To let an agent call it: --tools {name}" if _is_usable(value) else ""
            raise UserError(f"{name!r} is {kind_of(value)}, not an agent.{use}")
        if not known:
            raise UserError(f"There is no agent {name!r} yet. Define it: %%agent {name}")
        raise unknown_name("agent", name, {*known, *(value.name for value in known.values())})

    def tool(self, name: str) -> Any:
        """Find a tool, or a function that can be one."""
        value = self.variables.get(name)
        if isinstance(value, Runnable) or _is_usable(value):
            return value
        if value is not None:
            raise UserError(f"{name!r} is {kind_of(value)}, not a tool. A tool is a function.")
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
        if value is not None:
            use = f" Write agent={name}" if isinstance(value, Runnable) else ""
            raise UserError(f"{name!r} is {kind_of(value)}, not a function.{use}")
        raise unknown_name("function", name, self.functions())

    def functions(self) -> list[str]:
        """List the functions of the notebook."""
        return [name for name, value in self.variables.items() if _is_mine(name, value)]

    def model(self, name: str | None) -> Any:
        """Find a model, by its name or by the variable that holds it."""
        if name is None:
            return None
        bare = name.strip("{}$ ")
        named = self.variables.get(bare)
        if _is_model(named):
            if bare != name:
                raise UserError(f"Write the variable of the model as it is: --model {bare}")
            return named
        if ":" not in name:
            if named is not None:
                raise UserError(f"{name!r} is {kind_of(named)}, not a model.")
            models = [name for name, value in self.variables.items() if _is_model(value)]
            if close := did_you_mean(name, models):
                raise UserError(f"There is no model {name!r}.{close}")
        resolve_model(name)
        return name

    def type(self, expression: str | None) -> Any:
        """Evaluate the type of an answer."""
        if expression is None:
            return str
        try:
            value = eval(expression, dict(self.variables))  # noqa: S307 - the author's own cell
        except NameError as error:
            types = (name for name, value in self.variables.items() if isinstance(value, type))
            raise unknown_name("type", error.name or expression, types) from None
        except Exception as error:  # noqa: BLE001 - whatever the expression raises
            why = error.msg if isinstance(error, SyntaxError) else error
            raise UserError(f"--out {expression} is not a type: {why}.") from None
        try:
            Output(value)
        except UserError as error:
            raise UserError(f"--out {expression}: {error}") from None
        return value

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
            why = error.msg if isinstance(error, SyntaxError) else error
            message = f"--answers {expression} cannot be evaluated: {why}. Write a list, a dictionary, or a variable that holds one, in quotes if it has spaces."
            raise UserError(message) from None


def kind_of(value: object) -> str:
    """Name what a value is: `a function`, `a DataFrame`."""
    kind = type(value).__name__
    if callable(value) and not isinstance(value, (Runnable, Tool)):
        kind = "class" if isinstance(value, type) else "function"
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"


def _is_usable(value: object) -> bool:
    """Tell whether an agent can be given this as a tool."""
    return isinstance(value, Tool) or (callable(value) and not isinstance(value, (type, Runnable)))


def _is_model(value: object) -> bool:
    return hasattr(value, "stream") and hasattr(value, "capabilities")


def _is_mine(name: str, value: Any) -> bool:
    return (
        callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "__main__") == "__main__"
        and not isinstance(value, type)
    )
