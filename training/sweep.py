"""Sweeps: any grid of settings and seeds, on the cores of this machine or on a Dask cluster; no cell is computed twice.

A cell is a piece of work that is plain data: a dictionary that JSON can hold. Its result is one too, and lies in the
sweep's folder under a name made of the cell. What lies there is not computed again, so a sweep that was stopped, or
whose workers were killed, goes on where it stood.
"""

import hashlib
import itertools
import json
import math
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from models.files import write_whole
from training.card import versions
from training.estimate import cores
from training.fit import DivergedError, build, fit
from training.options import change, options, value
from training.task import Option, Settings
from training.tasks import TASKS

Cell = dict[str, Any]
Result = dict[str, Any]
Work = Callable[[Cell], Result]
PATIENCE = 10  # seconds within which a Dask scheduler must answer
MOST_CELLS = 100_000  # of one sweep
# A worker that dies takes its whole pool of processes with it; what dies this often will not get well by itself.
ATTEMPTS = 5


class SweepError(RuntimeError):
    """A sweep can't go on; the message says why in one sentence."""


def grid(settings: Settings, axes: dict[str, Sequence[Any]]) -> list[Settings]:
    """`settings` with every combination of the axes' values, the last axis running fastest.

    `grid(settings, {"hidden_size": [64, 128], "seed": [0, 1, 2]})` are six settings. Raises ValueError, in one
    sentence, for a value out of its range, or more than MOST_CELLS settings.
    """
    if (count := math.prod(map(len, axes.values()))) > MOST_CELLS:
        raise ValueError(f"These are {count:,} trainings, and {MOST_CELLS:,} are the most of one sweep.")
    combinations = itertools.product(*axes.values())
    return [change(settings, dict(zip(axes, values, strict=True))) for values in combinations]


def cell(settings: Settings, **extra: Any) -> Cell:
    """The cell of one training: the settings, and what else the work must know."""
    return {"settings": settings.to_dict()} | extra


def train(cell: Cell) -> Result:
    """Train one network, from scratch: its learning curves, and its metrics on all test data.

    `validate_every` in the cell is that of `fit`. A loss that is no number any more is a result, too: `diverged`
    then says when.
    """
    settings = Settings.of(cell["settings"])
    data = TASKS[settings.task].load_data(settings)
    network, curves, began = build(settings), [], time.monotonic()
    try:
        for progress in fit(network, data, settings, validate_every=cell.get("validate_every")):
            curves.append(progress.to_dict())
    except DivergedError as error:
        return {"diverged": str(error), "curves": curves}
    seconds = time.monotonic() - began
    metrics = TASKS[settings.task].exam(network, settings)
    return {"curves": curves, "metrics": metrics, "parameters": network.num_parameters(), "seconds": seconds}


def is_trained(result: Result) -> bool:
    """Whether `table` can read it as what `train` gives: files may be damaged."""
    if "diverged" in result:
        return True
    curves, metrics = result.get("curves"), result.get("metrics")
    if not isinstance(curves, list) or not curves or not isinstance(curves[-1], dict):
        return False
    validated = curves[-1].get("metrics")
    return _are_metrics(validated) and _are_metrics(metrics) and validated.keys() <= metrics.keys()


def _are_metrics(values: Any) -> bool:
    return isinstance(values, dict) and bool(values) and all(isinstance(each, float) for each in values.values())


def processes(jobs: int | None = None) -> Callable[[], Executor]:
    """Makes executors of `jobs` processes on this machine (None: as many as it has cores), of one thread each."""
    return lambda: ProcessPoolExecutor(jobs or cores(), mp_context=get_context("spawn"), initializer=_end_silently)


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C waits until its end. Processes that begin within it are deaf until they have loaded what they need."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_silently() -> None:
    """In a worker: from here on Ctrl-C, which goes to all processes of a terminal, ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def dask(scheduler: str) -> Callable[[], Executor]:
    """Makes executors on the Dask cluster whose scheduler is at `scheduler`, such as tcp://127.0.0.1:8786.

    Its workers must run in a copy of this repository. A task whose worker dies is given to another one.
    Raises SweepError where `dask.distributed` is not installed or nobody answers.
    """
    try:
        from distributed import Client  # noqa: PLC0415 (an optional extra)
    except ImportError as error:
        raise SweepError("--scheduler needs Dask: pip install -r requirements-dask.txt.") from error
    try:
        socket.getaddrinfo(urlsplit(scheduler).hostname, None)  # else Dask goes on looking for it after its own error
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SweepError(f"No Dask scheduler answers at {scheduler}: start one with `dask scheduler`.") from error
    return lambda: client.get_executor(pure=False, retries=ATTEMPTS)


def sweep(
    cells: Iterable[Cell],
    folder: Path,
    work: Work = train,
    executors: Callable[[], Executor] | None = None,
    is_whole: Callable[[Result], bool] = bool,
) -> Iterator[tuple[Cell, Result]]:
    """Compute what is missing of the cells' results and yield all of them: those on disk first, others as they come.

    Equal cells are one. `work` runs in the executor's processes, so it is a function of a module. What an executor
    loses with its workers is computed again by a new one. `is_whole` says of a result on disk whether it can be one of
    `work`. Raises SweepError when another process sweeps into this folder, a result on disk is damaged, workers die
    again and again, or a cluster is gone, and whatever `work` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name(each): each for each in cells}
    try:
        with FileLock(folder / "lock", timeout=0):
            missing = {}
            for key, each in wanted.items():
                if (folder / key).exists():
                    yield each, _stored(folder / key, "result", is_whole)
                else:
                    missing[key] = each
            yield from _compute(missing, folder, work, executors or processes())
    except Timeout as error:
        raise SweepError(
            f"Another process is sweeping into {folder}: wait for it, or choose another folder."
        ) from error


