"""The scripts that one can download: tidy, safe, and as good as the run that they repeat."""

import contextlib
import io
import itertools
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import load, names
from models.store import card, save
from training import runs
from training.fit import Progress, build, fit
from training.script import script
from training.task import Settings
from training.tasks import TASKS, digits
from training.worker import execute

ADDITION = replace(
    TASKS["addition"].defaults.with_data(num_batches=20),
    epochs=2,
    cell="gru",
    hidden_size=6,
    num_layers=2,
    bidirectional=True,
    loss="mse",
    schedule="linear",
)
RECALL = replace(
    TASKS["recall"].defaults.with_data(num_batches=100, index=3),
    epochs=1,
    weight_decay=1e-4,
    gradient_clipping=0.1,
    forget_bias=1.0,
)
ANY_INDEX = replace(
    TASKS["recall"].defaults.with_data(num_batches=100, query="any", longest=12), epochs=1, bidirectional=False
)
DIGITS = replace(TASKS["digits"].defaults, cell="rnn", hidden_size=16, num_layers=1, batch_size=2000, epochs=1)

POOLED = replace(DIGITS, readout="pooled", loss="label_smoothing", schedule="two_cycles", bidirectional=True)
SCRIPTED = [name for name in names() if name not in ("digits-best", "addition-ideal-h2")]
PROGRESS = Progress(80, 20_000, 1, 0.5, 0.5, {"bit_accuracy": 0.7}, 1.0).to_dict()


STOPPED_CARD = ADDITION.to_dict() | {"curves": [PROGRESS, PROGRESS | {"step": 160}]}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A script asks for one thread, which comes too late for a process that has loaded torch."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SCRIPTED)
def test_every_shipped_models_script_compiles(name: str) -> None:
    compile(script(card(name)), name, "exec")


def test_the_scripts_are_in_pythons_common_style(tmp_path: Path) -> None:
    for name in SCRIPTED:
        (tmp_path / f"{name}.py").write_text(script(card(name)))
    (tmp_path / "stopped.py").write_text(script(STOPPED_CARD))
    (tmp_path / "constant.py").write_text(script(STOPPED_CARD | {"schedule": "constant"}))
    for command in ("check", ("format", "--check")):
        arguments = [command] if isinstance(command, str) else command
        subprocess.run([sys.executable, "-m", "ruff", *arguments, "--isolated", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    "settings", [ADDITION, RECALL, replace(RECALL, readout="last", cell="rnn"), ANY_INDEX, DIGITS, POOLED]
)
def test_a_script_gets_the_runs_test_accuracy(settings: Settings, tmp_path: Path) -> None:
    if settings.task == "digits" and not digits.available():
        pytest.skip("MNIST is not on this machine (set RNN_LAB_DATA)")
    run = runs.create(settings)
    execute(run)
    about = load(run.weights).card
    printed = accuracies(script(about), tmp_path)
    shares = [f"{share:.2%}" for name, share in about["metrics"].items() if name.endswith("accuracy")]
    assert printed == shares[: len(printed)]
    assert len(printed) == (2 if settings.task == "addition" else 1)


STOPPED = replace(ADDITION, epochs=1000, num_layers=1, bidirectional=False)


# In the midst of the first epoch; at the end of the second, where the learning rate depends on the steps to come.
@pytest.mark.parametrize(("validations", "schedule"), [(7, "constant"), (20, "one_cycle")])
def test_the_script_of_a_stopped_run_ends_at_its_best_network(validations: int, schedule: str, tmp_path: Path) -> None:
    run = runs.create(replace(STOPPED, schedule=schedule))
    network, data = build(run.settings), TASKS["addition"].load_data(run.settings)
    for progress in itertools.islice(fit(network, data, run.settings), validations):
        run.append(progress)
        save(network, run.best)  # as if each were better than all before
    worse = replace(progress, step=progress.step + 1, metrics={"bit_accuracy": 0.0})
    run.append(worse)
    execute(run, keep_best=True)
    about = load(run.weights).card
    printed = accuracies(
        script(about | {"curves": about["curves"][-2:]}), tmp_path, same=load(run.weights).state_dict()
    )
    assert printed == [f"{about['metrics'][name]:.2%}" for name in ("bit_accuracy", "sum_accuracy")]


def test_a_run_stopped_while_its_last_network_was_measured_has_the_script_of_its_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = runs.create(replace(STOPPED, epochs=2))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("training.worker.certify", interrupt)
        execute(run)
    assert run.state() == "paused"
    execute(run, keep_best=True)
    curves = run.progress()
    assert curves[-1].step == curves[-1].steps
    best = max(curves, key=lambda each: (each.merit(), each.step)).step
    assert f"BEST_STEP = {best}  # the run was stopped" in script(load(run.weights).card)


def accuracies(text: str, folder: Path, same: dict[str, torch.Tensor] | None = None) -> list[str]:
    """The test accuracies that the script prints; its network has the `same` weights."""
    path = folder / "script.py"
    path.write_text(text)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        made = runpy.run_path(str(path))["network"].state_dict()
    for name, tensor in (same or {}).items():
        torch.testing.assert_close(made[name], tensor)
    return re.findall(r"test [a-z -]*accuracy (.*)", printed.getvalue())


def test_a_script_runs_alone(tmp_path: Path) -> None:
    """Anywhere, with nothing of ours: where it stands is not in the project."""
    path = tmp_path / "script.py"
    path.write_text(script(ADDITION.to_dict() | {"curves": [PROGRESS]}))
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"accuracy \d+\.\d\d%", done.stdout)


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_script_imports_nothing_of_ours(name: str) -> None:
    lines = [line.split()[1].split(".")[0] for line in script(card(name)).splitlines() if re.match("import|from", line)]
    assert set(lines) <= {"math", "os", "torch", "torchvision"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"by_hand": True, "curves": []}, "set by hand"),
        ({"curves": []}, "nothing of how it was trained"),
        ({"curves": [PROGRESS | {"step": 1.5}]}, "learning curves"),
        ({"curves": [PROGRESS | {"step": -1}]}, "learning curves"),
        ({"curves": [PROGRESS | {"metrics": {}}]}, "learning curves"),
    ],
)
def test_a_network_whose_training_is_not_known_has_no_script(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"{sentence}.*\.$"):
        script(ADDITION.to_dict() | changes)


def test_what_a_task_is_said_to_have_changes_no_shape() -> None:
    assert script(ADDITION.with_data(cell="lstm", hidden_size=9).to_dict()) == script(ADDITION.to_dict())


@pytest.mark.parametrize("data", [{"dataset": "mnist+pen"}, {"dataset": "sklearn"}, {"augmentation": "distort"}])
def test_what_no_short_script_can_do_is_one_sentence(data: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        script(DIGITS.with_data(**data).to_dict())


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": '8\nimport os; os.system("true")'},
        {"cell": "lstm') #"},
        {"task": "digits'''"},
        {"seed": "0); exit("},
        {"data": {"index": "1; x", "shortest": 3, "longest": 10, "elements_in_batch": 50, "num_batches": 100}},
        {"epochs": 10**9},
        {"weight_decay": float("nan")},
    ],
)
def test_nothing_but_settings_in_range_gets_into_a_script(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        script(RECALL.to_dict() | changes)
    assert "\n" not in str(caught.value)
