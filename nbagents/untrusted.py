"""Text from models, tools, and files, made safe for terminals, pages, and Markdown."""

import json
import re
import unicodedata

__all__ = ["UNSEEN", "clean", "exact", "fence", "one_line", "visible"]

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


def clean(text: str) -> str:
    """Remove what a terminal or a page would act on or reject.

    Control characters are removed, and lone surrogates become question marks. Characters that
    reorder the text around them are written as code points.
    """
    text = _BIDIRECTIONAL.sub(_written, _CONTROL.sub("", _LINE_END.sub("\n", text)))
    return text.encode("utf-8", "replace").decode("utf-8")


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
