"""`{{ expression }}` in prompts: evaluated once, in a sandbox, over the notebook's variables."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from nbagents.errors import UserError, unknown_name
from nbagents.messages import FilePart, TextPart
from nbagents.tools.rendering import UnreadableError, render

__all__ = ["expand", "expand_prompt"]

_files = contextvars.ContextVar[list[FilePart] | None]("nbagents_prompt_files", default=None)


@functools.cache
def _environment() -> SandboxedEnvironment:
    """Make an environment in which `{{ }}` is the only thing that means anything."""
    return SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        finalize=_shown,
        keep_trailing_newline=True,
        block_start_string="{\0%",
        block_end_string="%\0}",
        comment_start_string="{\0#",
        comment_end_string="#\0}",
    )


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
    `UserError` for a name that is not defined, a broken expression, and one that fails.
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
            known = [name for name in variables if not name.startswith("_")]
            raise unknown_name("variable", name, known) from None
        raise UserError(f"A {{{{ }}}} in the prompt failed: {error}.") from None
    except TemplateSyntaxError as error:
        message = f"A {{{{ }}}} in line {error.lineno} of the prompt is broken: {error.message}."
        raise UserError(message) from None
    except SecurityError as error:
        raise UserError(f"A {{{{ }}}} in the prompt does what it may not: {error}") from None
    except Exception as error:
        message = f"A {{{{ }}}} in the prompt failed with {type(error).__name__}: {error}"
        raise UserError(message) from error


def _shown(value: object) -> str:
    """Write a value as a model should read it; a picture is named here, and goes beside the text."""
    if isinstance(value, str):
        return value
    try:
        parts = render(value)
    except UnreadableError as error:
        raise UserError(f"A {{{{ }}}} in the prompt cannot be read by a model. {error}") from None
    return "\n".join(part.text if isinstance(part, TextPart) else _beside(part) for part in parts)


def _beside(file: FilePart) -> str:
    files = _files.get()
    if files is None:
        raise UserError("A picture or a file can only be in a prompt, not here.")
    files.append(file)
    kind = "picture" if file.media_type.startswith("image/") else "file"
    return f"[{kind} {len(files)}]"
