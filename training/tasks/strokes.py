"""A drawing as its strokes, and the pixels that the canvas would show of them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIDE = 280  # pixels of the square that one draws in
FINE = 3  # a drawing is painted this much larger and then shrunk, for smooth edges


@dataclass(frozen=True)
class Stroke:
    """A line of `width` pixels through `points` (n, 2), x to the right and y down, with round ends and corners."""

    width: int
    points: np.ndarray


def render(strokes: list[Stroke]) -> np.ndarray:
    """The drawing as pixels, (280, 280) uint8: black ink, 0, on white paper, 255."""
    image = Image.new("L", (SIDE * FINE, SIDE * FINE), 255)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        points, radius = stroke.points * FINE, stroke.width * FINE / 2
        draw.line([tuple(point) for point in points], fill=0, width=round(2 * radius), joint="curve")
        for x, y in points[[0, -1]]:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(image.reduce(FINE))
