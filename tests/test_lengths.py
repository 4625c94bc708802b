"""All lengths at once: against one length at a time, and on adders whose errors are known."""

import pytest
import torch
from torch import Tensor, nn

from models import Network, load, names
from training.metrics import evaluate
from training.tasks import addition
from training.tasks.lengths import accuracy_by_length, find_error


class ForgetfulAdder(nn.Module):
    """Adds exactly, but for a carry that has travelled through `memory` columns, which it loses.

    It looks like a network with one output: the state is the carry and how far it has come.
    """

    bidirectional = False

    def __init__(self, memory: int) -> None:
        super().__init__()
        self.memory = memory

    def recurrent(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        carry, travelled = state or (torch.zeros(len(x)), torch.zeros(len(x)))
        logits = []
        for ones in x.sum(-1).unbind(1):
            carry = torch.where(travelled > self.memory, 0.0, carry)
            logits.append((ones + carry) % 2 - 0.5)
            travelled = torch.where((ones == 1) & (carry == 1), travelled + 1, 0.0)
            carry = (ones + carry >= 2).float()
        return torch.stack(logits, dim=1)[..., None], (carry, travelled)

    def linear(self, output: Tensor) -> Tensor:
        return output


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


def test_an_exact_adder_cannot_be_broken() -> None:
    search = find_error(ForgetfulAdder(memory=100))
    assert search.pair is None
    assert (search.exhaustive_length, search.longest) == (5, 64)
    assert (search.carry_chains, search.random_pairs) == (64 * 65, 4000)
    rows = accuracy_by_length(ForgetfulAdder(memory=100), 64, "random numbers", count=50)
    assert all(row["sum_accuracy"] == row["bit_accuracy"] == 1 for row in rows)


@pytest.mark.parametrize("memory", [0, 1, 3, 8, 40, 62])
def test_the_first_length_at_which_a_carry_is_lost_is_found(memory: int) -> None:
    # A carry that is born at bit 0 and has travelled through `memory` + 1 columns is lost at bit `memory` + 2.
    search = find_error(ForgetfulAdder(memory))
    a, b = search.pair
    assert len(a) == len(b) == memory + 2
    assert {addition.decode(a), addition.decode(b)} == {2 ** (memory + 2) - 1, 1}


@pytest.mark.parametrize("name", names("addition"))
@pytest.mark.parametrize("kind", ["random numbers", "carry chains"])
def test_nothing_shorter_is_found_by_rating(name: str, kind: str) -> None:
    network = load(name)
    search = find_error(network)
    wrong = [row["length"] for row in accuracy_by_length(network, 64, kind) if row["sum_accuracy"] < 1]
    if wrong:
        assert len(search.pair[0]) <= min(wrong)


@pytest.mark.parametrize("name", names("addition"))
def test_what_is_found_is_wrong_and_anything_shorter_of_it_is_right(name: str) -> None:
    network = load(name)
    search = find_error(network)
    if search.pair is None:
        return
    a, b = (torch.tensor([side]) for side in search.pair)
    for length in range(1, a.shape[1] + 1):
        ((x, y),) = addition.examples(a[:, :length], b[:, :length]).groups
        with torch.inference_mode():
            right = ((network(x) > 0) == y.bool()).all()
        assert bool(right) == (length < a.shape[1])
