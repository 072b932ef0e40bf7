"""What an extra installs, and the command that installs it into this very environment."""

from __future__ import annotations

import builtins
import importlib.metadata
import importlib.util
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from nbagents._optional import extras, install_command, missing, require
from nbagents.errors import UserError

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch) -> Path:
    """The folder of a Python that is not on the PATH."""
    folder = tmp_path / "environment" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


def program(path: Path) -> None:
    path.touch()
    path.chmod(0o755)


def test_the_extras_are_those_of_the_project():
    assert extras().keys() | {"all"} == DECLARED.keys()
    for extra, packages in extras().items():
        declared = {Requirement(line).name for line in DECLARED[extra]}
        assert {Requirement(line).name for line in packages} == declared
        assert not any(";" in package for package in packages)


def test_here_nothing_is_missing():
    assert [extra for extra in extras() if missing(extra)] == []


def test_a_package_in_a_version_that_is_too_old_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.0")
    assert missing("openai") == ("openai>=3",)


def test_in_a_bare_source_tree_the_module_itself_is_named(monkeypatch):
    def nothing(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", nothing)
    assert extras() == {}
    with pytest.raises(UserError, match=r'install "no_such_package"$'):
        require("no_such_package", "openai")


def test_a_module_that_is_missing_names_the_packages_of_the_extra():
    with pytest.raises(UserError) as caught:
        require("no_such_package", "share")
    told = str(caught.value)
    assert told.startswith("The package 'no_such_package' is missing. Install it with: ")
    assert '"nbformat>=5.10"' in told
    assert "jupyter-nbagents" not in told


def test_a_module_that_is_there_but_broken_is_not_called_missing(tmp_path: Path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        require("half_there", "share")


def test_the_pip_beside_this_python_is_just_called_pip(bin_folder: Path, monkeypatch):
    program(bin_folder / "pip")
    monkeypatch.setenv("PATH", str(bin_folder))
    assert install_command(["openai>=3", "boto3"]) == 'pip install "openai>=3" "boto3"'


def test_where_pip_on_the_path_is_anothers_this_python_is_named(bin_folder: Path, tmp_path: Path):
    program(tmp_path / "pip")
    assert install_command(["openai>=3"]) == f'{bin_folder}/python -m pip install "openai>=3"'


def test_a_path_with_a_space_is_quoted(bin_folder: Path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/my home/python")
    assert install_command(["openai"]) == '"/my home/python" -m pip install "openai"'


def test_in_ipython_it_is_the_magic(bin_folder: Path, monkeypatch):
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    assert install_command(["openai>=3"]) == '%pip install "openai>=3"'


@pytest.mark.parametrize(
    ("uv", "command"),
    [(False, "pip --python {} install"), (True, "uv pip install --python {}")],
)
def test_an_environment_without_pip_is_named_to_one_from_elsewhere(
    bin_folder: Path, tmp_path: Path, monkeypatch, uv: bool, command: str
):
    if uv:
        program(tmp_path / "uv")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pip" else find(name)
    )
    expected = f'{command.format(bin_folder / "python")} "openai>=3"'
    assert install_command(["openai>=3"]) == expected
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    assert install_command(["openai>=3"]) == f"!{expected}"
    assert bool(shutil.which("uv")) == uv
