"""Anything that runs over time steps, as one table with a scrubber: a Streamlit component in plain JavaScript.

`text_lane`, `heat_lanes`, `image_lane` and `rule` turn arrays into lanes, a `Timeline` puts lanes on one time axis, and
its `show` draws it. Moving through time happens in the browser alone and never reruns the script.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from ui.component import component

Direction = Literal["right", "left", "down"]
Kind = Literal["text", "heat", "image", "rule"]

PALETTES = ("sequential", "diverging")
DIRECTIONS = ("right", "left", "down")
MARKS = ("", "asked", "wrong", "right", "strong")
DECIMALS = 6  # of every value sent to the browser: finer than any colour or text it shows


@dataclass(frozen=True)
class Scale:
    """What the colours of a heat lane mean: `palette` runs from `low` to `high`.

    `meaning` stands beside the legend. With `percent` a value of 0.5 is written 50.0 %. Values beyond the ends keep
    the end's colour and their own number. Raises ValueError for another palette, or unless low < high.
    """

    palette: Literal["sequential", "diverging"]
    low: float
    high: float
    meaning: str
    percent: bool = False

    def __post_init__(self) -> None:
        if self.palette not in PALETTES:
            raise ValueError(f"palette must be one of {PALETTES}, not {self.palette!r}.")
        if not self.low < self.high:
            raise ValueError(f"A scale must run from a lower to a higher value, not from {self.low} to {self.high}.")


PROBABILITY = Scale("sequential", 0.0, 1.0, "probability", percent=True)
STATE = Scale("diverging", -1.0, 1.0, "hidden state")


@dataclass(frozen=True)
class Lane:
    """One quantity over all time steps: `length` of them, None for a rule. `content` is what the browser gets."""

    kind: Kind
    name: str
    length: int | None
    content: dict[str, Any] = field(default_factory=dict)
    scale: Scale | None = None


def text_lane(name: str, texts: Sequence[str], *, marks: Sequence[str] | None = None, tiles: bool = False) -> Lane:
    """A short text per time step, such as a bit or a digit.

    `marks` says of each cell whether it is "asked", "wrong", "right", "strong" or nothing special (""); each mark is
    shown by a sign as well as a colour. `tiles` draws every cell as a tile. Raises ValueError for unknown marks or
    another number of marks than texts.
    """
    content: dict[str, Any] = {"texts": [str(text) for text in texts]}
    if marks is not None:
        _check_length(f"marks of {name!r}", len(marks), len(texts))
        if unknown := set(marks) - set(MARKS):
            raise ValueError(f"Unknown marks in {name!r}: {sorted(unknown)}; use one of {list(MARKS)}.")
        content["marks"] = list(marks)
    if tiles:
        content["tiles"] = True
    return Lane("text", name, len(texts), content)


def heat_lanes(
    names: Sequence[str],
    values: np.ndarray,
    scale: Scale = PROBABILITY,
    *,
    texts: Sequence[Sequence[str]] | None = None,
    known: np.ndarray | None = None,
    backwards: bool = False,
) -> list[Lane]:
    """One lane of coloured cells per row of `values` (rows, time steps). `texts`, of the same shape, stands on them.

    Where `known`, of the same shape, is false there is no value, and the cell stays empty. `backwards` says that the
    network comes from the other end: then nothing beyond the current time step fades, as it has read that already.

    Raises ValueError where the shapes of names, values and texts disagree or a value is not finite.
    """
    values = _array(values, "The values", "(rows, time steps)")
    rows, T = values.shape
    _check_length("names", len(names), rows)
    contents: list[dict[str, Any]] = [{"values": row} for row in np.round(values, DECIMALS).tolist()]
    if known is not None:
        _check_length("rows of known", len(known), rows)
        for content, row in zip(contents, known, strict=True):
            content["values"] = [value if there else None for value, there in zip(content["values"], row, strict=True)]
    if backwards:
        for content in contents:
            content["backwards"] = True
    if texts is not None:
        _check_length("rows of texts", len(texts), rows)
        for name, content, row in zip(names, contents, texts, strict=True):
            _check_length(f"texts of {name!r}", len(row), T)
            content["texts"] = [str(text) for text in row]
    return [Lane("heat", str(name), T, content, scale) for name, content in zip(names, contents, strict=True)]


def image_lane(name: str, image: np.ndarray) -> Lane:
    """A picture (time steps, width) in [0, 1], ink = 1, of which the network reads one row per time step.

    Only for direction "down". Raises ValueError for any other shape or range.
    """
    image = _array(image, "The image", "(time steps, width)")
    if image.min() < 0 or image.max() > 1:
        raise ValueError(f"The image must lie in [0, 1], not in [{image.min():g}, {image.max():g}].")
    return Lane("image", name, len(image), {"pixels": np.round(image * 255).astype(int).tolist()})


def rule() -> Lane:
    """The line under the operands of a sum. Only for directions "left" and "right"."""
    return Lane("rule", "", None)


@dataclass(frozen=True)
class Timeline:
    """Lanes over time steps, ready to be shown.

    `label`: what the table shows, for those who cannot see it. `steps`: the header of each time step, under the name
    `axis`. `lanes`: title -> lanes that stand together under it ("" for no title). `direction`: where time runs;
    "left" puts time step 0 into the rightmost column, as the lowest bit of a number. `position`: names a time step
    in a sentence, with {} for its header ("After row {} of 28"); by default axis and header. `notes`: a sentence per
    time step, shown behind its position. `start`: the time step shown first, by default the last; a rerun keeps the
    one on the screen unless the number of time steps has changed. `view`: the time step that is in view until one
    moves, where there is no room for all; by default the one shown. `group`: timelines of one group and one length
    move together, and so do pictures (`ui.picture`).

    Raises ValueError where lanes, notes, start or view do not fit the steps, or a lane does not fit the direction.
    """

    label: str
    steps: Sequence[str]
    lanes: Mapping[str, Sequence[Lane]]
    direction: Direction = "right"
    axis: str = "time step"
    position: str | None = None
    notes: Sequence[str] | None = None
    start: int | None = None
    view: int | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        T = len(self.steps)
        if T == 0:
            raise ValueError("A timeline needs at least one time step.")
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {DIRECTIONS}, not {self.direction!r}.")
        if self.notes is not None:
            _check_length("notes", len(self.notes), T)
        for name, step in (("start", self.start), ("view", self.view)):
            if step is not None and not 0 <= step < T:
                raise ValueError(f"{name} must be a time step from 0 to {T - 1}, not {step}.")
        for lane in self._all_lanes():
            _check_lane(lane, T, self.direction)

    def show(self, key: str) -> None:
        """Draw on the page, as the element `key`."""
        _COMPONENT(key=key, data=self.payload())

    def payload(self) -> dict[str, Any]:
        """What the browser gets, in types that JSON knows; a scale that several lanes share is sent once."""
        scales = list(dict.fromkeys(lane.scale for lane in self._all_lanes() if lane.scale))
        groups = [
            {"title": title, "lanes": [_lane_payload(lane, scales) for lane in lanes]}
            for title, lanes in self.lanes.items()
        ]
        return {
            "label": self.label,
            "steps": [str(step) for step in self.steps],
            "groups": groups,
            "scales": [asdict(scale) for scale in scales],
            "direction": self.direction,
            "axis": self.axis,
            "position": f"{self.axis.capitalize()} {{}}" if self.position is None else self.position,
            "notes": list(self.notes or []),
            "start": len(self.steps) - 1 if self.start is None else self.start,
            "view": self.view,
            "group": self.group,
        }

    def _all_lanes(self) -> list[Lane]:
        return [lane for lanes in self.lanes.values() for lane in lanes]


def _lane_payload(lane: Lane, scales: list[Scale]) -> dict[str, Any]:
    scale = {} if lane.scale is None else {"scale": scales.index(lane.scale)}
    return {"kind": lane.kind, "name": lane.name, **scale, **lane.content}


def _check_lane(lane: Lane, steps: int, direction: Direction) -> None:
    if lane.length is not None:
        _check_length(f"time steps in lane {lane.name!r}", lane.length, steps)
    if lane.kind == "image" and direction != "down":
        raise ValueError(f"An image is read from top to bottom: it needs direction 'down', not {direction!r}.")
    if lane.kind == "rule" and direction == "down":
        raise ValueError("A rule lies between lanes that run to the left or right, not down.")


def _check_length(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"Expected {expected} {what}, not {found}.")


def _array(values: np.ndarray, what: str, shape: str) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"{what} must have the shape {shape}, not {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be finite numbers.")
    return values


HTML = """
<section class="timeline">
  <div class="scroll" tabindex="0" role="group">
    <div class="grid"><div class="cursor"></div></div>
  </div>
  <div class="now">
    <div class="controls">
      <button class="play" type="button">
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path class="on" d="M4 2l10 6-10 6z"/>
          <path class="off" d="M3 2h4v12H3zm6 0h4v12H9z"/>
        </svg>
      </button>
      <input class="range" type="range" min="0" step="1">
    </div>
    <p class="note">
      <span class="sizer" aria-hidden="true"></span>
      <span aria-live="polite"><b class="position"></b> <span class="sentence"></span></span>
    </p>
    <div class="readout"></div>
  </div>
  <div class="legend"></div>
</section>
"""
_COMPONENT = component("timeline", HTML)
