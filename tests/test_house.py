"""The rules of the house, held by the house: sizes, floors, words, and nothing of ours leaked."""

from __future__ import annotations

import ast
import json
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbagents
from nbagents.__main__ import main

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "nbagents").rglob("*.py"))
ALL = [
    path
    for folder in ("nbagents", "tests", "benchmarks", "notebooks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

HEAVY = {
    "IPython",
    "anthropic",
    "anywidget",
    "asyncio",
    "boto3",
    "botocore",
    "genai_prices",
    "http",
    "httpx",
    "httpx2",
    "ipykernel",
    "ipywidgets",
    "jinja2",
    "openai",
    "pandas",
    "requests",
    "ssl",
    "urllib3",
    "xllamacpp",
}

READ = {".md", ".py", ".pyi", ".ipynb", ".j2"}

# Written so that this file does not hold what it looks for.
LEAKS = re.compile(
    r"(?<![\w.:/-])/(?:work|opt|root|home/\w+)/"
    r"|pypi\.(?:org|python\.org)|pythonhosted\.(?:org|com)|registry\.(?:npmjs|yarnpkg)\.\w+"
    r"|deb\.debian\.org"
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    spec = function.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return [arg.arg for arg in every if arg is not None and arg.arg not in {"self", "cls"}]


def tracked() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / entry for entry in listed.split("\0") if entry and (ROOT / entry).is_file()]


def loaded_by(statement: str) -> set[str]:
    code = f"import json, sys; old = set(sys.modules); {statement}; print(json.dumps(sorted(set(sys.modules) - old)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {module.partition(".")[0] for module in json.loads(done.stdout)}


def test_a_file_has_at_most_400_lines():
    lines = {name(path): len(path.read_text().splitlines()) for path in ALL}
    assert {file: count for file, count in lines.items() if count > 400} == {}


def test_a_function_has_at_most_50_lines_and_8_parameters():
    every = [(f"{name(path)}:{f.name}", f) for path in PACKAGE for f in functions(path)]
    assert [where for where, f in every if f.end_lineno - f.lineno >= 50] == []
    assert [where for where, f in every if len(parameters(f)) > 8] == []


def test_a_module_says_what_it_is_for():
    assert [name(p) for p in PACKAGE if not ast.get_docstring(ast.parse(p.read_text()))] == []


def test_no_import_hides_behind_type_checking():
    assert [name(path) for path in PACKAGE if "TYPE_CHECKING" in path.read_text()] == []


def test_import_nbagents_is_light():
    assert loaded_by("import nbagents") & HEAVY == set()
    assert loaded_by("from nbagents import Agent, tool") & (HEAVY - {"asyncio", "ssl"}) == set()


def test_the_floors_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_what_is_tracked_names_no_machine_and_no_registry():
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {leak.group()}" for leak in LEAKS.finditer(text)]
    assert found == []


def test_nothing_advises_to_install_by_a_name_that_is_not_on_the_index():
    advice = re.compile(r"pip\b[^\n]*install[^\n]*\bjupyter-nbagents|pip\b[^\n]*install nbagents\b")
    folders = ("nbagents", "notebooks", "docs", "README.md", "CONTRIBUTING.md")
    paths = [path for path in tracked() if path.relative_to(ROOT).parts[0] in folders]
    texts = {name(path): path.read_text() for path in paths if path.suffix in READ}
    texts.pop("docs/decisions.md")  # It says why not.
    assert {file: advice.findall(text) for file, text in texts.items() if advice.search(text)} == {}


def test_the_readme_names_every_extra_and_the_wheel_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text()
    table = readme.partition("| extra | for |")[2].partition("\n\n")[0]
    first = "".join(row.split("|")[1] for row in table.splitlines() if row.count("|") == 3)
    assert set(re.findall(r"`(\w+)`", first)) | {"all"} == project["optional-dependencies"].keys()
    assert f"jupyter_nbagents-{project['version']}-py3-none-any.whl" in readme


def test_the_commands_of_the_readme_are_there():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = re.findall(r"^make (\w+)|^nbagents (\w+)", "\n".join(blocks), re.MULTILINE)
    assert len(commands) > 5
    makefile = (ROOT / "Makefile").read_text()
    assert [make for make, _ in commands if make and f"\n{make}:" not in makefile] == []
    for command in {command for _, command in commands if command}:
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])


def test_the_public_names_are_sorted():
    assert list(nbagents.__all__) == sorted(nbagents.__all__)


def test_the_public_names_are_documented():
    things = {public: getattr(nbagents, public) for public in nbagents.__all__}
    told = {public: thing.__doc__ or "" for public, thing in things.items() if callable(thing)}
    # A dataclass with no docstring is given its own signature for one.
    bare = [public for public, doc in told.items() if not doc or doc.startswith(f"{public}(")]
    assert bare == []


def test_no_test_can_reach_the_network():
    with pytest.raises(RuntimeError, match="stay on this machine"):
        socket.create_connection(("192.0.2.1", 80))
    with pytest.raises(RuntimeError, match="stay on this machine"):
        socket.getaddrinfo("example.org", 443)
