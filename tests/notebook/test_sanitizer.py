"""The HTML of others in a shared page: what is seen stays, and nothing that acts or loads."""

from __future__ import annotations

import pytest

from nbagents.notebook.sanitizer import Sanitizer
from tests.hostile import EVIL, HTML, RUN
from tests.notebook.test_safe_markdown import Tags

DATA = "data:image/png;base64,iVBORw0KGgo="
FRAME = (
    '<div><style scoped="">.dataframe tbody tr th{vertical-align:top}</style>'
    '<table class="dataframe" border="1"><thead><tr style="text-align:right"><th></th><th>a</th></tr>'
    '</thead><tbody><tr><th>0</th><td colspan="2">1</td></tr></tbody></table></div>'
)
SVG = (
    '<svg viewBox="0 0 9 9" width="9"><defs><linearGradient id="g"><stop offset="0" stop-color="red">'
    '</stop></linearGradient></defs><g transform="scale(2)" clip-path="url(#c)"><path d="M0 0" '
    'fill="url(#g)" stroke-width="2"></path><use xlink:href="#g"></use><text x="1" '
    'text-anchor="middle">a</text></g></svg>'
)


@pytest.mark.parametrize(
    "markup",
    [
        SVG,
        f'<img alt="a" src="{DATA}" style="max-width:100%">',
        f'<div style="color:red;background:url({DATA})">a</div>',
        '<details open=""><summary>s</summary><pre><code class="hl">a &lt; b</code></pre></details>',
        '<audio controls="" src="data:audio/wav;base64,UklGRg=="></audio>',
        '<h1 id="t">T<a class="anchor-link" href="#t" rel="noopener noreferrer">#</a></h1>',
        '<p role="status" aria-label="a" data-x="1" title="t" dir="rtl" lang="ar">a</p>',
    ],
)
def test_what_is_seen_stays_as_it_is(markup: str):
    sanitizer = Sanitizer()
    assert sanitizer.clean(markup) == markup
    assert sanitizer.dropped == 0


def test_a_table_keeps_its_style_which_reaches_no_further_than_the_table():
    sanitizer = Sanitizer()
    kept = sanitizer.clean(FRAME)
    style = ".dataframe tbody tr th{vertical-align:top}"
    assert kept == FRAME.replace(' scoped=""', "").replace(style, f"@scope{{{style}}}")
    assert sanitizer.dropped == 0


@pytest.mark.parametrize("markup", HTML)
def test_nothing_stays_that_acts_or_loads(markup: str):
    kept = Sanitizer().clean(markup)
    for tag, attributes in Tags(kept).tags:
        assert tag not in {"script", "iframe", "object", "embed", "meta", "base", "link", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert EVIL not in (value or "") or (tag, name) == ("a", "href")
            assert RUN not in (value or "")
    assert Sanitizer().clean(kept).count("<") == kept.count(
        "<"
    )  # It means the same when read again.


def test_a_person_is_told_of_what_could_have_acted_only():
    sanitizer = Sanitizer()
    sanitizer.clean(f"<token>1</token><img src='a.png'><b onclick=x>b</b><script>{RUN}</script>")
    sanitizer.clean(f"<p style='background:url({EVIL})'><img src={EVIL}>")
    assert sanitizer.dropped == 4


def test_style_that_has_no_end_is_left_out():
    sanitizer = Sanitizer()
    assert sanitizer.clean(f"<style>{'a{' * 20_000}</style>b") == "<style>@scope{}</style>b"
    assert sanitizer.dropped == 1


@pytest.mark.parametrize(
    "css",
    [
        "@import 'x'; p{color:red}",
        "p{color:red}} @import url(x);",
        "p{color:red;background:image-set('x' 1x)}",
        "p{color:red;background:-webkit-image-set(url(x) 1x)}",
        "p{color:red;background:u\\72 l(x)}",
        "p{color:red}@media all{q{background:var(--a,url('x'))}}",
    ],
)
def test_of_a_style_sheet_stays_what_loads_nothing(css: str):
    kept = Sanitizer().clean(f"<style>{css}</style>")
    assert "color:red" in kept
    assert "(x" not in kept
    assert "'x'" not in kept.replace('"', "'")
