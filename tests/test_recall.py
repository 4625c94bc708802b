"""The recall task against the report's own examples."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import Network, trace
from training.options import change
from training.tasks import TASKS, recall


@pytest.mark.parametrize(
    ("sequence", "expected"), [([1, 2, 4, 8, 0, 2], 2), ([1, 6, 0, 1], 6), ([7, 0, 5, 3, 9, 9, 4, 5], 0)]
)
def test_the_reports_examples_at_index_1(sequence: list[int], expected: int) -> None:
    assert sequence[1] == expected
    assert recall.encode(sequence).argmax(-1).tolist() == sequence


@given(st.integers(0, 9), st.integers(0, 2**31 - 1))
def test_every_batch_has_one_length_and_the_digit_at_the_index(index: int, seed: int) -> None:
    for digits, targets in recall.generate(index, elements_in_batch=4, num_batches=6, seed=seed):
        assert max(3, index + 1) <= digits.shape[1] <= 10
        assert targets.tolist() == [row[index] for row in digits.tolist()]


def test_lengths_are_uniform_from_3_to_10() -> None:
    lengths = torch.tensor([digits.shape[1] for digits, _ in recall.generate(1, 1, 8000, seed=0)])
    counts = torch.bincount(lengths, minlength=11)[3:]
    assert counts.sum() == 8000
    assert (counts - 1000).abs().max() < 5 * 1000**0.5


def test_the_same_seed_gives_the_same_data_and_another_one_other_data() -> None:
    first, again, other = (recall.generate(1, 5, 3, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert any(
        not torch.equal(a, b) if a.shape == b.shape else True for (a, _), (b, _) in zip(first, other, strict=True)
    )


def test_data_are_split_80_to_20_in_batches_of_one_length() -> None:
    settings = TASKS["recall"].defaults
    data = recall.load_data(settings)
    assert (len(data.train), len(data.test), len(data.validation)) == (40_000, 10_000, 10_000)
    assert data.train.num_batches(50) == 800
    batches = list(data.train.batches(50, torch.Generator().manual_seed(0)))
    assert len(batches) == 800
    assert {len(x) for x, _ in batches} == {50}
    assert sum(len(x) for x, _ in batches) == 40_000


def test_lengths_from_above_to_below_and_what_is_no_digit_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be above the longest"):
        recall.generate(1, 5, 5, 0, shortest=5, longest=3)
    with pytest.raises(ValueError, match="must not be above the longest"):
        recall.generate_queries(5, 5, 0, shortest=5, longest=3)
    for digit in (10, -1):
        with pytest.raises(ValueError, match="Only the digits 0 to 9"):
            recall.encode([digit])


def test_an_index_beyond_the_longest_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="index must be below"):
        change(TASKS["recall"].defaults, {"index": 10})
    with pytest.raises(ValueError, match="index"):
        recall.generate(10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("705", [7, 0, 5]), ("7 0 5", [7, 0, 5]), ("7, 0,5", [7, 0, 5]), (" 7 ", [7]), ("0" * 30, [0] * 30)],
)
def test_digits_are_read_with_or_without_commas(text: str, expected: list[int]) -> None:
    assert recall.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one"),
        (" , ", "at least one"),
        ("7 a 5", "not “a”"),
        ("-1", "not “-”"),
        ("1" * 31, "up to 30"),
        ("²", "not “²”"),
    ],
)
def test_what_is_no_sequence_is_refused_with_one_sentence(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recall.parse(text)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.sampled_from(["", " ", ",", ", "]))
def test_parsing_undoes_writing(sequence: list[int], between: str) -> None:
    assert recall.parse(between.join(map(str, sequence))) == sequence


@given(st.integers(1, 6), st.integers(0, 8), st.integers(0, 2**31 - 1))
def test_every_question_is_one_more_element_and_the_target_the_digit_there(low: int, more: int, seed: int) -> None:
    for elements, targets in recall.generate_queries(4, 6, seed, low, low + more):
        assert low <= elements.shape[1] - 1 <= low + more
        for (*sequence, asked), expected in zip(elements.tolist(), targets.tolist(), strict=True):
            assert asked < min(len(sequence), 10)
            assert sequence[asked] == expected


def test_every_index_that_there_is_is_asked_for_as_often() -> None:
    (elements, _), *_ = recall.generate_queries(8000, 1, seed=0, shortest=8, longest=8)
    counts = torch.bincount(elements[:, -1], minlength=10)
    assert counts[8:].sum() == 0
    assert (counts[:8] - 1000).abs().max() < 5 * 1000**0.5


def test_data_with_questions_have_one_element_more() -> None:
    settings = change(TASKS["recall"].defaults, {"query": "any", "num_batches": 100})
    data = recall.load_data(settings)
    assert (len(data.train), len(data.test), len(data.validation)) == (4000, 1000, 1000)
    assert {x.shape[1] for x, _ in data.train.groups} == set(range(4, 12))
    assert recall.size(settings) == (4000, 11)


@given(st.sampled_from(list(recall.QUERIES)), st.integers(3, 9), st.integers(1, 5), st.integers(5, 40))
def test_the_size_is_that_of_the_data(query: str, longest: int, elements: int, num_batches: int) -> None:
    changes = {"query": query, "longest": longest, "elements_in_batch": elements, "num_batches": num_batches}
    settings = change(TASKS["recall"].defaults, changes)
    train = recall.load_data(settings).train
    sequences, T = recall.size(settings)
    assert sequences == len(train)
    assert max(x.shape[1] for x, _ in train.groups) <= T


def test_a_fixed_index_is_checked_and_one_that_is_told_is_not() -> None:
    assert change(TASKS["recall"].defaults, {"query": "any", "longest": 5, "index": 7}).data["query"] == "any"


class Perfect(Network):
    """Names the digit at the index that the last element asks for; index 9 it takes for 0."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        rows = torch.arange(len(x))
        asked = x[rows, lengths - 1].argmax(-1) % 9
        return 20 * x[rows, asked]