def _stored(path: Path, part: str, is_whole: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The `result` or the `versions` in a cell's file. Raises SweepError where the file is damaged."""
    try:
        content = json.loads(path.read_text())[part]
    except (ValueError, KeyError, TypeError, RecursionError):  # the last: thousands of brackets
        content = None
    if not isinstance(content, dict) or not content or not is_whole(content):
        raise SweepError(f"{path} is damaged: delete it, and its cell is computed again.")
    return content


def made_with(cells: Iterable[Cell], folder: Path) -> dict[str, str]:
    """The versions that made the results of these cells, which all lie in the folder: {"torch": "2.15.0", ...}.

    Where results are of different ages, all versions of a library are named: "2.14.0 and 2.15.0".
    """
    found: dict[str, set[str]] = {}
    for each in cells:
        for library, number in _stored(folder / name(each), "versions", _are_versions).items():
            found.setdefault(library, set()).add(number)
    return {library: " and ".join(sorted(numbers)) for library, numbers in found.items()}


def _are_versions(content: dict[str, Any]) -> bool:
    return all(isinstance(number, str) for number in content.values())


def _compute(
    missing: dict[str, Cell], folder: Path, work: Work, executors: Callable[[], Executor]
) -> Iterator[tuple[Cell, Result]]:
    """Compute all `missing` cells, each into its file; `missing` is empty in the end."""
    for _ in range(ATTEMPTS):
        executor = executors()
        try:
            with _deaf():
                futures = {executor.submit(work, each): key for key, each in missing.items()}
            for future in as_completed(futures):
                result = future.result()
                each = missing.pop(futures[future])
                write_whole(folder / futures[future], record(each, result))
                yield each, result
            return
        except _deaths():
            continue
        except CancelledError as error:  # nobody but the cluster cancels while one waits
            raise SweepError(
                f"The Dask scheduler is gone, with {len(missing)} cells to go: start it again, and the sweep."
            ) from error
        except BaseException:  # Ctrl-C above all: nobody waits for what is being computed
            if isinstance(executor, ProcessPoolExecutor):
                for worker in active_children():
                    worker.terminate()
            raise
        finally:
            _shut_down(executor)
    raise SweepError(f"The workers died {ATTEMPTS} times, with {len(missing)} cells to go: is there enough memory?")


def _shut_down(executor: Executor) -> None:
    """Let go of the executor, and of work that has not begun."""
    dask = sys.modules.get("distributed.cfexecutor")
    if dask and isinstance(executor, dask.ClientExecutor):
        executor.shutdown(wait=False)  # it cancels by itself
    else:
        executor.shutdown(wait=False, cancel_futures=True)


def _deaths() -> tuple[type[Exception], ...]:
    """What says that a worker has died: a process, or, where `dask` has imported Dask, one of a cluster."""
    distributed = sys.modules.get("distributed")
    return (BrokenExecutor, distributed.KilledWorker) if distributed else (BrokenExecutor,)


def name(cell: Cell) -> str:
    """The name of the file that holds the cell's result: it depends on nothing but what the cell says."""
    return hashlib.sha256(json.dumps(cell, sort_keys=True).encode()).hexdigest()[:16] + ".json"


def record(cell: Cell, result: Result) -> bytes:
    """What is written to disk: the cell, its result, and the versions that made it."""
    return json.dumps({"cell": cell, "result": result, "versions": versions()}).encode()


def table(results: Iterable[tuple[Cell, Result]]) -> str:
    """A line for every setting, the best on validation data first: the judged metric's mean and spread over seeds.

    Only settings that differ between the cells are named, of a single setting what differs from the task's defaults.
    A seed whose loss diverged counts in the last column.
    """
    groups: dict[str, list[tuple[Settings, Result]]] = {}
    for each, result in results:
        settings = Settings.of(each["settings"])
        groups.setdefault(json.dumps(replace(settings, seed=0).to_dict(), sort_keys=True), []).append(
            (settings, result)
        )
    first = next(iter(groups.values()))[0][0]
    task = TASKS[first.task]
    every = [option for option in options(task) if option.name != "seed"]
    varied = [each for each in every if len({str(value(group[0][0], each)) for group in groups.values()}) > 1]
    changed = [each for each in every if value(first, each) != value(task.defaults, each)]
    rows = sorted((_row(group, varied or changed) for group in groups.values()), key=lambda row: -row[0])
    return "\n".join(line for _, line in rows)


def _row(group: list[tuple[Settings, Result]], named: list[Option]) -> tuple[float, str]:
    """The mean validation metric, to sort by, and the line of one setting, by its `named` options."""
    settings = ", ".join(f"{option.name} {value(group[0][0], option)}" for option in named) or "the defaults"
    trained = [result for _, result in group if "diverged" not in result]
    diverged = f", {len(group) - len(trained)} diverged" if len(trained) < len(group) else ""
    if not trained:
        return -math.inf, f"{settings}: all {len(group)} diverged"
    judged = next(iter(trained[0]["curves"][-1]["metrics"]))
    validation = [result["curves"][-1]["metrics"][judged] for result in trained]
    test = [result["metrics"][judged] for result in trained]
    label = judged.replace("_", " ")
    numbers = f"{label} {_spread(validation)} on validation data, {_spread(test)} on test data"
    seeds = "1 seed" if len(trained) == 1 else f"{len(trained)} seeds"
    return fmean(validation), f"{settings}: {numbers}, {seeds}{diverged}"


def _spread(numbers: list[float]) -> str:
    """ "98.12 %", or with several "98.12 % (97.90 to 98.30)"."""
    several = f" ({min(numbers):.2%} to {max(numbers):.2%})" if len(numbers) > 1 else ""
    return f"{fmean(numbers):.2%}{several}"
