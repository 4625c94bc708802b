"""A drawing as its strokes: from and to the canvas's JSON, as pixels, and as a short code for a link.

Coordinates are whole pixels from the corner of a square of SIDE, x to the right and y down; strokes may leave it, and
those that come from the canvas are rounded at once, so that a link shows the very same pixels.
"""

import base64
import binascii
from typing import Any

import numpy as np

from training.tasks.strokes import SIDE, Stroke, render

__all__ = ["SIDE", "Stroke", "decode", "encode", "from_canvas", "render", "to_canvas"]

STRIP = 36  # pixels above it, where the canvas shows its own tools
FARTHEST = 4 * SIDE  # pixels: no point lies farther out
TOLERANCE = 1.0  # pixels that a simplified stroke may lie beside the original
PIECES = 6  # straight pieces for each curve of the canvas


def from_canvas(drawing: dict[str, Any]) -> list[Stroke]:
    """The strokes of the canvas's JSON (Fabric.js), without those that lie in its tool strip only."""
    strokes = [_from_path(item) for item in drawing.get("objects", []) if item.get("type", "").lower() == "path"]
    return [stroke for stroke in strokes if stroke is not None]


def to_canvas(strokes: list[Stroke]) -> dict[str, Any]:
    """What the canvas takes as `initial_drawing` to show these strokes, each to be moved or undone as if just drawn."""
    return {"version": "7.4.0", "objects": [_to_path(stroke) for stroke in strokes]}


def encode(strokes: list[Stroke]) -> str:
    """The drawing as a short text for a link: width, number of points and the points of each stroke, in base64."""
    parts = []
    for stroke in strokes:
        points = stroke.points.astype(">i2")
        parts.append(bytes([stroke.width]) + len(points).to_bytes(2, "big") + points.tobytes())
    return base64.urlsafe_b64encode(b"".join(parts)).decode().rstrip("=")


def decode(code: str) -> list[Stroke]:
    """The strokes of `encode`. Raises ValueError, in one sentence, for a code that is damaged."""
    damaged = ValueError("The link's drawing is damaged, so the canvas starts empty; ask for the link again.")
    try:
        content = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise damaged from error
    strokes = []
    while content:
        width, count = content[0], int.from_bytes(content[1:3], "big")
        numbers, content = content[3 : 3 + 4 * count], content[3 + 4 * count :]
        points = np.frombuffer(numbers[: len(numbers) // 4 * 4], ">i2").reshape(-1, 2).astype(float)
        if not (width and count and len(points) == count and np.abs(points).max() <= FARTHEST):
            raise damaged
        strokes.append(Stroke(width, points))
    return strokes


def _from_path(path: dict[str, Any]) -> Stroke | None:
    """A path of the canvas, where the edit tool has moved, scaled or turned it to; None when none of it is in view."""
    points = _flatten(path["path"])
    # The canvas keeps the path as it was drawn, and says with left and top where the middle of its box is now.
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    scale = np.array([path.get("scaleX", 1), path.get("scaleY", 1)], float)
    flip = np.array([-1 if path.get("flipX") else 1, -1 if path.get("flipY") else 1])
    angle = np.deg2rad(path.get("angle", 0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (points - middle) * scale * flip @ turn.T + [path["left"], path["top"] - STRIP]
    width = round(path.get("strokeWidth", 1) * np.sqrt(abs(scale.prod())))
    radius = width / 2
    if (points.max(axis=0) < -radius).any() or (points.min(axis=0) > SIDE + radius).any():
        return None
    return Stroke(int(np.clip(width, 1, 255)), _simplify(np.rint(points).clip(-FARTHEST, FARTHEST)))


def _to_path(stroke: Stroke) -> dict[str, Any]:
    shifted = stroke.points + np.array([0, STRIP])
    shifted[-1, 0] += 0.01  # a browser draws no line that does not leave its place, so a dot would be lost
    left, top = (shifted.min(axis=0) + shifted.max(axis=0)) / 2
    width, height = np.ptp(shifted, axis=0)
    commands = [["L", *point] for point in shifted.tolist()]
    commands[0][0] = "M"
    place = {"left": left, "top": top, "width": width, "height": height, "originX": "center", "originY": "center"}
    look = {"stroke": "#000000", "strokeWidth": stroke.width, "strokeLineCap": "round", "strokeLineJoin": "round"}
    return {"type": "Path", "version": "7.4.0", "fill": None, "path": commands} | place | look


def _flatten(commands: list[list[Any]]) -> np.ndarray:
    """The points (n, 2) along a path of M (start), L (line) and Q (quadratic curve) commands."""
    points = [np.array(commands[0][1:3], float)]
    t = np.arange(1, PIECES + 1)[:, None] / PIECES
    for kind, *numbers in commands[1:]:
        end = np.array(numbers[-2:], float)
        if kind == "Q":
            control = np.array(numbers[:2], float)
            points.extend((1 - t) ** 2 * points[-1] + 2 * t * (1 - t) * control + t**2 * end)
        else:
            points.append(end)
    return np.array(points)


def _simplify(points: np.ndarray) -> np.ndarray:
    """The fewest of these points whose line stays within TOLERANCE of all (Douglas and Peucker, 1973)."""
    kept = {0, len(points) - 1}
    pieces = [(0, len(points) - 1)]  # not by recursion: a stroke may turn back more often than Python goes deep
    while pieces:
        first, last = pieces.pop()
        distances = _distances(points[first : last + 1])
        farthest = first + int(distances.argmax())
        if distances.max() > TOLERANCE:
            kept.add(farthest)
            pieces += [(first, farthest), (farthest, last)]
    return points[sorted(kept)]


def _distances(points: np.ndarray) -> np.ndarray:
    """How far each point is from the piece between the first and the last.

    Not from the whole line through them: a pen that turns back leaves a tip beyond it.
    """
    along, offsets = points[-1] - points[0], points - points[0]
    share = (offsets @ along / max(along @ along, 1)).clip(0, 1)
    return np.hypot(*(offsets - share[:, None] * along).T)
