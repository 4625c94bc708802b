"""The Report page's explanations, for a student who reads them beside the figures.

The texts state mechanisms only. What came out is said by functions of the results, so that it is true of any results.
"""

import itertools
from typing import Any

from models import CELLS
from training.claims import find, percent, share
from training.statistics import paired_together

Results = dict[str, Any]
BEYOND_CHANCE = {
    1: "reads better than the RNN beyond chance",
    0: "reads no better than the RNN beyond chance",
    -1: "reads worse than the RNN beyond chance",
}

LEAD = {1: "ahead of", 0: "no further than chance from", -1: "behind"}

GRID = """A *grid search* trains one network for every combination of settings and keeps the one that does best on
validation data. The test data are looked at once, in the end: whoever chooses by the test data, as the report did,
reports luck along with skill. Where two settings lie closer together than the seeds of one of them, the grid has not
chosen between them: another seed would have chosen otherwise."""

DIGITS = """A vanilla RNN multiplies its state by the same matrix at every row and squeezes it through a tanh. Going
back from the answer to the first rows, the gradient is multiplied by the same numbers each time and *vanishes*: what
the top of the image says is learned slowly. A GRU's *update gate* lets a unit keep its value as it is, so the
gradient passes unharmed; an LSTM has a *cell state* that is only added to, which does the same."""

REGULARISATION = """*Weight decay* pulls every weight towards zero. A network that learns its training data by heart
has a training loss far below its test loss, and the pull keeps the two together. It also makes the fit to the training
data looser, which costs accuracy wherever there was little to be cured. So look at both: how far the losses are apart,
and which network reads more of the test images."""

SAMPLES = """The *confusion matrix* counts for every true digit (row) what the network said (column). Digits that look
alike are taken for each other: a 4 that is closed on top and a 9, a 7 with a loop and a 2."""

RECALL = """To name the digit at index 1, a network must keep one of ten digits while others pass: its state needs ten
places far enough apart. With two units per direction they lie in a plane, where training must find ten that each can
be told from all others; every unit more is a dimension more, with room for many such arrangements. A *bidirectional*
network has two chances: the forward direction must keep the second digit until the end, the backward one sees it last
but one. Read where each direction ends, both have read everything. Read at the last digit, the backward direction has
seen that digit only."""

LENGTHS = """A network that has found the rule does not care how long a sequence is. One that only keeps the digit for
as long as it was trained to forgets it somewhere beyond: the state drifts a little with every digit that passes."""

ADDITION = """Adding needs one bit of memory: the *carry*. At each column the sum bit is a + b + carry, modulo 2, and
the new carry is 1 when at least two of them are. A plain tanh RNN with two units can hold that (there are weights that
do), but training must find them from a random start; the more units, the more ways there are to find. An LSTM's or a
GRU's unit is made for keeping a bit."""

OVERFITTING = """An adder is *perfect* when its state comes back to the same two places, "carry" and "no carry",
however long the numbers are. If a long carry chain (0111...1 + 1) moves it a little further with every bit, it fails
in the end, and random numbers hardly show it: one in about 95,000 random pairs of 64 bits has a carry that travels
through 20 columns."""


def gates(found: Results) -> str:
    """Whether networks with gates read better than the RNN, and how soon they read as well as it does in the end."""
    plain = {name: find(found["rows"], network=name, weight_decay=0.0) for name in ("RNN", "GRU", "BiLSTM")}
    rnn = plain.pop("RNN")
    goal = rnn["curves"]["test accuracy"]["mean"][-1]
    compared = paired_together({name: (row["test"], rnn["test"]) for name, row in plain.items()})
    said = [
        f"the {name} {BEYOND_CHANCE[compared[name].better]}, and {_sooner(row, goal)}" for name, row in plain.items()
    ]
    return f"Here, without weight decay: {'; '.join(said)}."


def _sooner(row: Results, goal: float) -> str:
    """When the mean curve of a row reaches the RNN's last test accuracy."""
    points = zip(row["steps"], row["curves"]["test accuracy"]["mean"], strict=True)
    step = next((step for step, accuracy in points if accuracy >= goal), None)
    if step is None:
        return "never comes to the RNN's last accuracy"
    return f"comes to the RNN's last accuracy within {step:,} of {row['steps'][-1]:,} steps"


def learned_by_heart(found: Results) -> str:
    """How far test and training loss are apart at the end, for all networks without and with weight decay."""
    ends = []
    for name in ("RNN", "GRU", "BiLSTM"):
        curves = (find(found["rows"], network=name, weight_decay=decay)["curves"] for decay in (0.0, 1e-3))
        without, within = (curve["test loss"]["mean"][-1] / curve["training loss"]["mean"][-1] for curve in curves)
        ends.append(f"{name} {without:.1f}, with weight decay {within:.1f}")
    return f"Test loss divided by training loss at the end of the curves: {'; '.join(ends)}."


def mistakes(model: Results) -> str:
    """The digits that one shipped network most often takes for each other."""
    confusion = model["confusion"]
    pairs = {(a, b): confusion[a][b] + confusion[b][a] for a in range(10) for b in range(a)}
    (a, b), most = max(pairs.items(), key=lambda pair: pair[1])
    return (
        f"`{model['model']}` confuses {b} and {a} most often: it takes a {b} for a {a} {_times(confusion[b][a])} and a "
        f"{a} for a {b} {_times(confusion[a][b])}, which is {percent(most / len(model['wrong']), 0)} of its mistakes."
    )


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def adders_found(found: Results) -> str:
    """A table: which share of the seeds found an adder, by cell and loss (down) and hidden units (to the right)."""
    sizes, losses = (sorted({row[name] for row in found["rows"]}) for name in ("hidden_size", "loss"))
    heads = " | ".join(f"{size} hidden" for size in sizes)
    lines = [f"| seeds without a wrong bit | {heads} |", "|:--|" + "--:|" * len(sizes)]
    for cell, loss in itertools.product(CELLS, losses):
        tests = [find(found["rows"], cell=cell, hidden_size=size, loss=loss)["test"] for size in sizes]
        shares = " | ".join(percent(share(test), 0) for test in tests)
        lines.append(f"| {cell.upper()}, {loss.upper()} | {shares} |")
    return "\n".join(lines)


def at_equal_size(grid: Results, found: Results) -> str:
    """How the GRU stands against the others at each size that `found` compares, by the grid's validation accuracy."""
    sizes = {row["network"]: (row["settings"]["num_layers"], row["settings"]["hidden_size"]) for row in found["rows"]}
    chosen = ", ".join(f"{name} {layers} x {hidden}" for name, (layers, hidden) in sizes.items())
    leads = [
        f"with {layers} x {hidden} {_grus_lead(grid, layers, hidden)}" for layers, hidden in sorted({*sizes.values()})
    ]
    return (
        f"They have the sizes that the report chose, layers x hidden units: {chosen}. Of equal size, by the validation "
        f"accuracy of section 1, {'; '.join(leads)}."
    )


def _grus_lead(grid: Results, layers: int, hidden: int) -> str:
    """How the GRU of one size stands against the others of the same."""
    gru, *others = (
        find(grid["rows"], network=name, num_layers=layers, hidden_size=hidden)["validation"]
        for name in ("GRU", "RNN", "BiLSTM")
    )
    pairs = paired_together({name: (gru, other) for name, other in zip(("RNN", "BiLSTM"), others, strict=True)})
    said = [f"{LEAD[each.better]} the {name} ({100 * each.difference:+.2f} points)" for name, each in pairs.items()]
    return f"the GRU is {' and '.join(said)}"
