"""Text from models, tools, files, and people, made fit to be sent, saved, and displayed.

`received` is the door: text passes it where it enters a message, a question, an error, or a value
that is saved. `clean`, `visible`, `exact`, and `fence` are for those who display text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, cast

__all__ = [
    "UNSEEN",
    "Pieces",
    "clean",
    "exact",
    "fence",
    "one_line",
    "printed",
    "received",
    "received_json",
    "visible",
    "whole",
    "whole_json_text",
]

_CONTROLS = r"\x00-\x08\x0e-\x1f\x7f\x9b"
_UNFIT = re.compile(rf"[{_CONTROLS}\ud800-\udfff]")
_UNFIT_CONTROL = re.compile(f"[{_CONTROLS}]")
# ECMA-48: commands with parameters, and strings (titles, links), which end with BEL or ST.
_COMMAND = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*"
_STRING = r"\x1b[\]PX^_][^\x07\x1b\x9c\n]*"
_SEQUENCE = re.compile(rf"{_COMMAND}[@-~]|{_STRING}(?:\x07|\x1b\\|\x9c)|\x1b(?!\[)[ -/]*[0-~]")
_UNFINISHED = re.compile(rf"(?:{_COMMAND}|{_STRING}\x1b?|\x1b[ -/]*|[\ud800-\udbff])\Z")
_LONGEST_SEQUENCE = 1_000
_ERASE = re.compile(r"\x1b\[[02]?K")
_MOVE = re.compile(r"(\r|\x08|\x1b\[[02]?K)")
_JSON_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")
_BIDIRECTIONAL = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), plus everything else without a
# glyph of its own: line separators, annotations, the Braille blank, lone surrogates,
# noncharacters, and private use. forms/visible.js has the same list for the page.
UNSEEN = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff"
    r"\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""Characters without a glyph, beside the controls, for a character class of a regular expression."""
_HIDES = rf"\x00-\x08\x0b-\x1f\x7f-\x9f{UNSEEN}"
_SPACES = r"\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_HIDDEN = re.compile(f"[{_HIDES}]")
_INEXACT = re.compile(f"[{_HIDES}{_SPACES}]")
_JOINERS = "\u200c\u200d"
# Arabic through Sinhala, Myanmar, Khmer, and Mongolian: scripts whose spelling uses joiners.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af]")
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def received(text: str) -> str:
    """Return text without terminal control sequences and control characters, and with whole characters.

    Tabs, line ends, and form feeds stay. Text that was received does not change again.
    """
    if not _UNFIT.search(text):
        return text
    return whole(_UNFIT_CONTROL.sub("", _SEQUENCE.sub("", text)))


def whole(text: str) -> str:
    """Join surrogate pairs, and replace halves of characters, which UTF-8 cannot encode, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def whole_json_text(text: str) -> str:
    """Be `whole` for JSON text, in which a half may also be written as an escape."""
    if "\\u" in text:
        text = _JSON_ESCAPE.sub(lambda match: "\\ufffd" if match["half"] else match[0], text)
    return whole(text)


def received_json(value: Any) -> Any:
    """Return a JSON value in which each text, keys included, was received."""
    if isinstance(value, str):
        return received(value)
    if isinstance(value, dict):
        known = cast("dict[Any, Any]", value)
        return {received_json(key): received_json(item) for key, item in known.items()}
    if isinstance(value, list):
        return [received_json(item) for item in cast("list[Any]", value)]
    return value


def printed(text: str) -> str:
    """Return what a terminal shows in the end: of a progress bar, its last state."""
    if "\r" not in text and "\b" not in text:
        return received(text)
    text = _SEQUENCE.sub(lambda match: match[0] if _ERASE.fullmatch(match[0]) else "", text)
    *lines, last = text.split("\n")
    shown = [_overwritten(line) + ("\r" if line.endswith("\r") else "") for line in lines]
    return received("\n".join([*shown, _overwritten(last)]))


def _overwritten(line: str) -> str:
    line = line.rstrip("\r")
    if not _MOVE.search(line):
        return line
    shown: list[str] = []
    at = 0
    for piece in filter(None, _MOVE.split(line)):
        if piece == "\r":
            at = 0
        elif piece == "\b":
            at = max(0, at - 1)
        elif _ERASE.fullmatch(piece):
            at = 0 if "2" in piece else at
            del shown[at:]
        else:
            shown[at : at + len(piece)] = piece
            at += len(piece)
    return "".join(shown)


class Pieces:
    """Receives text that arrives in pieces: a sequence or a character may be cut between two.

    Each piece costs the same, however long the text grows.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""
        """The beginning of a sequence or a character, until its end arrives."""

    def take(self, piece: str) -> str:
        """Return what is received by this piece."""
        if not self.held and not _UNFIT.search(piece):
            return piece
        text = self.held + piece
        cut = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_SEQUENCE))
        end = cut.start() if cut else len(text)
        self.held = text[end:]
        return received(text[:end])

    def rest(self) -> str:
        """Return what is left at the end."""
        text, self.held = self.held, ""
        return received(text)


def clean(text: str) -> str:
    """Remove what a terminal or a page would act on or reject.

    Control sequences and characters are removed, and halves of characters become U+FFFD.
    Characters that reorder the text around them are written as code points.
    """
    text = _CONTROL.sub("", _LINE_END.sub("\n", received(text)))
    return _BIDIRECTIONAL.sub(_written, text)


def one_line(text: str) -> str:
    """Return clean text with each run of white space replaced by one space."""
    return " ".join(clean(text).split())


def visible(text: str) -> str:
    """Replace each invisible or bidirectional character by its code point in quotes, as in U+202E.

    For questions and answers. Joiners stay inside emoji, and inside the words of scripts whose
    spelling uses them.
    """
    return _HIDDEN.sub(_code_of, text.replace("\r\n", "\n"))


def exact(json_text: str) -> str:
    """Escape each character of JSON text that is invisible or looks like another kind of space.

    For approvals: two different values never look the same.
    """
    return _INEXACT.sub(lambda match: json.dumps(match[0])[1:-1], json_text)


def fence(text: str, info: str = "") -> str:
    """Return a Markdown code block that nothing in the text can close."""
    text = clean(text).rstrip("\n")
    longest = max(map(len, re.findall("`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{info}\n{text}\n{marks}"


def _code_of(match: re.Match[str]) -> str:
    text, char = match.string, match[0]
    if _belongs(char, text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]):
        return char
    return _written(match)


def _written(match: re.Match[str]) -> str:
    return f"\u2039U+{ord(match[0]):04X}\u203a"


def _belongs(char: str, before: str, after: str) -> bool:
    """Tell whether an invisible character belongs to the spelling of its neighbors."""
    if char in _JOINERS and _JOINING.match(before) and _JOINING.match(after):
        return True
    if char == "\u200d":
        return (before == "\ufe0f" or _is_symbol(before)) and _is_symbol(after)
    if char in "\ufe0e\ufe0f":
        is_keycap = before in tuple("#*0123456789") and after == "\u20e3"
        return is_keycap or _is_symbol(before) or before in tuple("\u203c\u2049\u3030\u2139")
    return "\U000e0100" <= char <= "\U000e01ef" and bool(_IDEOGRAPH.match(before))


def _is_symbol(char: str) -> bool:
    return char != "" and unicodedata.category(char) in {"So", "Sk", "Sm"} and char > "\x7f"
