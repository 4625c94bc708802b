"""Training runs as folders on disk: they outlive a page, a browser and a server, and can be read without the app.

A run's folder holds `run.json` (name, settings, when it was made), `status.json`, `progress.jsonl` (a line per
progress), `seeds.jsonl` (the same of every seed, where several are trained at once), `checkpoint.safetensors` (to go on
from), `best.safetensors` (the best so far on validation data) and, in the end, `weights.safetensors`. Whoever
trains it holds the lock on its file `lock`, which ends with the process.
"""

import itertools
import json
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout

from models.files import write_whole
from models.store import names
from training.fit import Progress
from training.options import change
from training.seeds import check_seeds
from training.stacked import StackedProgress
from training.task import Settings
from training.tasks import TASKS

# "interrupted" is never written: it is what a run is called that says "running" while nobody holds its lock.
STATES = ("queued", "running", "paused", "stopped", "finished", "failed", "interrupted")
RESUMABLE = ("paused", "interrupted", "failed")
ENDED = ("stopped", "finished")
DAMAGED = "Its status.json is damaged: resume it, or delete it."
LOOK = 0.02  # seconds that one waits for others who look
LOOKING = threading.Lock()  # one looks at a time: two would each take the other for the one who trains
Line = TypeVar("Line", Progress, StackedProgress)
NAME = re.compile(r"[\w .,+()-]{1,80}")  # nothing that a page would take for markup


class RunError(RuntimeError):
    """Something that can't be done with a run; the message says why in one sentence."""


def unwritable(error: OSError) -> str:
    """What to do about a disk that is full or can't be written, in one sentence."""
    reason = error.strerror or type(error).__name__
    return f"The run could not be written to disk ({reason}): free some space, or make it writable, then try again."


def folder() -> Path:
    """Where runs lie: the environment variable RNN_LAB_RUNS, or `runs/` in the project's root."""
    return Path(os.environ.get("RNN_LAB_RUNS") or Path(__file__).parents[1] / "runs")


@dataclass(frozen=True)
class Run:
    """One training run, as its folder says."""

    folder: Path

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def checkpoint(self) -> Path:
        """The state of training to go on from."""
        return self.folder / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        """The best network so far on validation data."""
        return self.folder / "best.safetensors"

    @property
    def weights(self) -> Path:
        """The trained network with its card, once the run has ended."""
        return self.folder / "weights.safetensors"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `run.json` says: name, settings, created."""
        return _read_json(self.folder / "run.json")

    def is_readable(self) -> bool:
        """Whether its folder says what it trains."""
        try:
            change(self.settings, {})  # which checks each of them
            check_seeds(self.settings, len(self.seeds))
            return isinstance(self.name, str) and bool(self.name)
        except (RunError, AttributeError, KeyError, OverflowError, TypeError, ValueError):
            return False

    @property
    def name(self) -> str:
        """What its owner calls it."""
        return self.facts["name"]

    @property
    def settings(self) -> Settings:
        """What it trains."""
        return Settings.of(self.facts["settings"])

    @property
    def seeds(self) -> range:
        """The seeds that it trains at once: as a rule the one of its settings, else those from it on."""
        return range(self.settings.seed, self.settings.seed + self.facts.get("seeds", 1))

    def state(self) -> str:
        """One of STATES; a run that nobody works on although it says so was interrupted.

        Raises RunError where it is gone.
        """
        state = self._status()["state"]
        return "interrupted" if state == "running" and not self.is_locked() else state

    def message(self) -> str:
        """Why it failed, in one sentence; empty where there is nothing to say. Raises RunError where it is gone."""
        return str(self._status().get("message", ""))

    def _status(self) -> dict[str, Any]:
        """What `status.json` says; of a damaged one, that the run has failed, so that it can be resumed or deleted."""
        path = self.folder / "status.json"
        try:
            status = _read_json(path)
        except RunError:
            if not path.exists():
                raise
            status = {}
        return status if status.get("state") in STATES else {"state": "failed", "message": DAMAGED}

    def set_state(self, state: str, message: str = "") -> None:
        """Write the state to disk. Raises RunError where that can't be done."""
        if state not in STATES:
            raise ValueError(f"A run can't be {state!r}.")
        _write_json(self.folder / "status.json", {"state": state, "message": message})

    def lock(self, timeout: float = 5.0) -> FileLock:
        """The lock of whoever trains this run; it ends with the process that holds it.

        Entering it raises filelock.Timeout when it is held for `timeout` seconds: long enough for another's look.
        """
        return FileLock(self.folder / "lock", timeout=timeout)

    def is_locked(self) -> bool:
        """Whether a process is training this run.

        Another process that looks holds the lock for a fraction of a millisecond: so it looks for longer than that.
        """
        if not self.folder.is_dir():
            return False  # and to lock it would make it anew
        try:
            with LOOKING, self.lock().acquire(timeout=LOOK, poll_interval=LOOK / 20):
                return False
        except Timeout:
            return True
        except OSError:
            return False  # in a folder that can't be written nobody trains

    @property
    def log(self) -> "Log[Progress]":
        """The progress so far."""
        return Log(self.folder / "progress.jsonl", Progress)

    @property
    def log_of_seeds(self) -> "Log[StackedProgress]":
        """The progress of every seed, of a run of several; `log` holds their medians."""
        return Log(self.folder / "seeds.jsonl", StackedProgress)

    def progress(self) -> list[Progress]:
        """All progress so far."""
        return self.log.read()

    def append(self, progress: Progress) -> None:
        """Add a line of progress."""
        self.log.append(progress)

    def append_seeds(self, progress: StackedProgress) -> None:
        """Add a line of what every seed has reached."""
        self.log_of_seeds.append(progress)

    def seeds_progress(self) -> list[StackedProgress]:
        """All progress so far of every seed, of a run of several."""
        return self.log_of_seeds.read()

    def keep_progress_until(self, step: int) -> None:
        """Forget the progress after `step`: training goes on from there."""
        self.log.keep_until(step)
        if self.seeds_progress():
            self.log_of_seeds.keep_until(step)

    def rename(self, name: str) -> None:
        """Give it another name that nothing else has. Raises RunError for any other, and for one that is no NAME."""
        name = name.strip()
        if not NAME.fullmatch(name):
            raise RunError("A name has 1 to 80 characters: letters, digits, blanks and any of . , + ( ) _ -")
        with _naming():
            if name != self.name and name in _taken():
                raise RunError(f"Another run or a shipped model is called {name} already: choose another name.")
            _write_json(self.folder / "run.json", self.facts | {"name": name})
        self.__dict__.pop("facts", None)  # they are read anew

    def delete(self) -> None:
        """Remove its folder. Raises RunError while it is being trained."""
        if self.is_locked():
            raise RunError(f"{self.name} is being trained: stop it before you delete it.")
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise RunError(f"{self.name} could not be deleted: {error.strerror or error}.") from error


