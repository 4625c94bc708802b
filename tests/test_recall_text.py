"""The Recall page's sentences."""

import numpy as np
import pytest

from ui.recall_text import beyond, kept, notes, notice, outside, reach, trained_lengths

SEQUENCE = [7, 0, 5, 3, 9]


def belief(*answers: int) -> np.ndarray:
    """A belief that gives 91 % to each of these answers in turn."""
    rows = np.full((len(answers), 10), 0.01)
    rows[range(len(answers)), answers] = 0.91
    return rows


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ((7, 0, 0, 0, 0), "It knew as soon as it heard the second digit and kept it for 3 more digits."),
        ((0, 0, 0, 0, 0), "It knew as soon as it heard the second digit and kept it for 3 more digits."),
        ((7, 7, 7, 7, 7), "It never knew: after no digit from the second on did it believe in a 0."),
        (
            (7, 0, 5, 0, 0),
            "After one of the 4 digits from the second on it named another digit, at up to 91 %; from the fourth on it "
            "names the right one.",
        ),
        (
            (7, 5, 5, 5, 0),
            "After 3 of the 4 digits from the second on it named other digits, at up to 91 %; from the fifth on it "
            "names the right one.",
        ),
        (
            (7, 0, 0, 8, 8),
            "It knew for a while, and lost it when it heard the fourth digit: it then believed in an 8.",
        ),
        (
            (7, 8, 0, 8, 8),
            "After one of the 4 digits from the second on it named the right one, and after the last it named an 8.",
        ),
    ],
)
def test_the_sentence_says_what_happened(answers: tuple[int, ...], sentence: str) -> None:
    assert notice(SEQUENCE, 1, belief(*answers)).replace("\N{NO-BREAK SPACE}", " ") == sentence


def test_doubt_is_when_it_gives_no_other_digit_half() -> None:
    unsure = np.full((5, 10), 0.09)
    unsure[range(5), (7, 5, 5, 0, 0)] = 0.19
    assert (
        notice(SEQUENCE, 1, unsure) == "It was in doubt for a while, and settled on the right digit after the fourth."
    )


def test_nothing_is_kept_after_the_last_digit() -> None:
    assert notice(SEQUENCE, 4, belief(1, 1, 1, 1, 9)) == "It knew as soon as it heard the fifth digit."
    assert notice(SEQUENCE, 3, belief(1, 1, 1, 3, 3)).endswith("and kept it for one more digit.")


def test_notes_give_both_directions() -> None:
    first, *_ = notes(SEQUENCE, belief(7, 0, 0, 0, 0), belief(0, 5, 3, 9, 9))
    assert first.startswith("7 is heard. Had the sequence ended here, it would say 7 (91.0")
    assert "Had it begun here, it would say 0" in first


def test_lengths_outside_of_training_are_named() -> None:
    assert outside(8, (3, 10)) is None
    assert outside(11, (3, 10)) == (
        "This network was trained on sequences of 3 to 10 digits, none as long as this one."
    )
    assert outside(1, (3, 10)).endswith(", none as short as this one.")
    assert outside(12, (10, 10)).startswith("This network was trained on sequences of 10 digits,")


def test_a_network_for_one_index_was_trained_on_lengths_that_hold_it_and_one_that_is_told_it_on_all() -> None:
    data = {"shortest": 3, "longest": 10, "index": 9}
    assert trained_lengths(data) == (10, 10)
    assert trained_lengths(data | {"query": "any"}) == (3, 10)


def rows_of(*accuracies: float) -> list[dict[str, float]]:
    """Accuracies from a length of 9 on."""
    return [{"length": length, "accuracy": accuracy} for length, accuracy in enumerate(accuracies, 9)]


@pytest.mark.parametrize(
    ("accuracies", "trained", "sentence"),
    [
        ((1.0, 1.0), (3, 10), "It was trained on every length up to the 10 digits that fit this page."),
        ((1.0, 1.0, 0.998), (3, 10), "It stays right far beyond the 10 digits it was trained on."),
        (
            (1.0, 1.0, 0.9, 0.71, 0.74),
            (3, 10),
            "Trained on up to 10 digits, its accuracy falls to 71.0 % at 12 digits.",
        ),
        (
            (0.1, 1.0, 0.5, 0.12, 0.2, 0.068, 0.13),
            (10, 10),
            "Trained on 10 digits only, it does no better than chance (10 %, within the sampling error) "
            "from 14 digits on.",
        ),
        (
            (1.0, 1.0, 0.5, 0.12),
            (3, 10),
            "Trained on up to 10 digits, it does no better than chance (10 %, within the sampling error) "
            "with 12 digits.",
        ),
    ],
)
def test_beyond_the_trained_lengths_chance_is_called_chance(
    accuracies: tuple[float, ...], trained: tuple[int, int], sentence: str
) -> None:
    assert beyond(rows_of(*accuracies), trained, 500).replace("\N{NO-BREAK SPACE}", " ") == sentence


def test_what_is_kept_is_the_probability_of_each_digit_at_its_index() -> None:
    recollections = np.arange(10 * 3 * 10).reshape(10, 3, 10)
    assert kept([4, 0, 9], recollections).tolist() == [[4, 14, 24], [30, 40, 50], [69, 79, 89]]
    assert kept([1] * 12, np.zeros((10, 12, 10))).shape == (10, 12)


def test_how_many_digits_it_can_keep_is_one_sentence() -> None:
    rows = [
        {"index": index, "length": length, "accuracy": 0.5 if index == length - 1 == 3 else 1.0}
        for length in (2, 3, 4)
        for index in range(length)
    ]
    assert reach(rows).startswith("It names the digit at every index of sequences of 2 to 3 digits; with 4 digits 87.5")
    assert reach(rows[-1:]).startswith("At no length does it name the digit at every index; with 4 digits 50.0")
