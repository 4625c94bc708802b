"""The charts of the tab Look inside: arrays in, Altair charts out. Knows no Streamlit."""

import math
from itertools import pairwise

import altair as alt
import numpy as np
import pandas as pd

from models.fixed_points import FixedPoint
from models.projection import Plane
from ui.charts import MARGIN, at, readable

MOST_LABELLED = 40  # rows of a map that have room for a name each
# Of ten digits' regions, which bear their names as well; the page's own palette has eight colours.
GROUNDS = ["#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948", "#76b7b2", "#e15759", "#9c755f", "#ff9da7", "#8d8d8d"]
MOST_TICKS = 6  # of a log axis
GRID = 40  # places in each direction at which the read-out's decision is computed


def fading(
    norms: dict[str, np.ndarray], steps: list[str], axis: str, title: str, backwards: bool = False
) -> alt.LayerChart:
    """Norms (T,) of several networks against the time step, on a log axis; zeros, which it lacks, are left out.

    With `backwards` time runs from right to left.
    """
    rows = [
        {
            "network": name,
            "step": steps[t],
            "norm": float(value),
            "said": at(t, f"{name}, {axis} {steps[t]}: {value:.2e}"),
        }
        for name, values in norms.items()
        for t, value in enumerate(values)
        if value > 0
    ]
    table = pd.DataFrame(rows, columns=["network", "step", "norm", "said"])
    ticks = alt.Axis(format="~g", values=decades(table["norm"]))
    order = steps[::-1] if backwards else steps
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=260)
    base = alt.Chart(table).encode(
        x=alt.X("step:O", title=axis, sort=order, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("norm:Q", title=title, scale=alt.Scale(type="log"), axis=ticks),
        color=alt.Color("network:N", title=None, sort=list(norms), legend=legend),
    )
    points = base.mark_circle(size=30, opacity=1).encode(description="said:N")
    return readable((base.mark_line(aria=False) + points).properties(height=240 + 26 * len(norms)))


def decades(values: pd.Series) -> list[float]:
    """Ticks of a log axis: the powers of ten around the values, at most six; within two of them 2 and 5 as well."""
    if values.empty:
        return [1.0]
    low, high = math.floor(math.log10(values.min())), math.ceil(math.log10(values.max()))
    every = range(low, high + 1, -(-(high - low + 1) // MOST_TICKS))
    between = (1, 2, 5) if high - low < 2 else (1,)
    return [float(f"{part}e{power}") for power in every for part in between]


def saliency(gradient: np.ndarray, image: np.ndarray) -> alt.LayerChart:
    """The gradient (rows, columns) of the answer over an image's pixels: which of them it hangs on, and which way."""
    rows, columns = np.indices(gradient.shape).reshape(2, -1)
    most = float(np.abs(gradient).max()) or 1.0
    table = pd.DataFrame({"row": rows + 1, "column": columns + 1, "gradient": gradient.ravel(), "ink": image.ravel()})
    table["said"] = [
        f"row {row + 1}, column {column + 1}: ink {ink:.2f}, gradient {slope:.3f}"
        for row, column, ink, slope in zip(rows, columns, table["ink"], table["gradient"], strict=True)
    ]
    base = alt.Chart(table).encode(x=alt.X("column:O", axis=None), y=alt.Y("row:O", axis=None))
    scale = alt.Scale(domain=[-most, 0, most], range=["#d07c3d", "#dfe6ef00", "#2562b8"], interpolate="rgb")
    ink = base.mark_rect(color="gray", aria=False).encode(
        opacity=alt.Opacity("ink:Q", scale=alt.Scale(domain=[0, 1]), legend=None)
    )
    color = alt.Color(
        "gradient:Q", scale=scale, legend=alt.Legend(orient="bottom", title="logit per ink: against (−), for (+)")
    )
    slopes = base.mark_rect(opacity=0.75).encode(color=color, description="said:N")
    whole = pd.DataFrame({"row": range(1, len(gradient) + 1)})  # of which the current one gets an outline
    whole["said"] = [at(row - 1, f"row {row}") for row in whole["row"]]
    outlines = alt.Chart(whole).mark_rect(filled=False, stroke="transparent").encode(y="row:O", description="said:N")
    margin = MARGIN | {"left": 20}  # for the minus sign of the legend's left end
    return readable((ink + slopes + outlines).properties(height=410)).properties(padding=margin)


def answers_map(values: np.ndarray, changed: list[str], outputs: list[str], shown: list[str]) -> alt.LayerChart:
    """Probabilities (N, K): a row for every changed input, a column for every output, in the order of `shown`."""
    table = pd.DataFrame(
        [
            {"change": name, "answer": output, "probability": float(value)}
            for name, line in zip(changed, values, strict=True)
            for output, value in zip(outputs, line, strict=True)
        ]
    )
    legend = alt.Legend(orient="top", format="%", values=[0, 0.5, 1])
    names = alt.Axis(labelLimit=200, labelOverlap=len(changed) > MOST_LABELLED)
    cells = (
        alt.Chart(table)
        .mark_rect()
        .encode(
            x=alt.X("answer:N", sort=shown, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("change:N", sort=changed, title=None, axis=names),
            color=alt.Color("probability:Q", scale=alt.Scale(domain=[0, 1]), legend=legend),
            tooltip=["change", "answer", alt.Tooltip("probability:Q", format=".1%")],
        )
    )
    return readable(alt.layer(cells).properties(height=19 * min(len(changed), MOST_LABELLED) + 175))


def trajectory(
    seen: Plane,
    states: np.ndarray,
    steps: list[str],
    decisions: tuple[np.ndarray, list[str]] | None,
    points: list[FixedPoint],
    titles: tuple[str, str],
) -> alt.LayerChart:
    """The way of the states (T, H) through the plane, the read-out's decisions as its ground, fixed points as crosses.

    `decisions` are a class's number for each place of `ground`, and what the classes are called.
    """
    path = seen.project(states)
    table = pd.DataFrame({"x": path[:, 0], "y": path[:, 1], "step": steps, "order": range(len(steps))})
    table["said"] = [
        at(t, f"after step {step}: ({x:.2f}, {y:.2f})")
        for t, (step, (x, y)) in enumerate(zip(steps, path, strict=True))
    ]
    x, y = alt.X("x:Q", title=titles[0]), alt.Y("y:Q", title=titles[1])
    layers = []
    if decisions is not None:
        layers.append(_regions(seen, states, points, decisions, titles))
    base = alt.Chart(table).encode(x=x, y=y)
    layers += [
        base.mark_line(color="gray", opacity=0.7, aria=False).encode(order="order:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(description="said:N"),
        base.mark_text(dy=-10, color="gray", aria=False).encode(text="step:N"),
    ]
    if points:
        places = seen.project(np.stack([point.state for point in points]))
        resting = pd.DataFrame({"x": places[:, 0], "y": places[:, 1], "fixed point": [point.kind for point in points]})
        shape = alt.Shape("fixed point:N", legend=alt.Legend(orient="top"), scale=KINDS)
        layers.append(
            alt.Chart(resting)
            .mark_point(size=180, strokeWidth=2.5, color="currentColor", opacity=1)
            .encode(x=x, y=y, shape=shape, description="fixed point:N")
        )
    return readable(alt.layer(*layers).resolve_scale(color="independent", shape="independent").properties(height=420))


KINDS = alt.Scale(
    domain=["stable", "neutral", "saddle", "unstable"], range=["circle", "diamond", "cross", "triangle-up"]
)


def ground(seen: Plane, states: np.ndarray, points: list[FixedPoint]) -> np.ndarray:
    """Places (GRID * GRID, 2) of the plane around the states and fixed points."""
    places = _marked(seen, states, points)
    low, high = places.min(axis=0), places.max(axis=0)
    margin = np.maximum(0.15 * (high - low), 0.05)
    axes = [np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


def _regions(
    seen: Plane,
    states: np.ndarray,
    points: list[FixedPoint],
    decisions: tuple[np.ndarray, list[str]],
    titles: tuple[str, str],
) -> alt.LayerChart:
    places, (numbers, names) = ground(seen, states, points), decisions
    x, y = places.reshape(GRID, GRID, 2)[0, :, 0], places.reshape(GRID, GRID, 2)[:, 0, 1]
    width, height = (np.diff(axis)[0] / 2 for axis in (x, y))
    rows = []
    for line, said in zip(y, numbers.reshape(GRID, GRID), strict=True):
        edges = [0, *np.flatnonzero(np.diff(said)) + 1, GRID]  # cells of one decision beside each other are one
        rows += [
            {"x": x[i] - width, "x2": x[j - 1] + width, "y": line - height, "y2": line + height, "says": names[said[i]]}
            for i, j in pairwise(edges)
        ]
    table = pd.DataFrame(rows)
    shown = names if len(names) > 2 else names[::-1]  # of two bits the 1 is blue, as everywhere
    colors = GROUNDS if len(names) > 2 else alt.Undefined
    # A class has the same colour in every chart, whichever others there are.
    color = alt.Color("says:N", scale=alt.Scale(domain=shown, range=colors), legend=None)
    x, y = alt.X("x:Q", title=titles[0]), alt.Y("y:Q", title=titles[1])
    regions = alt.Chart(table).mark_rect(opacity=0.3, aria=False).encode(x=x, x2="x2", y=y, y2="y2", color=color)
    labels = alt.Chart(_labels(places, numbers, names, _marked(seen, states, points))).encode(x=x, y=y, text="says:N")
    return regions + labels.mark_text(fontSize=15, fontWeight="bold", color="currentColor", aria=False)


def _labels(places: np.ndarray, numbers: np.ndarray, names: list[str], shown: np.ndarray) -> pd.DataFrame:
    """What is said in each class's ground, where all that is `shown`, other grounds and the edge are farthest."""
    low, high = places.min(axis=0), places.max(axis=0)
    scaled, marks = ((each - low) / (high - low) for each in (places, shown))
    edge = np.minimum(scaled, 1 - scaled).min(axis=1)
    rows = []
    for number in np.unique(numbers):
        own = numbers == number
        others = np.concatenate([marks, scaled[~own]])
        room = np.linalg.norm(scaled[own, None] - others, axis=-1).min(axis=1)
        x, y = places[own][np.minimum(room, edge[own]).argmax()]
        rows.append({"x": x, "y": y, "says": f"says {names[number]}"})
    return pd.DataFrame(rows)


def _marked(seen: Plane, states: np.ndarray, points: list[FixedPoint]) -> np.ndarray:
    """The places (N, 2) in the plane of the states and of the fixed points."""
    return seen.project(np.concatenate([states, *(point.state[None] for point in points)]))
