"""The sentences of the Addition page, case by case."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.search import Search
from training.tasks import addition
from ui.addition_text import (
    Sum,
    first_errors,
    longest_carry,
    notes,
    notice,
    search_result,
    short,
    verdict,
    worked,
    written,
)


def added(a: str, b: str, wrong: tuple[int, ...] = (), doubtful: int = 0) -> Sum:
    """The sum of two binary numbers by a network that is wrong at some bits and least sure of one."""
    x = addition.encode(int(a, 2), int(b, 2), max(len(a), len(b))).numpy()
    true = worked(x, np.zeros(len(x)), np.zeros(len(x))).true
    says_one = true.astype(bool) ^ np.isin(np.arange(len(true)), wrong)
    confidence = np.where(np.arange(len(true)) == doubtful, 0.75, 0.98)
    return worked(x, np.where(says_one, 1.0, -1.0), np.where(says_one, confidence, 1 - confidence))


def plain(text: str) -> str:
    """The text with plain spaces before its per-cent signs."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


@given(st.integers(1, 64), st.data())
def test_a_sum_is_worked_out_exactly(length: int, data: st.DataObject) -> None:
    a, b = (data.draw(st.integers(0, 2**length - 1)) for _ in "ab")
    total = added(f"{a:0{length}b}", f"{b:0{length}b}")
    assert len(total.true) == length + 1
    assert addition.decode(total.true) == addition.decode(total.said) == int(written(total.said), 2) == a + b
    assert len(total.wrong) == 0


@given(st.integers(1, 12), st.data())
def test_the_longest_carry_is_found(length: int, data: st.DataObject) -> None:
    a, b = (data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)) for _ in "ab")
    journeys = []  # by following every carry by hand
    for birth in range(length):
        if a[birth] == b[birth] == 1:
            end = birth + 1
            while end < length and a[end] != b[end]:
                end += 1
            journeys.append((end - birth, -birth))
    expected = max(journeys, default=None)
    found = longest_carry(added(written(a), written(b)))
    assert found == (None if expected is None else (-expected[1], expected[0] - expected[1]))


@pytest.mark.parametrize(
    ("total", "sentence"),
    [
        (
            added("01111", "00001", doubtful=3),
            "The longest carry travels 4 places, from bit 0 to bit 4, and the network keeps it all the way; "
            "it is least sure of bit 3, at 75.0 %.",
        ),
        (
            added("11", "11"),
            "Each 1 + 1 begins a new carry: the longest travels 1 place, from bit 0 to bit 1, and the network "
            "keeps it all the way; it is least sure of bit 0, at 75.0 %.",
        ),
        (
            added("001111", "000011", doubtful=2),
            "Each 1 + 1 begins a new carry: the longest travels 3 places, from bit 1 to bit 4, and the network "
            "keeps it all the way; it is least sure of bit 2, at 75.0 %.",
        ),
        (
            added("01111", "00001", wrong=(3, 4)),
            "The longest carry travels 4 places, from bit 0 to bit 4, and the network goes wrong on the way, at bit 3; "
            "it is least sure of bit 0, at 75.0 %.",
        ),
        (
            added("100111", "000001", wrong=(5,)),
            "The longest carry travels 3 places, from bit 0 to bit 3; the network keeps that one and errs elsewhere, "
            "at bit 5; it is least sure of bit 0, at 75.0 %.",
        ),
        (
            added("1010", "0101", doubtful=2),
            "Nothing has to be carried in this sum, and the network adds it correctly; "
            "it is least sure of bit 2, at 75.0 %.",
        ),
        (
            added("1010", "0101", wrong=(0, 4)),
            "Nothing has to be carried in this sum, yet the network gets bits 0 and 4 wrong; "
            "it is least sure of bit 0, at 75.0 %.",
        ),
    ],
)
def test_the_sentence_says_what_to_notice(total: Sum, sentence: str) -> None:
    assert plain(notice(total)) == sentence


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((), "right"),
        ((8,), "wrong at bit 8"),
        ((3, 5), "wrong at bits 3 and 5"),
        ((1, 3, 4, 5), "wrong at bits 1 and 3 to 5"),
        ((0, 2, 4, 6, 8), "wrong at bits 0, 2, 4, 6 and 1 more"),
    ],
)
def test_the_verdict_names_the_wrong_bits(wrong: tuple[int, ...], words: str) -> None:
    assert verdict(added("01101100", "11111111", wrong)) == words


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, ".00"), (0.0049, "<.01"), (0.005, ".01"), (0.5, ".50"), (0.994, ".99"), (0.995, ">.99"), (1.0, "1.00")],
)
def test_only_what_is_certain_has_a_probability_of_0_or_1(probability: float, text: str) -> None:
    assert short(probability) == text


def test_every_bit_has_its_note() -> None:
    lines = notes(added("0111", "0101", wrong=(2,), doubtful=1))
    assert list(map(plain, lines)) == [
        "1 + 1 makes 2: write 0, carry 1. The network says 0 with 98.0 % probability: right.",
        "1 + 0 with carry 1 in makes 2: write 0, carry 1. The network says 0 with 75.0 % probability: right.",
        "1 + 1 with carry 1 in makes 3: write 1, carry 1. The network says 0 with 98.0 % probability: wrong.",
        "0 + 0 with carry 1 in makes 1: write 1, carry 0. The network says 1 with 98.0 % probability: right.",
        "Both numbers have ended, and nothing is carried: write 0. The network says 0 with 98.0 % probability: right.",
    ]
    assert notes(added("1", "1"))[1].startswith("Both numbers have ended, and the carry 1 is left: write 1.")


def test_a_search_names_the_states_it_looked_at() -> None:
    assert search_result(Search(None, 5, 2000, 1000, states=5000)).startswith(
        "No error in all 1,024 pairs of 5 bits and in 2,000 longer ones: carry chains and repeated patterns of up to "
        "1,000 bits, and what leads to 5,000 different states."
    )


def test_a_search_says_exactly_what_it_tried() -> None:
    longer = "2,000 longer ones: carry chains, repeated patterns and mixtures of up to 1,000 bits"
    assert search_result(Search(None, 5, 2000, 1000)) == (
        f"No error in all 1,024 pairs of 5 bits and in {longer}. "
        "That is no proof: the tab Proof has what can be proved."
    )
    assert search_result(Search(([1] * 8, [1] + [0] * 7), 5, 2000, 1000)) == (
        f"Found a pair of 8 bits, and no shorter one, in all 1,024 pairs of 5 bits and {longer}."
    )
    assert search_result(Search(([1] * 80, [1] + [0] * 79), 5, 2000, 1000)).endswith(
        "It is longer than the 64 bits that fit on the screen."
    )
    assert search_result(Search(([1, 1], [1, 0]), 5, 2000, 1000)) == (
        "Found by trying all pairs: none of fewer than 2 bits is added wrongly."
    )


def test_where_errors_begin() -> None:
    def rows(first: int | None) -> list[dict[str, float]]:
        return [{"length": t, "sum_accuracy": 1.0 if first is None or t < first else 0.9} for t in range(1, 33)]

    assert first_errors({"A": rows(8)}, "carry chains") == (
        "On carry chains of up to 32 bits, the first error is at 8 bits (A)."
    )
    assert first_errors({"A": rows(None)}, "random numbers") == (
        "On random numbers of up to 32 bits, A makes no error."
    )
    assert first_errors({"A": rows(10), "B": rows(None), "C": rows(8), "D": rows(8), "E": rows(None)}, "sums") == (
        "On sums of up to 32 bits, B and E make no error; the first errors are at 8 bits (C and D) and at 10 bits (A)."
    )