def create(settings: Settings, name: str | None = None, seeds: int = 1) -> Run:
    """A new run, queued, in a folder of its own, with a name that nothing else has: by default its settings'.

    With `seeds` above 1 that many are trained at once, from the settings' seed on. Raises RunError, and leaves nothing
    behind, where the disk can't be written.
    """
    now = datetime.now(UTC)
    run = Run(folder() / f"{now:%Y%m%d-%H%M%S-%f}-{settings.task}-{secrets.token_hex(3)}")
    wanted = name or describe(settings) + (f"-{seeds}seeds" if seeds > 1 else "")
    facts = {"settings": settings.to_dict(), "created": now.isoformat(timespec="seconds")}
    facts |= {"seeds": seeds} if seeds > 1 else {}
    try:
        with _naming():
            run.folder.mkdir(parents=True)
            _write_json(run.folder / "run.json", {"name": _free(wanted)} | facts)
        run.set_state("queued")
    except RunError:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    return run


def tidy(name: str) -> str:
    """A NAME made of any text, for a run that comes from outside."""
    return re.sub(r"[^\w .,+()-]", "", name)[:80].strip() or "uploaded"


def describe(settings: Settings) -> str:
    """The settings in a short name: "bilstm-2x128-l2", "lstm-1x5-mse", "bilstm-1x10-index3"."""
    task = TASKS[settings.task]
    parts = [("bi" if settings.bidirectional else "") + settings.cell, f"{settings.num_layers}x{settings.hidden_size}"]
    parts += ["l2"] if settings.weight_decay else []
    parts += [settings.loss.replace("_", "-")] if settings.loss != "cross_entropy" else []
    changed = {key: value for key, value in settings.data.items() if value != task.defaults.data.get(key)}
    parts += [value if isinstance(value, str) else f"{key}{value}" for key, value in changed.items()]
    return "-".join(parts).replace("_", "-")


def all_runs(task: str | None = None) -> list[Run]:
    """The runs on disk, the newest first; folders that are not runs, or are damaged, are left out."""
    found = [Run(path.parent) for path in sorted(folder().glob("*/run.json"), reverse=True)]
    return [run for run in found if run.is_readable() and task in (None, run.settings.task)]


def trained(task: str | None = None) -> dict[str, Run]:
    """The runs that have left a network, by their folders' names, the newest first."""
    return {run.id: run for run in all_runs(task) if run.weights.exists()}


@contextmanager
def _naming() -> Iterator[None]:
    """While one looks for a name that is free, and takes it, nobody else does. Raises RunError on a full disk."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with FileLock(folder() / "names.lock"):
            yield
    except OSError as error:
        raise RunError(unwritable(error)) from error


def _taken() -> set[str]:
    return {*names(), *(run.name for run in all_runs())}


def _free(name: str) -> str:
    """The name itself, or with the first number behind it that makes it free."""
    taken = _taken()
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"The run {path.parent.name} is not there any more, or its {path.name} is damaged.") from error
    return content


@dataclass(frozen=True)
class Log(Generic[Line]):
    """A file with a line for each progress of a training."""

    path: Path
    kind: type[Line]

    def read(self) -> list[Line]:
        """All of them, but for lines that are damaged or that a crash has cut off; none where no file can be read."""
        try:
            lines = self.path.read_text(errors="replace").split("\n")[:-1]
        except OSError:
            return []
        return [progress for line in lines if (progress := self.kind.read(_parsed(line))) is not None]

    def append(self, progress: Line) -> None:
        """Add a line."""
        with self.path.open("a") as file:
            file.write(json.dumps(progress.to_dict()) + "\n")

    def keep_until(self, step: int) -> None:
        """Forget the progress after `step`: training goes on from there."""
        kept = [json.dumps(progress.to_dict()) + "\n" for progress in self.read() if progress.step <= step]
        write_whole(self.path, "".join(kept).encode())


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # the last: thousands of brackets
        return None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    try:
        write_whole(path, json.dumps(content, indent=1).encode())
    except OSError as error:
        raise RunError(unwritable(error)) from error
