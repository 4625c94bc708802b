"""Sweeps: any grid of settings and seeds, resumed, and never a cell twice."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from distributed import KilledWorker

from training.commands import main
from training.fit import build, fit
from training.sweep import SweepError, cell, dask, grid, is_trained, made_with, processes, sweep, table, train
from training.tasks import TASKS

ROOT = Path(__file__).parents[1]
QUICK = {"hidden_size": 2, "epochs": 1, "num_batches": 10}
TINY = grid(TASKS["addition"].defaults, {name: [value] for name, value in QUICK.items()})[0]
CELLS = [cell(settings) for settings in grid(TINY, {"seed": range(4)})]


def note(cell: dict) -> dict:
    """Leave a line in the cell's file `log`, and die once where it says so."""
    with Path(cell["log"]).open("a") as log:
        log.write(f"{cell['number']} {os.getpid()}\n")
    marker = Path(cell["log"]).with_suffix(".died")
    if cell.get("dies") and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": cell["number"] ** 2}


def notes(log: Path, count: int, dies: tuple[int, ...] = ()) -> list[dict]:
    return [{"number": number, "log": str(log), "dies": number in dies} for number in range(count)]


def here() -> Executor:
    return ThreadPoolExecutor(1)


def computed(log: Path) -> list[int]:
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_grid_is_every_combination_of_its_axes() -> None:
    settings = grid(TINY, {"cell": ["rnn", "gru"], "loss": ["bce", "mse"], "seed": [3, 4, 5]})
    assert [(each.cell, each.loss, each.seed) for each in settings] == [
        (name, loss, seed) for name in ("rnn", "gru") for loss in ("bce", "mse") for seed in (3, 4, 5)
    ]
    with pytest.raises(ValueError, match="between 1 and 64"):
        grid(TINY, {"hidden_size": [2, 65]})


def test_a_cell_gives_what_its_settings_give_alone(tmp_path: Path) -> None:
    results = {each["settings"]["seed"]: result for each, result in sweep(CELLS, tmp_path, executors=here)}
    network = build(grid(TINY, {"seed": [2]})[0])
    *_, last = fit(network, TASKS["addition"].load_data(grid(TINY, {"seed": [2]})[0]), grid(TINY, {"seed": [2]})[0])
    assert results[2]["curves"][-1]["validation_loss"] == last.validation_loss
    assert results[2]["metrics"] == TASKS["addition"].exam(network, grid(TINY, {"seed": [2]})[0])
    assert results[2]["parameters"] == network.num_parameters()


def test_processes_give_the_same_as_this_one(tmp_path: Path) -> None:
    (_, alone), *_ = sweep(CELLS[:1], tmp_path / "a", executors=here)
    (_, together), *_ = sweep(CELLS[:1], tmp_path / "b", executors=processes(1))
    assert together["metrics"] == alone["metrics"]


def test_no_cell_is_computed_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    cells = notes(log, 4)
    first = {each["number"]: result for each, result in sweep(cells + cells[:2], tmp_path / "s", note, here)}
    again = {each["number"]: result for each, result in sweep(cells, tmp_path / "s", note, here)}
    assert first == again == {number: {"square": number**2} for number in range(4)}
    assert sorted(computed(log)) == [0, 1, 2, 3]


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stopped: Iterator = sweep(notes(log, 6), tmp_path / "s", note, here)
    next(stopped)
    next(stopped)
    stopped.close()
    done = {path.name for path in (tmp_path / "s").glob("*.json")}
    assert len(done) >= 2
    assert len(list(sweep(notes(log, 6), tmp_path / "s", note, here))) == 6
    assert len(set(computed(log))) == 6


def test_killed_workers_are_replaced_and_finished_cells_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results = list(sweep(notes(log, 5, dies=(3,)), tmp_path / "s", note, processes(1)))
    assert sorted(result["square"] for _, result in results) == [0, 1, 4, 9, 16]
    counts = [computed(log).count(number) for number in range(5)]
    assert counts[3] == 2
    assert counts[0] == 1  # it was on disk when the worker died


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_sweep_and_its_workers_with_one_sentence(tmp_path: Path) -> None:
    """As a terminal sends it: to all processes at once, of which the workers are still loading PyTorch."""
    command = [sys.executable, "-m", "training", "sweep", "addition", "--epochs", "1000", "--seeds", "3"]
    with (tmp_path / "errors").open("w") as errors:
        sweeping = subprocess.Popen(
            [*command, "--jobs", "2", "--folder", str(tmp_path / "s")], stderr=errors, cwd=ROOT, start_new_session=True
        )
    wait_for((tmp_path / "s" / "lock").exists)
    time.sleep(1)  # the workers are starting
    os.killpg(sweeping.pid, signal.SIGINT)
    try:
        assert sweeping.wait(60) == 1  # which waits for its workers
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(sweeping.pid, signal.SIGKILL)  # whoever is left would train for minutes beside all other tests
    *_, last = (tmp_path / "errors").read_text().replace("\r", "\n").splitlines()
    assert last == "python -m training: stopped."
    assert "Traceback" not in (tmp_path / "errors").read_text()


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_a_second_sweep_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = sweep(notes(tmp_path / "log", 2), tmp_path / "s", note, here)
    next(first)
    with pytest.raises(SweepError, match="Another process"):
        list(sweep(notes(tmp_path / "log", 2), tmp_path / "s", note, here))
    first.close()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"cell": {}, "resu'])
