"""A notebook that is given away: what is in it, what is not, and what stops it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from nbformat.sign import NotebookNotary

from nbagents import Agent, Say, ScriptedModel, Swarm
from nbagents.errors import UserError
from nbagents.notebook import commands
from nbagents.notebook.live import saved
from nbagents.notebook.page import make_page
from nbagents.notebook.pictures import picture_bundle
from nbagents.notebook.share import open_notebook, share
from nbagents.notebook.view import RunView
from nbagents.notebook.wire import PICTURE_MIME, RUN_MIME
from nbagents.redaction import MARK
from tests.redaction.corpus import DICE, HARMLESS, ORDINARY, some


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def run_output(answer="**Three** </script> cups."):
    model = ScriptedModel(Say(thinking="Hm.", calls=[("add", {"a": 1, "b": 2})]), answer)
    run = await Agent("writer", model=model, tools=[add]).run("go")
    return v4.new_output("display_data", saved(RunView(run.events), run, run.events[-1].at))


def code(source, *outputs, **metadata):
    return v4.new_code_cell(source, outputs=list(outputs), execution_count=1, metadata=metadata)


def written(path, *cells, **metadata):
    kernel = {"name": "acme-env-311", "display_name": "Acme", "language": "python"}
    notebook = v4.new_notebook(
        cells=list(cells),
        metadata={"kernelspec": kernel, "language_info": {"name": "python"}} | metadata,
    )
    nbformat.write(notebook, path)
    return path


def page_of(path, *, is_trusted=True):
    notebook = nbformat.read(path, as_version=4)
    return make_page(notebook, path, is_trusted=is_trusted).text


async def test_the_clean_notebook_holds_the_outputs_whole_and_nothing_of_the_machine(tmp_path):
    output = await run_output()
    timed = {"execution": {"iopub.status.busy": "2026-01-01"}, "tags": ["kept"], "vscode": {}}
    widget = v4.new_output(
        "display_data",
        {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "Slider"},
    )
    path = written(
        tmp_path / "tea.ipynb",
        code("%ask writer go", output, widget, **timed),
        papermill={"input_path": "elsewhere"},
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {}}},
    )
    before = path.read_bytes()
    shared = share(path)
    assert path.read_bytes() == before
    assert (shared.page.name, shared.notebook.name) == ("tea.shared.html", "tea.shared.ipynb")
    clean = nbformat.read(shared.notebook, as_version=4)
    nbformat.validate(clean)
    [cell] = clean.cells
    assert cell.outputs[0].data == output.data
    assert cell.outputs[1].data == {"text/plain": "Slider"}
    assert cell.metadata == {"tags": ["kept"]}
    assert clean.metadata == {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }


async def test_the_page_holds_the_document_of_a_run_and_what_is_read_without_a_script(tmp_path):
    output = await run_output()
    page = page_of(written(tmp_path / "tea.ipynb", code("%ask writer go", output)))
    [document] = re.findall(rf'<script type="{re.escape(RUN_MIME)}">(.*?)</script>', page)
    assert json.loads(document) == output.data[RUN_MIME]
    _, _, after = page.partition("data-nbagents-fallback")
    assert "<strong>Three</strong> &lt;/script&gt; cups." in after
    assert page.count("<strong>Three</strong>") == 1
    assert "events" not in re.sub(r"<script.*?</script>", "", page)


async def test_cells_are_highlighted_by_what_is_in_them(tmp_path):
    path = written(
        tmp_path / "n.ipynb",
        code("%%agent writer\nYou **serve** tea."),
        code('%%graph flow\na -> b [when="score < 8"]'),
    )
    page = page_of(path)
    assert '<span class="gs">**serve**</span>' in page
    assert '<span class="o">-&gt;</span>' in page


async def test_the_picture_of_a_team_is_marked_where_the_viewer_draws_it_too(tmp_path):
    model = ScriptedModel("Done.")
    team = Swarm("team", members=[Agent("one", model=model), Agent("two", model=model)])
    run = await team.run("go")
    view = RunView(run.events)
    picture = picture_bundle(view, team.topology(), run.events[-1].at)
    assert PICTURE_MIME in picture
    cell = code(
        "%ask team go",
        v4.new_output("display_data", picture),
        v4.new_output("display_data", saved(view, run, run.events[-1].at)),
    )
    page = page_of(written(tmp_path / "n.ipynb", cell))
    assert page.count("<div data-nbagents-picture") == 1
    alone = page_of(
        written(tmp_path / "m.ipynb", code("x", v4.new_output("display_data", picture)))
    )
    assert "<div data-nbagents-picture" not in alone


def test_an_image_beside_the_notebook_is_in_the_page(tmp_path):
    (tmp_path / "a.png").write_bytes(b"an image")
    image = f"data:image/png;base64,{base64.b64encode(b'an image').decode()}"
    path = written(tmp_path / "n.ipynb", v4.new_markdown_cell("![a](a.png) ![b](../secret.png)"))
    assert image in page_of(path)
    assert image not in page_of(path, is_trusted=False)


HOSTILE = (
    "<div><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    "<a href=' java&#10;script:window.hacked=3'>go</a><iframe srcdoc='<script>1</script>'></iframe>"
    "<meta http-equiv=refresh content='0;url=http://evil.example'></main><b>kept</b>"
)


def test_of_outputs_that_came_from_elsewhere_nothing_runs(tmp_path):
    path = written(
        tmp_path / "n.ipynb",
        v4.new_markdown_cell(HOSTILE),
        code("x", v4.new_output("display_data", {"text/html": HOSTILE})),
        code("x", v4.new_output("display_data", {"application/javascript": "window.hacked = 4"})),
    )
    page = make_page(nbformat.read(path, as_version=4), path, is_trusted=False)
    assert page.dropped
    assert "hacked" not in page.text
    assert "evil.example" not in page.text
    assert page.text.count("<b>kept</b>") == 2
    assert page.text.count("</main>") == 1
    rules = page.with_script("1")
    assert "script-src 'sha256-" in rules
    assert "'unsafe-inline' 'unsafe-eval'" not in rules


def test_scripts_of_outputs_stay_where_jupyter_trusts_them_and_a_note_says_how(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    plot = v4.new_output("display_data", {"text/html": "<script>drawThePlot()</script>"})
    path = written(tmp_path / "n.ipynb", code("plot()", plot))
    first = share(path)
    assert "drawThePlot()" not in first.page.read_text()
    assert "jupyter trust n.ipynb" in str(first)
    with NotebookNotary() as notary:
        notary.sign(nbformat.read(path, as_version=4))
    second = share(path)
    assert "<script>drawThePlot()</script>" in second.page.read_text()
    assert second.notes == ()


def test_a_viewer_can_not_end_its_own_script(tmp_path):
    path = written(tmp_path / "n.ipynb")
    page = make_page(nbformat.read(path, as_version=4), path, is_trusted=False)
    whole = page.with_script('const end = "</script><!--";')
    assert whole.count("</script>") == 1
    assert r'"<\/script><\!--"' in whole


def places_of_a_key(key):
    error = v4.new_output("error", ename="E", evalue=key, traceback=[f"\x1b[31m{key}"])
    attached = v4.new_markdown_cell("![](note.txt)")
    attached.attachments = {"note.txt": {"text/plain": base64.b64encode(key.encode()).decode()}}
    halves = [v4.new_output("stream", name="stdout", text=part) for part in (key[:9], key[9:])]
    return {
        "source": code(f"client = Client('{key}')"),
        "metadata": code("x", tags=[key]),
        "attachments": attached,
        "a stream in two pieces": code("x", *halves),
        "an error": code("x", error),
        "html": code("x", v4.new_output("display_data", {"text/html": f"<b>{key}</b>"})),
        "json": code("x", v4.new_output("display_data", {"application/json": {"a": [key]}})),
        "a document": code(
            "x", v4.new_output("display_data", {RUN_MIME: {"events": [{"k": key}]}})
        ),
    }


@pytest.mark.parametrize("place", places_of_a_key("nothing"))
def test_a_key_anywhere_stops_the_sharing_and_is_not_told(tmp_path, place):
    key = "sk-ant-api03-" + some(93) + "AA"
    path = written(tmp_path / "n.ipynb", v4.new_markdown_cell("Hi"), places_of_a_key(key)[place])
    with pytest.raises(UserError, match=r"cell 2 \(.*: .*(?i:api key)") as refused:
        share(path)
    assert key[:20] not in str(refused.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["n.ipynb"]
    shared = share(path, redact=True)
    assert "Replaced" in str(shared)
    for file in (shared.page, shared.notebook):
        assert key not in file.read_text()
        assert MARK in file.read_text() or place == "attachments"
    nbformat.validate(nbformat.read(shared.notebook, as_version=4))
    assert share(shared.notebook, tmp_path / "again").notes == ()


SHOWN = {
    "an id": lambda key: v4.new_code_cell("x", id=key),
    "an unknown MIME type": lambda key: code("x", v4.new_output("display_data", {"x-a/b": key})),
    "what that is called": lambda key: code(
        "x", v4.new_output("display_data", {f"x-a/{key}": "x"})
    ),
    "Markdown in code": lambda key: code(f"%%agent writer\n**password**: {key}"),
    "Markdown": lambda key: v4.new_markdown_cell(f"The **api\\_key**: `{key}`"),
    "no name beside it": lambda key: code(f"api_key = '{key}'", v4.new_output("stream", text=key)),
}


@pytest.mark.parametrize("place", SHOWN)
def test_a_key_in_an_odd_place_is_told_and_cleaned(tmp_path, place):
    key = f"q7{some(20)}" if "name" in place or "Mark" in place else f"ghp_{some(36)}"
    cell = SHOWN[place](key)
    path = written(tmp_path / "n.ipynb", cell)
    with pytest.raises(UserError, match=r"cell 1 \(") as refused:
        share(path)
    assert key not in str(refused.value)
    shared = share(path, redact=True)
    assert key not in shared.page.read_text() + shared.notebook.read_text()
    nbformat.validate(nbformat.read(shared.notebook, as_version=4))


def test_a_key_in_the_name_of_the_file_is_told(tmp_path):
    path = written(tmp_path / f"ghp_{some(36)}.ipynb")
    with pytest.raises(UserError, match=r"from the name of its file.*Rename") as refused:
        share(path, redact=True)
    assert path.stem not in str(refused.value)


def test_half_a_character_is_written_as_one_that_is_unknown(tmp_path):
    half = v4.new_notebook(cells=[code("x", v4.new_output("stream", text="half \ud83d is here"))])
    (path := tmp_path / "n.ipynb").write_text(json.dumps(half))
    shared = share(path)
    for file in (shared.page, shared.notebook):
        assert "half \ufffd is here" in file.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    path = written(tmp_path / "n.ipynb")
    (tmp_path / "n.shared.html").mkdir()
    with pytest.raises(UserError, match=r"n\.shared\.html cannot be written: .*--to"):
        share(path)


def test_a_shared_notebook_is_never_written_over_when_it_is_shared_again(tmp_path):
    shared = share(written(tmp_path / "n.ipynb", v4.new_markdown_cell("Hi")))
    before = shared.notebook.read_bytes()
    with pytest.raises(UserError, match="itself would be written over"):
        share(shared.notebook)
    assert shared.notebook.read_bytes() == before


@pytest.mark.parametrize("document", ["text", [1], {"events": None}])
def test_a_document_that_is_none_stops_nothing(tmp_path, document):
    output = v4.new_output("display_data", {RUN_MIME: document, "text/html": "<p>Static</p>"})
    shared = share(written(tmp_path / "n.ipynb", code("x", output)))
    assert "Static" in shared.page.read_text()


def test_comments_without_an_end_are_searched_in_no_time(tmp_path):
    key = "sk-ant-api03-" + some(93) + "AA"
    text = "<!--" * 50_000 + key
    path = written(tmp_path / "n.ipynb", code("x", v4.new_output("stream", text=text)))
    with pytest.raises(UserError, match=r"(?i)api key"):
        share(path)


async def test_a_notebook_of_runs_hashes_and_pictures_is_shared_as_it_is(tmp_path):
    outputs = [
        v4.new_output("display_data", {"text/html": text})
        for text in (HARMLESS | ORDINARY).values()
    ]
    png = v4.new_output(
        "display_data", {"image/png": base64.b64encode(DICE.randbytes(50_000)).decode()}
    )
    path = written(
        tmp_path / "n.ipynb", code("x", await run_output(HARMLESS["hashes"]), png, *outputs)
    )
    assert share(path).notes == ()


def test_the_tour_is_shared_as_it_is(tmp_path):
    tour = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
    assert [note for path in tour for note in share(path, tmp_path).notes] == []
    assert tour


def test_a_key_that_only_the_page_would_have_stops_it_too(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "a.svg").write_text(f"<svg><text>ghp_{some(36)}</text></svg>")
    path = written(tmp_path / "n.ipynb", v4.new_markdown_cell("![a](a.svg)"))
    with NotebookNotary() as notary:
        notary.sign(nbformat.read(path, as_version=4))
    with pytest.raises(
        UserError, match=r"not written: a GitHub token.*from cell 1, as .*image beside"
    ):
        share(path, redact=True)
    assert not list(tmp_path.glob("*.shared.*"))


def test_a_notebook_of_an_older_format_is_shared_too(tmp_path):
    path = written(tmp_path / "n.ipynb", code("x = 1"))
    old = json.loads(path.read_text()) | {"nbformat_minor": 2}
    del old["cells"][0]["id"]
    path.write_text(json.dumps(old))
    assert "n.shared.html" in str(share(path))


def test_it_is_written_where_it_is_wanted_and_never_over_a_notebook(tmp_path):
    path = written(tmp_path / "n.ipynb")
    (tmp_path / "out").mkdir()
    assert share(path, tmp_path / "out").page == tmp_path / "out" / "n.shared.html"
    written(tmp_path / "mine.ipynb")
    mine = (tmp_path / "mine.ipynb").read_bytes()
    shared = share(path, tmp_path / "mine.html")
    assert shared.notebook == tmp_path / "mine.shared.ipynb"
    assert (tmp_path / "mine.ipynb").read_bytes() == mine
    with pytest.raises(UserError, match="There is no folder"):
        share(path, tmp_path / "nowhere" / "x.html")


def test_what_is_no_notebook_is_refused_in_words(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        share(tmp_path / "none.ipynb")
    (tmp_path / "n.ipynb").write_text("{}")
    with pytest.raises(UserError, match="cannot be read as a notebook"):
        share(tmp_path / "n.ipynb")


def test_the_open_notebook_is_what_the_server_says(tmp_path, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    with pytest.raises(UserError, match="Give its path: %nbagents share FILE"):
        open_notebook()
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "n.ipynb"))
    with pytest.raises(UserError, match="never been saved"):
        open_notebook()
    written(tmp_path / "n.ipynb")
    assert open_notebook() == tmp_path / "n.ipynb"


def test_a_terminal_shares_and_ends_with_1_when_it_may_not(tmp_path):
    key = "ghp_" + some(36)
    path = written(tmp_path / "n.ipynb", code(f"login('{key}')"))
    command = [sys.executable, "-m", "nbagents", "share", str(path)]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "a GitHub token" in refused.stderr
    assert key not in refused.stderr
    done = subprocess.run(
        [*command, "--redact"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "n.shared.html") in done.stdout


def test_the_command_shares_what_is_open_and_says_from_when_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "n.ipynb", code("x"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    told = repr(commands.run(None, "share"))
    assert "n.shared.html" in told
    assert "later changes are not included" in told
    assert str(tmp_path) not in told
    written(tmp_path / "other.ipynb", code(f"login('ghp_{some(36)}')"))
    with pytest.raises(UserError, match="a GitHub token"):
        commands.run(None, "share other.ipynb")
    assert "Replaced 1" in repr(commands.run(None, "share other.ipynb --redact"))
    with pytest.raises(UserError, match="is not understood"):
        commands.run(None, "share --force")
