"""PyTorch works on one thread, whatever is imported first, and on as many as the environment asks for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What a person's own thread, like that of a page, would compute with.
COUNT = (
    "from concurrent.futures import ThreadPoolExecutor as Pool; "
    "print(torch.get_num_threads(), Pool().submit(torch.get_num_threads).result())"
)
FIRST = [
    "import models, torch",
    "import torch, models",
    "import torch, training.experiments",
    "import training.tasks, torch",
]


def threads(code: str, **environment: str) -> list[int]:
    """What a fresh process counts, on its main thread and on another one."""
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", f"{code}; {COUNT}"]
    done = subprocess.run(command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=True)
    return [int(count) for count in done.stdout.split()]


@pytest.mark.parametrize("first", FIRST)
def test_one_thread_whatever_is_imported_first(first: str) -> None:
    assert threads(first) == [1, 1]


def test_the_environment_may_ask_for_more_threads() -> None:
    assert threads("import models, torch", OMP_NUM_THREADS="2") == [2, 2]
