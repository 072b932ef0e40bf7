"""`{{ expression }}` in prompts: evaluated once, in a sandbox, over the notebook's variables."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment
from pydantic_core import to_json

from nbagents.errors import UserError, unknown_name

__all__ = ["expand"]

_SAMPLE_ROWS = 5


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


def expand(text: str, variables: Mapping[str, Any]) -> str:
    """Put the values of `{{ expression }}` into a text; braces of other kinds are text.

    What a value holds is never expanded again. Write `{{ "{{" }}` for two literal braces. Raises
    `UserError` for a name that is not defined, a broken expression, and one that fails.
    """
    if "{{" not in text:
        return text
    try:
        return _environment().from_string(text).render(variables)
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
    """Write a value as a model should read it: a table by its columns and a sample."""
    if isinstance(value, str):
        return value
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        columns = ", ".join(f"{name} ({kind})" for name, kind in value.dtypes.items())
        sample = value.head(_SAMPLE_ROWS).to_csv(index=False)
        return f"A table of {len(value)} rows. Columns: {columns}. The first rows:\n{sample}"
    if isinstance(value, (dict, list, tuple, set)) or hasattr(value, "model_dump"):
        return to_json(value, fallback=str).decode()
    return str(value)
