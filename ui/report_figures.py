"""The Report page's figures, made of what `python -m training report` wrote. Knows no Streamlit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from training import reported
from ui.report_charts import Figure, curves, dots, heat_map, image_sheet, lengths, long_curves, long_lengths
from ui.words import metric_in_words

Row = dict[str, Any]
DECAYS = {0.0: "without weight decay", 1e-3: "with weight decay"}
READ = {"final": "read where each direction ends", "last": "read at the last digit"}


def grid_name(row: Row) -> str:
    """What the figures call a row of the results, as the next four do."""
    return f"{row['network']} {row['num_layers']} x {row['hidden_size']}"


def decay_name(row: Row) -> str:
    """Of digits networks, which differ in size, with and without weight decay."""
    return f"{grid_name(row | row['settings'])}, {DECAYS[row['weight_decay']]}"


def recall_name(row: Row) -> str:
    """Of recall networks with both read-outs."""
    return f"{row['hidden_size']} hidden, {READ[row['readout']]}"


def units_name(row: Row) -> str:
    """Of networks that differ in nothing else."""
    return f"{row['hidden_size']} hidden"


def adder_name(row: Row) -> str:
    """Of adders with all cells and losses."""
    return f"{row['cell'].upper()} {row['hidden_size']}, {row['loss'].upper()}"


def grid_figure(found: Row) -> Figure:
    """Validation accuracy of every setting of the grid."""
    return dots(
        ((grid_name(each), each["network"], each["validation"], None) for each in found["rows"]),
        "validation accuracy",
    )


def accuracy_figure(found: Row) -> Figure:
    """Test accuracy of the three networks without and with weight decay."""
    return dots(
        (
            (
                decay_name(each),
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


def images_table(rows: list[list[float]]) -> pd.DataFrame:
    """Test images, of which the results know number, label, what was said, and how probable that was to the network."""
    table = pd.DataFrame(rows, columns=["image", "true", "said", "probability"])
    return table.astype({"image": int, "true": int, "said": int})


def images_figure(rows: list[list[float]], images: list[np.ndarray]) -> Figure:
    """The same as pictures (28, 28), ink = 1, each with what was said and, where that is wrong, what it is."""
    table = images_table(rows)
    each = table.itertuples(index=False)
    captions = [str(said) if said == true else f"{said}, not {true}" for _, true, said, _ in each]
    return Figure(image_sheet(images, captions), table)


def recall_figure(found: Row) -> Figure:
    """Test accuracy by hidden units and read-out."""
    return dots(
        (
            (
                recall_name(each),
                READ[each["readout"]],
                each["test"],
                reported.RECALL[each["hidden_size"]],
            )
            for each in found["rows"]
        ),
        "test accuracy",
    )


def recall_curves(found: Row, readout: str, measure: str) -> Figure:
    """One measure by hidden units against the step."""
    series = {units_name(each): each["curves"] for each in found["rows"] if each["readout"] == readout}
    return curves(long_curves(series, measure, "median"), "optimiser step", measure.endswith("accuracy"))


def recall_lengths(found: Row, readout: str) -> Figure:
    """Accuracy against the length of the sequence by hidden units."""
    series = {
        units_name(each): {
            "accuracy": {name: [at[name] for at in each["by_length"]] for name in ("median", "low", "high")}
        }
        for each in found["rows"]
        if each["readout"] == readout
    }
    first = found["rows"][0]["by_length"][0]["length"]
    return lengths(long_lengths(series, first), (3, 10), "digits in the sequence", "share named correctly")


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
                adder_name(each),
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
    return {units_name(each): each for each in found["rows"] if (each["cell"], each["loss"]) == (cell, loss)}


def addition_curves(found: Row, cell: str, loss: str, measure: str) -> Figure:
    """One measure of one cell and loss by hidden units against the step."""
    series = {name: each["curves"] for name, each in _adders(found, cell, loss).items()}
    return curves(long_curves(series, measure, "median"), "optimiser step", measure.endswith("accuracy"))


def addition_lengths(found: Row, cell: str, loss: str, kind: str, units: str) -> Figure:
    """Both accuracies against length of one cell, loss and hidden size, which `units_name` names."""
    measured = _adders(found, cell, loss)[units]["by_length"][kind]
    series = {metric_in_words(metric): {units: spread} for metric, spread in measured.items()}
    return lengths(long_lengths(series), (5, 5), "bits of each number", f"share that is right, {units}")


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
