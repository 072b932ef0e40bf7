"""`%nbagents local`: fetch a model's weights, with a bar."""

from __future__ import annotations

import html

from IPython.display import display

from nbagents._portal import Stopped
from nbagents.providers.local import DEFAULT, Progress, fetch

__all__ = ["fetch_with_bar"]

_BAR_WIDTH = 40


class _Bar:
    """How far the fetch is, for a page and for a terminal."""

    def __init__(self, model: str, progress: Progress) -> None:
        self._share = progress.done / progress.total if progress.total else 0.0
        done, total = progress.done / 1e6, progress.total / 1e6
        self._words = f"{model}: {done:,.0f} of {total:,.0f} MB, {progress.what}"

    def __repr__(self) -> str:
        full = round(self._share * _BAR_WIDTH)
        return f"[{'#' * full}{'.' * (_BAR_WIDTH - full)}] {self._words}"

    def _repr_html_(self) -> str:
        words = html.escape(self._words)
        return (
            f'<label style="font-size:.92em"><progress value="{self._share:.3f}" max="1" '
            f'style="width:16em;vertical-align:middle"></progress> {words}</label>'
        )


class _Done:
    """The last frame."""

    def __init__(self, model: str, path: str) -> None:
        self._words = f"{model} is here: {path}"

    def __repr__(self) -> str:
        return self._words

    def _repr_html_(self) -> str:
        return f'<span style="font-size:.92em">✓ {html.escape(self._words)}</span>'


def fetch_with_bar(model: str | None, *, in_page: bool) -> None:
    """Fetch the weights of a model; what has arrived when it is stopped is kept."""
    model = model or DEFAULT
    start = _Bar(model, Progress(0, 0, "looking for it"))
    handle = display(start, display_id=True) if in_page else None

    def show(frame: object) -> None:
        if handle is not None:
            handle.update(frame)
        else:
            print(f"\r{frame!r}", end="", flush=True)  # noqa: T201 - a terminal's bar

    try:
        path = fetch(model, lambda progress: show(_Bar(model, progress)))
    except KeyboardInterrupt:
        raise Stopped from None
    show(_Done(model, str(path)))
