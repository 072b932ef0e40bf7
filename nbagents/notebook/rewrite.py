"""Make a cell await our magics, which IPython itself would only call.

IPython turns `%ask a b` into `get_ipython().run_line_magic('ask', 'a b')`. At the top level of a
cell that call is replaced by an awaited one, so that the run shares the kernel's loop; in a
function, or inside another magic such as `%%time`, the ordinary magic stays and uses the portal.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping

from IPython.core.inputtransformer2 import TransformerManager, make_tokens_by_line
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

__all__ = ["Rewriter"]

_CALLS = ("run_line_magic", "run_cell_magic")
_CELL_MAGIC = re.compile(r"%%(?:agent|ask|graph|swarm)\b")


class Rewriter:
    """Wraps a shell's input transformation until `undo`."""

    def __init__(self, shell: InteractiveShell, targets: Mapping[str, str]) -> None:
        """Replace calls of magics by awaited calls: of `%name` by `targets[name](line, cell)`."""
        self._shell = shell
        self._targets = targets
        self._question = re.compile(rf"^\s*(?:[^%=\n]+=\s*)?%(?:{'|'.join(targets)})\s.*\?\s*$")
        self._running = 0
        self._rewritten = ""
        self._manager: TransformerManager = shell.input_transformer_manager
        self._original: Callable[[str], str] = self._manager.transform_cell
        self._manager.transform_cell = self._transform_cell
        self._manager.cleanup_transforms += [self._keep_questions, _at_the_top]
        shell.events.register("pre_run_cell", self._on_start)
        shell.events.register("post_run_cell", self._on_end)

    def undo(self) -> None:
        """Put everything back."""
        self._manager.__dict__.pop("transform_cell", None)
        for transform in (self._keep_questions, _at_the_top):
            self._manager.cleanup_transforms.remove(transform)
        self._shell.events.unregister("pre_run_cell", self._on_start)
        self._shell.events.unregister("post_run_cell", self._on_end)

    def _on_start(self, _info: object) -> None:
        self._running += 1

    def _on_end(self, result: ExecutionResult) -> None:
        self._running = max(0, self._running - 1)
        history = self._shell.history_manager.input_hist_parsed
        if self._rewritten and history and history[-1] == self._rewritten.rstrip("\n"):
            history[-1] = result.info.raw_cell

    def _transform_cell(self, cell: str) -> str:
        source = self._original(cell)
        # Source that is transformed while a cell runs belongs to another magic, which executes it.
        if self._running or not any(f"magic('{name}'" in source for name in self._targets):
            return source
        if not self._shell.autoawait:
            return source
        self._rewritten = awaited(source, self._targets)
        return self._rewritten

    def _keep_questions(self, lines: list[str]) -> list[str]:
        """Hide a final `?` of a prompt from IPython, which takes it as a question for help."""
        if lines and lines[0].startswith("%%"):
            return lines
        if not any(self._question.match(line) for line in lines):
            return lines
        starts = {tokens[0].start[0] - 1 for tokens in make_tokens_by_line(lines) if tokens}
        return [
            _as_call(line) if index in starts and self._question.match(line) else line
            for index, line in enumerate(lines)
        ]


def _at_the_top(lines: list[str]) -> list[str]:
    """Let comments be above a cell magic of ours; say what is wrong with other magics there."""
    for index, line in enumerate(lines):
        magic = _CELL_MAGIC.match(line)
        if magic and index:
            above = [each for each in lines[:index] if each.strip() and not each.startswith("#")]
            if not above:
                return lines[index:]
            message = f"{magic[0]} must be in the first line of its cell: put {above[0].strip()!r:.60} into a cell of its own."
            return [f"raise __import__('IPython').core.error.UsageError({message!r})\n"]
        if line.strip() and not line.startswith(("#", "%", "!")):
            break
    return lines


def _as_call(line: str) -> str:
    """Write the call that `%name rest` stands for."""
    head, _, rest = line.rstrip("\n").partition("%")
    name, _, prompt = rest.partition(" ")
    return f"{head}get_ipython().run_line_magic({name!r}, {prompt.strip()!r})\n"


def awaited(source: str, targets: Mapping[str, str]) -> str:
    """Replace our magic calls outside of functions by awaited calls of their targets."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    found = [call for statement in tree.body for call in _calls(statement, targets)]
    variables = {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    lines = source.encode().splitlines(keepends=True)
    for call in sorted(found, key=lambda call: (call.lineno, call.col_offset), reverse=True):
        name, line, *cell = (ast.unparse(argument) for argument in call.args)
        arguments = [line, cell[0] if cell else "None"]
        if variable := variables.get(id(call)):
            arguments.append(repr(variable))
        target = targets[ast.literal_eval(name)]
        _replace(lines, call, f"(await {target}({', '.join(arguments)}))".encode())
    return b"".join(lines).decode()


def _calls(node: ast.AST, names: Collection[str]) -> list[ast.Call]:
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)
    if isinstance(node, scopes):
        return []
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=attribute),
            args=[ast.Constant(value=name), *_],
        ) if attribute in _CALLS and name in names:
            return [node]
    return [call for child in ast.iter_child_nodes(node) for call in _calls(child, names)]


def _replace(lines: list[bytes], call: ast.Call, text: bytes) -> None:
    """Put `text` in the place of a call; the offsets of `ast` count bytes."""
    assert call.end_lineno is not None
    first, last = call.lineno - 1, call.end_lineno - 1
    after = lines[last][call.end_col_offset :]
    lines[first : last + 1] = [lines[first][: call.col_offset] + text + after]
