"""Runs in the background: child processes of the command line, as many at a time as there are cores to use.

The engine knows runs by their folders only; `python -m training run FOLDER` by hand does the same work.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from training.estimate import cores
from training.runs import RESUMABLE, Run, RunError

LONGEST_QUEUE = 60
LOOK_EVERY = 0.2  # seconds between two looks at the children
PATIENCE = 10.0  # seconds that a child gets to end by itself
REMEMBERED = 100  # failed children whose last words are kept
ROOT = Path(__file__).parents[1]


class Engine:
    """Starts queued runs as processes become free, and passes on orders. All methods may be called from any thread.

    Every child listens on its standard input. When this process ends, however it ends, that input ends, and so does
    the child: nothing is left running.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._queue: list[Run] = []
        self._closing: set[Run] = set()  # those in the queue that are trained no more: their best network is kept
        self._children: dict[Run, subprocess.Popen[str]] = {}
        self._listeners: dict[Run, _Listener] = {}  # one for each of them
        self._stopping: set[Run] = set()  # those children that were told to stop, perhaps after they were told to pause
        self._last_words: dict[Run, str] = {}
        self._guard = threading.RLock()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name="training engine").start()

    def submit(self, run: Run) -> None:
        """Queue a new run, or one to be resumed. Raises RunError when it is on its way or the queue is full."""
        with self._guard:
            if run in self._queue or run in self._children or run.is_locked():
                raise RunError(f"{run.name} is already on its way.")
            if len(self._queue) >= LONGEST_QUEUE:
                raise RunError(f"{LONGEST_QUEUE} runs are waiting already; try again when some of them have ended.")
            run.set_state("queued")
            self._queue.append(run)
            self._start_next()

    def pause(self, run: Run) -> None:
        """Have the run keep its state and end its process; one that only waits leaves the queue.

        Raises RunError, as `stop` does, when the run is trained by a process that this engine did not start.
        """
        with self._guard:
            if run in self._queue:
                self._leave_queue(run)
                run.set_state("paused")
            else:
                self._order(run, "pause")

    def stop(self, run: Run) -> None:
        """Have the run end with the best network so far; where it waits or rests, a process of its own sees to that."""
        with self._guard:
            idle = self.state(run) in ("queued", *RESUMABLE)
            if idle and run.best.exists():
                self._leave_queue(run)
                self._closing.add(run)
                self._queue.insert(0, run)
                self._start_next()
            elif idle:
                self._leave_queue(run)
                run.set_state("stopped")
            else:
                self._order(run, "stop")

    def delete(self, run: Run) -> None:
        """Remove the run's folder. Raises RunError while it is being trained, from the start of its process on."""
        with self._guard:
            if run in self._children:
                raise RunError(f"{run.name} is being trained: stop it before you delete it.")
            self._leave_queue(run)
            run.delete()

    def ahead(self, run: Run) -> int | None:
        """How many runs wait before this one; None when it does not wait here."""
        with self._guard:
            return self._queue.index(run) if run in self._queue else None

    def state(self, run: Run) -> str:
        """The run's state; one that says it is queued, but waits nowhere, was interrupted with its server."""
        with self._guard:
            if run in self._queue:
                return "queued"
            if run in self._children:
                run.message()  # raises where its folder is gone
                return "running"
            state = run.state()
            return "interrupted" if state == "queued" else state

    def message(self, run: Run) -> str:
        """Why the run failed or was interrupted, in one sentence; empty where there is nothing to say."""
        return run.message() or self._last_words.get(run, "")

    def shut_down(self) -> None:
        """End all children, which can be resumed later, and start no more."""
        self._ended.set()
        with self._guard:
            children = list(self._children.values())
            self._children.clear()
        for child in children:
            _hang_up(child)
        for child in children:
            _wait(child)

    def _leave_queue(self, run: Run) -> None:
        if run in self._queue:
            self._queue.remove(run)
        self._closing.discard(run)

    def _order(self, run: Run, order: str) -> None:
        if child := self._children.get(run):
            _tell(child, order)
            if order == "stop":
                self._stopping.add(run)
        elif run.is_locked():
            raise RunError(f"{run.name} was started elsewhere, by hand or by another server: {order} it there.")

    def _watch(self) -> None:
        """Look after the children until the end: a free process takes the next run."""
        while not self._ended.wait(LOOK_EVERY):
            with self._guard:
                for run, child in list(self._children.items()):
                    if child.poll() is not None:
                        del self._children[run]
                        _hang_up(child)
                        self._remember(run, child)
                        self._stop_paused(run)
                self._start_next()

    def _stop_paused(self, run: Run) -> None:
        """A child obeys its first order: one that was to stop after it was to pause is stopped now."""
        if run in self._stopping:
            self._stopping.discard(run)
            with contextlib.suppress(RunError):  # its folder may be gone
                if run.state() == "paused":
                    self.stop(run)

    def _remember(self, run: Run, child: subprocess.Popen[str]) -> None:
        """Keep the last words of a child that failed; one that did not may still have printed a warning."""
        self._last_words.pop(run, None)
        words = self._listeners.pop(run).last_line()
        if child.returncode and words:
            self._last_words[run] = words
        while len(self._last_words) > REMEMBERED:
            del self._last_words[next(iter(self._last_words))]  # the oldest: a server may see thousands of runs

    def _start_next(self) -> None:
        while self._queue and not self._ended.is_set():
            run = self._queue[0]
            closing = run in self._closing
            # To keep a best network takes seconds: one process beyond the limit may, however long the others train.
            if len(self._children) >= self.workers + closing:
                return
            self._leave_queue(run)
            if run.folder.exists():  # it may have been deleted while it waited
                self._start(run, *["--keep-best"] * closing)

    def _start(self, run: Run, *options: str) -> None:
        """Start a process for the run; where there is none to be had, the run has failed, and can be resumed."""
        try:
            child = self._spawn(run, *options)
            self._children[run], self._listeners[run] = child, _Listener(child)  # without one it is let go, and ends
        except (OSError, RuntimeError) as error:  # the last: no thread is to be had
            reason = getattr(error, "strerror", None) or error
            with contextlib.suppress(RunError, OSError):  # the disk may be what is full
                run.set_state("failed", f"No process could be started for it ({reason}): try again.")

    @staticmethod
    def _spawn(run: Run, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "training", "run", str(run.folder.resolve()), "--supervised", *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # One thread per run: as many runs as cores train side by side.
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def _tell(child: subprocess.Popen[str], order: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended in the meantime, which is what was wanted
        child.stdin.write(f"{order}\n")
        child.stdin.flush()


def _hang_up(child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError):  # as in `_tell`, whose order it may not have heard
        child.stdin.close()


def _wait(child: subprocess.Popen[str]) -> None:
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class _Listener(threading.Thread):
    """Hears what a child says on its standard error, which else would wait to be heard, and keeps the last line."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._stream = child.stderr
        self._last: deque[str] = deque(maxlen=1)
        self.start()

    def run(self) -> None:
        """Listen until the child has closed its standard error, as a rule with its end."""
        with self._stream:
            self._last.extend(filter(str.strip, self._stream))

    def last_line(self) -> str:
        """What a child that has ended said last: its one sentence, if it could not write it down."""
        self.join(PATIENCE)
        return "".join(self._last).strip().removeprefix("python -m training: ")
