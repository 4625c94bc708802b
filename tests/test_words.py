"""How settings, metrics and what someone typed are written on the pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.models import with_marks
from ui.words import cell_name, escaped, in_words, metric_in_words, verdict


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("rnn", "RNN"),
        ("label_smoothing", "label smoothing"),
        ("num_layers", "layers"),
        ("final", "final states"),
        (True, "yes"),
        (7, "7"),
    ],
)
def test_settings_are_words(value: object, words: str) -> None:
    assert in_words(value) == words


def test_names_of_metrics_and_cells() -> None:
    assert metric_in_words("all_pairs_sum_accuracy") == "whole-sum accuracy on all pairs"
    assert (cell_name("lstm", True), cell_name("rnn", False)) == ("BiLSTM", "RNN")


def test_a_verdict_names_the_digit() -> None:
    assert "right" in verdict(3, 3)
    assert "it is an 8" in verdict(3, 8)


def test_what_was_typed_is_no_markdown() -> None:
    assert escaped("]![x](https://a.b) :red[y] `z` $1$ <b>") == (
        r"\]!\[x\](https\://a.b) \:red\[y\] \`z\` \$1\$ \<b\>".replace(r"https\:", "https:")
    )
    assert escaped("index 77: choose one from 0 to 9.") == "index 77: choose one from 0 to 9."


@given(st.text())
def test_escaping_loses_nothing(text: str) -> None:
    assert escaped(text).replace("\\", "") == text.replace("\\", "")


def test_marks_in_a_table_leave_other_choices_alone() -> None:
    assert with_marks(["a", "b"], shown=["b"], marked=["b", "c"]) == ["a", "b", "c"]
    assert with_marks(["a", "b", "c"], shown=["b", "c"], marked=["c"]) == ["a", "c"]
    assert with_marks([], shown=[], marked=["c"]) == ["c"]