def test_accuracy_by_index_of_a_network_that_mistakes_one_index() -> None:
    rows = recall.accuracy_by_index(Perfect(10, 10, hidden_size=2), range(8, 13), count=300)
    assert [(row["length"], row["index"]) for row in rows] == [(L, i) for L in range(8, 13) for i in range(min(L, 10))]
    assert all(row["accuracy"] == 1 for row in rows if row["index"] < 9)
    assert all(row["accuracy"] < 0.2 for row in rows if row["index"] == 9)


def test_the_exam_finds_the_index_that_is_worst() -> None:
    settings = change(TASKS["recall"].defaults, {"query": "any", "num_batches": 100})
    metrics = recall.exam(Perfect(10, 10, hidden_size=2), settings)
    assert metrics["accuracy"] > 0.95
    assert metrics["lowest_accuracy"] < 0.2


def test_recollections_are_the_answers_to_every_question_after_every_digit() -> None:
    torch.manual_seed(0)
    network = Network(10, 10, cell="lstm", hidden_size=6).eval()
    sequence = [7, 0, 5, 3]
    found = recall.recollections(network, sequence)
    assert found.shape == (10, 4, 10)
    for index in range(10):
        for t in range(4):
            with torch.inference_mode():
                asked = network(recall.encode([*sequence[: t + 1], index])[None])[0]
            assert found[index, t] == pytest.approx(asked.softmax(-1).numpy(), abs=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_effects_are_the_mean_distances_of_the_states_with_another_digit(cell: str) -> None:
    torch.manual_seed(0)
    network = Network(10, 10, cell=cell, hidden_size=6).eval()
    sequence = [7, 0, 5]

    def state(digits: list[int]) -> np.ndarray:
        traced = trace(network, recall.encode(digits))
        return (traced.cell if cell == "lstm" else traced.hidden)[0, 0, -1]

    found = recall.effects(network, sequence)
    assert found.shape == (3, 6)
    for t in range(3):
        others = [[*sequence[:t], other, *sequence[t + 1 :]] for other in range(10) if other != sequence[t]]
        expected = np.mean([np.abs(state(digits) - state(sequence)) for digits in others], axis=0)
        assert found[t] == pytest.approx(expected, abs=1e-5)


def test_accuracy_by_length_of_a_network_that_always_says_3() -> None:
    network = Network(10, 10, cell="lstm", hidden_size=2, bidirectional=True).eval()
    with torch.no_grad():
        network.linear.weight.zero_()
        network.linear.bias.copy_(torch.arange(10) == 3)
    rows = recall.accuracy_by_length(network, 1, range(2, 5), count=2000)
    assert [row["length"] for row in rows] == [2, 3, 4]
    assert all(abs(row["accuracy"] - 0.1) < 0.03 for row in rows)
