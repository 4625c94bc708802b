"""What the Report page's explanations say came out: true of whatever the results are."""

import json
import re

import numpy as np
import pytest

from training.report import FOLDER
from ui import report_text

TEXTS = {name: text for name, text in vars(report_text).items() if name.isupper() and isinstance(text, str)}


def results(part: str) -> dict:
    return json.loads((FOLDER / f"{part}.json").read_text())


@pytest.mark.parametrize("name", TEXTS)
def test_no_outcome_is_typed_by_hand(name: str) -> None:
    assert not re.findall(
        r"always|practically never|nearly|rarely|both read|better|worse than|none of these", TEXTS[name]
    )


def digits_results(gru: list[float], bilstm: list[float], goal: float) -> dict:
    tests = {"RNN": [0.95, 0.96, 0.955, 0.952, 0.958], "GRU": gru, "BiLSTM": bilstm}
    accuracy = {"RNN": [0.5, 0.7, goal], "GRU": [0.6, 0.8, 0.9], "BiLSTM": [0.1, 0.2, 0.3]}
    losses = {"training loss": {"mean": [0.5, 0.3, 0.1]}, "test loss": {"mean": [0.5, 0.4, 0.25]}}
    return {
        "rows": [
            {
                "network": name,
                "weight_decay": decay,
                "test": test,
                "steps": [500, 1000, 1500],
                "curves": losses | {"test accuracy": {"mean": accuracy[name]}},
            }
            for name, test in tests.items()
            for decay in (0.0, 1e-3)
        ]
    }


def test_whether_gates_help_is_computed() -> None:
    rnn = [0.95, 0.96, 0.955, 0.952, 0.958]
    said = report_text.gates(digits_results([1.02 * x for x in rnn], [0.98 * x for x in rnn], 0.75))
    assert "the GRU reads better than the RNN beyond chance" in said
    assert "comes to the RNN's last accuracy within 1,000 of 1,500 steps" in said
    assert "the BiLSTM reads worse than the RNN beyond chance, and never comes" in said
    assert "the GRU reads no better than" in report_text.gates(digits_results(rnn, rnn, 0.75))


def test_how_far_a_network_learned_by_heart_is_computed() -> None:
    said = report_text.learned_by_heart(digits_results([1.0] * 5, [1.0] * 5, 0.7))
    assert said.count("2.5, with weight decay 2.5") == 3


def test_the_most_frequent_mistake_is_computed() -> None:
    confusion = [[9 * (a == b) for a in range(10)] for b in range(10)]
    confusion[4][9], confusion[9][4], confusion[1][7] = 5, 1, 4
    said = report_text.mistakes({"model": "digits-gru", "confusion": confusion, "wrong": [None] * 10})
    assert "confuses 4 and 9 most often" in said
    assert "takes a 4 for a 9 5 times and a 9 for a 4 once" in said
    assert "60" in said


def test_who_finds_an_adder_is_computed() -> None:
    rows = [
        {"cell": cell, "hidden_size": size, "loss": loss, "test": [1.0, 0.9 + 0.1 * (size == 10 and loss == "mse")]}
        for cell in report_text.CELLS
        for size in (2, 10)
        for loss in ("bce", "mse")
    ]
    heads, _, *lines = report_text.adders_found({"rows": rows}).replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert heads.endswith("| 2 hidden | 10 hidden |")
    assert lines[:2] == ["| RNN, BCE | 50 % | 50 % |", "| RNN, MSE | 50 % | 100 % |"]
    assert [line.split(" | ")[0] for line in lines[1:]] == [
        "| RNN, MSE",
        "| GRU, BCE",
        "| GRU, MSE",
        "| LSTM, BCE",
        "| LSTM, MSE",
    ]


def grid_row(network: str, hidden: int, validation: list[float]) -> dict:
    return {"network": network, "num_layers": 2, "hidden_size": hidden, "validation": validation}


def test_how_the_grus_lead_stands_at_equal_size_is_computed() -> None:
    base = np.array([0.95, 0.96, 0.955])
    near = base + np.array([1e-4, -2e-4, 1e-4])  # three equal differences would be no evidence
    tests = {
        ("GRU", 128): base, ("RNN", 128): near - 0.02, ("BiLSTM", 128): near + 0.01,
        ("GRU", 256): base, ("RNN", 256): near - 0.01, ("BiLSTM", 256): np.array([0.96, 0.95, 0.955]),
    }  # fmt: skip
    grid = {"rows": [grid_row(*setting, validation.tolist()) for setting, validation in tests.items()]}
    chosen = {"RNN": 128, "GRU": 256, "BiLSTM": 128}
    found = [{"network": name, "settings": {"num_layers": 2, "hidden_size": size}} for name, size in chosen.items()]
    said = report_text.at_equal_size(grid, {"rows": found})
    assert "RNN 2 x 128, GRU 2 x 256, BiLSTM 2 x 128" in said
    assert "with 2 x 128 the GRU is ahead of the RNN (+2.00 points) and behind the BiLSTM (-1.00 points)" in said
    assert "with 2 x 256 the GRU is ahead of the RNN (+1.00 points) and no further than chance from the BiLSTM" in said


def test_the_sentences_can_be_made_of_the_committed_results() -> None:
    regularisation = results("regularisation")
    sentences = [report_text.gates(regularisation), report_text.learned_by_heart(regularisation)]
    sentences += [report_text.mistakes(model) for model in results("samples")["models"]]
    sentences.append(report_text.at_equal_size(results("grid"), regularisation))
    assert all(sentence.endswith(".") and "nan" not in sentence for sentence in sentences)
    assert report_text.adders_found(results("addition")).count("%") == 18  # three cells, sizes and twice as many losses
