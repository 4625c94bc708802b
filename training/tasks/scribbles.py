"""Scribbles: drawings that are no digit, to teach a network to say so, and others to examine it with.

A network that has only ever seen digits is sure of one whatever it sees. One that has also been shown what is no digit,
with "every class is as likely as any other" as its target, stays unsure (outlier exposure: Hendrycks, Mazeika,
Dietterich, "Deep anomaly detection with outlier exposure", 2019).
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from training.tasks.pen import BRUSH, place
from training.tasks.prepare import prepare
from training.tasks.strokes import render

Lines = list[np.ndarray]


def walk(random: np.random.Generator) -> Lines:
    """A pen that wanders about for long, but always comes back: a tangle."""
    points = np.zeros((random.integers(60, 160), 2))
    velocity = np.zeros(2)
    for before, here in itertools.pairwise(points):
        velocity = 0.7 * velocity + random.normal(0, 0.3, 2) - 0.15 * before
        here[:] = before + velocity
    return [points]


def zigzag(random: np.random.Generator) -> Lines:
    """To and fro, four times or more, at any angle."""
    count = random.integers(6, 16)
    x = np.linspace(0, random.uniform(0.5, 2), count)
    y = np.arange(count) % 2 + random.normal(0, 0.15, count)
    return [_turned(np.stack([x, y], axis=-1), random)]


def knot(random: np.random.Generator) -> Lines:
    """Many loops over each other: a Lissajous figure of higher frequencies."""
    t = np.linspace(0, 2 * np.pi, 150)
    a, b = random.integers(2, 7, 2)
    x = np.sin(a * t + random.uniform(0, 6)) + 0.4 * np.sin(5 * t + random.uniform(0, 6))
    y = np.sin(b * t + random.uniform(0, 6)) + 0.4 * np.cos(4 * t)
    return [np.stack([x, y], axis=-1)]


def sticks(random: np.random.Generator) -> Lines:
    """Four to nine straight lines across each other."""
    return [random.uniform(0, 1, (2, 2)) for _ in range(random.integers(4, 10))]


def dots(random: np.random.Generator) -> Lines:
    """Three dots or more."""
    return [np.repeat(random.uniform(0, 1, (1, 2)), 2, axis=0) for _ in range(random.integers(3, 12))]


def hatching(random: np.random.Generator) -> Lines:
    """An area filled with a dense stroke."""
    count = random.integers(14, 40)
    t = np.arange(count)
    edge = 0.5 + 0.5 * np.abs(np.sin(t / count * np.pi + random.uniform(0, 1)))
    return [_turned(np.stack([t / count, np.where(t % 2, edge, 1 - edge)], axis=-1), random)]


def letters(random: np.random.Generator) -> Lines:
    """One of the capital letters that look like no digit."""
    shapes = {
        "A": "02-10-22 0.51-1.51", "E": "20-00-02-22 01-1.51", "F": "20-00-02 01-1.51", "H": "00-02 20-22 01-21",
        "K": "00-02 20-01-22", "M": "02-00-11-20-22", "N": "02-00-22-20", "R": "02-00-10-20.5-11-01-22",
        "W": "00-0.52-10-1.52-20", "X": "00-22 20-02", "P": "02-00-20-21-01", "V": "00-12-20",
    }  # fmt: skip
    shape = shapes[random.choice(list(shapes))]
    lines = [np.array([_point(text) for text in line.split("-")]) for line in shape.split()]
    return [line + random.normal(0, 0.07, line.shape) for line in lines]


def spiral(random: np.random.Generator) -> Lines:
    """Three turns or more around a middle."""
    t = np.linspace(0, 2 * np.pi * random.uniform(3, 6), 200)
    return [np.stack([t * np.cos(t), random.choice([-1, 1]) * t * np.sin(t)], axis=-1)]


def star(random: np.random.Generator) -> Lines:
    """A pentagram, drawn in one go."""
    t = np.arange(6) * 4 * np.pi / 5 + random.uniform(0, 6)
    return [np.stack([np.cos(t), np.sin(t)], axis=-1) + random.normal(0, 0.05, (6, 2))]


def lattice(random: np.random.Generator) -> Lines:
    """A grid, as for noughts and crosses."""
    at = np.arange(random.integers(2, 5)) + 0.5
    across = [np.array([[0, y], [len(at), y]]) for y in at]
    return across + [np.array([[x, 0], [x, len(at)]]) for x in at]


def waves(random: np.random.Generator) -> Lines:
    """Three wavy lines under each other."""
    x = np.linspace(0, 2, 60)
    height, pace = random.uniform(0.1, 0.25), random.uniform(2, 4)
    return [np.stack([x, y + height * np.sin(2 * np.pi * pace * x / 2)], axis=-1) for y in (0, 0.7, 1.4)]


def face(random: np.random.Generator) -> Lines:
    """Two eyes and a mouth in a circle."""
    t = np.linspace(0, 2 * np.pi, 60)
    eyes = [np.repeat([[x, -0.3 + random.normal(0, 0.05)]], 2, axis=0) for x in (-0.4, 0.4)]
    mouth = np.stack([np.linspace(-0.5, 0.5, 20), 0.6 - np.linspace(-0.5, 0.5, 20) ** 2], axis=-1)
    return [np.stack([np.cos(t), np.sin(t)], axis=-1), *eyes, mouth]


Kind = Callable[[np.random.Generator], Lines]
# A network is examined with kinds that it has never seen, as it is with people that it has never seen.
TRAINED: tuple[Kind, ...] = (walk, zigzag, knot, sticks, dots, hatching, letters)
HELD_BACK: tuple[Kind, ...] = (spiral, star, lattice, waves, face)


def scribbles(kinds: tuple[Kind, ...], count: int, seed: int) -> Tensor:
    """`count` scribbles of these kinds in turn, drawn and prepared as on the page: (count, 28, 28) in [0, 1]."""
    random = np.random.default_rng(seed)
    images = []
    for number in range(count):
        lines = kinds[number % len(kinds)](random)
        images.append(prepare(render(place(lines, int(random.integers(BRUSH[0], BRUSH[1] + 1)), random))))
    return torch.from_numpy(np.stack(images))


def _turned(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    angle = random.uniform(0, 2 * np.pi)
    return points @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _point(text: str) -> tuple[float, float]:
    """Two numbers of a shape, each a digit or a digit and a half: "1.52" is (1.5, 2)."""
    first = text[:3] if text[1] == "." else text[:1]
    return float(first), float(text[len(first) :])
