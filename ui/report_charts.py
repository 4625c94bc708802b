"""The Report page's figures: results in, a table and an Altair chart of it out. Knows no Streamlit.

They are shown as pictures (`ui.picture`): where a mark has a description, that is what one reads on hover.
"""

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

from training.claims import ends, percent
from training.statistics import mean
from ui.charts import ON_INK, ON_PAPER, readable

Row = dict[str, Any]
PER_CENT = alt.Axis(format=".4~p")
LETTERS = 24  # in a line of labels on a telephone
DESCRIPTION = "description:N"
SHADES = 10  # of the sequential palette


@dataclass(frozen=True)
class Figure:
    """A chart and the numbers in it, which can be downloaded as CSV."""

    chart: alt.TopLevelMixin
    table: pd.DataFrame


def dots(rows: Iterable[tuple[str, str, list[float], float | None]], title: str) -> Figure:
    """A line for every setting: mean and 95 % interval of its seeds, the report's value as a hollow diamond.

    `rows` are label, group (which gives the colour, and is part of the label), a number for every seed (fractions), and
    the report's number or None. On a telephone long labels need two lines: they break at their comma.
    """
    table = pd.DataFrame([_dot(*row) for row in rows])
    order = list(table["setting"])
    lines = 2 if max(map(len, order)) > LETTERS else 1
    label = "split(datum.label, ', ')" if lines > 1 else "datum.label"
    y = alt.Y("setting:N", title=None, sort=order, axis=alt.Axis(labelExpr=label, labelLimit=0, labelOverlap=False))
    lowest = math.floor(20 * table[["worst", "report"]].min(axis=None)) / 20
    scale = alt.Scale(domain=[min(lowest, 0.95), 1], nice=False)
    worst, low, middle, report = (
        alt.X(f"{name}:Q", title=title, scale=scale, axis=PER_CENT) for name in ("worst", "low", "mean", "report")
    )
    color = alt.Color("group:N", title=None, sort=list(dict.fromkeys(table["group"])), legend=None)  # labels name it
    described = table.assign(description=[_sentence(row) for row in table.to_dict("records")])
    base = alt.Chart(described).encode(y=y, color=color, description=DESCRIPTION)
    layers = base.mark_rule(opacity=0.35).encode(x=worst, x2="best:Q")
    layers += base.mark_rule(strokeWidth=4).encode(x=low, x2="high:Q")
    layers += base.mark_point(filled=True, size=70, opacity=1).encode(x=middle)
    if table["report"].notna().any():
        layers += base.mark_point(shape="diamond", size=110, filled=False, strokeWidth=2).encode(x=report)
    return Figure(readable(layers.properties(height=(8 + 18 * lines) * len(order) + 80)), table)


def _dot(setting: str, group: str, values: list[float], report: float | None) -> Row:
    measured = mean(values)
    low, high = ends(measured)
    return {
        "setting": setting,
        "group": group,
        "mean": measured.mean,
        "low": low,
        "high": high,
        "worst": min(values),
        "best": max(values),
        "n": measured.n,
        "report": report,
    }


def _sentence(row: Row) -> str:
    shares = {name: percent(row[name], 2) for name in ("mean", "low", "high", "worst", "best")}
    measured = "{mean}, interval {low} to {high}, seeds {worst} to {best}".format(**shares)
    report = "" if pd.isna(row["report"]) else f"; the report: {percent(row['report'])}"
    return f"{row['setting']}: {measured} (n = {row['n']}){report}"


def curves(table: pd.DataFrame, x_title: str, share: bool) -> Figure:
    """One measure against x: a line and a band for each series.

    `table` has the columns measure, series, x, value, low and high; with `share` the values stand in per cent.
    """
    series = list(dict.fromkeys(table["series"]))
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=240, symbolOpacity=1)
    color = alt.Color("series:N", title=None, sort=series, legend=legend)
    x = alt.X("x:Q", title=x_title, scale=alt.Scale(nice=False))
    axis = PER_CENT if share else alt.Axis(format="~g")
    base = alt.Chart(_described(table, x_title, share)).encode(x=x, color=color)
    scale, title = alt.Scale(zero=False), str(table["measure"].iloc[0])
    low, value = alt.Y("low:Q", title=title, axis=axis, scale=scale), alt.Y("value:Q", title=title)
    band = base.mark_area(opacity=0.2, aria=False).encode(y=low, y2="high:Q")
    line = base.mark_line(aria=False).encode(y=value)
    points = base.mark_circle(size=14, opacity=1).encode(y=value, description=DESCRIPTION)
    return Figure(readable((band + line + points).properties(height=360)), table)


