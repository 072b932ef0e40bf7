"""The body of a `%%graph` cell: what DOT says, and the lines that errors point at."""

from __future__ import annotations

import pytest

from nbagents import UserError
from nbagents.notebook.dot import DotEdge, read_dot


def edges(source: str) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in read_dot(source).edges]


def test_a_body_is_read_with_and_without_its_frame():
    bare = "a -> b -> c"
    framed = "// a comment\ndigraph work {\n a -> b -> c;\n}"
    assert edges(bare) == edges(framed) == [("a", "b"), ("b", "c")]


def test_groups_are_all_their_nodes_in_their_order():
    assert edges("a -> {b c}\n{b c} -> d") == [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    assert edges("a -> {b; subgraph inner {c d}}") == [("a", "b"), ("a", "c"), ("a", "d")]


def test_nodes_stand_in_the_order_in_which_they_are_first_named():
    assert list(read_dot("c -> a\nb [join=any]\na -> b").nodes) == ["c", "a", "b"]


def test_attributes_are_read_without_their_quotes():
    body = read_dot(
        'a [ask="Is it \\"done\\"?", out=bool]\na -> b [when="text == \\"x\\" and visits < 3"]'
    )
    assert body.nodes["a"] == {"ask": 'Is it "done"?', "out": "bool"}
    assert body.edges == [DotEdge("a", "b", {"when": 'text == "x" and visits < 3'})]


def test_defaults_hold_for_what_follows_and_stay_in_their_part():
    body = read_dot("a\nnode [join=any]\nb\nsubgraph inner { edge [on=error]; c -> d }\nd -> e")
    joins = {name: given.get("join") for name, given in body.nodes.items()}
    assert joins == {"a": None, "b": "any", "c": "any", "d": "any", "e": "any"}
    assert [edge.attributes for edge in body.edges] == [{"on": "error"}, {}]


def test_quoted_names_and_ports_are_names():
    assert edges('"my node" -> "a:b"\nc:n -> d:port:s') == [("my node", "a:b"), ("c", "d")]


def test_looks_are_left_to_graphviz_and_comments_to_nobody():
    body = read_dot('# one\na [label="A", shape=box] // two\n/* three */ a -> b [color=red]')
    assert (body.nodes, body.edges) == ({"a": {}, "b": {}}, [DotEdge("a", "b", {})])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("a -> b\nb -> -> c", "Line 3 is not valid DOT: `->` needs a node on both sides."),
        ("a -> b [whne=x]", "Line 2: There is no attribute 'whne'. Did you mean 'when'?"),
        ("a -> b\n\nb [jion=any]", "Line 4: There is no attribute 'jion'. Did you mean 'join'?"),
        ("graph { a }", "write `digraph`, and `a -> b`"),
        ("a -> b\nb -- c", "Line 3: edges have a direction here: write -> for --"),
        ("a -> {b", "Line 2: this { has no }."),
        ("a ->b}", "Line 2: there is one } too many."),
        ("a -> ", "Line 2 is not valid DOT: `->` needs a node after it.\n  a ->"),
        ("a -> b ->\n", "`->` needs a node after it."),
        ("-> b", "`->` needs a node on both sides."),
        ("a => b", "write -> for =>."),
        ("a - > b", "write -> for - >."),
        ("a --> b", "write -> for -->."),
        ("a \u2192 b", "write -> for \u2192."),
        ("a <- b", "write b -> a"),
        ("a - b", "write a -> b."),
        (
            "a -> ask [ask=Publish it?]",
            'put the value of `ask` in quotation marks: ask="Publish it?"',
        ),
        ("a -> ask [ask='Publish it?']", 'ask="Publish it?"'),
        ("a -> b [when=output > 3]", 'when="output > 3"'),
        ('a -> b [when="output > 3]', "a quotation mark is missing"),
        ('a -> b [when="x"', "a [ or a ] is missing"),
        ("load, a -> b", "put several nodes in braces, without commas: {load a}."),
        ("my-node -> b", 'in quotation marks: "my-node".'),
        ("graph -> b", "`graph` is a keyword of DOT"),
        ("a -> b [timeout=3]", "`timeout` is an attribute of a node, not of an edge"),
        ("a [when=x]", "`when` is an attribute of an edge, not of a node"),
    ],
)
def test_an_error_points_at_the_line_of_the_cell(source, told):
    with pytest.raises(UserError) as raised:
        read_dot(source)
    assert told in str(raised.value)


def test_nothing_is_printed_about_an_error(capsys):
    with pytest.raises(UserError):
        read_dot("a -> -> b")
    assert capsys.readouterr().out == ""
