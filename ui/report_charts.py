"""The Report page's figures: results in, a table and an Altair chart of it out. Knows no Streamlit."""

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from training.statistics import mean
from ui.charts import readable

Row = dict[str, Any]
CELL_NAMES = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
PER_CENT = alt.Axis(format=".4~p")
NARROW = 24  # letters in a legend's line on a telephone


@dataclass(frozen=True)
class Figure:
    """A chart and the numbers in it, which can be downloaded as CSV."""

    chart: alt.TopLevelMixin
    table: pd.DataFrame


def dots(rows: Iterable[tuple[str, str, list[float], float | None]], title: str) -> Figure:
    """A line for every setting: mean and 95 % interval of its seeds, the report's value as a hollow diamond.

    `rows` are label, colour's label, a number for every seed (fractions), and the report's number or None.
    """
    table = pd.DataFrame([_dot(*row) for row in rows])
    order = list(table["setting"])
    y = alt.Y("setting:N", title=None, sort=order, axis=alt.Axis(labelLimit=220, labelOverlap=False))
    lowest = math.floor(20 * table[["worst", "report"]].min(axis=None)) / 20
    scale = alt.Scale(domain=[min(lowest, 0.95), 1], nice=False)
    worst, low, middle, report = (
        alt.X(f"{name}:Q", title=title, scale=scale, axis=PER_CENT) for name in ("worst", "low", "mean", "report")
    )
    groups = list(dict.fromkeys(table["group"]))
    wide = len("".join(groups)) > NARROW
    legend = alt.Legend(orient="top", columns=1 if wide else len(groups), labelLimit=240, symbolOpacity=1)
    color = alt.Color("group:N", title=None, sort=groups, legend=legend if len(groups) > 1 else None)
    tooltip = [alt.Tooltip("setting:N"), alt.Tooltip("n:Q", title="seeds")]
    tooltip += [alt.Tooltip(f"{name}:Q", format=".2%") for name in ("mean", "low", "high", "worst", "best", "report")]
    base = alt.Chart(table).encode(y=y, color=color, tooltip=tooltip)
    layers = base.mark_rule(opacity=0.35).encode(x=worst, x2="best:Q")
    layers += base.mark_rule(strokeWidth=4).encode(x=low, x2="high:Q")
    layers += base.mark_point(filled=True, size=70, opacity=1).encode(x=middle)
    if table["report"].notna().any():
        layers += base.mark_point(shape="diamond", size=110, filled=False, strokeWidth=2).encode(x=report)
    return Figure(readable(layers.properties(height=26 * len(order) + (120 if wide else 100))), table)


def _dot(setting: str, group: str, values: list[float], report: float | None) -> Row:
    measured = mean(values)
    return {
        "setting": setting,
        "group": group,
        "mean": measured.mean,
        "low": measured.low,
        "high": measured.high,
        "worst": min(values),
        "best": max(values),
        "n": measured.n,
        "report": report,
    }


def curves(table: pd.DataFrame, x_title: str, share: bool) -> Figure:
    """One measure against x: a line and a band for each series.

    `table` has the columns measure, series, x, value, low and high; with `share` the values stand in per cent.
    """
    series = list(dict.fromkeys(table["series"]))
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=240, symbolOpacity=1)
    color = alt.Color("series:N", title=None, sort=series, legend=legend)
    x = alt.X("x:Q", title=x_title, scale=alt.Scale(nice=False))
    axis = PER_CENT if share else alt.Axis(format="~g")
    tooltip = [alt.Tooltip("series:N"), alt.Tooltip("x:Q", title=x_title)]
    tooltip += [alt.Tooltip(f"{name}:Q", format=".2%" if share else ".4f") for name in ("value", "low", "high")]
    base = alt.Chart(table).encode(x=x, color=color)
    scale, title = alt.Scale(zero=False), str(table["measure"].iloc[0])
    band = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title=title, axis=axis, scale=scale), y2="high:Q")
    line = base.mark_line(point={"size": 14}).encode(y=alt.Y("value:Q", title=title), tooltip=tooltip)
    return Figure(readable((band + line).properties(height=360)), table)


