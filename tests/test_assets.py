"""The built extension: its types are those of Python, and nothing of the machine that built it is in it."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "labextension"
BUILT = ROOT / "nbagents" / "labextension"
OURS = [*EXTENSION.glob("src/*.ts*"), *EXTENSION.glob("tests/*.ts")]


def test_the_types_of_the_page_are_those_of_python():
    schema = runpy.run_path(str(EXTENSION / "schema.py"))["schema"]
    told = (EXTENSION / "src" / "wire.schema.json").read_text()
    assert told == schema(), "They are old: make assets"


def test_the_extension_is_there_and_has_the_version_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    source = json.loads((EXTENSION / "package.json").read_text())
    built = json.loads((BUILT / "package.json").read_text())
    assert source["version"] == built["version"] == project["version"]
    assert (BUILT / built["jupyterlab"]["_build"]["load"]).is_file()
    assert (ROOT / "nbagents" / "notebook" / "static" / "viewer.js").is_file()


def test_the_lock_names_no_server():
    lock = (EXTENSION / "yarn.lock").read_text()
    assert re.findall(r"archiveUrl|resolved \"|https?:", lock) == []


def test_a_file_of_the_extension_has_at_most_400_lines():
    lines = {path.name: len(path.read_text().splitlines()) for path in OURS}
    lines.pop("wire.ts")  # It is generated.
    assert {name: count for name, count in lines.items() if count > 400} == {}
