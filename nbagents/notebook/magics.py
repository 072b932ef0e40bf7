"""The magics: `%%agent`, `%ask`, `%agents`, `%runs` and `%nbagents`."""

from __future__ import annotations

import builtins
import keyword
from collections import deque
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from nbagents._portal import portal
from nbagents.agents.agent import Agent
from nbagents.context import Limits
from nbagents.errors import UserError, unknown_name
from nbagents.models.base import Settings
from nbagents.models.registry import resolve_model
from nbagents.notebook import commands
from nbagents.notebook.arguments import parse
from nbagents.notebook.cards import Table, agent_card, agents_table, runs_table
from nbagents.notebook.live import canvas_for, watch
from nbagents.notebook.prompts import expand
from nbagents.notebook.stop import stoppable
from nbagents.runnable import Run, Runnable
from nbagents.tools.base import Tool

__all__ = ["AgentMagics"]

_KEPT_RUNS = 100


@magics_class
class AgentMagics(Magics):
    """The magics of nbagents. What they define and find are the notebook's own variables."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.runs: deque[Run[Any]] = deque(maxlen=_KEPT_RUNS)
        self.shown: set[str] = set()
        """Runs that the cell under way has drawn already."""

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's variables."""
        return self.shell.user_ns

    def runnables(self) -> dict[str, Runnable[Any]]:
        """Everything that `%ask` can run, by the variable that holds it."""
        return {
            name: value
            for name, value in self.variables.items()
            if isinstance(value, Runnable) and not name.startswith("_")
        }

    @no_var_expand
    @magic_arguments()
    @argument("name", help="Name of the agent, and of the variable that will hold it.")
    @argument("-m", "--model", help="Model, as provider:model. Without it one is chosen for you.")
    @argument("-t", "--tools", help="Functions of this notebook that it may call, by commas.")
    @argument("--uses", help="Agents that it may call as tools, by commas.")
    @argument("--out", help="Type of its answers, such as a pydantic model or list[str].")
    @argument("--turns", type=int, help="Model calls at most in one run.")
    @argument("--cost", type=float, help="US dollars at most in one run.")
    @argument("--temperature", type=float, help="How freely it speaks; 0 is the strictest.")
    @cell_magic
    def agent(self, line: str, cell: str) -> None:
        """Define an agent; the cell's body holds its instructions, in Markdown."""
        options, rest = parse(AgentMagics.agent, expand(line, self.variables))
        if rest:
            raise UsageError(f"%%agent takes one name; put {rest!r} into the cell's body.")
        name = options.name
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{name!r} cannot be the name of a variable; choose another one.")
        taken = self.variables.get(name, getattr(builtins, name, None))
        if taken is not None and not isinstance(taken, Agent):
            kind = type(taken).__name__
            raise UserError(f"{name!r} is a {kind} already. Choose another name.")
        instructions = expand(cell, self.variables).strip()
        agent = Agent(
            name,
            instructions,
            model=self._model(options.model),
            tools=[*self._tools(options.tools), *self._used(options.uses)],
            output_type=self._type(options.out),
            settings=Settings(temperature=options.temperature),
            limits=_limits(None, options),
        )
        self.variables[name] = agent
        display(agent_card(agent))

    @no_var_expand
    @magic_arguments()
    @argument("name", help="What to ask: the name of an agent or a team.")
    @argument("-m", "--model", help="Another model, for this once.")
    @argument("--out", help="Another type of answer, for this once.")
    @argument("--turns", type=int, help="Model calls at most.")
    @argument("--cost", type=float, help="US dollars at most.")
    @argument("--temperature", type=float, help="How freely it speaks, for this once.")
    @needs_local_scope
    @line_cell_magic
    def ask(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Run[Any] | None:
        """Ask an agent. The rest of the line, or the cell's body, is the prompt, as you write it.

        `{{ expression }}` puts the value of an expression into the prompt. A `;` at the end of
        the line asks without showing anything. The value is the run: `run = %ask writer Hello`.
        """
        variables = {**self.variables, **(local_ns or {})}
        return portal().call(lambda: self._ask(line, cell, variables))

    async def awaited(self, _name: str, line: str, cell: str | None) -> Run[Any] | None:
        """Be `%ask` for a cell that can await."""
        return await stoppable(self._ask(line, cell, self.variables))

    async def _ask(self, line: str, cell: str | None, variables: dict[str, Any]) -> Run[Any]:
        quiet = line.rstrip().endswith(";")
        if quiet:
            line = line.rstrip()[:-1]
        options, prompt = parse(AgentMagics.ask, line)
        if cell is not None:
            prompt = f"{prompt}\n{cell}".strip()
        prompt = expand(prompt, variables)
        if not prompt:
            raise UsageError(f"What do you want to ask? %ask {options.name} <your question>")
        runnable = self._changed(self._runnable(options.name), options)
        stream = runnable.stream(prompt, limits=_limits(runnable.limits, options))
        try:
            return await watch(stream, canvas_for(self.shell, quiet=quiet))
        finally:
            run = stream.run
            if run.events:
                self.runs.append(run)
                self.shown.add(run.run_id)
                if run.status != "finished":
                    self.shell.displayhook.update_user_ns(run)

    @no_var_expand
    @line_magic
    def agents(self, line: str) -> Table:
        """List the agents of this notebook."""
        _takes_nothing("agents", line)
        return agents_table(self.runnables().values())

    @no_var_expand
    @line_magic
    def runs(self, line: str) -> Table | Run[Any]:
        """List the runs of this kernel; with a run's id, return that run."""
        wanted = line.strip()
        if not wanted:
            return runs_table(reversed(self.runs))
        known = {run.run_id: run for run in self.runs}
        if wanted not in known:
            raise unknown_name("run", wanted, known)
        return known[wanted]

    @no_var_expand
    @line_magic
    def nbagents(self, line: str) -> object:
        """Look after nbagents: `%nbagents doctor`, `config`, `local` or `help`."""
        return commands.run(self.shell, line)

    def _runnable(self, name: str) -> Runnable[Any]:
        value = self.variables.get(name)
        if isinstance(value, Runnable):
            return value
        error = unknown_name("agent", name, self.runnables())
        if not self.runnables():
            error = UserError(f"There is no agent {name!r} yet. Define it: %%agent {name}")
        raise error

    def _changed(self, runnable: Runnable[Any], options: Any) -> Runnable[Any]:
        """Make the agent of this one question; the declared one stays as it is."""
        changes: dict[str, Any] = {}
        if options.model:
            changes["model"] = self._model(options.model)
        if options.out:
            changes["output_type"] = self._type(options.out)
        if options.temperature is not None:
            settings = runnable.settings if isinstance(runnable, Agent) else Settings()
            changes["settings"] = replace(settings, temperature=options.temperature)
        if not changes:
            return runnable
        if not isinstance(runnable, Agent):
            given = ", ".join(changes)
            raise UsageError(f"{runnable.name} is no single agent, so it takes no {given}.")
        return runnable.replaced(**changes)

    def _model(self, name: str | None) -> Any:
        if name is None:
            return None
        named = self.variables.get(name)
        if named is not None and hasattr(named, "stream") and hasattr(named, "capabilities"):
            return named
        resolve_model(name)
        return name

    def _tools(self, names: str | None) -> list[Any]:
        return [self._tool(name) for name in _split(names)]

    def _tool(self, name: str) -> Any:
        value = self.variables.get(name)
        if isinstance(value, (Tool, Runnable)) or (callable(value) and not isinstance(value, type)):
            return value
        known = (
            name
            for name, value in self.variables.items()
            if (isinstance(value, Tool) or callable(value))
            and not name.startswith("_")
            and getattr(value, "__module__", "__main__") == "__main__"
            and not isinstance(value, type)
        )
        raise unknown_name("tool", name, known)

    def _used(self, names: str | None) -> list[Runnable[Any]]:
        return [self._runnable(name) for name in _split(names)]

    def _type(self, expression: str | None) -> Any:
        if expression is None:
            return str
        try:
            return eval(expression, dict(self.variables))  # noqa: S307 - the author's own cell
        except NameError as error:
            types = (name for name, value in self.variables.items() if isinstance(value, type))
            raise unknown_name("type", error.name or expression, types) from None
        except Exception as error:  # noqa: BLE001 - whatever the expression raises
            raise UserError(f"--out {expression} is no type: {error}") from None


def _split(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def _limits(limits: Limits | None, options: Any) -> Limits | None:
    """Change the limits that options name; the others stay as they are."""
    given = {"turns": options.turns, "cost": options.cost}
    changes = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        if not value > 0:
            raise UsageError(f"--{name} must be more than 0, not {value}.")
    return replace(limits or Limits(), **changes) if changes else limits


def _takes_nothing(name: str, line: str) -> None:
    if line.strip():
        raise UsageError(f"%{name} takes no arguments, but was given {line.strip()!r}.")
