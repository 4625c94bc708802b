"""The recipes of the shipped models: the report's settings, made from nothing but the data, one set by hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.network import Network
from models.store import WEIGHTS, load, save
from models.verdict import is_adder, verdict
from training import reported
from training.card import certify
from training.fit import Progress, build, fit
from training.ideal import ideal_adder
from training.task import Settings
from training.tasks import TASKS, digits

EPOCHS_OF_BEST = 60
# What the best reader is to read of MNIST's test images, and of the drawings by people it never saw.
IMAGES_AIM, DRAWINGS_AIM = 0.996, 0.99


@dataclass(frozen=True)
class Recipe:
    """How a shipped model is made, and what it must reach.

    `metric` on the test data must reach `target`; `report` is the report's figure (None where it gives none).
    With `seeds` above 1 that many are trained, from the settings' seed on, and the best on validation data is kept.
    With `polish` a network that has been trained, and calibrated, is trained once more, with these settings. Where the
    weights are set by hand, `by_hand` makes the network, and nothing is trained.
    """

    name: str
    settings: Settings
    metric: str
    target: float
    report: float | None
    seeds: int = 1
    polish: Settings | None = None
    by_hand: Callable[[Settings], Network] | None = None


def recipes() -> dict[str, Recipe]:
    """All shipped models, in the order of the report."""
    return {recipe.name: recipe for recipe in (*_digits(), *_recall(), *_addition())}


def report_figure(settings: Settings) -> float | None:
    """The accuracy that the report gives for a network of this shape, loss and regularisation; None for others."""

    def shape(each: Settings) -> tuple[Any, ...]:
        names = ("task", "cell", "hidden_size", "num_layers", "bidirectional", "loss", "weight_decay")
        data = TASKS[each.task].defaults.data | each.data  # a run may be older than one of its task's settings
        return (*(getattr(each, name) for name in names), data)

    found = (recipe.report for recipe in recipes().values() if shape(recipe.settings) == shape(settings))
    return next(found, None)


def _digits() -> Iterator[Recipe]:
    """Section 3.1; a falling learning rate and gradient clipping are ours."""
    report = replace(TASKS["digits"].defaults, schedule="linear", gradient_clipping=1.0)
    for network, cell, *targets in (
        ("RNN", "rnn", 0.965, 0.955),
        ("GRU", "gru", 0.987, 0.965),
        ("BiLSTM", "lstm", 0.980, 0.968),
    ):
        layers, hidden = reported.GRID_CHOICE[network]
        shape = {"cell": cell, "bidirectional": network == "BiLSTM", "num_layers": layers, "hidden_size": hidden}
        for decay, ending, target in zip((0.0, 1e-3), ("", "-l2"), targets, strict=True):
            settings = replace(report, **shape, weight_decay=decay)
            figure = reported.DIGITS[network, decay]
            yield Recipe(f"digits-{network.lower()}{ending}", settings, "accuracy", target, figure)
    best = _best(report)
    polish = replace(best, schedule="one_cycle", learning_rate=5e-4, epochs=15, seed=1)
    yield Recipe("digits-best", best, "accuracy", IMAGES_AIM, None, polish=polish)


def _best(report: Settings) -> Settings:
    """Ours, for drawings: what people draw on a canvas differs from MNIST more than MNIST's digits from each other."""
    shape = {"cell": "gru", "hidden_size": 192, "bidirectional": True, "readout": "pooled"}
    training = {"loss": "label_smoothing", "schedule": "two_cycles", "learning_rate": 2e-3, "batch_size": 128}
    best = replace(report, **shape, **training, epochs=EPOCHS_OF_BEST)
    return best.with_data(dataset="mnist+pen", augmentation="distort")


