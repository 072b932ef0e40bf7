"""Code in colors that need no style sheet."""

from __future__ import annotations

import html
from itertools import groupby

__all__ = ["colored"]

# Those of JupyterLab's editor; elsewhere, what reads on white and on black.
_COLORS = {
    "Keyword": "var(--jp-mirror-editor-keyword-color,light-dark(#1a7f37,#7ee787))",
    "Literal.String": "var(--jp-mirror-editor-string-color,light-dark(#b3261e,#ffab91))",
    "Literal.Number": "var(--jp-mirror-editor-number-color,light-dark(#116329,#a5d6a7))",
    "Name.Function": "var(--jp-mirror-editor-def-color,light-dark(#0550ae,#79c0ff))",
    "Name.Class": "var(--jp-mirror-editor-def-color,light-dark(#0550ae,#79c0ff))",
    "Name.Tag": "var(--jp-mirror-editor-keyword-color,light-dark(#1a7f37,#7ee787))",
    "Comment": "var(--jp-ui-font-color2,light-dark(#57606a,#a0a0a0))",
}
_LONGEST = 20_000


def colored(code: str, language: str) -> str:
    """Return code as HTML, in colors if its language is known."""
    if not language or len(code) > _LONGEST:
        return html.escape(code)
    # Loaded only when something is to be colored.
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return html.escape(code)
    pieces = groupby(lexer.get_tokens(code), key=lambda token: _color(str(token[0])))
    return "".join(_piece(color, "".join(text for _, text in piece)) for color, piece in pieces)


def _color(kind: str) -> str:
    name = kind.removeprefix("Token.")
    return next((color for start, color in _COLORS.items() if name.startswith(start)), "")


def _piece(color: str, text: str) -> str:
    shown = html.escape(text)
    return f'<span style="color:{color}">{shown}</span>' if color else shown
