"""Topologies: what they hold, their text forms, and where they are saved."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from pydantic import TypeAdapter

from nbagents.errors import UserError
from nbagents.topology import Link, Topology, TopologyNode
from tests.topology.support import chain, nested, read_dot, single, tree

GRAPHVIZ = Path(sys.executable).with_name("graphviz-pure")

HOSTILE = [
    'say "hi"',
    "back\\slash",
    "ends with \\",
    '\\"',
    "\\N \\G \\l",
    "two\nlines\r\n and\ttabs",
    "<b>bold</b>",
    "<<table><tr><td>x</td></tr></table>>",
    "a -> b; } digraph {",
    "日本語 naïve 🦊 \u202eright to left",
    "nul\x00 and \x1b[31m and \ufffe and \ud800",
    "graph",
    "]]> & &amp; ' `",
    "",
    "{0} {braces} %s",
    "x" * 500,
]


def graphviz(dot: str, form: str = "svg") -> str:
    done = subprocess.run(
        [GRAPHVIZ, f"-T{form}"], input=dot, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    return done.stdout


def test_a_topology_survives_json():
    codec = TypeAdapter(Topology)
    assert codec.validate_json(codec.dump_json(nested())) == nested()


def test_the_package_is_light_to_import():
    code = (
        "import sys; import nbagents.topology; "
        "print(sorted({'graphviz', 'subprocess', 'asyncio', 'IPython', 'pydot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        ([("a", None), ("a", None)], [], "same id"),
        ([("", None)], [], "printable"),
        ([("a\nb", None)], [], "printable"),
        ([("a", "nobody")], [], "'nobody' that is no node"),
        ([("a", None)], [("a", "nobody")], "'nobody' that is no node"),
        ([("a", "b"), ("b", "a")], [], "holds itself"),
        ([("a", "a")], [], "holds itself"),
    ],
)
def test_a_topology_that_cannot_be_drawn_is_refused(nodes, links, message):
    with pytest.raises(UserError, match=message):
        Topology(
            "t",
            tuple(TopologyNode(node, node, "agent", parent) for node, parent in nodes),
            tuple(Link(source, target) for source, target in links),
        )


@pytest.mark.parametrize("label", HOSTILE)
def test_no_label_breaks_the_dot(label):
    dot = single(label, detail=label, condition=label).dot
    ET.fromstring(graphviz(dot))
    parsed = read_dot(dot)
    assert [node.get_name() for node in parsed.get_nodes()][-2:] == ["a", "b"]
    assert [(e.get_source(), e.get_destination()) for e in parsed.get_edges()] == [
        ("a", "b"),
        ("a", "a"),
    ]


@pytest.mark.parametrize(
    "name", ["a:b", "a:b:n", 'q"', "b\\", "a/b c", "é", "node", "<i>", "7", "->"]
)
def test_any_id_is_the_name_of_its_node_in_dot(name):
    nodes = TopologyNode(name, "x", "agent"), TopologyNode("other", "y", "agent")
    dot = Topology("t", nodes, (Link(name, "other"), Link("other", name))).dot
    # Graphviz would draw a third node if a link named another one.
    lines = graphviz(dot, "plain").splitlines()
    assert sum(line.startswith("node ") for line in lines) == 2


def test_dot_nests_clusters_and_cuts_links_at_their_borders():
    dot = nested().dot
    root = read_dot(dot)
    (paper,) = root.get_subgraphs()
    (room,) = paper.get_subgraphs()
    assert (paper.get_name(), room.get_name()) == ("cluster_paper", '"cluster_paper/room"')
    assert '"paper/room/editor"' in [node.get_name() for node in room.get_nodes()]
    cut = [edge.get("lhead") for edge in paper.get_edges() if edge.get_source() == '"paper/ask"']
    assert cut == ['"cluster_paper/room"']
    assert "words < 400" in dot
    assert "\nWarning" not in graphviz(dot)


def test_dot_shortens_a_long_condition():
    dot = single("a", condition="score < 8 and " * 20).dot
    assert "score < 8 and score < 8 and score <…" in dot
    assert max(map(len, dot.splitlines())) < 120


@pytest.mark.parametrize("label", HOSTILE)
def test_no_label_breaks_mermaid(label):
    lines = single(label, condition=label).mermaid.splitlines()
    assert lines[0] == "flowchart LR"
    assert len(lines) == 5
    # Between the quotes stands nothing that Mermaid or Markdown would read as their own.
    quoted = [part for line in lines for part in line.split('"')[1::2]]
    assert not [part for part in quoted if set(part) & set("<>`\\'&")]


def test_mermaid_draws_teams_as_subgraphs():
    assert nested().mermaid == (
        "flowchart LR\n"
        '  subgraph n0["paper"]\n'
        '    n1{{"ask"}}\n'
        '    subgraph n2["newsroom"]\n'
        '      n3("reporter")\n'
        '      n4(["search"])\n'
        '      n5(["read"])\n'
        '      n6("editor")\n'
        "    end\n"
        '    n7[["translator"]]\n'
        "  end\n"
        "  n1 --> n2\n"
        "  n3 --- n4\n"
        "  n3 --- n5\n"
        "  n3 --> n6\n"
        "  n6 --> n3\n"
        '  n2 -->|"words #60; 400"| n2\n'
        '  n2 -->|"text != #39;#39;"| n7\n'
        "  n7 -.-> n1\n"
    )


def test_the_outline_tells_the_tree_and_its_links():
    assert chain().outline == (
        "report (graph)\n"
        "  draft (agent, gpt-5)\n"
        "      -> check\n"
        "      -> publish  on error\n"
        "  check (function)\n"
        "      -> draft  when score < 8\n"
        "      -> publish  when score >= 8\n"
        "  publish (function, join any)"
    )


def test_the_outline_tells_tools_and_handoffs_in_one_line_each():
    lines = [line.strip() for line in nested().outline.splitlines()]
    assert "uses search, read" in lines
    assert "may hand over to editor" in lines
    assert "may ask ask" in lines


def test_the_outline_tells_nodes_of_the_same_label_apart():
    nodes = TopologyNode("a/x", "x", "agent"), TopologyNode("b/x", "x", "agent")
    assert "-> b/x" in Topology("t", nodes, (Link("a/x", "b/x"),)).outline


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_is_one_line_of_the_outline(label):
    assert len(single(label, condition=label).outline.splitlines()) == 4


@pytest.mark.parametrize("suffix", [".svg", ".dot", ".gv", ".mmd", ".SVG"])
def test_a_topology_is_saved_in_the_form_of_the_suffix(tmp_path, suffix):
    topology = chain()
    path = topology.save(str(tmp_path / f"team{suffix}"))
    expected = {".dot": topology.dot, ".gv": topology.dot, ".mmd": topology.mermaid}
    assert path.read_text(encoding="utf-8") == expected.get(suffix, topology.svg)


def test_a_markdown_file_holds_the_flowchart_and_the_outline(tmp_path):
    text = chain().save(tmp_path / "team.md").read_text(encoding="utf-8")
    assert text == f"```mermaid\n{chain().mermaid}```\n\n```\n{chain().outline}\n```\n"


@pytest.mark.parametrize("name", ["team.png", "team"])
def test_another_suffix_is_refused_with_those_that_are_known(tmp_path, name):
    with pytest.raises(UserError, match=r"Use \.svg, \.dot, \.gv, \.mmd or \.md"):
        chain().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_notebook_shows_the_picture_the_outline_and_the_dot():
    topology = Topology('<"paper">', nested().nodes, nested().links)
    bundle = topology._repr_mimebundle_()
    assert bundle["text/plain"] == topology.outline
    assert bundle["text/vnd.graphviz"] == topology.dot
    image = ET.fromstring(bundle["text/html"].replace('none">', 'none"/>'))[0]
    assert image.tag == "img"
    assert image.get("alt") == 'The topology of <"paper">'
    data = image.get("src").removeprefix("data:image/svg+xml;base64,")
    shown = base64.b64decode(data).decode()
    style = shown[shown.index("<style>") : shown.index("</style>") + len("</style>")]
    assert shown.replace(style, "") == topology.svg
    assert "prefers-color-scheme:dark" in style


def test_the_same_topology_gives_the_same_bytes_twice():
    code = (
        "from tests.topology.support import nested, tree; import hashlib;"
        "t = nested(); print(hashlib.sha256((t.svg + t.dot + t.mermaid + t.outline).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_a_large_topology_has_all_forms():
    topology = tree(100)
    assert topology.dot.count(" -> ") == topology.mermaid.count(" --> ") == 99
    assert topology.outline.count("-> ") == 99


@pytest.mark.parametrize("label", ["```", "````\n<img src=x>", "~~~"])
def test_no_label_ends_a_block_of_the_markdown_file(tmp_path, label):
    text = single(label).save(tmp_path / "team.md").read_text(encoding="utf-8")
    blocks = MarkdownIt().parse(text)
    assert [(block.type, block.info) for block in blocks] == [("fence", "mermaid"), ("fence", "")]
