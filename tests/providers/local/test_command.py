"""`python -m nbagents local`: the size first, then progress, then the path."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from nbagents.__main__ import bar, lines, main
from nbagents.providers.local import KNOWN, Progress

MB = 1_000_000


def shown(show, out: io.StringIO) -> str:
    show(Progress(0, 500 * MB, "fetching tiny"))
    for done in range(501):
        show(Progress(done * MB, 500 * MB, "downloading part 1 of 1"))
    show(Progress(500 * MB, 500 * MB, "ready"))
    return out.getvalue()


def test_a_log_gets_a_line_for_each_tenth_and_the_size_first():
    out = io.StringIO()
    rows = shown(lines(out), out).splitlines()
    assert rows[0] == "0 of 500 MB: fetching tiny"
    assert rows[1:-1] == [
        f"{done} of 500 MB: downloading part 1 of 1" for done in range(0, 501, 50)
    ]
    assert rows[-1] == "500 of 500 MB: ready"


def test_a_terminal_gets_one_line_that_fills():
    out = io.StringIO()
    text = shown(bar(out), out)
    frames = text.removesuffix("\n").split("\r\x1b[K")[1:]
    assert "\n" not in text.removesuffix("\n")
    assert frames[0] == f"[{'.' * 30}] 0 of 500 MB: fetching tiny"
    assert frames[251] == f"[{'#' * 15}{'.' * 15}] 250 of 500 MB: downloading part 1 of 1"
    assert frames[-1] == f"[{'#' * 30}] 500 of 500 MB: ready"


def test_weights_that_are_here_are_only_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NBAGENTS_CACHE", str(tmp_path))
    smol = KNOWN["smollm2-135m"]
    path = tmp_path / "models" / smol.file
    path.parent.mkdir()
    path.touch()
    os.truncate(path, smol.size)
    assert main(["local", "smollm2-135m"]) == 0
    assert capsys.readouterr() == (f"{path}\n", "")


def test_an_unknown_model_is_one_line_and_an_exit_code(capsys):
    assert main(["local", "smollm2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "There is no local model 'smollm2'. Did you mean 'smollm2-135m'? "
        "Known: qwen2.5-coder-0.5b, qwen2.5-coder-1.5b, smollm2-135m.\n"
    )


def test_the_module_runs_as_a_command(tmp_path):
    path = tmp_path / "mine.gguf"
    path.touch()
    command = [sys.executable, "-m", "nbagents", "local", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{path}\n", "")


def test_help_names_the_models(capsys):
    with pytest.raises(SystemExit):
        main(["local", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "smollm2-135m, qwen2.5-coder-0.5b, qwen2.5-coder-1.5b" in out
