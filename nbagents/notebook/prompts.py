"""`{{ expression }}` in prompts: evaluated once, in a sandbox, over the notebook's variables."""

from __future__ import annotations

import contextvars
import functools
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from nbagents.errors import UserError, unknown_name
from nbagents.messages import FilePart, TextPart
from nbagents.tools.rendering import UnreadableError, render
from nbagents.untrusted import printed

__all__ = ["expand", "expand_prompt"]

_LITERAL = 'To write the characters {{ themselves: {{ "{{" }}'
_OTHERS = ("nbagents", "IPython")
_FUNCTIONS = (
    *(abs, all, any, bool, dict, enumerate, float, int, len, list, max, min, range, repr, reversed),
    *(round, set, sorted, str, sum, tuple, zip),
)

_files = contextvars.ContextVar[list[FilePart] | None]("nbagents_prompt_files", default=None)


@functools.cache
def _environment() -> SandboxedEnvironment:
    """Make an environment in which `{{ }}` is the only thing that means anything."""
    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        finalize=_shown,
        keep_trailing_newline=True,
        block_start_string="{\0%",
        block_end_string="%\0}",
        comment_start_string="{\0#",
        comment_end_string="#\0}",
    )
    environment.globals.update({function.__name__: function for function in _FUNCTIONS})
    return environment


def expand_prompt(text: str, variables: Mapping[str, Any]) -> list[str | FilePart]:
    """Be `expand` for a prompt, in which a value may be a picture or a file, too."""
    files: list[FilePart] = []
    token = _files.set(files)
    try:
        return [expand(text, variables), *files]
    finally:
        _files.reset(token)


def expand(text: str, variables: Mapping[str, Any]) -> str:
    """Put the values of `{{ expression }}` into a text; braces of other kinds are text.

    What a value holds is never expanded again. Write `{{ "{{" }}` for two literal braces. Raises
    `UserError` for a name that is not defined, an invalid expression, and one that fails.
    """
    if "{{" not in text:
        return text
    try:
        return _environment().from_string(text).render(variables)
    except UserError:
        raise
    except UndefinedError as error:
        name = str(error).partition("'")[2].partition("'")[0]
        if f"'{name}' is undefined" == str(error):
            problem = unknown_name("variable", name, _of_the_user(variables))
            raise UserError(f"{problem} {_LITERAL}") from None
        raise UserError(f"{{{{ }}}} in the prompt failed: {error}.") from None
    except TemplateSyntaxError as error:
        raise UserError(_invalid(text, error)) from None
    except SecurityError as error:
        raise UserError(f"{{{{ }}}} in the prompt may not do this: {error}") from None
    except Exception as error:
        message = f"{{{{ }}}} in the prompt failed with {type(error).__name__}: {error}"
        raise UserError(message) from error


def _invalid(text: str, error: TemplateSyntaxError) -> str:
    """Say which expression cannot be read, and what to do instead."""
    line = text.splitlines()[error.lineno - 1] if error.lineno <= text.count("\n") + 1 else ""
    whole = re.search(r"\{\{.*?\}\}", line)
    if whole is None and "}}" not in text.partition("{{")[2]:
        return f"Line {error.lineno} of the prompt: {{{{ has no }}}}. {_LITERAL}"
    shown = whole[0] if whole else "{{ }}"
    why = (
        (error.message or "").replace("end of print statement", "}}").replace("..", ".").rstrip(".")
    )
    return (
        f"Line {error.lineno} of the prompt: {shown:.60} is not an expression that can be "
        f"evaluated here ({why}). Compute it in a cell, x = ..., and write {{{{ x }}}}. {_LITERAL}"
    )


def _of_the_user(variables: Mapping[str, Any]) -> list[str]:
    """List the variables that can be meant: no modules, and nothing that was imported from here."""
    return [
        name
        for name, value in variables.items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and not (callable(value) and str(getattr(value, "__module__", "")).startswith(_OTHERS))
        and name not in {"In", "Out", "exit", "open", "quit"}
    ]


def _shown(value: object) -> str:
    """Write a value as a model should read it; a picture is named here, and goes beside the text."""
    if isinstance(value, str):
        return printed(value)  # As what a tool returns: of a progress bar, its last state.
    try:
        parts = render(value)
    except UnreadableError as error:
        raise UserError(f"A model cannot read what {{{{ }}}} holds: {error}") from None
    return "\n".join(part.text if isinstance(part, TextPart) else _beside(part) for part in parts)


def _beside(file: FilePart) -> str:
    files = _files.get()
    if files is None:
        raise UserError("A picture or a file can only be in a prompt, not here.")
    files.append(file)
    kind = "picture" if file.media_type.startswith("image/") else "file"
    return f"[{kind} {len(files)}]"
