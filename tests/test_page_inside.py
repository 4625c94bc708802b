"""The tab Look inside on all three pages, and what it says."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from models import CELLS, Network, load, trace
from models.fixed_points import FixedPoint
from models.occlusion import answers
from models.projection import plane
from tests.pages import opened, texts
from training.tasks import addition, samples
from ui import picture
from ui.inside import PARTS
from ui.inside_charts import decades, ground, saliency, trajectory
from ui.inside_text import changes, correlations, rests, signed, sums, vanishing
from ui.words import percent

ROOT = Path(__file__).parents[1]
MODELS = {
    "digits": ("digits-best", "digits-rnn", "digits-bilstm"),
    "recall": ("recall-i1-h2", "recall-any"),
    "addition": ("addition-bce-h10", "addition-ideal-h2"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("task", "model"), [(task, model) for task, models in MODELS.items() for model in models])
def test_every_part_opens_for_every_kind_of_network(task: str, model: str, part: str) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page(f"pages/{task}.py")
    app.query_params[f"{task}_tab"] = "Look inside"
    app.query_params[f"{task}_model"] = model
    app.query_params[f"inside_{task}_part"] = part
    app.run()
    assert not app.exception
    assert app.session_state[f"{task}_model"] == model
    assert app.segmented_control(key=f"inside_{task}_part").value == part


def test_blank_rows_are_as_many_as_is_asked_for() -> None:
    """Of MNIST's test image 0 the rows 8 to 27 have ink; where MNIST is absent another digit stands in for it."""
    image = samples.sample(0).image
    inked = np.flatnonzero(image.max(axis=1) > 0) + 1
    first, last = inked[0], inked[-1]
    names = {
        "one row": [f"row {row} blank" for row in inked],
        "5 rows": [f"rows {row} to {row + 4} blank" for row in range(first, last - 3)],
        "all above": [f"all above row {row} blank" for row in range(first + 1, last + 1)],
        "all below": [f"all below row {row} blank" for row in range(first, last)],
    }
    for kind, expected in names.items():
        app = opened("digits", digits_tab="Look inside", inside_digits_part="What if", inside_digits_change=kind)
        assert app.selectbox(key="inside_digits_variant").options == expected
        assert re.search(rf"\b{len(expected)} changes alter", texts(app))


@pytest.mark.parametrize(("sequence", "shown"), [("7", False), ("70", False), ("705", True)])
def test_a_plane_needs_three_steps(sequence: str, shown: bool) -> None:
    part = {"recall_tab": "Look inside", "inside_recall_part": "Plane and fixed points"}
    app = opened("recall", sequence=sequence, index="0", **part)
    assert ("principal components hold" in texts(app)) == shown
    assert bool(app.info) != shown


def test_what_the_page_would_not_call_a_digit_is_not_called_so_here() -> None:
    query = {"inside_digits_part": "What if", "inside_digits_change": "all below"}
    image = samples.sample(0).image
    app = opened("digits", digits_tab="Look inside", **query)
    first = app.selectbox(key="inside_digits_variant").value
    top = int(re.search(r"row (\d+)", first)[1])
    (rest,) = answers(load("digits-best"), np.where(np.arange(28)[:, None] < top, image, 0)[None])
    assert rest.max() < load("digits-best").card["refusal_threshold"]
    assert f"**{first}**: does not look like a digit ({rest.argmax()} at {percent(rest.max())})" in texts(app)


def test_only_the_asked_digit_alters_what_is_recalled() -> None:
    app = opened("recall", sequence="7 0 5 3", recall_tab="Look inside", inside_recall_part="What if")
    others = ", ".join(f"{digit} at index 1" for digit in range(1, 7))
    said = f"9 of 36 changes alter the answer: {others} and more. All 36 changed inputs are answered correctly."
    assert said in texts(app)


def test_a_network_that_is_told_the_index_may_be_asked_for_another() -> None:
    query = {"recall_model": "recall-any", "recall_tab": "Look inside", "inside_recall_part": "What if"}
    app = opened("recall", sequence="7053", **query)
    assert app.selectbox(key="inside_recall_variant").options[-3:] == [f"asked for index {t}" for t in (0, 2, 3)]
    assert "All 39 changed inputs are answered correctly." in texts(app)


