"""The addition task against the report's own examples and Python's own addition."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import Network
from training.metrics import evaluate
from training.options import change
from training.tasks import TASKS, addition


def sum_of(a: str, b: str) -> str:
    """The task's sum of two binary numbers written as people write them, padding included."""
    x = addition.encode(int(a, 2), int(b, 2), len(a) - 1)
    ((_, y),) = addition.examples(x[None, :-1, 0].long(), x[None, :-1, 1].long()).groups
    return "".join(str(int(bit)) for bit in y[0].flip(0))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("001101", "010000", "011101"), ("001101", "011111", "101100"), ("001101", "000001", "001110")],
)
def test_the_reports_examples(a: str, b: str, expected: str) -> None:
    assert sum_of(a, b) == expected


@given(st.data(), st.integers(1, 62))
def test_the_target_is_the_sum(data: st.DataObject, length: int) -> None:
    numbers = st.integers(0, 2**length - 1)
    a, b = data.draw(numbers), data.draw(numbers)
    x = addition.encode(a, b, length)
    assert x.shape == (length + 1, 2)
    assert addition.decode(x[:, 0]) == a
    assert addition.decode(x[:, 1]) == b
    sums, carries = addition.add(x[:-1, 0].long(), x[:-1, 1].long())
    assert addition.decode(sums) == a + b
    for t in range(length + 1):
        assert carries[t] == ((a % 2**t) + (b % 2**t)) >> t


def test_operands_that_do_not_fit_are_refused() -> None:
    for a, b in ((32, 0), (0, 32), (-1, 0)):
        with pytest.raises(ValueError, match="between 0 and 31"):
            addition.encode(a, b, 5)


def test_all_pairs_are_all_pairs() -> None:
    ((x, y),) = addition.all_pairs(3).groups
    pairs = {(addition.decode(row[:, 0]), addition.decode(row[:, 1])) for row in x}
    assert len(x) == len(pairs) == 64
    assert [addition.decode(row) for row in y] == [sum(map(addition.decode, row.T)) for row in x]


def test_carry_chains_have_a_carry_in_every_place_of_their_run() -> None:
    ((x, y),) = addition.carry_chains(6).groups
    assert len(x) == 42
    numbers = {(addition.decode(row[:, 0]), addition.decode(row[:, 1])) for row in x}
    assert (0b111111, 1) in numbers
    assert (1, 0b011111) in numbers
    for row, sums in zip(x, y, strict=True):
        assert addition.decode(sums) == addition.decode(row[:, 0]) + addition.decode(row[:, 1])
        # a run of ones plus its lowest bit is a single one above the run
        assert sums.sum() == 1


def test_generated_pairs_are_repeatable_and_split_80_to_20() -> None:
    ((first, _),), ((again, _),), ((other, _),) = (addition.generate(5, 10, 3, seed).groups for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    data = addition.load_data(TASKS["addition"].defaults)
    assert (len(data.train), len(data.test), len(data.validation)) == (40_000, 10_000, 10_000)
    assert data.train.groups[0][0].shape == (40_000, 6, 2)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(5, 40))
def test_the_size_is_that_of_the_data(length: int, elements: int, num_batches: int) -> None:
    changes = {"length": length, "elements_in_batch": elements, "num_batches": num_batches}
    settings = change(TASKS["addition"].defaults, changes)
    ((x, _),) = addition.load_data(settings).train.groups
    assert addition.size(settings) == x.shape[:2]


def test_bit_accuracy_and_whole_sum_accuracy() -> None:
    y = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    logits = torch.tensor([[-1.0, 2.0, 3.0], [1.0, 1.0, -1.0]])
    right = addition.correct(logits, y)
    assert right["bit_accuracy"].double().mean() == pytest.approx(5 / 6)
    assert right["sum_accuracy"].tolist() == [True, False]


def test_only_0_plus_0_is_0() -> None:
    network = Network(2, 1, cell="rnn", hidden_size=2, readout="every").eval()
    with torch.no_grad():
        network.linear.weight.zero_()
        network.linear.bias.fill_(-1.0)
    accuracy = evaluate(network, addition.all_pairs(3), "bce", addition.correct)["sum_accuracy"]
    assert accuracy == pytest.approx(1 / 64)
