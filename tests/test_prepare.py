"""Drawings and photos as MNIST would hold them: what must not matter does not, and what is no image is refused."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.datasets import load_digits

from training.tasks.prepare import prepare

LARGE = 280
DIGITS = {  # polylines in a square with sides of 1, y down
    "seven": [[(0.1, 0.0), (0.9, 0.0), (0.4, 1.0)]],
    "four": [[(0.6, 0.0), (0.1, 0.6), (0.9, 0.6)], [(0.7, 0.3), (0.7, 1.0)]],
    "one": [[(0.3, 0.2), (0.5, 0.0), (0.5, 1.0)]],
    # 15 pixels wide among MNIST's 20: between two whole widths a trifle would decide
    "zero": [[(0.5 + 0.36 * np.sin(a), 0.5 - 0.5 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 40)]],
}


def draw(name: str = "seven", size: float = 160, brush: float = 18, at: tuple[float, float] = (60, 60)) -> np.ndarray:
    """A digit in white on black, (280, 280) uint8, in a square of `size` with its top left corner `at` (x, y)."""
    fine = 4
    image = Image.new("L", (LARGE * fine, LARGE * fine))
    pen = ImageDraw.Draw(image)
    for stroke in DIGITS[name]:
        points = [tuple(fine * (np.array(at) + size * np.array(point))) for point in stroke]
        pen.line(points, fill=255, width=round(fine * brush), joint="curve")
        for x, y in points:
            pen.circle((x, y), fine * brush / 2, fill=255)
    return np.asarray(image.reduce(fine))


def centre(image: np.ndarray) -> np.ndarray:
    return np.array(ndimage.center_of_mass(image))


def box(image: np.ndarray) -> tuple[int, int]:
    """Height and width of what is not ground."""
    ink = image > 0
    return int(np.ptp(np.flatnonzero(ink.any(1)))) + 1, int(np.ptp(np.flatnonzero(ink.any(0)))) + 1


def close(image: np.ndarray, other: np.ndarray, mean: float = 0.02) -> bool:
    """Whether two images differ by less than `mean` grey per pixel, shifted by a pixel at most.

    The centre of mass comes to lie in whole pixels, so that a trifle decides between two of them. A shift by one more
    pixel makes a difference of about 0.07.
    """
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return min(float(np.abs(np.roll(image, shift, (0, 1)) - other).mean()) for shift in shifts) < mean


@pytest.mark.parametrize("name", DIGITS)
def test_a_drawing_gets_mnists_form(name: str) -> None:
    image = prepare(draw(name))
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    assert max(box(image)) == 20
    np.testing.assert_allclose(centre(image), 14, atol=0.55)


@pytest.mark.parametrize("name", DIGITS)
@settings(max_examples=20, deadline=None)
@given(x=st.floats(15, 100), y=st.floats(15, 100))
def test_the_place_does_not_matter(name: str, x: float, y: float) -> None:
    assert close(prepare(draw(name, 150, 18, (x, y))), prepare(draw(name, 150, 18)), mean=0.035)


@pytest.mark.parametrize("name", DIGITS)
@settings(max_examples=20, deadline=None)
@given(size=st.floats(60, 240))
def test_the_size_does_not_matter(name: str, size: float) -> None:
    assert close(prepare(draw(name, size, 0.12 * size, (20, 20))), prepare(draw(name)), mean=0.04)


@settings(max_examples=20, deadline=None)
@given(brush=st.floats(8, 32))
def test_the_brush_hardly_matters(brush: float) -> None:
    # 8 to 32 px on a digit of 160 px: from a third of to one and a half times MNIST's usual width.
    inks = [prepare(draw(brush=width)).sum() for width in (brush, 18)]
    assert 0.6 < inks[0] / inks[1] < 1.7
    assert close(prepare(draw(brush=brush)), prepare(draw()), mean=0.09)


def test_thick_and_thin_strokes_come_nearer_to_mnists() -> None:
    thin, thick = (prepare(draw(brush=width)) for width in (5, 36))
    unmended = [np.asarray(Image.fromarray(draw(brush=width)).reduce(8)).sum() / 255 for width in (5, 36)]
    assert thick.sum() / thin.sum() < 0.6 * unmended[1] / unmended[0]


@pytest.mark.parametrize("name", DIGITS)
def test_dark_on_light_is_light_on_dark(name: str) -> None:
    drawing = draw(name)
    np.testing.assert_allclose(prepare(255 - drawing), prepare(drawing), atol=1e-6)


def test_neither_colours_nor_alpha_matter() -> None:
    drawing = draw()
    expected = prepare(drawing)
    share = drawing[..., None] / 255
    for ink, ground in (
        ((200, 30, 30), (255, 255, 255)),
        ((255, 230, 80), (10, 60, 30)),
        ((0, 0, 160), (250, 245, 220)),
    ):
        coloured = np.round(share * ink + (1 - share) * ground).astype(np.uint8)
        assert close(prepare(coloured), expected, mean=0.01)
        opaque = np.dstack([coloured, np.full_like(drawing, 255)])
        np.testing.assert_array_equal(prepare(opaque), prepare(coloured))
        clear = np.dstack([np.full_like(coloured, ink), drawing])
        np.testing.assert_allclose(prepare(clear), expected, atol=1e-2)


def test_a_sheet_in_a_transparent_margin_is_read_like_the_sheet() -> None:
    drawing = draw()
    sheet = np.dstack([255 - drawing] * 3 + [np.full_like(drawing, 255)])
    assert close(prepare(np.pad(sheet, ((40, 40), (40, 40), (0, 0)))), prepare(drawing), mean=0.01)


def test_mnists_form_stays_as_it_is() -> None:
    for name in DIGITS:
        image = prepare(draw(name))
        again = prepare(np.round(255 * image).astype(np.uint8))
        assert close(again, image, mean=0.005)


def test_real_digits_stay_as_they_are() -> None:
    for small in load_digits().images[:100]:
        image = prepare(np.round(small * (255 / 16)).astype(np.uint8))
        pixels = np.round(255 * image).astype(np.uint8)
        assert close(prepare(pixels), image)
        assert close(prepare(255 - pixels), image)


@pytest.mark.parametrize("name", DIGITS)
def test_mnists_form_upscaled_comes_back(name: str) -> None:
    image = prepare(draw(name))
    pixels = np.kron(np.round(255 * image).astype(np.uint8), np.ones((10, 10), np.uint8))
    assert close(prepare(pixels), image, mean=0.01)
    assert close(prepare(255 - pixels), image, mean=0.01)


@pytest.mark.parametrize("shape", [(280, 280), (1, 1), (1, 50), (28, 28, 3), (300, 200, 4)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_sheet_gives_zeros(shape: tuple[int, ...], level: int) -> None:
    image = prepare(np.full(shape, level, np.uint8))
    np.testing.assert_array_equal(image, np.zeros((28, 28), np.float32))


def test_an_empty_sheet_photographed_gives_zeros() -> None:
    random = np.random.default_rng(0)
    light = np.linspace(220, 120, 400)[:, None] * np.ones(300)
    photo = np.clip(light + random.normal(0, 6, light.shape), 0, 255).astype(np.uint8)
    assert not prepare(photo).any()


def test_a_single_dot_is_ink() -> None:
    drawing = np.zeros((LARGE, LARGE), np.uint8)
    drawing[200:204, 30:34] = 255
    image = prepare(drawing)
    assert box(image) == (20, 20)
    np.testing.assert_allclose(centre(image), 14, atol=0.55)
    drawing[:] = 0
    drawing[7, 9] = 255
    assert prepare(drawing).any()


def test_ink_in_every_corner_counts() -> None:
    whole = np.zeros((LARGE, LARGE), np.uint8)
    whole[:20], whole[-20:], whole[:, :20] = 255, 255, 255
    image = prepare(whole)
    assert box(image) == (20, 20)
    assert image[4:24, 4:24].any(0).sum() >= 16


def test_specks_are_ignored() -> None:
    drawing = draw()
    expected = prepare(drawing)
    random = np.random.default_rng(0)
    drawing = drawing.copy()
    drawing[random.integers(LARGE, size=30), random.integers(LARGE, size=30)] = 255
    assert close(prepare(drawing), expected, mean=0.01)


def photo(name: str, table: bool = False, shade: bool = False, board: bool = False) -> np.ndarray:
    """A digit on paper (or chalk on a board) in uneven light, out of focus and grainy: (400, 520, 3) uint8."""
    ink = np.pad(draw(name) / 255.0, ((60, 60), (150, 90)))
    y, x = np.mgrid[0:1:400j, 0:1:520j]
    light = 220 * (1 - 0.3 * y - 0.3 * x) * np.where(shade & (x + 0.2 * y > 0.45), 0.75, 1)
    picture = 40 + 40 * x + 150 * ink if board else light * (1 - 0.7 * ink)
    if table:
        picture[:, :40], picture[-30:] = 50, 60
    picture = ndimage.gaussian_filter(picture, 1.2) + np.random.default_rng(0).normal(0, 6, picture.shape)
    return np.dstack([np.clip(picture, 0, 255).astype(np.uint8)] * 3)


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("scene", ["", "table", "shade", "board"])
def test_a_photo_is_read_like_the_drawing(name: str, scene: str) -> None:
    picture = photo(name, **({scene: True} if scene else {}))
    assert close(prepare(picture), prepare(draw(name)), mean=0.05)


@pytest.mark.parametrize("shape", [(3000, 4000), (3000, 4000, 3), (3000, 4000, 4)])
def test_the_resolution_does_not_matter(shape: tuple[int, ...]) -> None:
    picture = Image.fromarray(photo("four")).resize(shape[1::-1])
    pixels = np.asarray(picture.convert({2: "L", 3: "RGB", 4: "RGBA"}[shape[2] if len(shape) == 3 else 2]))
    assert close(prepare(pixels), prepare(draw("four")), mean=0.05)


IMAGES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([(), (3,), (4,)])).flatmap(
    lambda size: arrays.arrays(np.uint8, (*size[:2], *size[2]))
)


@settings(max_examples=200, deadline=None)
@given(IMAGES)
def test_any_image_gives_an_image(pixels: np.ndarray) -> None:
    before = pixels.copy()
    image = prepare(pixels)
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0
    assert image.max() <= 1
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: np.zeros((28, 28), np.float32), "uint8, not float32"),
        (lambda: [[0, 255]], "uint8, not list"),
        (lambda: np.zeros(784, np.uint8), r"\(784,\)"),
        (lambda: np.zeros((28, 28, 2), np.uint8), r"\(28, 28, 2\)"),
        (lambda: np.zeros((1, 28, 28, 3), np.uint8), r"\(1, 28, 28, 3\)"),
        (lambda: np.zeros((0, 28), np.uint8), "at least one pixel"),
    ],
)
def test_what_is_no_image_gets_one_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        prepare(make())
    assert str(caught.value).endswith(".")