def test_a_flipped_bit_of_a_sum_is_judged_by_the_new_sum() -> None:
    app = opened("addition", a="1", b="1", addition_tab="Look inside", inside_addition_part="What if")
    assert "Each of these 2 changes alters the answer. All 2 changed inputs are answered correctly." in texts(app)


def test_units_are_sorted_by_what_they_respond_to() -> None:
    signal = np.array([0.0, 1, 0, 1, 1])
    states = np.stack([signal, 1 - signal, np.ones(5), np.array([1.0, 0, 1, 1, 0])], axis=1)
    found = correlations(states, signal)
    np.testing.assert_allclose(found[:3], [1, -1, 0], atol=1e-12)
    assert found[3] == pytest.approx(np.corrcoef(states[:, 3], signal)[0, 1])
    assert (correlations(states, np.ones(5)) == 0).all()


@pytest.mark.parametrize("backward", [0, 1])
@pytest.mark.parametrize("cell", CELLS)
def test_the_numbers_in_the_equation_give_the_state(cell: str, backward: int) -> None:
    torch.manual_seed(1)
    network = Network(3, 2, cell=cell, hidden_size=4, bidirectional=True).eval()
    run = trace(network, torch.randn(5, 3))
    for t, sentence in enumerate(sums(network, run, 0, backward, 2)):
        assert f"= {signed(run.hidden[0, backward, t, 2])}" in sentence
    first = sums(network, run, 0, backward, 2)[4 if backward else 0]
    assert "0.00" in first, "the state before the first step is 0"


@pytest.mark.parametrize("backward", [0, 1])
def test_a_plain_rnns_sum_is_its_own_in_an_upper_layer_too(backward: int) -> None:
    torch.manual_seed(1)
    network = Network(3, 2, hidden_size=4, num_layers=2, bidirectional=True).eval()
    run = trace(network, torch.randn(5, 3))
    for t, sentence in enumerate(sums(network, run, 1, backward, 2)):
        inside = float(re.search(r"tanh\((.+?)\)", sentence)[1].replace("−", "-"))
        assert inside == pytest.approx(np.arctanh(run.hidden[1, backward, t, 2]), abs=0.01)


def test_a_sum_beyond_what_tanh_can_tell_apart_is_said_as_it_is() -> None:
    network = load("addition-ideal-h2")
    said = sums(network, trace(network, addition.encode(3, 1, 3)), 0, 0, 1)
    assert said[0] == "h = tanh(15.00) = 1.00; before it was 0.00.", "1 + 1 - 1.25, twenty times"


def test_what_is_said_of_gradients() -> None:
    norms = {"A": np.array([0.001, 1.0]), "B": np.array([0.5, 1.0]), "C": np.zeros(2), "D": np.array([0, 1.0])}
    said = vanishing(norms)
    assert said.startswith("The gradient with respect to h at the first step, compared with where it is strongest. ")
    assert "A: 1,000 times weaker" in said
    assert "B: 2.0 times weaker" in said
    assert "C: the answer does not depend on it" in said
    assert "D: the first step is out of reach" in said


def test_what_is_said_of_changes() -> None:
    unchanged = np.array([7])
    rows = ["row 1", "row 2"]
    assert changes(rows, unchanged, np.array([[7], [7]]), [None, None]) == "None of these 2 changes alters the answer."
    one = "1 of 2 changes alter the answer: row 2."
    assert changes(rows, unchanged, np.array([[7], [9]]), [None, None]) == one
    every = "Each of these 2 changes alters the answer."
    assert changes(rows, unchanged, np.array([[8], [9]]), [None, None]) == every


def test_what_is_said_of_right_and_wrong_answers_to_changes() -> None:
    places, unchanged = ["bit 0", "bit 1"], np.array([0, 1])
    said = np.array([[1, 1], [0, 0]])
    assert changes(places, unchanged, said, said.tolist()).endswith("All 2 changed inputs are answered correctly.")
    wrong = "1 of 2 changed inputs are answered wrongly: bit 1."
    assert changes(places, unchanged, said, [[1, 1], [0, 1]]).endswith(wrong)
    assert changes(places, unchanged, said, [None, [0, 1]]).endswith(
        "1 of 1 changed inputs are answered wrongly: bit 1."
    )