def _recall() -> Iterator[Recipe]:
    """Section 3.2: index 1 with three hidden sizes. All else is ours, and needs open forget gates."""
    report = TASKS["recall"].defaults
    for hidden_size, target, seeds in ((2, 0.80, 64), (5, 0.995, 8), (10, 1.0, 8)):
        settings, figure = replace(report, hidden_size=hidden_size), reported.RECALL[hidden_size]
        yield Recipe(f"recall-i1-h{hidden_size}", settings, "accuracy", target, figure, seeds)
    for index in (0, *range(2, 10)):
        settings = replace(report, forget_bias=2.0).with_data(index=index)
        yield Recipe(f"recall-i{index}-h10", settings, "accuracy", 1.0, None, 8)
    yield Recipe("recall-any", _any_index(report), "lowest_accuracy", 0.999, None)


def _any_index(report: Settings) -> Settings:
    """Ours: it reads in one direction, so that all digits must be in its state when the question comes."""
    shape = {"hidden_size": 128, "bidirectional": False, "forget_bias": 3.0, "gradient_clipping": 1.0}
    settings = replace(report, **shape, schedule="one_cycle", batch_size=128, epochs=16)
    return settings.with_data(query="any", elements_in_batch=100, num_batches=4000)


def _addition() -> Iterator[Recipe]:
    """Section 3.3. The report does not name its cell: ours is the LSTM: a tanh RNN with 2 units does not learn it."""
    for (hidden_size, loss), figure in reported.ADDITION.items():
        settings = replace(TASKS["addition"].defaults, hidden_size=hidden_size, loss=loss)
        target, seeds = (figure, 64) if hidden_size == 2 else (1.0, 8)
        yield Recipe(f"addition-{loss}-h{hidden_size}", settings, "all_pairs_bit_accuracy", target, figure, seeds)
    ideal = replace(TASKS["addition"].defaults, cell="rnn", hidden_size=2)
    yield Recipe("addition-ideal-h2", ideal, "all_pairs_bit_accuracy", 1.0, None, by_hand=ideal_adder)


def pretrain(recipe: Recipe, folder: Path = WEIGHTS) -> Iterator[tuple[int, Progress]]:
    """Train the recipe's seeds one after the other and save the best on validation data, with its card.

    Yields the seed at work and its progress; the file is in `folder` when the last one has been taken.
    """
    if recipe.by_hand is not None:
        _keep(recipe, recipe.by_hand(recipe.settings), recipe.settings, [], folder)
        return
    best: tuple[tuple[float, float], Network, Settings, list[Progress]] | None = None
    for seed in range(recipe.settings.seed, recipe.settings.seed + recipe.seeds):
        settings = replace(recipe.settings, seed=seed)
        network, curves = build(settings), []
        for progress in _trained(network, settings, recipe.polish):
            curves.append(progress)
            yield seed, progress
        if best is None or progress.merit() > best[0]:
            best = progress.merit(), network, settings, curves
    _keep(recipe, *best[1:], folder)


def _trained(network: Network, settings: Settings, polish: Settings | None) -> Iterator[Progress]:
    """Train the network once, or a second time as well; steps, epochs and seconds are counted on."""
    task, progress = TASKS[settings.task], None
    for progress in fit(network, task.load_data(settings), settings):
        yield progress
    if polish is not None:
        task.calibrate(network, settings)
        for more in fit(network, task.load_data(polish), polish):
            yield following(progress, more)


def following(first: Progress, second: Progress) -> Progress:
    """A progress of a second training, counted on from the last one of the first."""
    counts = {name: getattr(first, name) + getattr(second, name) for name in ("step", "epoch", "seconds")}
    return replace(second, **counts, steps=first.steps + second.steps)


def _keep(recipe: Recipe, network: Network, settings: Settings, curves: list[Progress], folder: Path) -> None:
    """Save the network of a recipe, with its card."""
    certify(network, settings, curves, command=f"python -m training pretrain {recipe.name}")
    network.card |= {"report": recipe.report, "seeds_tried": recipe.seeds, "by_hand": recipe.by_hand is not None}
    if recipe.polish is not None:
        network.card["polish"] = recipe.polish.to_dict()
    if is_adder(network):
        network.card["verdict"] = verdict(network).to_dict()
    save(network, folder / f"{recipe.name}.safetensors")


