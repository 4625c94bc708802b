"""Digits written with a pen on a tablet by 30 people, drawn anew as on the canvas: what a finger or a mouse gives.

UCI Pen-Based Recognition of Handwritten Digits, the unresampled training file (Alpaydin and Alimoglu 1998, DOI
10.24432/C5MG6K, CC BY 4.0), as `pen/pen_strokes.npz` in the data folder: 7,494 digits, each a list of strokes.
README.md describes its arrays, under "Data and thanks".
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from training.task import DataError
from training.tasks.prepare import prepare
from training.tasks.strokes import SIDE, Stroke, render

FILE = "pen/pen_strokes.npz"
# People, not digits, are held back: a network that knows someone's hand says nothing about strangers.
VALIDATION_WRITERS, TEST_WRITERS = 3, 4
# How a digit is drawn anew: ranges of what is drawn from them uniformly.
BRUSH = (10, 30)  # pixels, of the canvas's 280
SIZE = (90, 230)  # pixels: the digit's longer side
TURN = 10  # degrees, either way
SLANT = 0.15  # of the height, either way
STRETCH = 0.15  # how much wider or narrower
JITTER = 0.012  # of the digit's size: the standard deviation of a smooth wobble of the hand


@dataclass(frozen=True)
class PenDigits:
    """`strokes` holds for every digit its polylines, each (n, 2) float; `labels` and `writers` are (N,)."""

    strokes: list[list[np.ndarray]]
    labels: np.ndarray
    writers: np.ndarray

    def part(self, name: str) -> np.ndarray:
        """The numbers of the digits in the part "train", "validation" or "test": no writer is in two of them."""
        people = np.unique(self.writers)
        test, validation = np.split(people[::-1][: TEST_WRITERS + VALIDATION_WRITERS], [TEST_WRITERS])
        chosen = {"test": test, "validation": validation}.get(name, np.setdiff1d(people, [*test, *validation]))
        return np.flatnonzero(np.isin(self.writers, chosen))


def load(folder: Path) -> PenDigits:
    """The pen digits in the data folder. Raises DataError, in one sentence, where they are not there."""
    path = folder / FILE
    try:
        file = np.load(path)
        points = file["points"].astype(float)
        lines = [points[begin:end] for begin, end in _spans(file["stroke_off"])]
        strokes = [lines[begin:end] for begin, end in _spans(file["sample_off"])]
        return PenDigits(strokes, file["labels"].astype(np.int64), file["writers"])
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise DataError(
            f"UCI's pen strokes, which the dataset mnist+pen needs, are not at {path}, or damaged: README.md says "
            "under “Data and thanks” what this file is and where it comes from, or choose the dataset mnist."
        ) from error


def _spans(offsets: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))


def drawings(digits: PenDigits, part: str, times: int, seed: int) -> tuple[Tensor, Tensor]:
    """Every digit of the part drawn `times` times on the canvas and prepared as the page does it.

    Returns images (times * N, 28, 28) float32 in [0, 1] and labels int64. The same seed gives the same drawings.
    """
    random = np.random.default_rng(seed)
    numbers = np.tile(digits.part(part), times)
    images = [prepare(render(draw(digits.strokes[number], random))) for number in numbers]
    return torch.from_numpy(np.stack(images)), torch.from_numpy(digits.labels[numbers])


def draw(lines: list[np.ndarray], random: np.random.Generator) -> list[Stroke]:
    """The polylines somewhere on the canvas: turned, slanted, stretched and shaken a little, with any brush."""
    distortion = _distortion(random)
    brush = int(random.integers(BRUSH[0], BRUSH[1] + 1))
    return place([line @ distortion.T for line in lines], brush, random)


def place(lines: list[np.ndarray], brush: int, random: np.random.Generator) -> list[Stroke]:
    """The polylines in a random size at a random place of the canvas, in a hand that is not quite steady."""
    every, size = np.concatenate(lines), random.uniform(*SIZE)
    scale = size / max(np.ptp(every, axis=0).max(), 1e-9)
    wobble = Wobble(random.normal(0, JITTER * size, (2, 4)), random.uniform(0, 2 * np.pi, (2, 4)), size)
    lines = [wobble((line - every.min(axis=0)) * scale) for line in lines]
    every = np.concatenate(lines)
    room = SIDE - brush - np.ptp(every, axis=0)
    shift = brush / 2 - every.min(axis=0) + random.uniform(0, 1, 2) * room.clip(0)
    return [Stroke(brush, line + shift) for line in lines]


def _distortion(random: np.random.Generator) -> np.ndarray:
    """A small random turn, slant and stretch, as a matrix (2, 2)."""
    angle = np.deg2rad(random.uniform(-TURN, TURN))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, random.uniform(-SLANT, SLANT)], [0, 1]])
    return turn @ slant @ np.diag([np.exp(random.uniform(-STRETCH, STRETCH)), 1])


@dataclass(frozen=True)
class Wobble:
    """A smooth random displacement of the plane: a few waves in x and in y."""

    heights: np.ndarray
    phases: np.ndarray
    size: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The points (n, 2), displaced."""
        x, y = (2 * np.pi * points / self.size).T
        waves = np.stack([x, y, x + y, x - y], axis=-1)
        return points + np.stack(
            [(height * np.sin(waves + phase)).sum(-1) for height, phase in zip(self.heights, self.phases, strict=True)],
            axis=-1,
        )
