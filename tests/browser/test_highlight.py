"""The bodies of our cell magics in a real JupyterLab: Markdown, DOT and swarms, while one types."""

from __future__ import annotations

import pytest
import pytest_asyncio

pytestmark = pytest.mark.browser

AGENT = (
    "%%agent writer -m fake:model --tools look,find\nYou're *kind*. Don't say **never**.\n\n- one\n"
)
GRAPH = '%%graph flow --entry draft\ndraft -> check -> {publish log}\ncheck -> draft [when="visits < 3"]'
SWARM = "%%swarm desk --start writer\nwriter: it's a draft -> critic, human  # both\ncritic"
TOKENS = """
index => {
  const panel = window.jupyterapp.shell.currentWidget;
  const editor = panel.content.widgets[index].editor;
  return editor.getTokens().map(token => [token.type, token.value]);
}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def opened(lab, notebook):
    """Open a notebook of these cells."""

    async def open_(*sources: str):
        lab.write("highlight.ipynb", *sources)
        await notebook.open("highlight.ipynb")
        return notebook

    return open_


async def tokens(notebook, index: int = 0) -> list[tuple[str, str]]:
    """What the editor of a cell takes its text to be: kinds and texts."""
    return [(kind, text) for kind, text in await notebook.page.evaluate(TOKENS, index)]


async def colour(notebook, index: int, text: str) -> str:
    """The colour in which a piece of a cell's source is drawn."""
    piece = notebook.cell(index).node.locator(".cm-line span").get_by_text(text, exact=True)
    return await piece.first.evaluate("node => getComputedStyle(node).color")


async def test_what_an_agent_is_told_is_markdown_and_an_apostrophe_is_none_of_pythons(opened):
    notebook = await opened(AGENT, "%%ask writer\nIsn't **this** it?", "print('%%agent')")
    for index in (0, 1):
        found = await tokens(notebook, index)
        assert ("EmphasisMark", "**") in found
        assert "String" not in dict(found)
    found = await tokens(notebook, 0)
    assert [token for token in found if token[0].startswith("Magic")] == [
        ("MagicName", "%%agent"),
        ("MagicTarget", "writer"),
        ("MagicFlag", "-m"),
        ("MagicFlag", "--tools"),
    ]
    assert ("String", "'%%agent'") in await tokens(notebook, 2)


async def test_a_graph_is_dot(opened):
    notebook = await opened(GRAPH)
    assert await tokens(notebook) == [
        ("meta", "%%graph"),
        ("target", "flow"),
        ("flag", "--entry"),
        ("target", "draft"),
        ("operator", "->"),
        ("target", "check"),
        ("operator", "->"),
        ("bracket", "{"),
        ("target", "publish"),
        ("target", "log"),
        ("bracket", "}"),
        ("target", "check"),
        ("operator", "->"),
        ("target", "draft"),
        ("bracket", "["),
        ("propertyName", "when"),
        ("operator", "="),
        ("string", '"visits < 3"'),
        ("bracket", "]"),
    ]


async def test_a_swarm_has_names_and_arrows(opened):
    notebook = await opened(SWARM)
    assert await tokens(notebook) == [
        ("meta", "%%swarm"),
        ("target", "desk"),
        ("flag", "--start"),
        ("target", "writer"),
        ("punctuation", ":"),
        ("operator", "->"),
        ("target", "critic"),
        ("punctuation", ","),
        ("target", "human"),
        ("comment", "# both"),
        ("target", "critic"),
    ]


async def test_the_language_follows_the_first_line_while_one_types(opened):
    notebook = await opened("")
    keyboard = notebook.page.keyboard
    await notebook.cell(0).select()
    await keyboard.press("Enter")
    await keyboard.type("%%agent w")
    await keyboard.press("Enter")
    await keyboard.type("isn't **this** it")
    assert "EmphasisMark" in dict(await tokens(notebook))
    await keyboard.press("Control+Home")
    await keyboard.press("Delete")
    await keyboard.press("Delete")
    assert "EmphasisMark" not in dict(await tokens(notebook))
    await keyboard.type("%%")
    assert "EmphasisMark" in dict(await tokens(notebook))
    await keyboard.press("Delete")
    for _ in "gent":
        await keyboard.press("Delete")
    await keyboard.type("graph")
    assert "EmphasisMark" not in dict(await tokens(notebook))
    assert ("meta", "%%graph") in await tokens(notebook)


async def test_the_colours_are_readable_in_the_dark(opened):
    notebook = await opened(AGENT, "%%ask writer --out str\nIsn't `this` **it**?", GRAPH, SWARM)
    await notebook.screenshot("highlight-light")
    await notebook.dark()
    assert await colour(notebook, 0, "%%agent") != await colour(notebook, 0, "-m")
