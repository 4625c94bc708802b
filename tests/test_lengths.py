"""All lengths at once: against one length at a time."""

import pytest
import torch

from models import Network, load, names
from training.metrics import evaluate
from training.tasks import addition
from training.tasks.lengths import accuracy_by_length


@pytest.mark.parametrize("name", names("addition"))
def test_carry_chains_are_rated_as_one_length_at_a_time(name: str) -> None:
    network = load(name)
    rows = accuracy_by_length(network, 12, "carry chains")
    assert [row["length"] for row in rows] == list(range(1, 13))
    for row in rows:
        examples = addition.carry_chains(row["length"])
        alone = evaluate(network, examples, "bce", addition.correct)
        assert row["pairs"] == len(examples)
        assert row["bit_accuracy"] == pytest.approx(alone["bit_accuracy"])
        assert row["sum_accuracy"] == pytest.approx(alone["sum_accuracy"])


def test_random_numbers_are_rated_by_their_lowest_bits() -> None:
    network = load("addition-mse-h2")
    rows = accuracy_by_length(network, 20, "random numbers", count=300, seed=3)
    ((x, _),) = addition.generate(64, 300, 1, seed=3).groups
    for row in rows:
        a, b = x[:, : row["length"]].long().unbind(-1)
        alone = evaluate(network, addition.examples(a, b), "bce", addition.correct)
        assert row["pairs"] == 300
        assert row["bit_accuracy"] == pytest.approx(alone["bit_accuracy"])
        assert row["sum_accuracy"] == pytest.approx(alone["sum_accuracy"])


def test_a_bidirectional_network_reads_every_length_anew() -> None:
    torch.manual_seed(0)
    network = Network(2, 1, cell="gru", hidden_size=3, bidirectional=True, readout="every").eval()
    for row in accuracy_by_length(network, 6, "carry chains"):
        alone = evaluate(network, addition.carry_chains(row["length"]), "bce", addition.correct)
        assert row["bit_accuracy"] == pytest.approx(alone["bit_accuracy"])