def test_what_is_said_of_fixed_points() -> None:
    stable, saddle = FixedPoint(np.zeros(2), np.array([0.5])), FixedPoint(np.zeros(2), np.array([2.0, 0.1]))
    assert rests([]) == "**No fixed point** was found near these states: under this input the layer moves on."
    assert rests([saddle]).startswith("**1 fixed point found.** ")
    assert "None of them is stable" in rests([saddle, saddle])
    assert "It is not stable" in rests([saddle])
    assert "It is stable" in rests([stable])
    assert "forgets" in rests([stable, saddle])
    assert "2 of them are stable" in rests([stable, stable, saddle])
    neutral = FixedPoint(np.zeros(2), np.array([1.0, 0.5]))
    assert "All of them are neutral" in rests([neutral, neutral])
    assert "1 is neutral" in rests([neutral, stable])


def test_the_ground_of_the_plane_is_what_the_read_out_says_at_each_place() -> None:
    states = np.random.default_rng(0).normal(size=(6, 2))
    seen = plane(states)
    places = ground(seen, states, [])
    numbers = np.random.default_rng(1).integers(2, size=len(places))
    chart = trajectory(seen, states, list("abcdef"), (numbers, ["no", "yes"]), [], ("x", "y")).to_dict()
    regions, labels = chart["layer"][0]["layer"]
    rows = chart["datasets"][regions["data"]["name"]]
    for (x, y), number in zip(places[::7], numbers[::7], strict=True):
        (here,) = [row for row in rows if row["x"] < x < row["x2"] and row["y"] < y < row["y2"]]
        assert here["says"] == ["no", "yes"][number]
    assert len(rows) < len(places)
    for label in chart["datasets"][labels["data"]["name"]]:
        (there,) = np.flatnonzero((places == [label["x"], label["y"]]).all(axis=1))
        assert label["says"] == f"says {['no', 'yes'][numbers[there]]}"


def test_what_is_said_in_a_ground_stands_away_from_the_states() -> None:
    states = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    seen = plane(states)
    numbers = np.zeros(len(ground(seen, states, [])), dtype=int)
    chart = trajectory(seen, states, list("abc"), (numbers, ["no", "yes"]), [], ("x", "y")).to_dict()
    (label,) = chart["datasets"][chart["layer"][0]["layer"][1]["data"]["name"]]
    low, high = (end(ground(seen, states, []), axis=0) for end in (np.min, np.max))
    gaps = (seen.project(states) - [label["x"], label["y"]]) / (high - low)
    assert np.linalg.norm(gaps, axis=1).min() > 0.2


def test_a_digits_ground_has_the_same_colour_whichever_others_there_are() -> None:
    states = np.random.default_rng(0).normal(size=(6, 2))
    seen, digits = plane(states), [str(digit) for digit in range(10)]
    size = len(ground(seen, states, []))
    drawn = [
        trajectory(seen, states, list("abcdef"), (np.resize(n, size), digits), [], ("x", "y")) for n in ([0, 8], [3])
    ]
    scales = [chart.to_dict()["layer"][0]["layer"][0]["encoding"]["color"]["scale"] for chart in drawn]
    assert scales[0] == scales[1]
    assert len(set(scales[0]["range"])) == len(scales[0]["domain"]) == 10


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.2, 0.9], [0.1, 0.2, 0.5, 1, 2, 5]),
        ([0.02, 3], [0.01, 0.1, 1, 10]),
        ([1e-12, 1], [1e-12, 1e-9, 1e-6, 1e-3, 1]),
        ([], [1]),
    ],
)
def test_a_log_axis_has_a_few_round_ticks(values: list[float], ticks: list[float]) -> None:
    assert decades(pd.Series(values, dtype=float)) == ticks


def test_saliency_outlines_the_current_row_as_a_whole() -> None:
    gradient = np.linspace(-1, 1, 28 * 28).reshape(28, 28)
    drawn = picture.svg(saliency(gradient, np.zeros((28, 28))).to_dict(), picture.NARROW)
    assert re.findall(r'data-t="(\d+)"', drawn) == [str(row) for row in range(28)]
