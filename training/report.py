"""`python -m training report`: the lab report's experiments over many seeds, written to `results/` for the Report page.

Every part trains its cells (see `training.sweep`), which go on where they stopped, and writes one small file: what was
measured, of how many seeds, with which settings, the versions that its cells were made with, and the command.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.files import write_whole
from models.store import WEIGHTS, load
from training.experiments import (
    DIGITS_MODELS,
    addition_cells,
    digits_grid,
    digits_regularised,
    index_cells,
    learning_curve,
    many_seeds,
    recall_cells,
)
from training.reported import SIXTEEN
from training.statistics import mean
from training.sweep import Cell, Result, Work, made_with, processes, sweep
from training.task import Settings
from training.tasks import digits, recall

FOLDER = Path(__file__).parents[1] / "results"
SHOWN_RIGHT = 12  # test images that are read correctly, beside all that are misread

Measured = list[tuple[Cell, Result]]


@dataclass(frozen=True)
class Part:
    """A part of the report: the cells that `seeds` seeds take, what trains one, and what is written of the results."""

    name: str
    seeds: int
    cells: Callable[[int], list[Cell]]
    work: Work
    summarise: Callable[[Measured], dict[str, Any]]
    cache: str


def run(part: Part, seeds: int | None = None, folder: Path = FOLDER, jobs: int | None = None) -> Iterator[int]:
    """Compute what is missing of a part and write `folder`/NAME.json; yields the number of cells done so far."""
    cells, results, cache = part.cells(seeds or part.seeds), [], folder / "cells" / part.cache
    for done, result in enumerate(sweep(cells, cache, part.work, processes(jobs)), start=1):
        results.append(result)
        yield done
    order = {json.dumps(cell, sort_keys=True): number for number, cell in enumerate(cells)}
    results.sort(key=lambda result: order[json.dumps(result[0], sort_keys=True)])
    command = f"python -m training report --only {part.name}" + (f" --seeds {seeds}" if seeds else "")
    about = {"command": command, "seeds": seeds or part.seeds, "versions": made_with(cells, cache)}
    content = json.dumps(_rounded(about | part.summarise(results)), separators=(",", ":"))
    write_whole(folder / f"{part.name}.json", content.encode())


def _rounded(value: Any) -> Any:
    """Numbers with six digits after the point: enough to test, small enough to commit."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def _settings(cell: Cell) -> Settings:
    return Settings.of(cell["settings"])


def _by(results: Measured, key: Callable[[Settings], Any]) -> Iterable[tuple[Any, Measured]]:
    """The results in groups of equal key, in the order in which the keys first come."""
    keys = list(dict.fromkeys(key(_settings(cell)) for cell, _ in results))
    ordered = sorted(results, key=lambda result: keys.index(key(_settings(result[0]))))
    return ((k, list(group)) for k, group in groupby(ordered, key=lambda result: key(_settings(result[0]))))


def _family(settings: Settings) -> str:
    """The report's name of a digits network: which of its three it is, "RNN", "GRU" or "BiLSTM"."""
    return f"{'Bi' if settings.bidirectional else ''}{settings.cell.upper()}"


def summarise_grid(results: Measured) -> dict[str, Any]:
    """Validation accuracy of every setting and seed; test accuracy of the chosen ones, which were chosen without it."""
    rows = []
    for (family, layers, hidden), group in _by(results, lambda s: (_family(s), s.num_layers, s.hidden_size)):
        row = {"network": family, "num_layers": layers, "hidden_size": hidden, "settings": group[0][0]["settings"]}
        row["parameters"] = group[0][1]["parameters"]
        row["validation"] = [result["curves"][-1]["metrics"]["accuracy"] for _, result in group]
        row["test"] = [result["metrics"]["accuracy"] for _, result in group]
        rows.append(row)
    for _, family in groupby(rows, key=lambda row: row["network"]):
        *others, best = sorted(family, key=lambda row: mean(row["validation"]).mean)
        best["chosen"] = True
        for other in others:
            other["chosen"] = False
            del other["test"]
    return {"rows": rows}


def summarise_regularisation(results: Measured) -> dict[str, Any]:
    """Test accuracy of every seed, and the mean and 95 % interval of the curves."""
    rows = []
    for (family, decay), group in _by(results, lambda s: (_family(s), s.weight_decay)):
        curves = [result["curves"] for _, result in group]
        measures = {"training loss": "train_loss", "test loss": "test_loss", "test accuracy": "test_accuracy"}
        rows.append(
            {
                "network": family,
                "weight_decay": decay,
                "settings": group[0][0]["settings"],
                "test": [result["metrics"]["accuracy"] for _, result in group],
                "steps": [point["step"] for point in curves[0]],
                "curves": {
                    label: _bands([[p[name] for p in curve] for curve in curves]) for label, name in measures.items()
                },
            }
        )
    return {"rows": rows, "tested_images": results[0][0]["tested"]}


def _bands(curves: list[list[float]]) -> dict[str, list[float]]:
    """Mean and interval, point by point, of curves (seeds) of (points)."""
    points = [mean(values) for values in zip(*curves, strict=True)]
    return {name: [getattr(point, name) for point in points] for name in ("mean", "low", "high")}


def read_test_images(cell: Cell) -> Result:
    """What a shipped network makes of MNIST's test images: the confusion matrix and every image that it misreads.

    Images are named by their number only. `right` are the first that it reads correctly.
    """
    x, y = digits.mnist(train=False)
    confidence, said = digits.logits(load(cell["model"]), x).softmax(-1).max(-1)
    confusion = torch.zeros(10, 10, dtype=torch.int64).index_put_((y, said), torch.tensor(1), accumulate=True)
    wrong, right = (said != y).nonzero()[:, 0], (said == y).nonzero()[:SHOWN_RIGHT, 0]

    def named(numbers: torch.Tensor) -> list[list[float]]:
        return [[int(n), int(y[n]), int(said[n]), float(confidence[n])] for n in numbers]

    surest_first = wrong[confidence[wrong].argsort(descending=True)]
    return {"confusion": confusion.tolist(), "wrong": named(surest_first), "right": named(right), "count": len(y)}


