"""Shipped models and runs side by side, as rows of one list."""

import csv
import io
import itertools
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.store import WEIGHTS, WeightsError, card, load, names, save
from training import runs
from training.card import card as new_card
from training.estimate import check_data, num_parameters
from training.fit import Progress
from training.options import change, idle, options, value
from training.runs import Run, RunError
from training.task import DataError, Settings
from training.tasks import TASKS

LARGEST_UPLOAD = 32 * 1024**2  # bytes; the largest network that can be trained here takes 26 MB
MOST_LINES = 20_000  # lines of progress that are taken from a file
CALIBRATION = {"temperature": 100.0, "refusal_threshold": 1.0}  # what a task's `calibrate` notes on a card: 0 to this

SHAPE = ("cell", "hidden_size", "num_layers", "bidirectional", "readout")  # settings that no training has to do with
# What a file may say of itself.
HISTORY = {
    "device": ("cpu", "cuda", "mps"),
    "precision": ("float32", "bfloat16"),
    "by_hand": (False, True),
    "kept": ("last", "best"),
}


@dataclass(frozen=True)
class Entry:
    """A shipped model or a run: what it is called, what was trained, and what came of it.

    `metrics` are those on the test data, empty before the end; `seconds` is the training time so far. `problem` says in
    one sentence why there are no weights although training has left some: their file is damaged. Where the weights were
    set `by_hand`, the settings of a training mean nothing. `seeds` is how many were trained at once. With `polish` it
    was trained once more, with these settings.
    """

    id: str
    name: str
    settings: Settings
    parameters: int
    metrics: dict[str, float]
    curves: tuple[Progress, ...]
    created: datetime | None
    weights: Path | None
    problem: str = ""
    by_hand: bool = False
    seeds: int = 1
    polish: Settings | None = None

    @property
    def epochs(self) -> int | None:
        """How many epochs it was trained for so far, the last perhaps in part; None where it was set by hand."""
        if self.by_hand:
            return None
        if self.curves:
            return self.curves[-1].epoch
        return self.settings.epochs if self.weights is not None else 0  # what was uploaded may have no curves

    @property
    def seconds(self) -> float | None:
        """How long training has taken so far."""
        return self.curves[-1].seconds if self.curves else None


def shipped() -> Iterator[Entry]:
    """The shipped models."""
    for name in names():
        yield _shipped(name)


@lru_cache(maxsize=128)
def _shipped(name: str) -> Entry:
    about = card(name)
    settings, curves = Settings.of(about), tuple(Progress(**each) for each in about["curves"])
    weights = WEIGHTS / f"{name}.safetensors"
    by_hand, polish = bool(about.get("by_hand")), Settings.of(about["polish"]) if "polish" in about else None
    size, metrics = about["parameters"], about["metrics"]
    return Entry(name, name, settings, size, metrics, curves, None, weights, by_hand=by_hand, polish=polish)


def entry(run: Run) -> Entry:
    """A run as its folder stands. Raises RunError where the folder is gone or damaged."""
    files = (run.folder / "run.json", run.folder / "progress.jsonl", run.weights)
    return _entry(run.folder, tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files))


@lru_cache(maxsize=512)
def _entry(folder: Path, changed: tuple[int, ...]) -> Entry:
    """What `entry` gives until one of its files changes."""
    run = Run(folder)
    made = _made(run.facts.get("created"))
    about, metrics, weights, problem = {}, {}, None, ""
    if run.weights.exists():
        try:
            about = card(run.weights)
            metrics, weights = dict(about.get("metrics", {})), run.weights
        except (WeightsError, TypeError, ValueError) as error:
            problem = f"The network of {run.name} can't be read: {error}"
    size, curves, by_hand = num_parameters(run.settings), tuple(run.progress()), bool(about.get("by_hand"))
    return Entry(run.id, run.name, run.settings, size, metrics, curves, made, weights, problem, by_hand, len(run.seeds))


def _made(created: Any) -> datetime | None:
    """When a run was made; None where its file says nothing that makes sense."""
    try:
        return datetime.fromisoformat(created)
    except (TypeError, ValueError):
        return None


def differing(entries: list[Entry]) -> dict[str, list[Any]]:
    """The settings in which the entries differ: name -> the value of each entry, None where it has none.

    That a network set by hand has no settings of a training is no such difference.
    """
    every = [_settings(each) for each in entries]
    values = {key: [settings.get(key) for settings in every] for key in dict.fromkeys(itertools.chain(*every))}
    without = [_meaningless(each, values) for each in entries]
    return {key: row for key, row in values.items() if _differs(key, row, without)}


def _settings(entry: Entry) -> dict[str, Any]:
    """The settings that it has, by name; a pair where it was trained a second time with another value."""
    task = TASKS[entry.settings.task]
    every = {"task": task.name, "seeds": entry.seeds}
    for option in options(task):
        first, then = (value(settings, option) for settings in (entry.settings, entry.polish or entry.settings))
        every[option.name] = first if first == then else (first, then)
    meaningless = _meaningless(entry, every)
    return {name: value for name, value in every.items() if name not in meaningless}


