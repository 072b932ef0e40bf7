"""Figures, images and bytes as files that a model can see."""

from __future__ import annotations

import base64
import io
from typing import Any, cast

from nbagents.messages import FilePart

__all__ = ["file_of_bytes", "picture"]

_PNG = "image/png"
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": _PNG,
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}


def picture(value: Any) -> FilePart | None:
    """Draw a figure of matplotlib or plotly, an image of Pillow, or whatever has a PNG or JPEG form.

    Returns None for anything else. Raises whatever the library raises that draws it.
    """
    library = type(value).__module__.partition(".")[0]
    if library == "matplotlib":
        figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
        if figure is not None:
            data = io.BytesIO()
            figure.savefig(data, format="png", bbox_inches="tight")
            return FilePart(_PNG, data.getvalue())
    if library == "PIL" and hasattr(value, "save"):
        data = io.BytesIO()
        drawn = (
            value if value.mode in {"1", "L", "LA", "P", "RGB", "RGBA"} else value.convert("RGB")
        )
        drawn.save(data, "PNG")
        return FilePart(_PNG, data.getvalue())
    if library == "plotly" and hasattr(value, "to_image"):
        return FilePart(_PNG, value.to_image(format="png"))
    for form, media_type in (("_repr_png_", _PNG), ("_repr_jpeg_", "image/jpeg")):
        if not isinstance(value, type) and (drawn := _drawn(value, form)):
            return FilePart(media_type, drawn)
    return None


def file_of_bytes(data: bytes) -> FilePart | None:
    """Make a file of bytes that begin as an image or a PDF does; None for others."""
    for beginning, media_type in _BEGINNINGS.items():
        if data.startswith(beginning):
            return FilePart(media_type, data)
    is_webp = data.startswith(b"RIFF") and data[8:12] == b"WEBP"
    return FilePart("image/webp", data) if is_webp else None


def _drawn(value: Any, form: str) -> bytes | None:
    """Ask an object for a picture of itself, as IPython would."""
    draw = getattr(cast("Any", type(value)), form, None)
    found = draw(value) if callable(draw) else None
    if isinstance(found, tuple):  # With metadata.
        found = found[0]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(found, str):
        return base64.b64decode(found)
    return found if isinstance(found, bytes) else None
