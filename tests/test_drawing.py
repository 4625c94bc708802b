"""Drawings as strokes: what the canvas says, what a link says, and the pixels they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.drawing import SIDE, STRIP, TOLERANCE, Stroke, decode, encode, from_canvas, render, to_canvas

positions = st.tuples(st.integers(-30, 310), st.integers(-30, 310))
strokes = st.builds(
    lambda width, points: Stroke(width, np.array(points, float)),
    st.integers(1, 60),
    st.lists(positions, min_size=1, max_size=40),
)
drawings = st.lists(strokes, max_size=5)

# As the canvas sends it: a stroke from (80, 64) in the square, along the top, then down to the left.
PATH = {
    "type": "Path",
    "originX": "center",
    "originY": "center",
    "left": 140.0,
    "top": 175.0,
    "width": 120.0,
    "height": 150.0,
    "strokeWidth": 20,
    "scaleX": 1,
    "scaleY": 1,
    "angle": 0,
    "path": [["M", 80, 100], ["Q", 140, 100, 200, 100], ["L", 150, 250]],
}


def canvas(**changes: object) -> dict[str, object]:
    return {"version": "7.4.0", "objects": [PATH | changes]}


def ink(drawing: list[Stroke]) -> np.ndarray:
    return (255 - render(drawing).astype(float)) / 255


def box(drawing: list[Stroke]) -> tuple[float, float, float, float]:
    points = np.concatenate([stroke.points for stroke in drawing])
    return (*points.min(axis=0), *points.max(axis=0))


def in_view(stroke: Stroke) -> bool:
    return bool(((stroke.points >= 0) & (stroke.points <= SIDE)).all(axis=1).any())


def distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far each of the points lies from the line through others."""
    start, along = line[:-1], np.diff(line, axis=0)
    if not len(along):
        return np.hypot(*(points - line[0]).T)
    offsets = points[:, None] - start
    share = (offsets * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-9)
    return np.hypot(*(offsets - share.clip(0, 1)[..., None] * along).transpose(2, 0, 1)).min(axis=1)


def test_a_stroke_of_the_canvas_stands_below_the_tool_strip() -> None:
    (stroke,) = from_canvas(canvas())
    assert stroke.width == 20
    np.testing.assert_allclose(stroke.points[0], [80, 100 - STRIP], atol=0.5)
    np.testing.assert_allclose(stroke.points[-1], [150, 250 - STRIP], atol=0.5)
    assert len(stroke.points) == 3  # a straight curve needs no points in between


def test_a_stroke_that_was_moved_scaled_or_turned_is_where_it_is_seen() -> None:
    assert box(from_canvas(canvas(left=150.0, top=180.0))) == pytest.approx((90, 69, 210, 219), abs=1)
    (scaled,) = from_canvas(canvas(scaleX=0.5, scaleY=0.5))
    assert box([scaled]) == pytest.approx((110, 101.5, 170, 176.5), abs=1)
    assert scaled.width == 10
    assert box(from_canvas(canvas(angle=90))) == pytest.approx((65, 79, 215, 199), abs=1)
    (mirrored,) = from_canvas(canvas(flipX=True))
    np.testing.assert_allclose(mirrored.points[0], [200, 64], atol=1)


def test_a_stroke_that_leaves_the_square_leaves_no_ink_on_its_edge() -> None:
    path = [["M", 240, 100], ["L", 330, 100], ["L", 330, 250], ["L", 240, 250]]
    drawing = from_canvas(canvas(left=285.0, top=175.0, path=path))
    assert ink(drawing)[100:180, -20:].sum() == 0
    assert ink(drawing)[64, 250] == 1


def test_ink_in_the_tool_strip_does_not_count() -> None:
    assert from_canvas(canvas(top=5.0, path=[["M", 20, 5], ["L", 100, 5]])) == []
    assert from_canvas({}) == []


