"""What .streamlit/config.toml promises of its colours, computed."""

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest

THEME = tomllib.loads((Path(__file__).parents[1] / ".streamlit" / "config.toml").read_text())["theme"]
MODES = ("light", "dark")

# How a fully colour-blind eye sees linear RGB: G. Machado, M. Oliveira, L. Fernandes, IEEE TVCG 15 (2009), severity 1.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
# Linear RGB -> cone responses -> OKLab: B. Ottosson, "A perceptual color space for image processing" (2020).
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.808675766],
]


def linear(colour: str) -> np.ndarray:
    """A colour "#rrggbb" in linear RGB (3,), each in [0, 1]."""
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(rgb: np.ndarray) -> float:
    return float(rgb @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21, of two colours in linear RGB."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lightness(colour: str) -> float:
    """L* of CIELAB, 0 to 100."""
    y = luminance(linear(colour))
    return 116 * np.cbrt(y) - 16 if y > 216 / 24389 else y * 24389 / 27


def difference(one: str, other: str, vision: str = "full") -> float:
    """How different two colours look: 100 times their distance in OKLab; about 2 is just noticeable side by side."""
    seen = [np.clip(VISION[vision] @ linear(colour), 0, 1) for colour in (one, other)]
    first, second = (TO_OKLAB @ np.cbrt(TO_LMS @ rgb) for rgb in seen)
    return 100 * float(np.linalg.norm(first - second))


def ground(mode: str) -> list[np.ndarray]:
    """The colours that text and marks stand on."""
    return [linear(THEME[mode][key]) for key in ("backgroundColor", "secondaryBackgroundColor")]


def least_difference(colours: list[str], vision: str) -> float:
    return min(difference(one, other, vision) for one, other in itertools.combinations(colours, 2))


@pytest.mark.parametrize("mode", MODES)
def test_text_can_be_read(mode: str) -> None:
    for key in ("textColor", "linkColor", "primaryColor"):
        assert min(contrast(linear(THEME[mode][key]), under) for under in ground(mode)) >= 4.5, key


@pytest.mark.parametrize("mode", MODES)
def test_captions_can_be_read(mode: str) -> None:
    """Streamlit writes them in the text's colour at an opacity of 0.6, mixed in sRGB."""
    values = [[int(THEME[mode][key][i : i + 2], 16) for i in (1, 3, 5)] for key in ("textColor", "backgroundColor")]
    mixed = "#" + "".join(f"{round(0.6 * text + 0.4 * under):02x}" for text, under in zip(*values, strict=True))
    assert contrast(linear(mixed), ground(mode)[0]) >= 4.5


@pytest.mark.parametrize("mode", MODES)
def test_white_marks_can_be_seen_on_the_primary_colour(mode: str) -> None:
    """The tick of a check box and the knob of a toggle."""
    assert contrast(linear(THEME[mode]["primaryColor"]), np.ones(3)) >= 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vision", VISION)
def test_lines_stand_apart_from_the_ground_and_from_each_other(mode: str, vision: str) -> None:
    colours = THEME[mode]["chartCategoricalColors"]
    assert min(contrast(linear(colour), under) for colour in colours for under in ground(mode)) >= 3
    assert least_difference(colours[:6], vision) >= 6
    assert least_difference(colours, vision) >= 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vision", VISION)
def test_the_sequential_palette_climbs_evenly_from_just_off_the_ground(mode: str, vision: str) -> None:
    colours = THEME[mode]["chartSequentialColors"]
    steps = np.diff([lightness(colour) for colour in colours])
    assert len(colours) == 10
    assert np.all(steps > 8) or np.all(steps < -8)
    assert least_difference(colours, vision) >= 6
    for key in ("backgroundColor", "secondaryBackgroundColor"):
        assert difference(colours[0], THEME[mode][key], vision) >= 2
    assert contrast(linear(colours[-1]), ground(mode)[0]) >= 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vision", VISION)
def test_the_diverging_palette_is_balanced_and_its_arms_differ(mode: str, vision: str) -> None:
    colours = THEME[mode]["chartDivergingColors"]
    negative, positive = colours[:5], colours[:4:-1]
    assert len(colours) == 10
    for one, other in zip(negative, positive, strict=True):
        assert abs(lightness(one) - lightness(other)) < 1
    arms = np.diff([lightness(colour) for colour in negative])
    assert np.all(arms > 8) or np.all(arms < -8)
    assert min(difference(*pair, vision) for pair in zip(negative[:4], positive[:4], strict=True)) >= 12
