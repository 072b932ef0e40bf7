"""The picture of a team: drawn when it is defined, and lit up while it runs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from nbagents._portal import in_thread
from nbagents.events import is_durable
from nbagents.notebook.document import picture_stub
from nbagents.notebook.place import Place
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import PICTURE_MIME
from nbagents.topology import LayoutUnavailable, Picture, Topology
from nbagents.topology.base import image
from nbagents.untrusted import clean

__all__ = ["LivePicture", "picture_bundle"]

_log = logging.getLogger(__name__)

_SECONDS = 0.5
_BYTES_PER_SECOND = 60_000


def picture_bundle(view: RunView, topology: Topology, now: float) -> dict[str, Any]:
    """Draw the picture of what ran, in every form that a saved notebook should hold."""
    try:
        picture: Picture | None = Picture(topology)
    except LayoutUnavailable:
        picture = None
    return _bundle(view, topology, picture, now)


def _bundle(
    view: RunView, topology: Topology, picture: Picture | None, now: float
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "text/plain": clean(topology.outline),
        "text/vnd.graphviz": topology.dot,
    }
    if picture is not None:
        shown["text/html"] = _image(view, topology, picture, now)
        shown.update(_stub(view))
        view.picture = clean(picture.svg())
    return shown


def _stub(view: RunView) -> dict[str, Any]:
    """Note that the viewer of the run draws the picture too."""
    return {} if view.root is None else {PICTURE_MIME: picture_stub(view.root.run_id)}


def _image(view: RunView, topology: Topology, picture: Picture, now: float) -> str:
    svg = picture.svg(view.states.of(topology, now), view.states.taken)
    return image(clean(svg), f"What {clean(topology.name)} is made of, and how far it is")


class LivePicture:
    """One output of a cell that shows how far a team is. It is laid out once, beside the run."""

    def __init__(self, view: RunView, topology: Topology, *, live: bool) -> None:
        """Take the place in the output, in the cell that calls."""
        self._view = view
        self._topology = topology
        self._place = Place({"text/plain": ""})
        self._live = live and self._place.is_live
        self._layout = asyncio.create_task(in_thread(lambda: Picture(topology)))
        self._layout.add_done_callback(lambda _: self._soon())
        self._timer: asyncio.TimerHandle | None = None
        self._earliest = 0.0
        self._frame = ""
        self._last: dict[str, Any] = {}

    def touch(self, event: Any) -> None:
        """Draw soon if this event changes the picture."""
        if is_durable(event):
            self._soon()

    async def finish(self) -> None:
        """Draw it once more, in every form."""
        self._live = False
        if self._timer is not None:
            self._timer.cancel()
        picture: Picture | None = None
        try:
            picture = await self._layout
        except LayoutUnavailable:
            pass
        except Exception:  # noqa: BLE001 - the run matters more
            _log.exception("The picture could not be laid out")
        finally:
            self._last = _bundle(self._view, self._topology, picture, self._view.now)
            self._place.end(self._last)

    def draw_again(self) -> None:
        """Draw what was drawn last once more."""
        self._place.update(self._last)

    def _soon(self) -> None:
        if self._live and self._timer is None and self._layout.done():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._earliest - loop.time()), self._draw)

    def _draw(self) -> None:
        self._timer = None
        if self._layout.cancelled() or self._layout.exception() is not None:
            self._live = False
            return
        picture = self._layout.result()
        self._view.picture = self._view.picture or clean(picture.svg())
        frame = _image(self._view, self._topology, picture, self._view.now)
        if frame != self._frame:
            self._place.show({"text/html": frame, **_stub(self._view)})
            self._frame = frame
            wait = max(_SECONDS, len(frame) / _BYTES_PER_SECOND)
            self._earliest = asyncio.get_running_loop().time() + wait
