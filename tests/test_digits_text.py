"""The sentences of the Digits page, case by case."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.digits_text import (
    accuracy_table,
    comparison_table,
    how_it_works,
    nickname,
    notes,
    notice,
)
from ui.equations import symbols
from ui.words import article, percent

IMAGE = np.zeros((28, 28), np.float32)
IMAGE[5:25, 10:18] = 1.0  # ink in rows 6 to 25, counted from 1


def plain(text: str) -> str:
    """The text with a plain space before each %, where it has one that does not break the line."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def belief(*runs: tuple[int, int, float]) -> np.ndarray:
    """Belief after each row from (digit, up to which row counted from 1, its probability), the rest shared out."""
    rows = []
    for digit, until, probability in runs:
        row = np.full(10, (1 - probability) / 9)
        row[digit] = probability
        rows += [row] * (until - len(rows))
    return np.array(rows)


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (
            [(9, 9, 0.6), (7, 10, 0.8), (7, 28, 0.99)],
            "Sure of 7 from row 11 on; until row 9 it read a 9, at up to 60 %.",
        ),
        (
            [(1, 28, 0.95)],
            "Sure of 1 from row 6 on, having seen one row of ink; since the first ink it has read nothing else.",
        ),
        (
            [(0, 7, 0.5), (0, 28, 0.95)],
            "Sure of 0 from row 8 on, having seen 3 rows of ink; since the first ink it has read nothing else.",
        ),
        ([(3, 20, 0.7), (3, 28, 0.95)], "Sure of 3 from row 21 on; since the first ink it has read nothing else."),
        (
            [(7, 8, 0.9), (3, 12, 0.8), (8, 14, 0.97), (5, 28, 0.92)],
            "Sure of 5 from row 15 on, after 3 changes of mind; in rows 13 to 14 it read an 8, at up to 97 %.",
        ),
        (
            [(8, 24, 0.9999), (6, 26, 0.5), (6, 28, 0.99)],
            "Sure of 6 only from row 27 on, below the last ink; until row 24 it read an 8, at up to 99 %.",
        ),
        (
            [(4, 27, 0.5), (4, 28, 0.99)],
            "Sure of 4 only from row 28 on, below the last ink; since the first ink it has read nothing else.",
        ),
        (
            [(9, 27, 0.99), (4, 28, 0.5)],
            "Not sure in the end: after the last row it reads 4 at 50.0 %, in second place 0 at 5.6 %.",
        ),
        (
            [(4, 20, 0.95), (4, 28, 0.8)],
            "Not sure in the end: after the last row it reads 4 at 80.0 %, in second place 0 at 2.2 %.",
        ),
        (
            [(1, 5, 0.95), (9, 27, 0.8), (4, 28, 0.5)],
            "Never sure: after the last row it reads 4 at 50.0 %, in second place 0 at 5.6 %.",
        ),
        # What it believed before the first ink is no change of mind.
        (
            [(1, 3, 0.5), (4, 5, 0.5), (7, 28, 0.95)],
            "Sure of 7 from row 6 on, having seen one row of ink; since the first ink it has read nothing else.",
        ),
        # The peak is that of the last misreading, not of an earlier one of the same digit.
        (
            [(9, 8, 0.95), (3, 10, 0.5), (9, 12, 0.6), (7, 28, 0.95)],
            "Sure of 7 from row 13 on, after 3 changes of mind; in rows 11 to 12 it read a 9, at up to 60 %.",
        ),
    ],
)
def test_the_sentence_says_what_happened(runs: list[tuple[int, int, float]], sentence: str) -> None:
    assert plain(notice(IMAGE, belief(*runs))) == sentence


def test_an_image_without_ink_is_a_guess() -> None:
    assert notice(np.zeros((28, 28)), belief((1, 28, 0.95))).startswith("There is no ink")


@given(
    seed=st.integers(0, 2**32 - 1),
    sharpness=st.floats(0.1, 30),
    ink=st.lists(st.integers(0, 27), max_size=28),
)
def test_any_reading_gets_one_true_sentence(seed: int, sharpness: float, ink: list[int]) -> None:
    logits = np.random.default_rng(seed).normal(size=(28, 10)).cumsum(axis=0) * sharpness
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    rows /= rows.sum(axis=1, keepdims=True)
    image = np.zeros((28, 28))
    image[ink] = 1
    sentence = notice(image, rows)
    assert sentence.endswith(".")
    if sentence.startswith("Sure of "):
        digit = int(sentence[8])
        start = int(sentence.split("from row ")[1].split()[0].rstrip(";,")) - 1
        assert (rows[start:].argmax(axis=1) == digit).all()
        assert (rows[start:, digit] >= 0.9).all()
        assert start == min(ink) or rows[start - 1, digit] < 0.9 or rows[start - 1].argmax() != digit
    elif ink:
        assert rows[-1].max() < 0.9


def test_notes_name_the_two_most_probable_digits_of_each_row() -> None:
    rows = np.zeros((28, 10))
    rows[:, 7], rows[:, 9] = 0.962, 0.021
    rows[0] = 0.1
    assert plain(notes(rows)[16]) == "7 at 96.2 %, in second place 9 at 2.1 %."
    assert plain(notes(rows)[0]) == "0 at 10.0 %, in second place 1 at 10.0 %."


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0.0 %"), (0.5, "50.0 %"), (0.9994, "99.9 %"), (0.9996, "over 99.9 %"), (1.0, "100.0 %")],
)
def test_percent_promises_no_certainty(probability: float, text: str) -> None:
    assert plain(percent(probability)) == text


