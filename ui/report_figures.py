"""The Report page's figures, made of what `python -m training report` wrote. Knows no Streamlit."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from training import reported
from ui.report_charts import CELL_NAMES, Figure, curves, dots, heat_map, lengths, long_curves, long_lengths

Row = dict[str, Any]
DECAYS = {0.0: "without weight decay", 1e-3: "with weight decay"}


def grid_figure(found: Row) -> Figure:
    """Validation accuracy of every setting of the grid."""
    return dots(
        (
            (
                f"{each['network']} {each['num_layers']} x {each['hidden_size']}",
                each["network"],
                each["validation"],
                None,
            )
            for each in found["rows"]
        ),
        "validation accuracy",
    )


def accuracy_figure(found: Row) -> Figure:
    """Test accuracy of the three networks without and with weight decay."""
    return dots(
        (
            (
                f"{each['network']} {DECAYS[each['weight_decay']]}",
                DECAYS[each["weight_decay"]],
                each["test"],
                reported.DIGITS[each["network"], each["weight_decay"]],
            )
            for each in found["rows"]
        ),
        "test accuracy",
    )


def digits_curves(found: Row, network: str, measure: str) -> Figure:
    """One measure of one network without and with weight decay against the step."""
    series = {
        DECAYS[each["weight_decay"]]: each["curves"] | {"steps": each["steps"]}
        for each in found["rows"]
        if each["network"] == network
    }
    return curves(long_curves(series, measure, "mean"), "optimiser step", measure.endswith("accuracy"))


def confusion_figure(found: Row, model: str) -> Figure:
    """What one shipped network said (column) for every true digit (row)."""
    chosen = next(each for each in found["models"] if each["model"] == model)
    table = pd.DataFrame(
        [
            {"said": said, "true digit": true, "images": count if said != true else None, "right": count}
            for true, line in enumerate(chosen["confusion"])
            for said, count in enumerate(line)
        ]
    )
    return heat_map(table, "said", "true digit", "images", share=False, height=420)


def recall_figure(found: Row) -> Figure:
    """Test accuracy by hidden units and read-out."""
    read = {"final": "read where each direction ends", "last": "read at the last digit"}
    return dots(
        (
            (
                f"{each['hidden_size']} hidden, {each['readout']}",
                read[each["readout"]],
                each["test"],
                reported.RECALL[each["hidden_size"]],
            )
            for each in found["rows"]
        ),
        "test accuracy",
    )


def recall_curves(found: Row, readout: str, measure: str) -> Figure:
    """One measure by hidden units against the step."""
    series = {f"{each['hidden_size']} hidden": each["curves"] for each in found["rows"] if each["readout"] == readout}
    return curves(long_curves(series, measure, "median"), "optimiser step", measure.endswith("accuracy"))


def recall_lengths(found: Row, readout: str) -> Figure:
    """Accuracy against the length of the sequence by hidden units."""
    series = {
        f"{each['hidden_size']} hidden": {
            "accuracy": {name: [at[name] for at in each["by_length"]] for name in ("median", "low", "high")}
        }
        for each in found["rows"]
        if each["readout"] == readout
    }
    first = found["rows"][0]["by_length"][0]["length"]
    return lengths(long_lengths(series, first), (3, 10), "digits in the sequence")


def index_figure(found: Row) -> Figure:
    """Accuracy over index and length."""
    table = pd.DataFrame(found["index_by_length"])
    return heat_map(
        table.rename(columns={"length": "digits in the sequence"}), "digits in the sequence", "index", "accuracy"
    )


def addition_figure(found: Row) -> Figure:
    """Bit accuracy by cell, hidden units and loss."""
    return dots(
        (
            (
                f"{CELL_NAMES[each['cell']]} {each['hidden_size']}, {each['loss'].upper()}",
                each["loss"].upper(),
                each["test"],
                reported.ADDITION[each["hidden_size"], each["loss"]],
            )
            for each in found["rows"]
        ),
        "bit accuracy on the test sums",
    )


def _adders(found: Row, cell: str, loss: str) -> dict[str, dict[str, Any]]:
    """The results of one cell and loss by hidden units."""
    return {
        f"{each['hidden_size']} hidden": each for each in found["rows"] if (each["cell"], each["loss"]) == (cell, loss)
    }


def addition_curves(found: Row, cell: str, loss: str, measure: str) -> Figure:
    """One measure of one cell and loss by hidden units against the step."""
    series = {name: each["curves"] for name, each in _adders(found, cell, loss).items()}
    return curves(long_curves(series, measure, "median"), "optimiser step", measure.endswith("accuracy"))


def addition_lengths(found: Row, cell: str, loss: str, kind: str) -> Figure:
    """Accuracy against length of one cell and loss by hidden units."""
    names = {"bit_accuracy": "bit accuracy", "sum_accuracy": "whole-sum accuracy"}
    series = {
        name: {names[metric]: spread for metric, spread in each["by_length"][kind].items()}
        for name, each in _adders(found, cell, loss).items()
    }
    return lengths(long_lengths(series), (5, 5), "bits of each number")


FIGURES: dict[str, Callable[..., Figure]] = {
    figure.__name__: figure
    for figure in (
        grid_figure,
        accuracy_figure,
        digits_curves,
        confusion_figure,
        recall_figure,
        recall_curves,
        recall_lengths,
        index_figure,
        addition_figure,
        addition_curves,
        addition_lengths,
    )
}