def test_a_damaged_result_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    cells = notes(tmp_path / "log", 1)
    list(sweep(cells, tmp_path / "s", note, here))
    (file,) = (tmp_path / "s").glob("*.json")
    file.write_text(content)
    with pytest.raises(SweepError) as caught:
        list(sweep(cells, tmp_path / "s", note, here))
    assert str(caught.value) == f"{file} is damaged: delete it, and its cell is computed again."
    file.unlink()
    assert len(list(sweep(cells, tmp_path / "s", note, here))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": None},
        {"metrics": {}},
        {"metrics": {"bit_accuracy": "half"}},
        {"curves": []},
        {"curves": {}},
        {"curves": [{}]},
    ],
)
def test_a_result_that_is_none_of_a_training_is_damaged(
    change: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ((_, whole),) = sweep(CELLS[:1], tmp_path, executors=here)
    (file,) = tmp_path.glob("*.json")
    file.write_text(json.dumps({"result": whole | change}))
    arguments = ["sweep", "addition", *("--hidden-size", "2", "--epochs", "1", "--num-batches", "10")]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--folder", str(tmp_path)])
    assert ended.value.code == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last == f"python -m training: {file} is damaged: delete it, and its cell is computed again."


def test_a_training_whose_last_numbers_are_none_is_a_result() -> None:
    result = {"curves": [{"metrics": {"accuracy": 0.5}, "validation_loss": math.nan}], "metrics": {"accuracy": 0.5}}
    assert is_trained(json.loads(json.dumps(result)))
    assert is_trained({"diverged": "The loss ceased to be a number.", "curves": []})


def test_versions_that_are_none_are_damaged(tmp_path: Path) -> None:
    cells = notes(tmp_path / "log", 1)
    list(sweep(cells, tmp_path / "s", note, here))
    (file,) = (tmp_path / "s").glob("*.json")
    file.write_text(json.dumps({"result": {"square": 0}, "versions": {"torch": ["x"]}}))
    with pytest.raises(SweepError, match="is damaged: delete it"):
        made_with(cells, tmp_path / "s")


def test_a_diverging_cell_is_a_result() -> None:
    wild = grid(TINY, {"learning_rate": [1.0], "cell": ["rnn"], "loss": ["mse"]})[0]
    wild = wild.with_data(num_batches=20)
    result = train(cell(wild) | {"settings": wild.to_dict() | {"learning_rate": 1e38}})
    assert "ceased to be a number" in result["diverged"]


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A Dask scheduler and two worker processes on loopback."""
    dask_command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    with LoggedProcess([*dask_command, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]) as scheduler:
        address = scheduler.address()
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        workers = [LoggedProcess([*worker, "--no-nanny", "--host", "127.0.0.1"]) for _ in range(2)]
        yield address, [each.process for each in workers]
        for each in workers:
            each.end()


class LoggedProcess:
    """A process in this repository's folder whose standard error can be read."""

    def __init__(self, command: list[str]) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> "LoggedProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def address(self) -> str:
        """The tcp:// address that it says it listens at."""
        for line in self.process.stderr:
            if "Scheduler at:" in line:
                return line.split()[-1]
        raise AssertionError("the scheduler said no address")

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()


def test_a_dask_cluster_computes_the_same_although_a_worker_is_killed(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen]]
) -> None:
    address, workers = cluster
    log = tmp_path / "log"
    results = []
    for result in sweep(notes(log, 3) + CELLS, tmp_path / "s", note_or_train, dask(address)):
        results.append(result)
        if len(results) == 1:
            workers[0].kill()
    assert len(results) == 7
    (_, alone), *_ = sweep(CELLS[:1], tmp_path / "alone", executors=here)
    assert next(result for each, result in results if each == CELLS[0])["metrics"] == alone["metrics"]
    assert set(computed(log)) == {0, 1, 2}


def note_or_train(cell: dict) -> dict:
    """Any of the two."""
    return note(cell) if "number" in cell else train(cell)


def kill_its_worker(cell: dict) -> dict:
    """What Dask says of work whose worker has died too often."""
    raise KilledWorker("cell", None, 3)


def test_a_dask_worker_that_keeps_dying_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="died 5 times, with 4 cells to go"):
        list(sweep(CELLS, tmp_path / "s", kill_its_worker, here))


class Gone(ThreadPoolExecutor):
    """As Dask's executor once the scheduler is gone: all that is not done is cancelled."""

    def submit(self, *arguments: object) -> Future:
        """A future that was cancelled."""
        future: Future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_a_scheduler_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="scheduler is gone, with 4 cells to go"):
        list(sweep(CELLS, tmp_path / "s", note, Gone))


def test_no_scheduler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.sweep.PATIENCE", 0.1)
    with pytest.raises(SweepError, match="No Dask scheduler answers"):
        dask("tcp://127.0.0.1:9")


def test_the_command_sweeps_and_sorts_by_validation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "addition", "--hidden-size", "1", "4", "--num-batches", "20", "--epochs", "2"]
    arguments += ["--seeds", "2", "--jobs", "1", "--folder", str(tmp_path / "s")]
    main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["hidden_size 4", "hidden_size 1"]
    assert all("2 seeds" in line for line in lines)
    main([*arguments, "--json"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((each["settings"]["hidden_size"], each["settings"]["seed"]) for each in found) == [
        (1, 0), (1, 1), (4, 0), (4, 1)
    ]  # fmt: skip


def test_a_single_setting_is_named_by_what_is_not_the_default() -> None:
    points = [{"metrics": {"bit_accuracy": 0.5}}]
    result = {"curves": points, "metrics": {"bit_accuracy": 0.25}}
    ending = "bit accuracy 50.00% on validation data, 25.00% on test data, 1 seed"
    assert table([(CELLS[0], result)]) == f"hidden_size 2, epochs 1, num_batches 10: {ending}"
    assert table([(cell(TASKS["addition"].defaults), result)]) == f"the defaults: {ending}"
    assert table([(each, result) for each in CELLS]).endswith("4 seeds")
