"""Which calls of a cell are awaited."""

from __future__ import annotations

import ast

import pytest

from nbagents.notebook.rewrite import awaited

ASK = "get_ipython().run_line_magic('ask', 'a b')"
AWAITED = "(await T('a b', None))"
TARGETS = {"ask": "T", "session": "S"}


@pytest.mark.parametrize(
    "source",
    [
        "{}",
        "for i in range(2):\n    {}",
        "with a:\n    if b:\n        x.y = {}",
        "print({}, {})",
        "x = [{} for i in y]",
        "é = 'ü'; {}; ö = 1",
        "try:\n    {}\nfinally:\n    {}",
    ],
)
def test_calls_outside_of_functions_are_awaited(source: str):
    rewritten = awaited(source.replace("{}", ASK), TARGETS)
    assert rewritten == source.replace("{}", AWAITED)
    compile(rewritten, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    {}",
        "class C:\n    x = {}",
        "f = lambda: {}",
        "g = ({} for i in y)",
        "async def f():\n    {}",
        "x = '''\n{}\n'''",
        "# {}",
        "syntax error {}",
    ],
)
def test_other_calls_are_left_alone(source: str):
    source = source.replace("{}", ASK)
    assert awaited(source, TARGETS) == source


@pytest.mark.parametrize("place", ["run = {}", "for i in y:\n    run = {}", "run = x = {}"])
def test_an_assigned_call_knows_its_variable(place: str):
    assert awaited(place.replace("{}", ASK), TARGETS) == place.replace(
        "{}", "(await T('a b', None, 'run'))"
    )


def test_a_cells_body_goes_along():
    source = "get_ipython().run_cell_magic('ask', 'a', 'line 1\\nline 2\\n')\n"
    assert awaited(source, TARGETS) == "(await T('a', 'line 1\\nline 2\\n'))\n"


def test_other_magics_are_left_alone():
    source = "get_ipython().run_line_magic('time', 'x')"
    assert awaited(source, TARGETS) == source


def test_each_magic_has_its_own_target():
    source = "get_ipython().run_line_magic('session', 'a')"
    assert awaited(source, TARGETS) == "(await S('a', None))"