def _described(table: pd.DataFrame, x_title: str, share: bool) -> pd.DataFrame:
    """The table with a sentence for every point, in per cent for a share; x is its column x or length."""

    def number(value: float) -> str:
        return percent(value, 2) if share else f"{value:.4f}"

    x = "x" if "x" in table else "length"
    rows = table.to_dict("records")
    sentences = [
        f"{row['series']}, {row['measure']} at {x_title} {row[x]:,}: {number(row['value'])} "
        f"({number(row['low'])} to {number(row['high'])})"
        for row in rows
    ]
    return table.assign(description=sentences)


def lengths(table: pd.DataFrame, trained: tuple[int, int], x_title: str, y_title: str) -> Figure:
    """Accuracy against length: a line and a band over seeds in a colour for each series.

    `table` has the columns series, measure, length, value, low and high; the trained lengths are shaded.
    """
    series = list(dict.fromkeys(table["series"]))
    x = alt.X("length:Q", title=x_title, scale=alt.Scale(nice=False, zero=False), axis=alt.Axis(tickMinStep=1))
    y = alt.Y("value:Q", title=y_title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    legend = alt.Legend(orient="bottom", columns=1, symbolOpacity=1)
    color = alt.Color("series:N", title=None, sort=series, legend=legend)
    base = alt.Chart(_described(table, x_title, share=True)).encode(x=x, color=color)
    band = base.mark_area(opacity=0.2, clip=True, aria=False).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q")
    line = base.mark_line(clip=True, aria=False).encode(y=y)
    points = base.mark_circle(size=9, opacity=0).encode(y=y, description=DESCRIPTION)
    places = pd.DataFrame({"start": [trained[0]], "end": [trained[1]]})
    start, end = alt.X("start:Q", title=x_title), "end:Q"
    shade = alt.Chart(places).mark_rect(color="gray", opacity=0.15, aria=False).encode(x=start, x2=end)
    if trained[0] == trained[1]:
        shade = alt.Chart(places).mark_rule(strokeDash=[2, 3], color="gray", aria=False).encode(x=start)
    return Figure(readable((shade + band + line + points).properties(height=340)), table)


def heat_map(table: pd.DataFrame, x: str, y: str, value: str, share: bool = True, height: int = 300) -> Figure:
    """A cell for every pair of x and y that has a value, in the sequential colours.

    A value that is no `share` is a count, which stands in its cell; where it is 0 the cell is empty.
    """
    seen = table[table[value].notna() if share else table[value] > 0]
    # Whole numbers of images to each of the palette's steps.
    highest = 1 if share else SHADES * max(1, math.ceil(seen[value].max() / SHADES))
    numbers = [percent(number) if share else f"{number:,.0f}" for number in seen[value]]
    places = zip(seen[x], seen[y], numbers, strict=True)
    sentences = [f"{x} {across}, {y} {down}: {value} {number}" for across, down, number in places]
    # The steps of the palette, not colours between them: those could not follow the page into the dark.
    scale = alt.Scale(type="quantize", domain=[0, highest])
    legend = alt.Legend(format="%" if share else "d", orient="top")
    base = alt.Chart(seen.assign(description=sentences)).encode(
        x=alt.X(f"{x}:O", title=x, axis=alt.Axis(labelAngle=0, labelOverlap=True)), y=alt.Y(f"{y}:O", title=y)
    )
    color = alt.Color(f"{value}:Q", title=value, scale=scale, legend=legend)
    layers = [base.mark_rect().encode(color=color, description=DESCRIPTION)]
    layers += [] if share else _counts(base, value, highest / 2)
    return Figure(readable(alt.layer(*layers).properties(height=height)), table)


def _counts(base: alt.Chart, value: str, half: float) -> list[alt.Chart]:
    """The numbers in the cells, in the page's ink or, above `half` of the scale, in its paper."""
    chosen = {ON_PAPER: f"datum['{value}'] <= {half}", ON_INK: f"datum['{value}'] > {half}"}
    return [
        base.transform_filter(where).mark_text(fontSize=12, style=style, aria=False).encode(text=f"{value}:Q")
        for style, where in chosen.items()
    ]


def image_sheet(images: list[np.ndarray], captions: list[str], across: int = 12) -> alt.TopLevelMixin:
    """Images (height, width), ink = 1, in lines of `across`, dark on white, with a caption below each."""
    table = pd.DataFrame(
        {"column": place % across, "line": place // across, "url": data_url(image), "caption": caption}
        for place, (image, caption) in enumerate(zip(images, captions, strict=True))
    )
    base = alt.Chart(table).encode(x=alt.X("column:O", axis=None), y=alt.Y("line:O", axis=None))
    pictures = base.mark_image(width=56, height=56).encode(url="url:N")
    texts = base.mark_text(dy=38).encode(text="caption:N")
    return readable((pictures + texts).properties(width=alt.Step(68), height=alt.Step(90)))


def data_url(image: np.ndarray) -> str:
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