def write_verdicts(folder: Path = WEIGHTS) -> None:
    """Give every shipped adder its verdict anew, on its card."""
    for path in sorted(folder.glob("*.safetensors")):
        network = load(path)
        if is_adder(network):
            network.card["verdict"] = verdict(network).to_dict()
            save(network, path)


def write_readme(folder: Path = WEIGHTS) -> None:
    """`README.md` beside the weights: how each model was made, all of it read from the cards."""
    rows = [_row(recipe, load(folder / f"{recipe.name}.safetensors").card) for recipe in recipes().values()]
    best = load(folder / "digits-best.safetensors").card["metrics"]
    head = README.format(
        images=_count(best["accuracy"], digits.TEST, IMAGES_AIM),
        drawings=_count(best["drawn_accuracy"], digits.DRAWN_IN_EXAM * digits.PEN_TEST_DIGITS, DRAWINGS_AIM),
    )
    (folder / "README.md").write_text(head + "\n".join(rows) + "\n")


def _count(accuracy: float, total: int, aim: float) -> str:
    """How many are right, where a rounded share could make a hit of a miss: "9,958 of 10,000 (...)"."""
    outcome = "reached" if accuracy >= aim else "missed"
    return f"{round(accuracy * total):,} of {total:,} (the aim, {100 * aim:g} %, is {outcome})"


def _row(recipe: Recipe, card: dict[str, Any]) -> str:
    direction = "bidirectional " if card["bidirectional"] else ""
    network = f"{direction}{card['cell'].upper()}, {card['num_layers']} x {card['hidden_size']}"
    told = card["data"].get("query") == "any"
    extras = ["any index"] if told else []
    extras += [f"{name} {value}" for name, value in card["data"].items() if name in ("index", "length") and not told]
    extras += [f"weight decay {card['weight_decay']:g}"] if card["weight_decay"] else []
    extras += [f"{card['schedule']} learning rate"] if card["schedule"] != "constant" else []
    extras += [f"gradients clipped at {card['gradient_clipping']:g}"] if card["gradient_clipping"] else []
    extras += [f"forget bias {card['forget_bias']:g}"] if card["forget_bias"] else []
    if polish := card.get("polish"):
        extras += [f"then {polish['epochs']} epochs more with {polish['schedule']} up to {polish['learning_rate']:g}"]
    training = ", ".join(
        [
            f"{card['loss']}, {card['epochs']} epochs, Adam {card['learning_rate']:g}, batch {card['batch_size']}",
            *extras,
        ]
    )
    training = "none: weights set by hand" if recipe.by_hand else training
    report = "" if recipe.report is None else f"{recipe.report:.1%}"
    reached = f"{card['metrics'][recipe.metric]:.2%} {recipe.metric.replace('_', ' ')}"
    seed = f"{card['seed']} (best of {card['seeds_tried']})" if card["seeds_tried"] > 1 else str(card["seed"])
    cells = (f"`{recipe.name}`", network, f"{card['parameters']:,}", training, seed, reached, report)
    return "| " + " | ".join(cells) + " |"


README = """# The shipped models

Each file is a safetensors file whose header carries the card: task, settings, seed, learning curves, library versions
and the metrics on the test data. `python -m training pretrain` made them, all but the one set by hand from nothing but
the data, and wrote this page from their cards; `python -m training evaluate --all` measures them again.

Where several seeds were tried, the one with the best accuracy on the validation data was kept (ties: the lowest
validation loss); the test data decided nothing. The test data are MNIST's 10,000 test images (digits), the last 20 % of
the generated sequences (recall), and all 1,024 pairs of 5-bit numbers (addition). `recall-any` reads the index that is
asked for as one more element after the last digit; its lowest accuracy is that at the index and the length, of 3 to 10,
where it is worst, on 2,000 other sequences of each length. Of the test images `digits-best` reads
{images}; of drawings by people it never saw (4 of the 30 writers, each digit
drawn twice) it reads {drawings}.

| model | network | parameters | training | seed | test | report |
| --- | --- | --- | --- | --- | --- | --- |
"""
