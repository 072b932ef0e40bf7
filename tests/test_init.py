"""The public face: names that cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import nbagents


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_nbagents_loads_not_even_pydantic():
    heavy = {"asyncio", "pydantic", "pydantic_core", "IPython", "docstring_parser", "jinja2"}
    assert run(f"import sys, nbagents; print({heavy!r} & set(sys.modules))") == "set()\n"


def test_every_public_name_can_be_imported_and_names_itself():
    assert len(nbagents.__all__) > 40
    for name in nbagents.__all__:
        thing = getattr(nbagents, name)
        assert getattr(thing, "__name__", name) == name


def test_a_star_brings_all_of_them():
    brought = run("from nbagents import *; print(sorted(name for name in dir() if name[0] != '_'))")
    assert brought == f"{sorted(nbagents.__all__)}\n"