def _meaningless(entry: Entry, names: Iterable[str]) -> set[str]:
    """Which of these settings mean nothing for it: idle ones, and those of a training where there was none."""
    of_training = {name for name in names if name not in ("task", *SHAPE)} if entry.by_hand else set()
    return of_training | idle(entry.settings)


def _differs(name: str, row: list[Any], without: list[set[str]]) -> bool:
    """Whether the values of a setting differ among the entries but for those `without` it."""
    compared = [value for value, meaningless in zip(row, without, strict=True) if name not in meaningless]
    return any(value != compared[0] for value in compared)


def curves_csv(entries: list[Entry]) -> str:
    """The learning curves as CSV, a line for each progress of each entry."""
    rows = [
        {"name": entry.name, "step": p.step, "epoch": p.epoch, "seconds": p.seconds, "training_loss": p.train_loss}
        | {"validation_loss": p.validation_loss}
        | {f"validation_{name}": share for name, share in p.metrics.items()}
        for entry in entries
        for p in entry.curves
    ]
    header = list(dict.fromkeys(key for row in rows for key in row)) or ["name"]
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def smoothed(values: list[float], amount: float) -> list[float]:
    """The exponential moving average that keeps `amount` (0 to below 1) of the former value, without bias at the start.

    Kingma, Ba, "Adam" (2015), section 3: the average is divided by the weight that it has gathered so far.
    """
    result, average = [], 0.0
    for count, new in enumerate(values, 1):
        average = amount * average + (1 - amount) * new
        result.append(average / (1 - amount**count))
    return result


def upload(content: bytes, name: str) -> Run:
    """Take a weights file from outside in as a finished run, measured anew on our own test data.

    The file is data from a stranger: the network, and every setting that its card names, are checked; its metrics are
    not believed. Raises WeightsError or ValueError, in one sentence, for a file that does not fit, and OSError or
    RunError where the disk can't be written; then nothing is left behind.
    """
    if len(content) > LARGEST_UPLOAD:
        raise WeightsError(f"{name} is larger than {LARGEST_UPLOAD // 1024**2} MB, which no network of this lab is.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        network = load(path)
    settings, curves = checked(network.card, name), _curves(network.card)
    with measuring(settings, name):
        about = new_card(network, settings, curves, command="uploaded")
    check_finite(about["metrics"], name)
    about |= {key: network.card[key] for key, known in HISTORY.items() if network.card.get(key) in known}
    network.card = {key: network.card[key] for key in CALIBRATION if key in network.card} | about
    run = runs.create(settings, runs.tidy(Path(name).stem))
    try:
        for progress in curves:
            run.append(progress)
        save(network, run.weights)
        run.set_state("finished")
    except (OSError, RunError):
        shutil.rmtree(run.folder, ignore_errors=True)  # else something is left that one could resume
        raise
    return run


def checked(about: dict[str, Any], name: str) -> Settings:
    """The settings on the card of the file `name`, each in range and in keeping with its task; else WeightsError."""
    task = TASKS.get(str(about.get("task")))
    if task is None:
        raise WeightsError(f"{name}: its card names none of the tasks {', '.join(TASKS)}.")
    if (about["input_size"], about["output_size"]) != (task.input_size, task.output_size):
        sizes = f"{task.input_size} inputs and {task.output_size} outputs"
        raise WeightsError(f"{name}: a network for {task.name} has {sizes}.")
    data = about.get("data") if isinstance(about.get("data"), dict) else {}
    every, own = ({option.name for option in each} for each in (options(task), task.options))
    values = {key: about[key] for key in every - own if key in about} | {key: data[key] for key in own if key in data}
    try:
        settings = change(task.defaults, values)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{name}: its card has a setting that this lab does not know: {error}") from error
    for key, largest in CALIBRATION.items():
        number = about.get(key, 0.0)
        if type(number) not in (int, float) or not 0 <= number <= largest:
            raise WeightsError(f"{name}: the {key.replace('_', ' ')} on its card must lie between 0 and {largest:g}.")
    return settings


@contextmanager
def measuring(settings: Settings, name: str) -> Iterator[None]:
    """Within it the network in the file `name` is measured: WeightsError, in one sentence, where that can't be done.

    Data that would fill the memory are not made. A DataError passes: it says itself what to do.
    """
    try:
        check_data(settings)
        yield
    except DataError:
        raise
    except KeyError as error:
        raise WeightsError(f"{name}: its card does not say {error.args[0]}.") from error
    except (RuntimeError, ValueError, MemoryError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise WeightsError(f"{name} could not be measured: {reason}.") from error


def check_finite(metrics: dict[str, float], name: str) -> None:
    """Raise WeightsError, in one sentence, where the network in the file `name` has answered what is no number."""
    if not all(map(math.isfinite, metrics.values())):
        raise WeightsError(f"{name}: what this network answers is no number, so it can't be used.")


def _curves(about: dict[str, Any]) -> list[Progress]:
    """The learning curves on a card, or none where they are not what they should be."""
    lines = about.get("curves")
    if not isinstance(lines, list) or len(lines) > MOST_LINES:
        return []
    curves = [Progress.read(line) for line in lines]
    return [] if None in curves else curves
