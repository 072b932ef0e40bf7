"""Whatever a model writes, a reader's browser is asked to do nothing."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from nbconvert.filters import markdown2html

from nbagents.notebook.safe_markdown import to_html, to_safe_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](https://evil.example/p.png)",
    "![pixel][ref]\n\n[ref]: https://evil.example/p.png",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:x)",
    "[click](  javascript:alert(1))",
    "[click][bad]\n\n[bad]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "<https://ok.example/><iframe src=https://evil.example></iframe>",
    "`</code><script>alert(1)</script>`",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "~~~\n<script>\n~~~\n<script>alert(1)</script>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "a\n</div></div><form action=https://evil.example><input name=q></form>",
    "<details open ontoggle=alert(1)>",
    "    <script>indented()</script>\n\n<script>alert(1)</script>",
    '[x](https://e.example "onmouseover=alert(1)")',
    '[x](https://e.example/"onmouseover=alert(1))',
    "<svg/onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "```\n<script>alert(1)</script>",
]
ALLOWED = {
    "p", "a", "span", "strong", "em", "code", "pre", "ul", "ol", "li", "table", "thead", "tbody",
    "tr", "th", "td", "h1", "h2", "h3", "blockquote", "hr", "br", "div", "del", "s",
}  # fmt: skip


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def read_by_all(markdown: str) -> list[str]:
    """Render Markdown as trusting readers do: raw HTML stays, and any link is one."""
    plain = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    plain.validateLink = lambda _: True
    return [plain.render(markdown), markdown2html(markdown)]


def assert_harmless(html: str) -> None:
    for tag, attributes in Tags(html).tags:
        assert tag in ALLOWED
        assert set(attributes) <= {
            "style",
            "href",
            "rel",
            "target",
            "title",
            "class",
            "id",
            "start",
        }
        assert attributes.get("href", "https://").startswith(("https://", "http://", "#"))
        assert "mermaid" not in (attributes.get("class") or "").lower()


@pytest.mark.parametrize("text", HOSTILE)
def test_html_holds_no_tag_that_acts(text: str):
    assert_harmless(to_html(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_stays_harmless_in_a_reader_that_allows_html(text: str):
    for html in read_by_all(to_safe_markdown(text)):
        assert_harmless(html)


def test_a_link_shows_its_target():
    assert "(https://evil.example/login)" in to_html("[my bank](https://evil.example/login)")


def test_a_link_that_is_its_own_text_is_shown_once():
    assert to_html("<https://ok.example/>").count("https://ok.example/") == 2


def test_an_image_is_named_and_not_loaded():
    html = to_html("![a chart](https://e.example/c.png)")
    assert "[image: a chart (https://e.example/c.png)]" in html


def test_code_is_kept_to_the_letter_in_markdown():
    text = "```python\nif a < b:\n    print('![x](y)')\n```"
    assert to_safe_markdown(text) == text


def test_ordinary_markdown_is_drawn():
    html = to_html(
        "# Title\n\n**bold** and `code`\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    assert [tag for tag, _ in Tags(html).tags] == (
        [
            "h1",
            "p",
            "strong",
            "code",
            "ul",
            "li",
            "li",
            "table",
            "thead",
            "tr",
            "th",
            "th",
            "tbody",
            "tr",
            "td",
            "td",
        ]
    )


@pytest.mark.parametrize("unit", ["![", "[", "![a](", "[a][b] ", "**a_", "[a]: x\n\n", "`", "> "])
def test_a_megabyte_is_drawn_in_good_time_and_nothing_of_it_is_lost(unit: str):
    text = "# Title\n\n" + unit * (1_000_000 // len(unit)) + "\nthe end"
    began = time.process_time()
    drawn, written = to_html(text), to_safe_markdown(text)
    assert time.process_time() - began < 6
    assert drawn.startswith("<h1>")
    assert "the end" in drawn
    assert written.startswith("# Title")
    assert "the end" in written


def test_a_long_answer_stays_markdown_as_far_as_it_goes():
    text = "*word* [link](https://example.com)\n\n" * 1_900
    assert to_html(text).count("<em>") == 1_900
    cut = to_html(text * 2)
    assert 500 < cut.count("<em>") < 3_800
    assert cut.count("<em>") + cut.count("*word*") == 3_800
    for html in read_by_all(to_safe_markdown(text * 2)):
        assert_harmless(html)