def samples_cells(seeds: int) -> list[Cell]:
    """The six shipped networks of section 3.1, and the best reader; nothing is trained, so `seeds` says nothing.

    A cell names the SHA-256 of its weights file, so that a network that was made anew is read anew.
    """
    names = [*(f"{name}{ending}" for name in DIGITS_MODELS for ending in ("", "-l2")), "digits-best"]
    return [{"model": name, "weights": _sha256(WEIGHTS / f"{name}.safetensors")} for name in names]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def summarise_samples(results: Measured) -> dict[str, Any]:
    """For every network: confusion[true][said], and images as [number, true, said, probability of what was said]."""
    return {"models": [{"model": cell["model"]} | result for cell, result in results]}


def summarise_recall(results: Measured) -> dict[str, Any]:
    """Accuracy of every seed, curves, accuracy against length; index x length; the sixteen sequences."""
    plain = [result for result in results if not _settings(result[0]).forget_bias]
    indexed = [result for result in results if _settings(result[0]).forget_bias]  # as in their recipe
    rows = [
        {
            "hidden_size": _settings(cell).hidden_size,
            "readout": _settings(cell).readout,
            "settings": cell["settings"],
            "test": result["metrics"]["accuracy"],
            "curves": _stacked_curves(result, {"validation accuracy": "accuracy"}),
            "by_length": [{"length": row["length"]} | _spread(row["accuracy"]) for row in result["by_length"]],
        }
        for cell, result in plain
    ]
    grid = [
        {"index": _settings(cell).data["index"], "length": row["length"], "accuracy": mean(row["accuracy"]).mean}
        for cell, result in indexed
        for row in result["by_length"]
    ]
    seeds = indexed[0][0]["seeds"] if indexed else 0
    return {"rows": rows, "index_by_length": grid, "index_seeds": seeds, "examples": _sixteen()}


def _sixteen() -> list[dict[str, Any]]:
    """The report's sixteen sequences, read by the shipped networks."""
    models = {f"recall-i1-h{hidden}": load(f"recall-i1-h{hidden}") for hidden in (2, 5, 10)}
    rows = []
    for text in SIXTEEN:
        x = recall.encode([int(digit) for digit in text])[None]
        with torch.inference_mode():
            said = {name: int(network(x).argmax()) for name, network in models.items()}
        rows.append({"sequence": text, "truth": int(text[1]), "said": said})
    return rows


def summarise_addition(results: Measured) -> dict[str, Any]:
    """Bit and whole-sum accuracy of every seed; curves; accuracy against length on random sums and carry chains."""
    rows = []
    for cell, result in results:
        settings = _settings(cell)
        lengths = {
            kind: {metric: _by_length(values) for metric, values in metrics.items()}
            for kind, metrics in result["by_length"].items()
        }
        longest = {kind: metrics["sum_accuracy"][-1] for kind, metrics in result["by_length"].items()}
        rows.append(
            {
                "cell": settings.cell,
                "hidden_size": settings.hidden_size,
                "loss": settings.loss,
                "settings": cell["settings"],
                "test": result["metrics"]["bit_accuracy"],
                "all_pairs": result["all_pairs"]["sum_accuracy"],
                "curves": _stacked_curves(result, {"validation bit accuracy": "bit_accuracy"}),
                "by_length": lengths,
                "longest": longest,
            }
        )
    return {"rows": rows, "longest": len(results[0][1]["by_length"]["carry chains"]["sum_accuracy"])}


def _stacked_curves(result: Result, metrics: dict[str, str]) -> dict[str, Any]:
    """Training loss, validation loss and metrics against the step: the median seed and where nine in ten lie."""
    points = result["curves"]
    values = {
        "training loss": [p["train_loss"] for p in points],
        "validation loss": [p["validation_loss"] for p in points],
    }
    values |= {label: [p["metrics"][name] for p in points] for label, name in metrics.items()}
    return {"steps": [p["step"] for p in points]} | {label: _by_length(each) for label, each in values.items()}


def _by_length(values: list[list[float]]) -> dict[str, list[float]]:
    """Points of (seeds), as lists of mean, median, and the quantiles that leave one seed in twenty out at each end."""
    spreads = [_spread(each) for each in values]
    return {name: [spread[name] for spread in spreads] for name in spreads[0]}


def _spread(values: list[float]) -> dict[str, float]:
    low, median, high = (float(value) for value in np.nanquantile(values, [0.05, 0.5, 0.95]))
    return {"mean": float(np.nanmean(values)), "median": median, "low": low, "high": high}


def _recall_parts(seeds: int) -> list[Cell]:
    """Index 1 over all seeds, every index over a quarter of them."""
    return recall_cells(seeds) + index_cells(max(1, seeds // 4))


PARTS = {
    part.name: part
    for part in (
        Part("grid", 3, digits_grid, learning_curve, summarise_grid, "digits"),
        Part("regularisation", 5, digits_regularised, learning_curve, summarise_regularisation, "digits"),
        Part("samples", 1, samples_cells, read_test_images, summarise_samples, "samples"),
        Part("recall", 64, _recall_parts, many_seeds, summarise_recall, "recall"),
        Part("addition", 64, addition_cells, many_seeds, summarise_addition, "addition"),
    )
}
