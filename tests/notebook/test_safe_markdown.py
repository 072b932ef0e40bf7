"""Whatever a model writes, a reader's browser is asked to do nothing."""

from __future__ import annotations

import re
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
    "tr", "th", "td", "h1", "h2", "h3", "blockquote", "hr", "br", "div", "del", "s", "sub", "sup",
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
            "dir",
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
    assert drawn.startswith("<h1 ")
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


def formulas(text: str) -> list[str]:
    return re.findall(r'<span class="mathjax_process[^>]*>(.*?)</span>', to_html(text), re.DOTALL)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \(a_1 + b_1\) and $x_i$.", [r"\(a_1 + b_1\)", "$x_i$"]),
        (r"\[ \frac{a}{b} \]", [r"\[ \frac{a}{b} \]"]),
        ("$$\n\\begin{pmatrix} 1 \\\\ 3 \\end{pmatrix}\n$$", None),
        ("a\n\\[\n- b\n= c\n# d\n\\]\nz", ["\\[\n- b\n= c\n# d\n\\]"]),
        ("\\begin{align}\na = b \\\\\n- c = d\n\\end{align}", None),
        ("- so\n\n  $$\n  a *b* c\n  $$", ["$$\na *b* c\n$$"]),
        ("| $a$ | $b_*c_*$ |\n|---|---|\n| \\(x\\) | 1 |", ["$a$", "$b_*c_*$", "\\(x\\)"]),
        (r"**$2x$**, ($y$)-$z$, $\$5 + x$", ["$2x$", "$y$", "$z$", r"$\$5 + x$"]),
    ],
)
def test_formulas_are_kept_to_the_letter(text: str, found: list[str] | None):
    assert formulas(text) == (found or [text])


@pytest.mark.parametrize(
    "text",
    [
        "Price: $5 today, $10 tomorrow.",
        "US$5–US$10, 5$ or 10$, $5k–$10k, ($15/$10 for children)",
        "$HOME:$PATH and $HOME/$USER",
        "from $5/month to over 10$ a year",
        "`$x$` and `\\(x\\)`",
        "\\(open and $open",
        "$$ $$ $ $ \\(\\)",
        "\\begin{unknown} x \\end{unknown} \\begin{align} x",
        "C:\\new\\table \\alpha \\(open \\frac{a}{b}",
    ],
)
def test_prices_and_backslashes_are_no_formulas(text: str):
    html = to_html(text)
    assert formulas(text) == []
    assert re.sub("<[^>]*>", "", html).strip() == text.replace("`", "")


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{https://evil.example}{bank}",
        r"\class{jp-Dialog}{x}",
        r"\def\x{\x}\x",
        r"x\hspace{-9em}y",
        r"a \\[-3em] b",
        r"\llap{x} \kern-2em",
        r"\!\!\!\!x",
        "x" * 6000,
    ],
)
def test_a_formula_that_links_or_covers_is_code(tex: str):
    assert formulas(f"${tex}$ \\({tex}\\)") == []
    assert f"<code>${tex}$</code>" in to_html(f"${tex}$ \\({tex}\\)")


@pytest.mark.parametrize(
    "part", ["\\(", "\\[", "$$\n", "$a ", "\\begin{align}", "https://", "<sub>"]
)
def test_much_that_could_begin_something_is_read_in_time(part: str):
    begun = time.monotonic()
    to_html(part * 5_000)
    assert time.monotonic() - begun < 5


def test_breaks_raised_words_strikethrough_and_bare_links_are_drawn():
    text = "| a<br>b | H<sub>2</sub>O |\n|---|---|\n| ~~old~~ | https://example.org/a_(b). |"
    html = to_html(text)
    assert html.count("<br />") == 1
    assert "H<sub>2</sub>O" in html
    assert "<s>old</s>" in html
    assert '<a href="https://example.org/a_(b)"' in html
    assert "a<br>b" in to_safe_markdown(text)
    assert "H<sub>2</sub>O" in to_safe_markdown(text)
    assert "<sub" not in to_html("<sub>open <br class=x> <sub><b>x</b></sub>")


def test_each_block_has_the_direction_of_its_first_letter():
    assert to_html("שלום\n\n- مرحبا").count('dir="auto"') == 2


def test_code_is_colored_by_its_language():
    html = to_html('```python\ndef f():\n    return "<b>"\n```')
    assert '#7ee787))">def</span>' in html
    assert "&quot;&lt;b&gt;&quot;</span>" in html
    assert "<span" not in to_html("```nolang\nx <y>\n```")