def test_articles() -> None:
    assert [article(digit) for digit in (7, 8, 9)] == ["a 7", "an 8", "a 9"]


def card(**changes: object) -> dict[str, object]:
    plain_card = {"cell": "gru", "num_layers": 2, "hidden_size": 256, "input_size": 28, "bidirectional": False}
    plain_card |= {"readout": "final"}
    figures = {"weight_decay": 0.0, "epochs": 5, "metrics": {"accuracy": 0.9895}, "report": 0.976}
    return plain_card | figures | changes


@pytest.mark.parametrize(
    ("changes", "name"),
    [({}, "GRU"), ({"weight_decay": 1e-3}, "GRU L2"), ({"cell": "lstm", "bidirectional": True}, "BiLSTM")],
)
def test_nicknames(changes: dict[str, object], name: str) -> None:
    assert nickname(card(**changes)) == name


def test_the_comparison_marks_right_and_wrong_only_where_the_truth_is_known() -> None:
    answers = [np.eye(10)[7] * 0.9 + 0.01, np.eye(10)[9] * 0.5 + 0.05]
    cards = {"GRU": card(), "RNN": card(cell="rnn", metrics={"accuracy": 0.9674}, report=0.899)}
    known = plain(comparison_table(cards, answers, 7)).splitlines()
    assert known[2:] == [
        "| GRU | **7** at 91.0 % :green[✓] | 98.95 % | 97.6 % |",
        "| RNN | **9** at 55.0 % :red[✗] | 96.74 % | 89.9 % |",
    ]
    assert not set(comparison_table(cards, answers, None)) & set("✓✗")


def test_the_table_of_accuracies_shows_ours_and_the_reports() -> None:
    assert plain(accuracy_table({"GRU, 2 layers of 256": card()})).splitlines()[2:] == [
        "| GRU, 2 layers of 256 | 98.95 % | 97.6 % |"
    ]


def test_an_answer_that_is_refused_is_no_answer_in_the_table() -> None:
    answers = [np.eye(10)[6] * 0.1 + 0.09]
    (row,) = plain(comparison_table({"Best reader": card(refusal_threshold=0.5)}, answers, None)).splitlines()[2:]
    assert row.startswith("| Best reader | no digit (6 at 19.0 %) |")


def test_how_it_works_says_how_the_best_reader_is_read_and_made_as_sure_as_it_is_right() -> None:
    best = card(readout="pooled", bidirectional=True, temperature=0.592, refusal_threshold=0.5)
    text = plain(how_it_works(best, card(weight_decay=0.001)))
    assert "largest and the mean value" in text
    assert "read from all states of both halves" in text
    assert "never looks back" not in text
    assert "one half of it reads the rows from top to bottom, the other from bottom" in text
    assert "*temperature* 0.59" in text
    assert "less probable than 50 %" in text
    assert "temperature" not in how_it_works(card(), card(weight_decay=0.001))


@pytest.mark.parametrize(("cell", "mark"), [("rnn", "overwrites"), ("gru", "update gate"), ("lstm", "cell state")])
def test_how_it_works_explains_the_cell_and_its_numbers(cell: str, mark: str) -> None:
    text = how_it_works(card(cell=cell, hidden_size=77), card(weight_decay=0.001))
    assert mark in text
    assert r"h_t" in text.split("$$")[1]
    assert "77 numbers" in text
    assert "0.001 times" in text


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({"cell": "gru", "num_layers": 1}, "its hidden state $h_t$: 77 numbers."),
        (
            {"cell": "lstm", "num_layers": 2},
            "its hidden state $h_t$ and its cell state $c_t$: 77 numbers each in each of its 2 layers, of which every "
            "layer reads the one below it.",
        ),
        (
            {"cell": "rnn", "num_layers": 2, "bidirectional": True},
            "its hidden state $h_t$: 77 numbers in each of its 2 layers, of which every layer reads both halves of the "
            "one below it.",
        ),
    ],
)
def test_how_it_works_says_what_is_taken_along(properties: dict, kept: str) -> None:
    text = how_it_works(card(hidden_size=77, **properties), card(weight_decay=0.001))
    assert kept in text
    assert ("never looks back" in text) is not properties.get("bidirectional", False)


@pytest.mark.parametrize(
    ("readout", "bidirectional", "formula"),
    [
        ("final", False, r"W h_{28} + b"),
        ("final", True, r"W [\overrightarrow{h}_{28}; \overleftarrow{h}_{1}] + b"),
        ("last", True, r"W [\overrightarrow{h}_{28}; \overleftarrow{h}_{28}] + b"),
        ("pooled", True, r"[\max_t h_t;"),
    ],
)
def test_how_it_works_gives_the_formula_of_the_answer(readout: str, bidirectional: bool, formula: str) -> None:
    text = how_it_works(card(readout=readout, bidirectional=bidirectional), card(weight_decay=0.001))
    assert formula in text


def test_symbols_that_do_not_occur_are_not_explained() -> None:
    assert r"\sigma" not in symbols("rnn") and r"\odot" not in symbols("rnn")
    assert r"\sigma" in symbols("gru") and r"\odot" in symbols("lstm")
