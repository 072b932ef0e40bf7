"""Each extra alone, installed from a wheel: it loads, asks, and says what is missing."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from nbagents.notebook.share import read_notebook
from tests.offline import child_environment
from tests.sessions.s3_server import KEY, SECRET, TOKEN, new_bucket, proxy
from tests.wire.anthropic import AnthropicWire
from tests.wire.bedrock import BedrockWire
from tests.wire.openai import OpenAIWire
from tests.wire.server import reply

pytestmark = [pytest.mark.newcomer, pytest.mark.kernel]

ROOT = Path(__file__).parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
PACKAGES = {
    extra: {Requirement(line).name for line in lines}
    for extra, lines in DECLARED.items()
    if extra != "all"
}
SHELL = """
import json, sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance(colors="NoColor")
for cell in json.loads(sys.argv[1]):
    shell.run_cell(cell).raise_error()
"""
SETUP = ["%load_ext nbagents", "from nbagents import NbAgentsError, ScriptedModel"]
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class Home:
    """An environment with one extra, and a folder to work in."""

    def __init__(self, extra: str, folder: Path) -> None:
        self.python = ROOT / ".cache" / "newcomer" / extra / "bin" / "python"
        assert self.python.exists(), f"There is no {self.python}: `make newcomer` makes it."
        self.folder = folder

    def ipython(self, *cells: str, **environment: str) -> str:
        """Run cells in an IPython without a kernel; return what it shows."""
        return self._run("-c", SHELL, json.dumps([*SETUP, *cells]), **environment).stdout

    def terminal(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of `nbagents`."""
        return self._run("-m", "nbagents", *words, check=False)

    def _run(self, *words: str | Path, check: bool = True, **environment: str):
        done = subprocess.run(
            [self.python, *words],
            cwd=self.folder,
            env=child_environment(IPYTHONDIR=str(self.folder / "ipython"), **environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture
def home(request, tmp_path: Path) -> Home:
    """The environment that a test names."""
    return Home(request.param, tmp_path)


def alone(*extras: str):
    """Run a test in the environments of these extras."""
    return pytest.mark.parametrize("home", extras, indirect=True)


def installed_by(home: Home) -> set[str]:
    """The packages of the extra that this environment is for."""
    return PACKAGES.get(home.python.parents[1].name, set())


@alone("core", *PACKAGES)
def test_it_loads_in_a_plain_ipython_and_an_agent_answers(home: Home):
    shown = home.ipython(
        "m = ScriptedModel('Hello from the script.')",
        "%%agent greeter --model m\nYou greet.",
        "%ask greeter Hello?",
    )
    assert "Hello from the script." in shown
    assert "greeter ✓ finished" in shown


@alone("core", *PACKAGES)
def test_the_doctor_has_a_row_for_each_extra_and_names_the_packages_that_are_missing(home: Home):
    notebook = home.ipython("print(get_ipython().run_line_magic('nbagents', 'doctor'))")
    terminal = home.terminal("doctor")
    assert terminal.returncode == 0
    for report in (notebook, terminal.stdout):
        rows = dict(line.split("]", 1) for line in report.splitlines() if line.startswith("["))
        assert {name.removeprefix("[") for name in rows} == PACKAGES.keys()
        for extra, packages in PACKAGES.items():
            row = rows[f"[{extra}"]
            absent = packages - installed_by(home)
            assert ("installed" in row.split(";")[0]) == (not absent), row
            assert ("missing" in row) == bool(absent), row
            assert all(f'"{package}' in row for package in absent), row
            assert ("install" in row.split("missing")[-1]) or not absent


@alone("core")
@pytest.mark.parametrize(
    ("cell", "package"),
    [
        ("a = Agent('a', model='openai:m'); a('Hi')", "openai"),
        ("a = Agent('a', model='anthropic:m'); a('Hi')", "anthropic"),
        ("a = Agent('a', model='bedrock:m'); a('Hi')", "boto3"),
        ("a = Agent('a', model='local:smollm2-135m'); a('Hi')", "xllamacpp"),
        ("await Session('s', store=S3Store('bucket')).load()", "boto3"),
        ("get_ipython().run_line_magic('nbagents', 'share x.ipynb')", "nbformat"),
        ("get_ipython().run_line_magic('nbagents', 'replay x.ipynb')", "nbformat"),
    ],
)
def test_an_error_names_the_packages_themselves_and_no_name_that_the_index_lacks(
    home: Home, cell: str, package: str
):
    tried = f"try:\n    {cell}\nexcept NbAgentsError as error:\n    print('!!', error)"
    keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    shown = home.ipython("from nbagents import Agent, S3Store, Session", tried, **AWS, **keys)
    told = shown.partition("!! ")[2]
    assert "is missing. Install it with: " in told
    assert f' install "{package}' in told or f' "{package}' in told
    assert "jupyter-nbagents" not in told


@alone("openai", "anthropic", "bedrock")
def test_the_vendors_model_answers(home: Home):
    vendor = home.python.parents[1].name
    wire = {"openai": OpenAIWire, "anthropic": AnthropicWire, "bedrock": BedrockWire}[vendor]
    make = {
        "openai": "OpenAIModel('m', base_url={url!r}, api_key='k')",
        "anthropic": "AnthropicModel('m', base_url={url!r}, api_key='k')",
        "bedrock": "BedrockModel('m', endpoint_url={url!r})",
    }[vendor]
    with wire([reply("Hello from the wire.")]) as server:
        code = make.format(url=server.url)
        shown = home.ipython(
            f"from nbagents.providers.{vendor} import {code.partition('(')[0]}",
            f"m = {code}",
            "%%agent greeter --model m\nYou greet.",
            "%ask greeter Hello?",
            **AWS,
        )
    assert "Hello from the wire." in shown


@alone("s3")
def test_a_session_is_kept_in_s3(home: Home):
    bucket = new_bucket()
    credentials = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": proxy().url,
    }
    home.ipython(
        f"%nbagents config sessions=s3://{bucket}/work",
        "%session trip",
        "m = ScriptedModel('Hello from the script.')",
        "%%agent greeter --model m\nYou greet.",
        "%ask greeter Hello?",
        **credentials,
    )
    shown = home.ipython(
        f"%nbagents config sessions=s3://{bucket}/work",
        "print(get_ipython().run_line_magic('session', 'show trip'))",
        **credentials,
    )
    assert "Hello from the script." in shown


@alone("share")
def test_a_notebook_is_shared_and_replayed(home: Home):
    notebook = home.folder / "swarm.ipynb"
    notebook.write_bytes((ROOT / "notebooks" / "03-swarm.ipynb").read_bytes())
    shared = home.terminal("share", notebook)
    assert shared.returncode == 0, shared.stderr
    assert notebook.with_suffix(".shared.html").stat().st_size > 100_000
    checked = home.terminal("replay", "--check", notebook)
    assert checked.returncode == 0, checked.stderr
    assert read_notebook(notebook.with_suffix(".shared.ipynb")).cells


@pytest.mark.local_model
@alone("local")
def test_the_local_model_answers(home: Home):
    shown = home.ipython(
        "%%agent guide --model local:smollm2-135m\nYou answer in one sentence.",
        "%ask guide Say hello.",
    )
    assert "guide ✓ finished · local:smollm2-135m" in shown
