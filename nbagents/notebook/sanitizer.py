"""HTML from untrusted notebooks, reduced to what neither acts nor loads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from html.parser import HTMLParser
from typing import Any

from nbagents._optional import require

__all__ = ["Sanitizer"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SVG = _set(
    "svg g path rect text tspan defs use circle ellipse line polyline polygon image symbol "
    "marker clipPath mask pattern filter linearGradient radialGradient stop textPath"
)
_MEDIA = frozenset({"audio", "video", "source"})
_GONE = _set(
    "script title desc metadata iframe object embed applet noscript noembed noframes template "
    "textarea select option button foreignObject math"
)
"""Elements that are removed with their content; others that are not allowed leave their text."""
_OF_ALL = _set(
    "align bgcolor border cellpadding cellspacing class color colspan controls dir headers "
    "height hidden id lang open reversed role rowspan scope span "
    "start style title type valign width"
)
_OF_SVG = _set(
    "clip-path clip-rule clipPathUnits cx cy d dominant-baseline dx dy fill fill-opacity fill-rule font-family "
    "font-size font-style font-weight fx fy gradientTransform gradientUnits href "
    "letter-spacing marker-end marker-mid marker-start markerHeight markerUnits markerWidth "
    "mask offset opacity orient pathLength patternTransform patternUnits points "
    "preserveAspectRatio r refX refY rotate rx ry spreadMethod stop-color stop-opacity stroke "
    "stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit "
    "stroke-opacity stroke-width text-anchor transform version viewBox visibility x x1 x2 "
    "xlink:href y y1 y2"
)
_ACTIVE = _set("script iframe object embed applet base meta link form input button")
_ADDRESSES = _set("href xlink:href src srcset srcdoc action formaction poster background ping data")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
_SOUND = re.compile(r"data:(?:audio|video)/[\w.+-]+[;,]", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\s*(?!data:)(?:[a-z][a-z0-9+.\s-]*:|[/\\]{2})", re.IGNORECASE)
_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style>)", re.DOTALL)
_LOADS = frozenset({"url", "src", "image", "image-set", "cross-fade", "element", "paint"})


class Sanitizer:
    """Keeps text, tables, style, SVG, and embedded images and sounds; nothing that acts or loads.

    Uses ammonia, which parses as browsers do (html5ever) and keeps only what is on an allow-list.
    """

    def __init__(self) -> None:
        self.dropped = 0
        """How many parts were removed that could have run, sent, or loaded something."""

    def clean(self, markup: str) -> str:
        """Sanitize a fragment of HTML; all its elements are closed."""
        kept = _STYLE.sub(self._style, self._cleaner.clean(markup))
        self.dropped += (_active(markup) - _active(kept)).total()
        return kept

    @cached_property
    def _cleaner(self) -> Any:
        nh3 = require("nh3", "share")
        tags = nh3.ALLOWED_TAGS | _SVG | _MEDIA | {"style", "section", "main", "u", "label"}
        attributes: dict[str, set[str]] = {"*": {*_OF_ALL}, "a": {"href"}}
        attributes |= {tag: {"src", "alt"} for tag in ("img", *_MEDIA)}
        attributes |= {tag: {*_OF_SVG} for tag in _SVG}
        return nh3.Cleaner(
            tags=tags,
            clean_content_tags={*_GONE},
            attributes=attributes,
            generic_attribute_prefixes={"aria-", "data-"},
            attribute_filter=self._attribute,
            url_schemes={"http", "https", "data"},
            link_rel="noopener noreferrer",
        )

    def _attribute(self, tag: str, name: str, value: str) -> str | None:
        """Return the safe value of an allowed attribute, or None to remove it."""
        if name == "style" or (tag in _SVG and "(" in value):
            return self._css(value)
        if name not in {"href", "xlink:href", "src"}:
            return value
        if tag == "a":
            stays = _WEB.match(value) or value.startswith("#")
        elif name == "src":
            stays = (_SOUND if tag in _MEDIA else _PICTURE).match(value)
        else:
            stays = value.startswith("#") or (tag == "image" and _PICTURE.match(value))
        return value if stays else None

    def _style(self, match: re.Match[str]) -> str:
        """Limit a style sheet to the element that contains it."""
        css = self._css(match[2]).replace("</", "<\\/")  # A CSS string could close the element.
        return f"{match[1]}@scope{{{css}}}{match[3]}"

    def _css(self, css: str) -> str:
        """Remove whatever would load something from a style sheet or from declarations."""
        tinycss2 = require("tinycss2", "share")
        nodes = tinycss2.parse_component_value_list(css)
        try:
            whole = tinycss2.serialize(nodes)
            kept = tinycss2.serialize(list(_unloading(nodes)))
        except RecursionError:  # Nested too deeply to be a real style sheet.
            whole, kept = css, ""
        self.dropped += kept != whole
        return kept


def _unloading(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the parts of CSS that load nothing."""
    in_import = False
    for node in nodes:
        if node.type == "error":  # An unmatched brace would close `@scope`.
            continue
        if node.type == "at-keyword" and node.lower_value in {"import", "namespace"}:
            in_import = True
        if in_import:
            in_import = node != ";"
            continue
        if node.type == "url" and not _is_local(node.value):
            continue
        if node.type == "function":
            loads = node.lower_name.removeprefix("-webkit-").removeprefix("-moz-") in _LOADS
            if loads and not all(
                _is_local(each.value) for each in node.arguments if each.type == "string"
            ):
                continue
            node.arguments = list(_unloading(node.arguments))
        elif hasattr(node, "content"):
            node.content = list(_unloading(node.content))
        yield node


def _is_local(address: str) -> bool:
    return address.startswith("#") or bool(_PICTURE.match(address))


def _active(markup: str) -> Counter[str]:
    """Count what could act, as far as Python's parser sees it; used only to inform the user."""
    parts = _ActiveParts()
    parts.feed(markup)
    return parts.counted


class _ActiveParts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.counted = Counter[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.counted[tag] += 1
        for name, value in attrs:
            leads_away = name in _ADDRESSES and _ELSEWHERE.match(value or "")
            if leads_away or name.startswith("on"):
                self.counted[f"{tag} {name}"] += 1
