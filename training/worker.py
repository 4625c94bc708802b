"""The process that trains one run: it reads the run's folder, writes its progress there, and obeys its starter."""

import signal
import sys
import threading
from dataclasses import replace
from typing import TextIO

from filelock import Timeout

from models.network import Network
from models.store import SHAPE, WeightsError, load, save
from training.card import certify
from training.fit import Progress, build, checkpoint_step, fit, network_of
from training.runs import ENDED, Run, RunError, unwritable
from training.seeds import best_seed, median, of_seed
from training.stacked import StackedNetwork, StackedProgress, build_stacked, fit_stacked
from training.tasks import TASKS

NICENESS = 10  # the server's own work goes before the training of its children


class Orders:
    """Listens for "pause" or "stop" on a stream; the end of the stream means that the starter is gone.

    An order interrupts the main thread, as Ctrl-C does, so that it takes effect within an optimiser step.
    """

    def __init__(self) -> None:
        self.order = "pause"  # what Ctrl-C means to a run that was started by hand

    def listen(self, stream: TextIO) -> None:
        """From here on an order may interrupt the main thread at any moment."""
        # A server that was started in the background of a script hands down that interrupts are ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    def _listen(self, stream: TextIO) -> None:
        self.order = stream.readline().strip() or "abandon"
        signal.raise_signal(signal.SIGINT)


def execute(run: Run, supervised: bool = False, keep_best: bool = False) -> None:
    """Train `run`, from its checkpoint where there is one, and leave its folder in its new state.

    With `supervised` orders come on standard input, and its end interrupts the run. With `keep_best` nothing is
    trained: the best network so far becomes the result. Raises RunError when there is no such run, it has ended,
    another process is training it, or the disk can't be written.
    """
    if not run.is_readable():
        raise RunError(f"{run.folder} holds no run, or its run.json is damaged.")
    if keep_best and not run.best.exists():
        raise RunError(f"{run.name} has no network to keep yet: it has to be trained up to its first validation.")
    try:
        with run.lock():
            if run.state() in ENDED and run.weights.exists():
                raise RunError(f"{run.name} has ended and left its network: train a new run.")
            if keep_best:
                _stop(run)
            else:
                _obey(run, sys.stdin if supervised else None)
    except Timeout as error:
        raise RunError(f"The run {run.id} is being trained by another process.") from error
    except OSError as error:
        raise RunError(unwritable(error)) from error


def _obey(run: Run, stream: TextIO | None) -> None:
    """Train until the end, an order on the stream or a failure, and write the state that follows."""
    orders = Orders()
    run.set_state("running")
    try:
        if stream is not None:
            orders.listen(stream)
        (_train if len(run.seeds) == 1 else _train_seeds)(run)
        run.set_state("finished")
    except KeyboardInterrupt:
        if orders.order == "stop":
            _stop(run)
        elif orders.order == "pause":
            run.set_state("paused")
    except Exception as error:
        run.set_state("failed", unwritable(error) if isinstance(error, OSError) else str(error) or repr(error))
        raise


def _train(run: Run) -> None:
    """Fit the run's network; the best network is on disk, and then each progress, before the next step begins.

    In this order: whoever stops it between the two gets a network that is as good as what its progress says.
    """
    settings = run.settings
    network, data = build(settings), TASKS[settings.task].load_data(settings)
    run.keep_progress_until(checkpoint_step(run.checkpoint))
    curves = run.progress()
    before = curves[-1].seconds if curves else 0.0
    for progress in fit(network, data, settings, checkpoint=run.checkpoint):
        curves.append(replace(progress, seconds=before + progress.seconds))
        if curves[-1].merit() == max(each.merit() for each in curves):
            save(network, run.best)
        run.append(curves[-1])
    _finish(run, network, curves)


def _train_seeds(run: Run) -> None:
    """Fit all of the run's seeds at once, as `_train` does; the one that is best in the end is the result."""
    network = build_stacked(run.settings, run.seeds)
    run.keep_progress_until(checkpoint_step(run.checkpoint))
    curves = run.seeds_progress()
    before = curves[-1].seconds if curves else 0.0
    merits = [of_seed(each, best_seed(each)).merit() for each in curves]
    for progress in fit_stacked(network, run.settings, run.seeds, checkpoint=run.checkpoint):
        curves.append(replace(progress, seconds=before + progress.seconds))
        summary = median(curves[-1])  # raises where all have diverged
        merits.append(of_seed(progress, best_seed(progress)).merit())
        if merits[-1] == max(merits):
            save(_best_of(run, network, progress), run.best)
        run.append_seeds(curves[-1])
        run.append(summary)
    if not curves:
        raise RunError(
            f"The seeds.jsonl of {run.name} was lost after its last step, and with it which seed is best: stop the run "
            "(--keep-best) to keep its best network so far, or delete checkpoint.safetensors to train it anew."
        )
    _finish(run, _best_of(run, network, curves[-1]), run.progress())


def _best_of(run: Run, network: StackedNetwork, progress: StackedProgress) -> Network:
    """The network of the seed that is best at this progress; its card says which."""
    number = best_seed(progress)
    best = network.unstack()[number]
    best.card = {"seed": run.seeds[number]}
    return best


def _stop(run: Run) -> None:
    """End with the best network so far as the result; there is none before the first validation."""
    if run.best.exists():
        _finish(run, _best(run), run.progress(), kept="best")
    run.set_state("stopped")


def _best(run: Run) -> Network:
    """The best network so far. Raises RunError where its file does not hold one of this run's."""
    damaged = RunError(f"The {run.best.name} of {run.name} is damaged: delete it, and resume the run.")
    try:
        network = load(run.best)
    except WeightsError as error:
        raise damaged from error
    like = network_of(run.settings)
    fits = all(getattr(network, name) == getattr(like, name) for name in SHAPE)
    if not fits or (len(run.seeds) > 1 and network.card.get("seed") not in run.seeds):
        raise damaged
    return network


def _finish(run: Run, network: Network, curves: list[Progress], kept: str = "last") -> None:
    """Write the run's result with its card: of many seeds it has the one kept, its curves, and how many there were.

    `kept` says which network it is: the "last" of the training, or the "best" on validation data.
    """
    settings, tried = run.settings, {}
    if len(run.seeds) > 1:
        settings = replace(settings, seed=network.card["seed"])
        curves = [of_seed(each, run.seeds.index(settings.seed)) for each in run.seeds_progress()]
        tried = {"seeds_tried": len(run.seeds)}
    device = "cpu" if tried else None  # that of `fit_stacked`
    certify(network, settings, curves, f"python -m training run runs/{run.id}", device)
    network.card |= {"name": Run(run.folder).name, "kept": kept} | tried  # it may have been renamed meanwhile
    save(network, run.weights)
