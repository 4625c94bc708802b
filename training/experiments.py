"""The report's experiments, each over many seeds: what is trained, and what is measured of it."""

from dataclasses import replace
from typing import Any

import torch

from models.network import CELLS
from training.fit import build, fit
from training.metrics import evaluate
from training.pretrain import recipes
from training.stacked import (
    StackedNetwork,
    accuracy_by_length_stacked,
    build_stacked,
    evaluate_stacked,
    fit_stacked,
)
from training.sweep import Cell, Result, cell, grid
from training.task import Settings
from training.tasks import TASKS, addition, recall

TESTED = 2000  # test images at every point of a learning curve; at its end all are measured
QUARTER_EPOCH = 125  # optimiser steps between two points of a learning curve
POINT = 100  # the same for the small networks
LONGEST = addition.MAX_BITS  # of the operands that adders are tested on
RANDOM_PAIRS = 1000
RECALLED = 500  # test sequences of each length
TEST_SEED = 10_000_000  # of test data that all seeds share; far from any seed that a network is trained from
# The networks that the report chose, section 3.1.
DIGITS_MODELS = ("digits-rnn", "digits-gru", "digits-bilstm")


def digits_grid(seeds: int) -> list[Cell]:
    """The report's grid search (section 2.3.1): three networks x 1, 2 layers x 64, 128, 256 hidden units x seeds."""
    axes = {"num_layers": (1, 2), "hidden_size": (64, 128, 256), "seed": range(seeds)}
    return [_learning_curve(settings) for model in DIGITS_MODELS for settings in grid(_settings(model), axes)]


def digits_regularised(seeds: int) -> list[Cell]:
    """The three chosen networks without and with weight decay 1e-3 (section 3.1), each from `seeds` seeds."""
    axes = {"weight_decay": (0.0, 1e-3), "seed": range(seeds)}
    return [_learning_curve(settings) for model in DIGITS_MODELS for settings in grid(_settings(model), axes)]


def _settings(model: str) -> Settings:
    return replace(recipes()[model].settings, seed=0)


def _learning_curve(settings: Settings) -> Cell:
    return cell(settings, validate_every=QUARTER_EPOCH, tested=TESTED)


def learning_curve(cell: Cell) -> Result:
    """Train one network; its loss and accuracy on test data stand beside the validation's at every point of the curve.

    The test data decide nothing: they are measured only because the report's figures show them.
    """
    settings = Settings.of(cell["settings"])
    task = TASKS[settings.task]
    data, network = task.load_data(settings), build(settings)
    curves: list[dict[str, Any]] = []
    for progress in fit(network, data, settings, validate_every=cell["validate_every"]):
        tested = evaluate(network, data.test.first(cell["tested"]), settings.loss, task.correct)
        curves.append(progress.to_dict() | {f"test_{name}": number for name, number in tested.items()})
    metrics = task.exam(network, settings)
    return {"curves": curves, "metrics": metrics, "parameters": network.num_parameters(), "seconds": progress.seconds}


def recall_cells(seeds: int) -> list[Cell]:
    """Section 3.2: index 1 with 2, 5 and 10 hidden units, read out at either place."""
    axes = {"hidden_size": (2, 5, 10), "readout": ("final", "last")}
    return [_stacked(settings, seeds) for settings in grid(TASKS["recall"].defaults, axes)]


def index_cells(seeds: int) -> list[Cell]:
    """Ours: every index that a sequence of ten has, with 10 hidden units, by the recipe of the shipped models."""
    settings = replace(recipes()["recall-i0-h10"].settings, seed=0)
    return [_stacked(each, seeds) for each in grid(settings, {"index": range(10)})]


def addition_cells(seeds: int) -> list[Cell]:
    """Section 3.3: 2, 5 and 10 hidden units and both losses; the report does not say which cell, so all three."""
    axes = {"cell": tuple(CELLS), "hidden_size": (2, 5, 10), "loss": ("bce", "mse")}
    return [_stacked(settings, seeds) for settings in grid(TASKS["addition"].defaults, axes)]


def _stacked(settings: Settings, seeds: int) -> Cell:
    return cell(settings, seeds=seeds, validate_every=POINT)


def many_seeds(cell: Cell) -> Result:
    """Train all seeds of a small network together: learning curves, metrics on test data, and what `MORE` measures.

    Curves and metrics hold a list of one number per seed.
    """
    settings, seeds = Settings.of(cell["settings"]), range(cell["seeds"])
    network = build_stacked(settings, seeds)
    curves = [
        progress.to_dict() for progress in fit_stacked(network, settings, seeds, validate_every=cell["validate_every"])
    ]
    tests = [TASKS[settings.task].load_data(replace(settings, seed=seed)).test for seed in seeds]
    metrics = evaluate_stacked(network, tests, settings)
    return {"curves": curves, "metrics": metrics, "seconds": curves[-1]["seconds"]} | MORE[settings.task](
        network, settings
    )


def _adders(network: StackedNetwork, settings: Settings) -> Result:
    """Accuracy on all pairs of the trained length, and against length on random operands and on carry chains."""
    pairs = [addition.all_pairs(settings.data["length"])] * len(network.networks)
    every = evaluate_stacked(network, pairs, settings)
    kinds = {
        "random numbers": accuracy_by_length_stacked(
            network, addition.generate(LONGEST, RANDOM_PAIRS, 1, seed=TEST_SEED), only_fitting=False
        ),
        "carry chains": accuracy_by_length_stacked(network, addition.carry_chains(LONGEST), only_fitting=True),
    }
    return {"all_pairs": every, "by_length": kinds}


def _recallers(network: StackedNetwork, settings: Settings) -> Result:
    """Accuracy against length, from the shortest sequence that has the index to three times the longest trained on."""
    index = settings.data["index"]
    rows = []
    for length in range(index + 1, recall.MOST_DIGITS + 1):
        ((x, y),) = recall.examples(recall.generate(index, RECALLED, 1, TEST_SEED + length, length, length)).groups
        with torch.inference_mode():
            right = network(x).argmax(-1) == y
        rows.append({"length": length, "accuracy": right.double().mean(dim=1).tolist()})
    return {"by_length": rows}


MORE = {"addition": _adders, "recall": _recallers}