@given(drawings)
def test_the_code_of_a_link_brings_back_the_same_pixels(drawing: list[Stroke]) -> None:
    again = decode(encode(drawing))
    assert [stroke.width for stroke in again] == [stroke.width for stroke in drawing]
    assert np.array_equal(render(again), render(drawing))


@given(st.lists(strokes.filter(in_view), max_size=5))
def test_what_the_canvas_is_given_comes_back_to_within_the_tolerance(drawing: list[Stroke]) -> None:
    again = from_canvas(to_canvas(drawing))
    assert [stroke.width for stroke in again] == [stroke.width for stroke in drawing]
    for stroke, simplified in zip(drawing, again, strict=True):
        # half a pixel more in each direction, because points are rounded
        assert distances(stroke.points, simplified.points).max() <= TOLERANCE + np.hypot(0.5, 0.5)


@given(drawings)
def test_a_drawing_that_has_been_simplified_stays_as_it_is(drawing: list[Stroke]) -> None:
    once = from_canvas(to_canvas(drawing))
    assert encode(from_canvas(to_canvas(once))) == encode(once)


def test_simplifying_keeps_the_tip_of_a_line_that_turns_back() -> None:
    path = [["M", 100, 100], ["L", 200, 100], ["L", 120, 100]]
    (stroke,) = from_canvas(canvas(path=path, left=150.0, top=100.0))
    assert box([stroke]) == pytest.approx((100, 64, 200, 64), abs=1)


def test_a_stroke_that_turns_back_very_often_is_simplified() -> None:
    to_and_fro = [["L", 80 + 100 * (turn % 2), 100 + turn / 20] for turn in range(3000)]
    path = [["M", 80, 100], *to_and_fro]
    (stroke,) = from_canvas(canvas(path=path))
    assert len(stroke.points) > 2500


def test_simplifying_stays_within_the_tolerance() -> None:
    t = np.linspace(0, 6, 300)
    curve = np.stack([140 + 100 * np.cos(t), 140 + STRIP + 90 * np.sin(1.7 * t)], axis=1)
    path = [["M", *curve[0]], *(["L", *point] for point in curve[1:])]
    left, top = (curve.min(axis=0) + curve.max(axis=0)) / 2
    (stroke,) = from_canvas({"objects": [PATH | {"path": path, "left": left, "top": top}]})
    assert len(stroke.points) < 80
    assert distances(curve - [0, STRIP], stroke.points).max() < TOLERANCE + 1
    assert len(encode([stroke])) < 300


@pytest.mark.parametrize("code", ["A", "!!!!", "FAAD", "AAAB", "FAABAAAAAAAA", "é", "FAABAA", "FAABf_9__w"])
def test_a_damaged_code_is_one_sentence(code: str) -> None:
    with pytest.raises(ValueError, match="damaged") as caught:
        decode(code)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_code_breaks_the_page(code: str) -> None:
    try:
        render(decode(code))
    except ValueError as error:
        assert "damaged" in str(error)


def test_a_dot_is_a_disc_and_a_line_has_its_width() -> None:
    dot = ink([Stroke(20, np.array([[100.0, 100.0]]))])
    assert dot.sum() == pytest.approx(np.pi * 10**2, rel=0.05)
    line = ink([Stroke(20, np.array([[50.0, 140.0], [230.0, 140.0]]))])
    assert line[:, 140].sum() == pytest.approx(20, abs=1)
    assert line.sum() == pytest.approx(180 * 20 + np.pi * 10**2, rel=0.03)
    assert render([]).min() == 255
    assert render([]).shape == (SIDE, SIDE)


def test_drawing_order_and_overlap_do_not_erase() -> None:
    a, b = Stroke(20, np.array([[50.0, 50.0], [200.0, 200.0]])), Stroke(20, np.array([[200.0, 50.0], [50.0, 200.0]]))
    np.testing.assert_array_equal(render([a, b]), np.minimum(render([a]), render([b])))
