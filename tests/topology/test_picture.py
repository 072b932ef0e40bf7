"""Pictures: laid out once, true to the states, readable without colours, and never broken."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nbagents
from nbagents.topology import (
    LayoutUnavailable,
    Link,
    NodeState,
    Picture,
    Topology,
    TopologyNode,
)
from tests.topology.support import (
    SVG,
    box,
    chain,
    drawn,
    frames,
    inside,
    nested,
    read,
    single,
    tree,
    words,
)
from tests.topology.test_topology import HOSTILE


@pytest.mark.parametrize("label", HOSTILE)
def test_no_label_breaks_the_picture(label):
    topology = single(label, detail=label, condition=label)
    svg = Picture(topology).svg({"a": NodeState("running", 2, 1.0)}, [("a", "b")])
    assert set(drawn(svg)) == {"a", "b"}
    assert not list(read(svg).iter(f"{SVG}b"))


def test_any_id_can_be_drawn():
    names = ["a:b", 'q"', "b\\", "<i>&", "é", "->", "'"]
    nodes = tuple(TopologyNode(name, "x", "agent") for name in names)
    links = tuple(Link(a, b) for a, b in itertools.pairwise(names))
    assert list(drawn(Topology("t", nodes, links).svg)) == names


def test_a_picture_needs_no_nodes():
    assert drawn(Topology("empty", (), ()).svg) == {}


def test_what_a_team_holds_is_drawn_inside_its_frame():
    svg = nested().svg
    paper, room = frames(svg)
    assert inside(room, paper)
    for node in nested().nodes:
        assert inside(box(svg, node.id), paper)
        assert inside(box(svg, node.id), room) == node.id.startswith("paper/room")


def test_no_two_nodes_overlap():
    svg = tree(40).svg
    boxes = [box(svg, node) for node in drawn(svg)]
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:index]:
            apart = other[2] <= left or right <= other[0] or other[3] <= top or bottom <= other[1]
            assert apart, (boxes[index], other)


def test_tools_stand_in_the_card_of_their_agent():
    svg = nested().svg
    card = box(svg, "paper/room/reporter")
    assert inside(box(svg, "paper/room/reporter/search"), card)
    assert inside(box(svg, "paper/room/reporter/read"), card)
    assert not inside(box(svg, "paper/room/editor"), card)


def test_many_tools_stand_in_rows():
    tools = [TopologyNode(f"a/{n}", f"tool_{n}", "tool") for n in range(9)]
    links = tuple(Link("a", tool.id, kind="tool") for tool in tools)
    svg = Topology("a", (TopologyNode("a", "a", "agent"), *tools), links).svg
    assert len({box(svg, tool.id)[0] for tool in tools}) == 2
    assert len({box(svg, tool.id)[1] for tool in tools}) == 5


def test_a_tool_that_two_agents_use_has_a_place_of_its_own():
    nodes = (
        TopologyNode("a", "a", "agent"),
        TopologyNode("b", "b", "agent"),
        TopologyNode("t", "t", "tool"),
    )
    svg = Topology("x", nodes, (Link("a", "t", kind="tool"), Link("b", "t", kind="tool"))).svg
    assert not inside(box(svg, "t"), box(svg, "a"))
    assert not inside(box(svg, "t"), box(svg, "b"))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (NodeState("pending"), "check | function"),
        (NodeState("running"), "check | ● running"),
        (NodeState("running", 2, 1.24), "check | ● ×2 · 1.2 s"),
        (NodeState("waiting", 1, 3.0), "check | ? waiting for you"),
        (NodeState("done"), "check | ✓ done"),
        (NodeState("done", 1, 0.0042), "check | ✓ 4 ms"),
        (NodeState("done", 3, 75.2), "check | ✓ ×3 · 75 s"),
        (NodeState("done", 1, 600), "check | ✓ 10 min"),
        (NodeState("failed"), "check | ✗ failed"),
        (NodeState("failed", 1, 2.5), "check | ✗ 2.5 s"),
        (NodeState("skipped"), "check | – skipped"),
        (NodeState("stopped"), "check | ■ stopped"),
    ],
)
def test_a_state_is_told_by_a_sign(state, told):
    assert words(Picture(chain()).svg({"report/check": state}))["report/check"] == told


def test_no_two_states_share_a_line():
    picture = Picture(chain())
    lines = set()
    for status in ("pending", "running", "waiting", "done", "failed", "skipped", "stopped"):
        g = drawn(picture.svg({"report/check": NodeState(status)}))["report/check"]
        rects = g.findall(f"{SVG}rect")
        lines.add((len(rects), rects[-1].get("stroke-dasharray"), rects[-1].get("stroke-width")))
    assert len(lines) == 7


def test_the_states_are_told_in_words_to_who_cannot_see():
    states = {"report/draft": NodeState("done"), "report/check": NodeState("waiting")}
    root = read(Picture(chain()).svg(states))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "report: draft: done, check: waiting for you"
    assert root.findtext(f"{SVG}title") == root.get("aria-label")


def test_nodes_without_a_state_are_pending_once_something_runs():
    picture = Picture(chain())
    still = drawn(picture.svg())["report/publish"].find(f"{SVG}rect")
    waits = drawn(picture.svg({"report/draft": NodeState("running")}))["report/publish"]
    assert still.get("stroke-dasharray") is None
    assert waits.find(f"{SVG}rect").get("stroke-dasharray")


def test_a_link_taken_lights_up():
    picture = Picture(chain())
    dark, lit = (
        read(picture.svg(taken=taken)) for taken in ((), {("report/draft", "report/check")})
    )

    def blue(root):
        (group,) = [g for g in root.findall(f"{SVG}g") if g.get("stroke-width") == "3"]
        return len(group)

    assert (blue(dark), blue(lit)) == (0, 1)


def test_handoffs_to_and_fro_are_one_line_and_light_up_by_direction():
    picture = Picture(nested())
    there, back = (
        ("paper/room/reporter", "paper/room/editor"),
        ("paper/room/editor", "paper/room/reporter"),
    )
    one, other, both = (picture.svg(taken=taken) for taken in ([there], [back], [there, back]))
    assert len({one, other, both, picture.svg()}) == 4


def test_a_picture_is_not_laid_out_again():
    picture = Picture(nested())
    before = {node: box(picture.svg(), node)[:2] for node in drawn(picture.svg())}
    states = {node: NodeState("waiting", 99, 999.9) for node in before}
    svg = picture.svg(states, [("paper/ask", "paper/room")])
    assert {node: box(svg, node)[:2] for node in drawn(svg)} == before


def test_unknown_states_and_links_are_ignored():
    picture = Picture(chain())
    svg = picture.svg({"gone": NodeState("done"), "report": NodeState("done")}, [("x", "y")])
    assert set(drawn(svg)) == {node.id for node in chain().nodes}
    assert "gone" not in svg


def test_links_end_at_the_frame_of_a_team():
    svg = nested().svg
    _, room = frames(svg)
    curves = [p.get("d") for g in read(svg).findall(f"{SVG}g") for p in g.findall(f"{SVG}path")]
    starts = [tuple(map(float, d[1:].split("C")[0].split())) for d in curves if "C" in d]
    assert any(
        math.isclose(x, edge, abs_tol=3) or math.isclose(y, edge, abs_tol=3)
        for x, y in starts
        for edge in room
    )


def test_links_from_a_team_to_itself_and_to_what_it_holds_can_be_drawn():
    base = nested()
    odd = (
        Link("paper/room", "paper/room/editor"),
        Link("paper/room/editor", "paper"),
        Link("paper", "paper"),
    )
    svg = Topology("odd", base.nodes, base.links + odd).svg
    assert len(drawn(svg)) == len(base.nodes)


def test_what_is_too_wide_for_a_cell_runs_from_top_to_bottom():
    nodes = tuple(TopologyNode(str(n), f"step {n}", "agent") for n in range(12))
    links = tuple(Link(str(n), str(n + 1)) for n in range(11))
    svg = Topology("long", nodes, links).svg
    assert float(read(svg).get("width")) < 300
    assert box(svg, "0")[3] < box(svg, "11")[1]


def test_a_hundred_nodes_are_drawn_in_half_a_second():
    topology = tree(100)
    began = time.perf_counter()
    svg = topology.svg
    assert time.perf_counter() - began < 0.5
    assert len(drawn(svg)) == 101


def test_a_frame_of_fifty_nodes_is_cheap_and_small():
    picture = Picture(tree(50))
    states = {f"g/{n}": NodeState("done", 2, 1.5) for n in range(25)}
    times = []
    for _ in range(20):
        began = time.perf_counter()
        svg = picture.svg(states)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.002
    assert len(svg.encode()) < 24_000


@pytest.fixture
def elsewhere(tmp_path):
    """Run code in a Python that stands alone in its folder, with only this folder on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(Path(sys.executable).resolve())
    packages = [path for path in sys.path if path.endswith("site-packages")]
    here = str(Path(nbagents.__file__).parents[1])

    def run(code: str) -> str:
        done = subprocess.run(
            [python, "-c", f"from tests.topology.support import chain\n{code}"],
            env={"PATH": str(folder), "PYTHONPATH": ":".join([here, *packages])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return folder, run


TELL = """
from nbagents.topology import LayoutUnavailable
try:
    print(chain().svg)
except LayoutUnavailable as error:
    print(error)
"""


def script(path: Path, text: str) -> None:
    path.write_text(f"#!{shutil.which('sh')}\n{text}\n")
    path.chmod(0o755)


def test_without_graphviz_the_error_says_what_to_install(elsewhere):
    _, run = elsewhere
    told = run(TELL)
    assert told.startswith(
        "There is no Graphviz to lay out the picture. Install Graphviz (its program `dot`), or: "
    )
    assert told.endswith('pip install "graphviz-pure"\n')


def test_without_graphviz_a_notebook_shows_the_outline(elsewhere):
    _, run = elsewhere
    assert (
        run("print(list(chain()._repr_mimebundle_()))") == "['text/plain', 'text/vnd.graphviz']\n"
    )


def test_a_graphviz_that_fails_is_named_with_its_reason(elsewhere):
    folder, run = elsewhere
    script(folder / "dot", "echo 'no layout engine' >&2; exit 1")
    told = run(TELL)
    assert f"{folder / 'dot'} failed: no layout engine" in told
    assert "Reinstall Graphviz" in told


def test_a_dot_that_is_not_graphviz_is_named(elsewhere):
    folder, run = elsewhere
    script(folder / "dot", "echo hello")
    assert f"{folder / 'dot'} failed" in run(TELL)


def test_dot_on_the_path_comes_before_graphviz_pure(elsewhere):
    folder, run = elsewhere
    pure = shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))
    (folder / "graphviz-pure").symlink_to(pure)
    assert run(TELL).startswith("<svg")
    script(folder / "dot", "exit 3")
    assert "failed: exit code 3" in run(TELL)


def test_the_error_is_one_that_the_reader_can_put_right():
    assert issubclass(LayoutUnavailable, nbagents.UserError)


def test_a_line_that_runs_around_everything_stays_in_the_picture():
    nodes = (TopologyNode("team", "team", "graph"), TopologyNode("team/a", "a", "agent", "team"))
    topology = Topology("team", nodes, (Link("team", "team", "again and again"),))
    root = read(Picture(topology).svg())
    left, top, width, height = map(float, root.get("viewBox", "").split())
    paths = [path.get("d", "") for path in root.iter(f"{SVG}path")]
    loop = next(data for data in paths if "C" in data and "V" not in data)
    numbers = list(map(float, re.findall(r"-?\d+\.?\d*", loop)))
    assert left <= min(numbers[::2]) < max(numbers[::2]) <= left + width
    assert top <= min(numbers[1::2]) < max(numbers[1::2]) <= top + height
