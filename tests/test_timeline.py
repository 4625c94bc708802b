"""The time-step table: what is sent to the browser, and what is refused. test_timeline_browser.py looks at the rest."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from streamlit.testing.v1 import AppTest

from ui.timeline import PROBABILITY, STATE, Lane, Scale, Timeline, heat_lanes, image_lane, rule, text_lane

STEPS = ["0", "1", "2", "3"]
BITS = text_lane("a", "0110")
IMAGE = image_lane("image", np.eye(4))


def test_the_payload_is_json_with_groups_and_lanes_in_order() -> None:
    lanes = {"Sum": [BITS, rule(), text_lane("b", "1010")], "State": heat_lanes(["unit 0"], np.zeros((1, 4)), STATE)}
    payload = Timeline("6 + 5", STEPS, lanes, direction="left", axis="bit", group="sum").payload()
    assert json.loads(json.dumps(payload)) == payload
    assert [group["title"] for group in payload["groups"]] == ["Sum", "State"]
    assert [lane["kind"] for lane in payload["groups"][0]["lanes"]] == ["text", "rule", "text"]
    assert (payload["direction"], payload["axis"], payload["group"]) == ("left", "bit", "sum")


@pytest.mark.parametrize("direction", ["right", "left", "down"])
def test_time_step_0_is_sent_first_whatever_the_direction(direction: str) -> None:
    payload = Timeline("x", STEPS, {"": [BITS]}, direction=direction).payload()
    assert payload["steps"] == STEPS
    assert payload["groups"][0]["lanes"][0]["texts"] == ["0", "1", "1", "0"]


def test_it_starts_with_everything_read_unless_told_otherwise() -> None:
    assert Timeline("x", STEPS, {"": [BITS]}).payload()["start"] == 3
    assert Timeline("x", STEPS, {"": [BITS]}, start=0).payload()["start"] == 0


def test_time_steps_are_named_after_the_axis_unless_told_otherwise() -> None:
    assert Timeline("x", STEPS, {"": [BITS]}, axis="bit").payload()["position"] == "Bit {}"
    assert Timeline("x", STEPS, {"": [BITS]}, position="After row {} of 4").payload()["position"] == "After row {} of 4"


@given(arrays.arrays(float, (2, 3), elements=st.floats(-100, 100)))
def test_values_are_sent_to_six_decimals(values: np.ndarray) -> None:
    lanes = heat_lanes(["p", "q"], values)
    sent = np.array([lane.content["values"] for lane in lanes])
    assert np.abs(sent - values).max() <= 0.5e-6 + 1e-9
    assert (sent == np.round(sent, 6)).all()


def test_a_digit_and_its_belief_take_less_than_8_kilobytes() -> None:
    random = np.random.default_rng(0)
    lanes = {
        "Image": [image_lane("image", random.random((28, 28)))],
        "Belief": heat_lanes([str(digit) for digit in range(10)], random.random((10, 28))),
    }
    payload = Timeline("x", [str(row) for row in range(28)], lanes, direction="down").payload()
    assert len(json.dumps(payload)) < 8_000


def test_a_scale_that_lanes_share_is_sent_once() -> None:
    probabilities, states = np.full((3, 4), 0.5), np.full((2, 4), -0.5)
    lanes = {"p": heat_lanes(list("abc"), probabilities), "h": heat_lanes(list("de"), states, STATE)}
    payload = Timeline("x", STEPS, lanes).payload()
    assert [scale["meaning"] for scale in payload["scales"]] == [PROBABILITY.meaning, STATE.meaning]
    assert [lane["scale"] for group in payload["groups"] for lane in group["lanes"]] == [0, 0, 0, 1, 1]


def test_pixels_are_sent_as_bytes() -> None:
    lane = image_lane("image", np.array([[0.0, 1.0], [0.5, 0.2]]))
    assert lane.content["pixels"] == [[0, 255], [128, 51]]


def test_texts_and_marks_go_with_their_cells() -> None:
    lane = text_lane("digit", ["7", "0"], marks=["", "asked"], tiles=True)
    assert lane.content == {"texts": ["7", "0"], "marks": ["", "asked"], "tiles": True}
    (heat,) = heat_lanes(["p"], np.array([[0.25, 1.0]]), texts=[[".25", "1"]])
    assert heat.content == {"values": [0.25, 1.0], "texts": [".25", "1"]}


@pytest.mark.parametrize("marks", [["asked"], ["asked", "green"]])
def test_marks_must_be_known_and_one_per_text(marks: list[str]) -> None:
    with pytest.raises(ValueError, match="marks"):
        text_lane("digit", ["7", "0"], marks=marks)


def test_what_is_not_known_has_no_value() -> None:
    known = np.array([[True, False], [True, True]])
    lanes = heat_lanes(["p", "q"], np.array([[0.1, 0.2], [0.3, 0.4]]), known=known)
    assert [lane.content["values"] for lane in lanes] == [[0.1, None], [0.3, 0.4]]


@pytest.mark.parametrize(
    ("names", "shape", "texts", "complaint"),
    [
        (["a"], (4,), None, r"shape \(rows, time steps\), not \(4,\)"),
        (["a"], (1, 0), None, "shape"),
        (["a"], (2, 4), None, "Expected 2 names, not 1"),
        (["a"], (1, 4), [list("0000"), list("0000")], "Expected 1 rows of texts, not 2"),
        (["a"], (1, 4), [list("000")], "Expected 4 texts of 'a', not 3"),
    ],
)
def test_heat_lanes_must_fit_their_values(
    names: list[str], shape: tuple[int, ...], texts: list[list[str]] | None, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        heat_lanes(names, np.zeros(shape), texts=texts)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        heat_lanes(["a"], np.array([[0.0, value]]))
    with pytest.raises(ValueError, match="finite"):
        image_lane("image", np.array([[0.0, value]]))


@pytest.mark.parametrize("image", [np.zeros(4), np.full((4, 4), 255), np.full((4, 4), -0.1)])
def test_an_image_is_two_dimensional_and_between_0_and_1(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="image"):
        image_lane("image", image)


def test_a_scale_rises_along_a_known_palette() -> None:
    with pytest.raises(ValueError, match="from 1 to 1"):
        Scale("sequential", 1, 1, "nothing")
    with pytest.raises(ValueError, match="palette"):
        Scale("rainbow", 0, 1, "probability")


@pytest.mark.parametrize(
    ("lanes", "options", "complaint"),
    [
        ([text_lane("b", "011")], {}, "Expected 4 time steps in lane 'b', not 3"),
        (heat_lanes(["p"], np.zeros((1, 5))), {}, "Expected 4 time steps in lane 'p', not 5"),
        ([BITS], {"notes": ["one"]}, "Expected 4 notes, not 1"),
        ([BITS], {"start": 4}, "from 0 to 3, not 4"),
        ([BITS], {"start": -1}, "from 0 to 3, not -1"),
        ([BITS], {"view": 4}, "view must be a time step from 0 to 3, not 4"),
        ([BITS], {"direction": "up"}, "direction"),
        ([IMAGE], {"direction": "left"}, "'down'"),
        ([BITS, rule()], {"direction": "down"}, "rule"),
    ],
)
def test_lanes_notes_and_start_must_fit_the_time_steps(lanes: list[Lane], options: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Timeline("x", STEPS, {"": lanes}, **options)


def test_there_is_at_least_one_time_step() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Timeline("x", [], {"": []})


def _script() -> None:
    import numpy as np

    from ui.timeline import Timeline, heat_lanes, image_lane

    lanes = {"Image": [image_lane("image", np.eye(2))], "Belief": heat_lanes(["0"], np.array([[0.5, 1.0]]))}
    Timeline("A picture", ["1", "2"], lanes, direction="down").show("first")
    Timeline("The same", ["1", "2"], lanes, direction="down").show("second")


def test_it_mounts_on_a_page_as_often_as_one_likes() -> None:
    for _ in range(2):  # a second app in one process must find the component too
        app = AppTest.from_function(_script).run(timeout=30)
        assert not app.exception
        labels = [json.loads(element.proto.json)["label"] for element in app.get("bidi_component")]
        assert labels == ["A picture", "The same"]
