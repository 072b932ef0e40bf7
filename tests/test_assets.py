"""The built extension: its types are those of Python, and nothing of the machine that built it is in it."""

from __future__ import annotations

import json
import re
import runpy
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "labextension"
BUILT = ROOT / "nbagents" / "labextension"
VIEWER = ROOT / "nbagents" / "notebook" / "static" / "viewer.js"
OURS = [*EXTENSION.glob("src/*.ts*"), *EXTENSION.glob("tests/*.ts*")]


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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
    assert VIEWER.is_file()


def test_what_jupyterlab_loads_here_is_what_is_committed():
    installed = contents(Path(sys.prefix, "share/jupyter/labextensions/@nbagents/labextension"))
    assert installed.pop("install.json") == (EXTENSION / "install.json").read_bytes()
    assert installed.keys() == contents(BUILT).keys(), "It is old: make lab"
    assert installed == contents(BUILT), "It is old: make lab"


def test_the_viewer_names_all_that_it_is_made_of():
    told = json.loads((BUILT / "static" / "third-party-licenses.json").read_text())["packages"]
    assert {"markdown-it", "linkify-it", "mdurl"} <= {package["name"] for package in told}
    notice = re.sub(r"\n \* ?", "\n", VIEWER.read_text())
    assert [
        package["name"] for package in told if package["extractedText"].strip() not in notice
    ] == []


def test_what_is_imported_is_asked_for():
    package = json.loads((EXTENSION / "package.json").read_text())
    asked = package["dependencies"].keys() | package["devDependencies"].keys()
    every = "\n".join(path.read_text() for path in OURS)
    imported = re.findall(r"""\bfrom ['"]((?:@[\w-]+/)?[\w-][\w.-]*)""", every)
    assert set(imported) - asked == set()


def test_the_lock_names_no_server():
    lock = (EXTENSION / "yarn.lock").read_text()
    assert re.findall(r"archiveUrl|resolved \"|https?:", lock) == []


def test_a_file_of_the_extension_has_at_most_400_lines():
    lines = {path.name: len(path.read_text().splitlines()) for path in OURS}
    lines.pop("wire.ts")  # It is generated.
    assert {name: count for name, count in lines.items() if count > 400} == {}