def lengths(table: pd.DataFrame, trained: tuple[int, int], title: str, low: float = 0.0) -> Figure:
    """Accuracy against length with a band over seeds: solid and dashed by `measure`, a colour for each `series`.

    `table` has the columns series, measure, length, value, low and high; the trained lengths are shaded.
    """
    series = list(dict.fromkeys(table["series"]))
    measures = list(dict.fromkeys(table["measure"]))
    x = alt.X("length:Q", title=title, scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1))
    y = alt.Y("value:Q", title="share that is right", scale=alt.Scale(domain=[low, 1]), axis=alt.Axis(format="%"))
    color = alt.Color(
        "series:N", title=None, sort=series, legend=alt.Legend(orient="bottom", columns=3, symbolOpacity=1)
    )
    dash = alt.StrokeDash(
        "measure:N", title=None, sort=measures, legend=alt.Legend(orient="top") if len(measures) > 1 else None
    )
    tooltip = [alt.Tooltip("series:N"), alt.Tooltip("measure:N"), alt.Tooltip("length:Q")]
    tooltip += [alt.Tooltip(f"{name}:Q", format=".2%") for name in ("value", "low", "high")]
    base = alt.Chart(table).encode(x=x, color=color)
    band = base.mark_area(opacity=0.15, clip=True).encode(y=alt.Y("low:Q", title=None), y2="high:Q", detail="measure:N")
    line = base.mark_line(clip=True).encode(y=y, strokeDash=dash, tooltip=tooltip)
    places = pd.DataFrame({"start": [trained[0]], "end": [trained[1]]})
    start, end = alt.X("start:Q", title=title), "end:Q"
    shade = alt.Chart(places).mark_rect(opacity=0.12).encode(x=start, x2=end)
    if trained[0] == trained[1]:
        shade = alt.Chart(places).mark_rule(strokeDash=[2, 3], color="gray").encode(x=start)
    return Figure(readable((shade + band + line).properties(height=320)), table)


def heat_map(table: pd.DataFrame, x: str, y: str, value: str, share: bool = True, height: int = 300) -> Figure:
    """A cell for every pair of x and y in the sequential colours, with its number on hover."""
    cells = (
        alt.Chart(table)
        .mark_rect()
        .encode(
            x=alt.X(f"{x}:O", title=x, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y(f"{y}:O", title=y),
            color=alt.Color(f"{value}:Q", title=value, legend=alt.Legend(format="%" if share else "d", orient="top")),
            tooltip=[x, y, alt.Tooltip(f"{value}:Q", format=".1%" if share else ",d")],
        )
    )
    return Figure(readable(alt.layer(cells).properties(height=height)), table)


def image_sheet(images: list[np.ndarray], captions: list[str], across: int = 12) -> alt.TopLevelMixin:
    """Images (height, width), ink = 1, in lines of `across`, dark on white, with a caption below each."""
    table = pd.DataFrame(
        {"column": place % across, "line": place // across, "url": _data_url(image), "caption": caption}
        for place, (image, caption) in enumerate(zip(images, captions, strict=True))
    )
    base = alt.Chart(table).encode(x=alt.X("column:O", axis=None), y=alt.Y("line:O", axis=None))
    pictures = base.mark_image(width=56, height=56).encode(url="url:N")
    texts = base.mark_text(dy=38).encode(text="caption:N")
    return readable((pictures + texts).properties(width=alt.Step(68), height=alt.Step(90)))


def _data_url(image: np.ndarray) -> str:
    """The image itself as an address."""
    file = io.BytesIO()
    Image.fromarray(np.uint8(255 * (1 - image))).save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def long_curves(series: dict[str, Row], measure: str, line: str) -> pd.DataFrame:
    """One measure's curves of several series as a table for `curves`; `line` is what the line shows: mean or median."""
    rows = []
    for name, curve in series.items():
        band = curve[measure]
        points = zip(curve["steps"], band[line], band["low"], band["high"], strict=True)
        rows += [
            {"measure": measure, "series": name, "x": x, "value": value, "low": low, "high": high}
            for x, value, low, high in points
        ]
    return pd.DataFrame(rows)


def long_lengths(series: dict[str, dict[str, Row]], first: int = 1) -> pd.DataFrame:
    """Accuracy against length of several series as one table for `lengths`: {series: {measure: spreads}}."""
    rows = []
    for name, measured in series.items():
        for measure, spread in measured.items():
            points = zip(spread["median"], spread["low"], spread["high"], strict=True)
            rows += [
                {"series": name, "measure": measure, "length": length, "value": value, "low": low, "high": high}
                for length, (value, low, high) in enumerate(points, start=first)
            ]
    return pd.DataFrame(rows)
