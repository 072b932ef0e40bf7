"""Files as vendors take them: the true type of a picture, and what is said of those that they cannot read."""

from __future__ import annotations

from collections.abc import Callable

from nbagents.errors import UserError
from nbagents.messages import FilePart, Message, TextPart

__all__ = ["IMAGES", "mention", "shown_files", "true_type", "unreadable"]

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What all vendors read."""
_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/apng": "image/png",
    "application/x-pdf": "application/pdf",
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def true_type(part: FilePart) -> str:
    """Return the media type by the first bytes, else by the name as vendors write it.

    Vendors refuse a picture that is of another type than it is said to be.
    """
    data = part.data or b""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    known = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    named = part.media_type.partition(";")[0].strip().lower()
    return known or _OTHER_NAMES.get(named, named)


def unreadable(reader: str, part: FilePart) -> UserError:
    """Make the error for a file of a type that the model cannot read."""
    name = part.name or "a file"
    fix = "Convert it to PNG." if part.media_type.startswith("image/") else "Send its text."
    return UserError(
        f"{reader} reads PNG, JPEG, GIF, WebP and PDF; {name} is {part.media_type}. {fix}"
    )


def mention(part: FilePart) -> str:
    """Say in words that a message has a file."""
    return f"[{part.name or 'file'} ({part.media_type})]"


def shown_files(message: Message, block: Callable[[FilePart], object]) -> Message | None:
    """Make the user's message that shows the files of an assistant: vendors take none from it.

    A file that `block` refuses is left out: its mention in the assistant's message must do.
    """
    parts: list[TextPart | FilePart] = []
    for part in message.parts:
        if not isinstance(part, FilePart):
            continue
        try:
            block(part)
        except UserError:
            continue
        parts += TextPart(f"The assistant made this file: {mention(part)}"), part
    return Message("user", tuple(parts)) if parts else None
