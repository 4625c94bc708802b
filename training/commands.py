"""The commands of `python -m training`: {list,train,run,evaluate,pretrain,sweep,report}."""

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from models.files import behind_links
from models.network import Network
from models.store import load, names, save
from training.card import certify
from training.catalogue import check_finite, checked, measuring
from training.estimate import check_data
from training.fit import DivergedError, Progress, build, checkpoint_step, fit
from training.options import change, options, value
from training.pretrain import Recipe, pretrain, recipes, write_readme, write_verdicts
from training.report import FOLDER, PARTS, run
from training.runs import Line, Log, Run, RunError
from training.seeds import MOST_SEEDS, best_seed, check_seeds, is_small, median, of_seed
from training.stacked import StackedProgress, build_stacked, fit_stacked
from training.sweep import MOST_CELLS, SweepError, cell, dask, grid, is_trained, processes, sweep, table, train
from training.task import DataError, Settings, Task
from training.tasks import TASKS
from training.worker import NICENESS, execute

# What goes wrong through the input or the machine; each says in one sentence what.
EXPECTED = (ValueError, DataError, DivergedError, RunError, SweepError, OSError)


class Parser(argparse.ArgumentParser):
    """A parser that answers bad input with one line and exit status 1."""

    def error(self, message: str) -> NoReturn:
        """Print the one line that is wrong; `--help` has the rest."""
        self.exit(1, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run one command; ends with exit status 1 and one line on bad input."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except EXPECTED as error:
        parser.error(_sentence(error))
    except KeyboardInterrupt:
        parser.error("stopped.")


def _sentence(error: Exception) -> str:
    """What an expected error says; of the system's own, which file it is about as well."""
    if not (isinstance(error, OSError) and error.strerror):
        return str(error)
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."


def _of_each(work: Callable[[str], None], wanted: Iterable[str]) -> None:
    """Do the work for each name: where it can't be done, a line on standard error says why, and the others go on.

    Ends with exit status 1 where any could not be done.
    """
    failed = False
    for name in wanted:
        try:
            work(name)
        except EXPECTED as error:
            failed = True
            print(_of_file(name, _sentence(error)), file=sys.stderr, flush=True)
    if failed:
        sys.exit(1)


def _of_file(name: str, sentence: str) -> str:
    """The sentence after the name that was given, which it may begin with itself, with or without the folder."""
    for known in filter(None, (name, Path(name).name)):
        if sentence.startswith((f"{known}: ", f"{known} ")):
            return name + sentence.removeprefix(known)
    return f"{name}: {sentence}"


def run_list(chosen: argparse.Namespace) -> None:
    """Print the shipped models, or their cards."""
    cards = {name: load(name).card for name in names(chosen.task)}
    if chosen.json:
        _say(json.dumps(cards))
        return
    for name, facts in cards.items():
        metrics = ", ".join(_metric(metric, number) for metric, number in facts["metrics"].items())
        _say(f"{name:20} {facts['parameters']:>9,} parameters   {metrics}")


def run_train(chosen: argparse.Namespace) -> None:
    """Train one network, or from many seeds at once and keep the best, and save it, with its card."""
    task = TASKS[chosen.task]
    given = {option.name: getattr(chosen, option.name) for option in options(task)}
    settings = change(task.defaults, {name: new for name, new in given.items() if new is not None})
    check_seeds(settings, chosen.seeds)
    check_data(settings, chosen.seeds)
    for path in filter(None, (chosen.out, chosen.checkpoint)):
        _check_writable(path)  # before the training, so that it is not in vain
    if chosen.checkpoint and behind_links(chosen.checkpoint) == behind_links(chosen.out):
        raise ValueError("--out and --checkpoint name the same file: give each a file of its own.")
    network, settings, curves = (_train_one if chosen.seeds == 1 else _train_seeds)(settings, chosen)
    device = None if chosen.seeds == 1 else "cpu"  # that of `fit_stacked`
    certify(network, settings, curves, shlex.join(["python", "-m", "training", *sys.argv[1:]]), device)
    network.card |= {"seeds_tried": chosen.seeds} if chosen.seeds > 1 else {}
    save(network, chosen.out)
    _print_metrics(str(chosen.out), network.card["metrics"], chosen.json)


def _train_one(settings: Settings, chosen: argparse.Namespace) -> tuple[Network, Settings, list[Progress]]:
    """The trained network of one seed, with its settings and curves; a line is printed at every validation."""
    network, data = build(settings), TASKS[settings.task].load_data(settings)
    curves = _before(chosen.checkpoint, Progress)
    for progress in _logged(fit(network, data, settings, checkpoint=chosen.checkpoint), curves, chosen.checkpoint):
        _say(json.dumps(progress.to_dict()) if chosen.json else _line(progress))
    return network, settings, curves


def _train_seeds(settings: Settings, chosen: argparse.Namespace) -> tuple[Network, Settings, list[Progress]]:
    """As `_train_one`, of that seed which is best on validation data in the end; the lines hold the medians."""
    seeds = range(settings.seed, settings.seed + chosen.seeds)
    network, curves = build_stacked(settings, seeds), _before(chosen.checkpoint, StackedProgress)
    training = fit_stacked(network, settings, seeds, checkpoint=chosen.checkpoint)
    for progress in _logged(training, curves, chosen.checkpoint):
        summary = median(progress)  # raises where all have diverged
        _say(json.dumps(progress.to_dict()) if chosen.json else f"medians at {_line(summary)}")
    best = best_seed(curves[-1])
    return network.unstack()[best], replace(settings, seed=seeds[best]), [of_seed(each, best) for each in curves]


def _log(checkpoint: Path, kind: type[Line]) -> Log[Line]:
    """Where the progress of a training with this checkpoint stands: in a file beside it."""
    return Log(checkpoint.with_name(f"{checkpoint.name}.progress.jsonl"), kind)


def _before(checkpoint: Path | None, kind: type[Line]) -> list[Line]:
    """The progress up to the checkpoint, from which training goes on; what was made after it is made again."""
    if checkpoint is None:
        return []
    step = checkpoint_step(checkpoint)
    return [progress for progress in _log(checkpoint, kind).read() if progress.step <= step]


def _logged(training: Iterable[Line], curves: list[Line], checkpoint: Path | None) -> Iterator[Line]:
    """All progress of a training that goes on after `curves`, its seconds counted on; it is added to them.

    Raises ValueError where the checkpoint is that of a finished training, of which no progress is known.
    """
    step, seconds = (curves[-1].step, curves[-1].seconds) if curves else (0, 0.0)
    for number, progress in enumerate(training):
        curves.append(replace(progress, seconds=seconds + progress.seconds))
        if checkpoint is not None:
            log = _log(checkpoint, type(progress))
            if number == 0:
                log.keep_until(step)  # not before: a checkpoint of other settings has been refused by now
            log.append(curves[-1])
        yield curves[-1]
    if not curves:
        raise ValueError(f"{checkpoint} holds a finished run, but not how it went; delete it to train again.")


def _say(text: str) -> None:
    """Print it at once. Whoever reads may have read enough, such as `head`: the work goes on, for its files."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_writable(path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it.")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is a device or a pipe: name an ordinary file.")
    try:
        folder = behind_links(path).parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror}.") from error


def run_run(chosen: argparse.Namespace) -> None:
    """Train a run's folder, as the app's background does."""
    if chosen.supervised and hasattr(os, "nice"):  # Windows has none
        os.nice(NICENESS)
    execute(Run(chosen.folder), chosen.supervised, chosen.keep_best)


def run_evaluate(chosen: argparse.Namespace) -> None:
    """Measure models on their test data, the shipped ones against the figures they must reach."""
    if chosen.all and chosen.model:
        raise ValueError("Name the models to evaluate, or give --all, not both.")
    wanted = list(recipes()) if chosen.all else chosen.model
    if not wanted:
        raise ValueError("Name the models to evaluate, or give --all; `python -m training list` names them.")
    _of_each(lambda name: _evaluate(name, chosen.json), wanted)


def _evaluate(name: str, as_json: bool) -> None:
    """Measure one model and print what was found."""
    network = load(name)
    settings = checked(network.card, name)
    with measuring(settings, name):
        metrics = TASKS[settings.task].exam(network, settings)
    check_finite(metrics, name)
    _print_metrics(name, metrics, as_json, recipes().get(name))


def run_pretrain(chosen: argparse.Namespace) -> None:
    """Train the shipped models and write them to `weights/`, with their README."""
    unknown = [name for name in chosen.model if name not in recipes()]
    if unknown:
        raise ValueError(f"There is no recipe for {', '.join(unknown)}; the recipes are: {', '.join(recipes())}.")
    if chosen.verdicts and chosen.model:
        raise ValueError("--verdicts renews those of all adders: name no model with it.")
    if chosen.verdicts:
        write_verdicts()
        return
    _of_each(lambda name: _pretrain(name, chosen.json), chosen.model or recipes())


def _pretrain(name: str, as_json: bool) -> None:
    """Make one shipped model; the README of all of them, where none is missing, tells of it at once."""
    for seed, progress in tqdm(pretrain(recipes()[name]), desc=name, unit=" validations", disable=None):
        if as_json:
            _say(json.dumps({"model": name, "seed": seed} | progress.to_dict()))
    if all(each in names() for each in recipes()):
        write_readme()


def run_sweep(chosen: argparse.Namespace) -> None:
    """Train every combination of the given settings from every seed, and print what came out, the best first."""
    task = TASKS[chosen.task]
    axes = {option.name: getattr(chosen, option.name) for option in options(task)}
    axes = {name: values for name, values in axes.items() if values is not None}
    if chosen.seeds is not None:
        axes["seed"] = range(chosen.seeds)
    every = grid(task.defaults, axes)
    for settings in every:
        check_data(settings)
    cells = [cell(settings) for settings in every]
    executors = dask(chosen.scheduler) if chosen.scheduler else processes(chosen.jobs)
    found, results = sweep(cells, chosen.folder, train, executors, is_trained), []
    for each, result in tqdm(found, total=len(cells), disable=None):
        results.append((each, result))
        if chosen.json:
            _say(json.dumps(each | {"result": result}))
    if not chosen.json:
        _say(table(results))


def run_report(chosen: argparse.Namespace) -> None:
    """Compute the parts of the report that are not there yet, and write them to the folder of results."""
    parts = [PARTS[name] for name in chosen.only or PARTS]
    for part in parts:
        total = len(part.cells(chosen.seeds or part.seeds))
        for done in tqdm(run(part, chosen.seeds, chosen.folder, chosen.jobs), part.name, total, disable=None):
            if chosen.json:
                _say(json.dumps({"part": part.name, "done": done, "of": total}))


def _metric(name: str, number: float) -> str:
    label = name.replace("_", " ")
    return f"{label} {number:.4f}" if name == "loss" else f"{label} {number:.2%}"


def _line(progress: Progress) -> str:
    metrics = ", ".join(_metric(name, number) for name, number in progress.metrics.items())
    return (
        f"step {progress.step} of {progress.steps}, epoch {progress.epoch}: training loss {progress.train_loss:.4f}, "
        f"validation loss {progress.validation_loss:.4f}, {metrics}, {progress.seconds:.1f} s"
    )


def _print_metrics(name: str, metrics: dict[str, float], as_json: bool, recipe: Recipe | None = None) -> None:
    """One line on a model, for a shipped one with the figure that it must reach."""
    reached = None if recipe is None else metrics[recipe.metric] >= recipe.target
    if as_json:
        _say(json.dumps({"model": name, "metrics": metrics, "reached": reached}))
        return
    line = f"{name:20} " + ", ".join(_metric(metric, number) for metric, number in metrics.items())
    if recipe is not None:
        verdict = "reached" if reached else "NOT reached"
        line += f"   (must reach {_metric(recipe.metric, recipe.target)}: {verdict})"
    _say(line)


def _parser() -> Parser:
    parser = Parser(prog="python -m training", description="Train, measure and ship the networks of RNN Lab.")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="{list,train,run,evaluate,pretrain,sweep,report}"
    )
    listing = _command(commands, "list", run_list, "list the shipped models")
    listing.add_argument("task", nargs="?", choices=TASKS, help="only the models of this task")
    training = _command(commands, "train", run_train, "train one network")
    tasks = training.add_subparsers(title="tasks", required=True, dest="task", metavar="{" + ",".join(TASKS) + "}")
    for task in TASKS.values():
        _train_options(tasks.add_parser(task.name, help=f"train a network for the task {task.name}"), task)
    running = _command(commands, "run", run_run, "train a run's folder, from where it stands")
    running.add_argument("folder", type=Path, help="the run's folder")
    running.add_argument("--supervised", action="store_true", help="take the orders pause and stop on standard input")
    running.add_argument("--keep-best", action="store_true", help="train no more: the best network is the result")
    evaluate = _command(commands, "evaluate", run_evaluate, "measure models on their test data")
    evaluate.add_argument("model", nargs="*", help="names of shipped models, or paths of weights files")
    evaluate.add_argument("--all", action="store_true", help="all shipped models")
    shipped = _command(commands, "pretrain", run_pretrain, "make the shipped models anew")
    shipped.add_argument("model", nargs="*", help="names of shipped models (default: all)")
    shipped.add_argument("--verdicts", action="store_true", help="train nothing: only renew the verdicts on the adders")
    sweeping = _command(commands, "sweep", run_sweep, "train every combination of some settings, from many seeds")
    tasks = sweeping.add_subparsers(title="tasks", required=True, dest="task", metavar="{" + ",".join(TASKS) + "}")
    for task in TASKS.values():
        _sweep_options(tasks.add_parser(task.name, help=f"sweep settings of the task {task.name}"), task)
    report = _command(commands, "report", run_report, "measure again what the lab report measured, over many seeds")
    report.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="NAME", help=f"only these parts: {', '.join(PARTS)}"
    )
    seeds = ", ".join(f"{part.name} {part.seeds}" for part in PARTS.values())
    report.add_argument("--seeds", type=_count, metavar="N", help=f"seeds of each setting (default: {seeds})")
    report.add_argument("--jobs", type=_count, metavar="N", help="how many processes train (default: one per core)")
    report.add_argument("--folder", type=Path, default=FOLDER, help="where the results are written")
    return parser


def _command(commands: Any, name: str, run: Any, help: str) -> Parser:
    parser = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print JSON, one object to a line, for a program to read")
    parser.set_defaults(run=run)
    return parser


def _train_options(parser: Parser, task: Task) -> None:
    """One command line option for each of the task's settings, with the report's value as the default."""
    _add_options(parser, task)
    parser.set_defaults(seeds=1)
    if is_small(task):
        parser.add_argument(
            "--seeds",
            type=_count,
            metavar=f"1..{MOST_SEEDS}",
            help="train so many at once, from --seed on, and keep the best on validation data (default: 1)",
        )
    parser.add_argument("--out", type=Path, required=True, help="the weights file to write")
    parser.add_argument(
        "--checkpoint", type=Path, help="keep the state of training here, and go on from it if it exists"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object to a line, for a program to read")


def _sweep_options(parser: Parser, task: Task) -> None:
    """The options of training, each with one or several values, and how the sweep is run."""
    _add_options(parser, task, several=True)
    parser.add_argument("--seeds", type=_count, metavar="N", help="the seeds 0 to N - 1, instead of --seed")
    parser.add_argument("--folder", type=Path, required=True, help="where the results lie, and are not computed again")
    parser.add_argument("--jobs", type=_count, metavar="N", help="how many processes train (default: one per core)")
    parser.add_argument(
        "--scheduler", metavar="tcp://...", help="train on the Dask cluster of this scheduler instead of this machine"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for every network trained")


def _add_options(parser: Parser, task: Task, several: bool = False) -> None:
    """A flag for every setting of the task; with `several` it takes any number of values."""
    for option in options(task):
        flag = "--" + option.name.replace("_", "-")
        default = value(task.defaults, option)
        help = f"{option.help} (default: {default})".replace("%", "%%")
        count = {"nargs": "+"} if several else {}
        if option.choices:
            parser.add_argument(flag, choices=option.choices, help=help, **count)
        elif option.low is not None:
            parser.add_argument(
                flag, type=type(default), metavar=f"{option.low:g}..{option.high:g}", help=help, **count
            )
        elif several:
            parser.add_argument(flag, type=_yes_or_no, metavar="{yes,no}", help=help, **count)
        else:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=help)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= float(text) <= MOST_CELLS:  # which any number of digits fits into, unlike int
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_CELLS:,}, not {text}")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError(f"must be yes or no, not {text}")
    return text == "yes"
