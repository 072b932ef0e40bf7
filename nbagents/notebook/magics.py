"""The magics: `%%agent`, `%ask`, `%agents`, `%runs` and `%nbagents`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from weakref import WeakSet

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
from nbagents.agents.human import handoff_to_user
from nbagents.errors import unknown_name
from nbagents.limits import Limits
from nbagents.models.base import Settings
from nbagents.notebook import commands
from nbagents.notebook.arguments import names, parse
from nbagents.notebook.cards import Table, agent_card, agents_table, runs_table
from nbagents.notebook.document import write_document
from nbagents.notebook.live import Canvas, canvas_for, watch
from nbagents.notebook.namespace import Namespace
from nbagents.notebook.prompts import expand, expand_prompt
from nbagents.notebook.stop import stoppable
from nbagents.runnable import Run, Runnable, RunStream
from nbagents.sessions.session import Session

__all__ = ["AgentMagics", "assigned", "limits_of", "takes_one_name"]

_KEPT_RUNS = 100
assigned = ContextVar[str | None]("nbagents_assigned", default=None)
"""The variable that the cell assigns what is being asked to."""


@magics_class
class AgentMagics(Magics):
    """The magics of nbagents. What they define and find are the notebook's own variables."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.namespace = Namespace(shell)
        self.session: Session | None = None
        """What `%session` has chosen: where `%ask` writes its runs down."""
        self.runs: deque[Run[Any]] = deque(maxlen=_KEPT_RUNS)
        self.shown: set[str] = set()
        """Runs that the cell under way has drawn while they ran."""
        self.drawn: set[str] = set()
        """Runs that the cell under way has drawn because it was told to."""
        self.followed = WeakSet[RunStream[Any]]()
        """Streams that are drawn as they come."""
        self.canvases: dict[str, Canvas] = {}
        """Where the last runs are drawn, by their ids."""
        self.beside: Callable[[RunStream[Any]], Canvas] | None = None
        """Draws each run in another place too."""

    @no_var_expand
    @magic_arguments()
    @argument("name", help="Name of the agent, and of the variable that will hold it.")
    @argument("-m", "--model", help="Model, as provider:model. Without it one is chosen for you.")
    @argument("-t", "--tools", type=names, help="Functions that it may call, comma-separated.")
    @argument("--uses", type=names, help="Agents that it may call as tools, comma-separated.")
    @argument("--out", help="Type of its answers, such as a pydantic model or list[str].")
    @argument("--human", action="store_true", help="It may ask you, in a form.")
    @argument("--approve", type=names, help="Tools whose calls you must allow: delete_*,send_mail.")
    @argument("--turns", type=int, help="The most model calls in one run.")
    @argument("--cost", type=float, help="The most US dollars that one run may cost.")
    @argument(
        "--temperature", type=float, help="Sampling temperature; 0 is the most deterministic."
    )
    @cell_magic
    def agent(self, line: str, cell: str) -> None:
        """Define an agent; the cell's body holds its instructions, in Markdown."""
        options, rest = parse(AgentMagics.agent, expand(line, self.namespace.variables))
        takes_one_name("agent", rest)
        namespace = self.namespace
        namespace.check_free(options.name, Agent)
        tools = [namespace.tool(name) for name in options.tools or ()]
        tools += [namespace.runnable(name) for name in options.uses or ()]
        if options.human and handoff_to_user not in tools:
            tools.append(handoff_to_user)
        agent = Agent(
            options.name,
            expand(cell, namespace.variables).strip(),
            model=namespace.model(options.model),
            tools=tools,
            approve=options.approve or (),
            output_type=namespace.type(options.out),
            settings=Settings(temperature=options.temperature),
            limits=limits_of(None, options),
        )
        namespace.define(options.name, agent)
        display(agent_card(agent))

    @no_var_expand
    @magic_arguments()
    @argument("name", help="What to ask: the name of an agent or a team.")
    @argument("-m", "--model", help="Another model, for this question only.")
    @argument("--out", help="Another type of answer, for this question only.")
    @argument("--answers", help="Answers to questions to you: a list, a dictionary, or a variable.")
    @argument("--turns", type=int, help="The most model calls.")
    @argument("--cost", type=float, help="The most US dollars that it may cost.")
    @argument(
        "--temperature", type=float, help="Sampling temperature; 0 is the most deterministic."
    )
    @needs_local_scope
    @line_cell_magic
    def ask(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Run[Any] | None:
        """Ask an agent. The rest of the line, or the cell's body, is the prompt, as you write it.

        `{{ expression }}` puts the value of an expression into the prompt. A `;` at the end of
        the line asks without showing anything. The value is the run: `run = %ask writer Hello`.
        """
        variables = {**self.namespace.variables, **(local_ns or {})}
        return portal().call(lambda: self._ask(line, cell, variables))

    async def awaited(
        self, line: str, cell: str | None, variable: str | None = None
    ) -> Run[Any] | None:
        """Be `%ask` for a cell that can await; `variable` is what the cell assigns it to."""
        assigned.set(variable)
        return await stoppable(self._ask(line, cell, self.namespace.variables))

    async def _ask(self, line: str, cell: str | None, variables: dict[str, Any]) -> Run[Any]:
        quiet = line.rstrip().endswith(";")
        if quiet:
            line = line.rstrip()[:-1]
        options, prompt = parse(AgentMagics.ask, line)
        if cell is not None:
            prompt = f"{prompt}\n{cell}".strip()
        text, *files = expand_prompt(prompt, variables)
        if not text:
            raise UsageError(f"What do you want to ask? %ask {options.name} <your question>")
        runnable = self._changed(self.namespace.runnable(options.name), options)
        stream = runnable.stream(
            [text, *files] if files else text,
            session=self.session,
            limits=limits_of(runnable.limits, options),
            answers=self.namespace.answers(options.answers),
        )
        return await self.follow(stream, runnable, quiet=quiet)

    async def follow(
        self, stream: RunStream[Any], runnable: Runnable[Any], *, quiet: bool = False
    ) -> Run[Any]:
        """Draw a run into the cell that calls, and remember it."""
        canvas = canvas_for(self.shell, quiet=quiet)
        canvases = [canvas]
        self.followed.add(stream)
        try:
            topology = runnable.topology() if runnable.is_team else None
            if self.beside is not None:
                canvases.append(self.beside(stream))
            return await watch(stream, canvases, topology)
        finally:
            run = stream.run
            if run.events:
                self.remember(run)
                self.canvases[run.run_id] = canvas
                while len(self.canvases) > _KEPT_RUNS:
                    del self.canvases[next(iter(self.canvases))]
                self.shown.add(run.run_id)
                if run.status != "finished":
                    self.shell.displayhook.update_user_ns(run)
                    if variable := assigned.get():  # Else it would keep the run before this one.
                        self.namespace.variables[variable] = run

    def remember(self, run: Run[Any]) -> None:
        """Keep a run for `%runs`; one that went on stands there once."""
        # Runs end in several threads.
        for known in list(self.runs):
            if known.run_id == run.run_id:
                self.runs.remove(known)
        self.runs.append(run)

    @no_var_expand
    @line_magic
    def agents(self, line: str) -> Table:
        """List the agents of this notebook."""
        _takes_nothing("agents", line)
        return agents_table(self.namespace.runnables())

    @no_var_expand
    @line_magic
    def runs(self, line: str) -> Table | Run[Any]:
        """List the runs of this kernel; with the id of a run, return that run.

        `%runs ID --to FILE.nbagents.json` writes it into a file, which JupyterLab opens.
        """
        line = self.namespace.filled(line)
        wanted, to, path = (part.strip() for part in line.partition(" --to "))
        if not wanted:
            return runs_table(reversed(list(self.runs)))
        known = {run.run_id: run for run in list(self.runs)}
        if wanted not in known:
            raise unknown_name("run", wanted, known)
        if to:
            written = write_document(known[wanted], path)
            return Table("", ("", ""), [("run", wanted), ("wrote", str(written))])
        return known[wanted]

    @no_var_expand
    @line_magic
    def nbagents(self, line: str) -> object:
        """Manage nbagents: `%nbagents doctor`, `config`, `local` or `help`."""
        return commands.run(self.shell, self.namespace.filled(line))

    def _changed(self, runnable: Runnable[Any], options: Any) -> Runnable[Any]:
        """Make the agent of this one question; the declared one stays as it is."""
        changes: dict[str, Any] = {}
        if options.model:
            changes["model"] = self.namespace.model(options.model)
        if options.out:
            changes["output_type"] = self.namespace.type(options.out)
        if options.temperature is not None:
            settings = runnable.settings if isinstance(runnable, Agent) else Settings()
            changes["settings"] = replace(settings, temperature=options.temperature)
        if not changes:
            return runnable
        if not isinstance(runnable, Agent):
            changed = ", ".join(changes)
            raise UsageError(
                f"{runnable.name} is a team, so it takes no {changed}. Set it on a member."
            )
        return runnable.replaced(**changes)


def limits_of(limits: Limits | None, options: Any) -> Limits | None:
    """Change the limits that options name; the others stay as they are."""
    named = {"turns": options.turns, "cost": options.cost}
    changes = {name: value for name, value in named.items() if value is not None}
    for name, value in changes.items():
        if not value > 0:
            raise UsageError(f"--{name} must be more than 0, not {value}.")
    return replace(limits or Limits(), **changes) if changes else limits


def takes_one_name(magic: str, rest: str) -> None:
    """Raise `UsageError` for words after the name and the options of a defining cell."""
    if rest:
        message = f"%%{magic} takes one name, and then options. Move {rest!r} into the cell's body"
        lists = ", or separate names with commas: --tools a,b" if magic == "agent" else ""
        raise UsageError(f"{message}{lists}.")


def _takes_nothing(name: str, line: str) -> None:
    if line.strip():
        raise UsageError(f"%{name} takes no arguments. Remove {line.strip()!r}.")
