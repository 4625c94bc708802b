"""What the README says one can type works."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import safetensors.torch
import torch

from models import load
from training.commands import _parser

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_three_lines_load_a_shipped_model_into_a_bare_gru(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    assert len(code.splitlines()) == 3
    monkeypatch.chdir(Path(__file__).parents[1])
    names: dict[str, object] = {"torch": torch, "safetensors": safetensors}
    exec(code, names)
    x = torch.rand(2, 28, 28)
    assert torch.equal(names["gru"](x)[0], load("digits-gru").recurrent(x)[0])


def test_every_training_command_parses() -> None:
    commands = re.findall(r"^python -m training (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        if "--help" not in command:
            _parser().parse_args(shlex.split(command))


def test_the_tree_has_a_line_for_every_folder() -> None:
    tree = README.partition("## Where things are")[2].split("```")[1].strip()
    listed = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    root = Path(__file__).parents[1]
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path and not path.startswith(".")}
    assert listed == {"app.py"} | folders
