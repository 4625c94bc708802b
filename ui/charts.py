"""Arrays in, Altair charts out. Colours come from the theme, so a chart fits light and dark."""

from functools import cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ui.words import metric_in_words, percent

LEGEND_ROW = 22  # pixels
MARGIN = {"right": 14, "top": 6}  # the last label of an axis sticks out
ON_INK, ON_PAPER = "on-ink", "on-paper"  # styles of text on a strong and on a weak colour, in pictures
PER_CENT = 66  # pixels of "over 99.9 %" and the distance before it
THICK = 6  # pixels of the lines that others may lie on
DOTS_PER_UNIT = 100  # dots within one per cent stand on top of each other
MARGIN_OF_DOTS = 0.05  # of an axis, below the lowest seed
MEASURES = {name: metric_in_words(name) for name in ("bit_accuracy", "sum_accuracy")}  # of an adder
# Streamlit's own axis labels are too faint to be read from the back of a lecture hall.
TEXT = {"labelColor": "currentColor", "titleColor": "currentColor"}


def readable(chart: alt.LayerChart) -> alt.LayerChart:
    """The chart with axes and legends in the page's text colour, light or dark, and room for an axis' last label."""
    return chart.properties(padding=MARGIN).configure_axis(**TEXT, labelFlush=False).configure_legend(**TEXT)


def at(t: int, description: str) -> str:
    """The description of a mark that belongs to time step t, and moves along with the timelines (see `ui.picture`)."""
    return f"{t}|{description}"


def probability_bars(probabilities: np.ndarray) -> dict[str, Any]:
    """Horizontal bars of class probabilities (classes,) in [0, 1]: the class on the left, its per cent on the right.

    A Vega-Lite specification: it is drawn with every answer, and only its data are new each time.
    """
    best = probabilities.max()
    rows = [
        {"row": f"{number}|{percent(p)}", "class": number, "probability": p, "best": p == best}
        for number, p in enumerate(probabilities.tolist())
    ]
    return _bars() | {"data": {"values": rows}}


@cache
def _bars() -> dict[str, Any]:
    """The bars without their data, which Altair takes 20 ms to work out."""

    # Both stand on axes, because the theme colours an axis but leaves text marks black, in the dark too.
    def rows(orient: str, part: int) -> alt.Y:
        width = (
            PER_CENT if orient == "right" else 0
        )  # whatever it says, so that bars keep their place from answer to answer
        axis = alt.Axis(orient=orient, labelExpr=f"split(datum.label, '|')[{part}]", labelPadding=6, minExtent=width)
        return alt.Y("row:N", title=None, sort="ascending", axis=axis)

    bars = alt.Chart().encode(
        x=alt.X("probability:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1])),
        opacity=alt.condition("datum.best", alt.value(1), alt.value(0.4)),
        tooltip=[alt.Tooltip("class:O"), alt.Tooltip("probability:Q", format=".2%")],
    )
    layers = bars.mark_bar().encode(y=rows("left", 0)) + bars.mark_bar(opacity=0).encode(y=rows("right", 1))
    return readable(layers.resolve_axis(y="independent").properties(height=240)).properties(padding=0).to_dict()


def accuracy_lines(table: pd.DataFrame, trained_length: int, chosen: str | None = None) -> alt.LayerChart:
    """Accuracy against the operands' length: bit accuracy solid, whole-sum accuracy dashed, one colour per model.

    `table` has the columns model, length, bit_accuracy and sum_accuracy (fractions). A dotted rule stands at the
    trained length; pointing at a length gives all values there. The lines of the `chosen` one of several models are
    thick, and lie below the others, so that they can be seen where others lie on top of them.
    """
    x = alt.X("length:Q", title="bits of each number", scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1))
    length = alt.Chart(pd.DataFrame({"length": [trained_length]}))
    trained = length.mark_rule(strokeDash=[2, 3], color="gray").encode(x=x)
    return readable((_measure_lines(table, x, chosen) + trained + _pointer(table, x)).properties(height=400))


def _measure_lines(table: pd.DataFrame, x: alt.X, chosen: str | None) -> alt.Chart:
    """A line for each model and measure, those of the chosen model first."""
    measures, models = list(MEASURES.values()), list(dict.fromkeys(table["model"]))
    table = table.sort_values("model", key=lambda model: model != chosen, kind="stable")
    long = table.rename(columns=MEASURES).melt(["model", "length"], measures, "measure", "accuracy")
    worst = long["accuracy"].min()
    steps = 10 if worst < 0.9 else 100  # of the axis, from which it begins
    low = min(1 - 1 / steps, np.floor(steps * worst) / steps)
    y = alt.Y("accuracy:Q", title="share that is right", scale=alt.Scale(domain=[low, 1]), axis=alt.Axis(format="%"))
    several = len(models) > 1
    thickness = [THICK if several and model == chosen else 2 for model in models]
    widths = alt.Scale(type="ordinal", domain=models, range=thickness)  # else only the first and last are taken
    legend = alt.Legend(orient="bottom", columns=3) if several else None
    title = "thick: the chosen model" if chosen in models else None
    dashes = alt.Legend(orient="top", labelLimit=200)
    return (
        alt.Chart(long)
        .mark_line()
        .encode(
            x=x,
            y=y,
            color=alt.Color("model:N", title=title, scale=alt.Scale(domain=models), legend=legend),
            strokeWidth=alt.StrokeWidth("model:N", title=title, scale=widths, legend=legend),
            strokeDash=alt.StrokeDash("measure:N", title=None, sort=measures, legend=dashes),
        )
    )


def _pointer(table: pd.DataFrame, x: alt.X) -> alt.Chart:
    """A rule at the length that one points at, with the values of all lines there."""
    wide = table.pivot(index="length", columns="model", values=list(MEASURES))
    wide.columns = [f"{model}, {MEASURES[measure]}" for measure, model in wide.columns]
    names = [f"{model}, {name}" for model in dict.fromkeys(table["model"]) for name in MEASURES.values()]
    fields = {name: f"value {number}" for number, name in enumerate(names)}  # a dot in a name means more to Vega
    values = [alt.Tooltip(f"{field}:Q", title=name, format=".2%") for name, field in fields.items()]
    here = alt.selection_point(fields=["length"], nearest=True, on="pointerover", clear="pointerout", empty=False)
    return (
        alt.Chart(wide.rename(columns=fields).reset_index())
        .mark_rule(color="gray")
        .encode(
            x=x,
            opacity=alt.condition(here, alt.value(0.5), alt.value(0)),
            tooltip=[alt.Tooltip("length:Q", title="bits"), *values],
        )
        .add_params(here)
    )


def accuracy_curve(table: pd.DataFrame, trained: tuple[int, int]) -> alt.LayerChart:
    """Accuracy against the sequence's length; the trained lengths are shaded.

    `table` has the columns length and accuracy (fractions).
    """
    ends = alt.Scale(domain=[int(table["length"].min()) - 0.5, int(table["length"].max()) + 0.5], nice=False)
    x = alt.X("length:Q", title="digits in the sequence", scale=ends, axis=alt.Axis(tickMinStep=1))
    y = alt.Y("accuracy:Q", title="share named correctly", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    tooltip = [alt.Tooltip("length:Q", title="digits"), alt.Tooltip("accuracy:Q", format=".1%")]
    lines = alt.Chart(table).mark_line(point=True).encode(x=x, y=y, tooltip=tooltip)
    band = pd.DataFrame({"start": [trained[0] - 0.5], "end": [trained[1] + 0.5]})  # a single length has a width, too
    shade = (
        alt.Chart(band)
        .mark_rect(opacity=0.15, clip=True)
        .encode(x=alt.X("start:Q", title="digits in the sequence", scale=ends), x2="end:Q")
    )
    return readable((shade + lines).properties(height=320))


def accuracy_map(table: pd.DataFrame, trained: tuple[int, int]) -> alt.LayerChart:
    """Accuracy as a colour for every length (to the right) and index (downwards); lines bound the trained lengths.

    `table` has the columns index, length and accuracy (fractions).
    """
    lengths, indices = sorted(table["length"].unique()), sorted(table["index"].unique())
    domain = alt.Scale(domain=[lengths[0] - 0.5, lengths[-1] + 0.5], nice=False)
    cells = table.assign(left=table["length"] - 0.5, right=table["length"] + 0.5)
    x = alt.X("left:Q", title="digits in the sequence", scale=domain, axis=alt.Axis(tickMinStep=1, grid=False))
    legend = alt.Legend(format="%", orient="top", values=[0, 0.5, 1])
    color = alt.Color("accuracy:Q", title="share named correctly", scale=alt.Scale(domain=[0, 1]), legend=legend)
    tooltip = [alt.Tooltip("index:O"), alt.Tooltip("length:Q", title="digits"), alt.Tooltip("accuracy:Q", format=".1%")]
    y = alt.Y("index:O", title="index", sort=indices, axis=alt.Axis(labelOverlap=False))
    rectangles = alt.Chart(cells).mark_rect().encode(x=x, x2="right:Q", y=y, color=color, tooltip=tooltip)
    edges = pd.DataFrame({"length": [trained[0] - 0.5, trained[1] + 0.5]})
    lines = alt.Chart(edges).mark_rule(color="gray", strokeDash=[4, 3], size=2).encode(x="length:Q")
    return readable((rectangles + lines).properties(height=340))


def state_boxes(table: pd.DataFrame, size: int = 320) -> alt.LayerChart:
    """Boxes of states in a plane, one colour per carry.

    `table` has the columns x and y of their centres, width and height to each side of them, and carry.
    """
    x, y, width, height = (table[name] for name in ("x", "y", "width", "height"))
    sides = table[["x", "y", "carry"]].assign(x1=x - width, x2=x + width, y1=y - height, y2=y + height)
    first, second = alt.Axis(title="first principal component"), alt.Axis(title="second principal component")
    base = alt.Chart(sides).encode(
        color=alt.Color("carry:N", title="carry"),
        tooltip=[alt.Tooltip("carry:N"), alt.Tooltip("x:Q", format=".3f"), alt.Tooltip("y:Q", format=".3f")],
    )
    boxes = base.mark_rect(fillOpacity=0.15, strokeWidth=1).encode(
        x=alt.X("x1:Q", axis=first), x2="x2:Q", y=alt.Y("y1:Q", axis=second), y2="y2:Q", stroke=alt.Color("carry:N")
    )
    centers = base.mark_point(size=12, filled=True).encode(x="x:Q", y="y:Q")
    return readable((boxes + centers).properties(height=size))


def learning_curves(
    table: pd.DataFrame,
    title: str,
    against: str = "step",
    share: bool = False,
    reference: float | None = None,
) -> alt.LayerChart:
    """One measure of training runs against "step" (optimiser steps) or "seconds": a line for each series.

    `table` has the columns series, value and the one named by `against`. With `share` values are fractions and stand
    in per cent. A thin line stands at `reference`: the report's value, say.
    """
    x = alt.X(f"{against}:Q", title="optimiser step" if against == "step" else against, scale=alt.Scale(nice=False))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format="%" if share else "~g"))
    series = list(dict.fromkeys(table["series"]))
    legend = alt.Legend(orient="bottom", columns=2, labelLimit=260) if len(series) > 1 else None
    height = 260 + (LEGEND_ROW * -(-len(series) // 2) if legend else 0)  # a chart's height includes its legend
    color = alt.Color("series:N", title=None, scale=alt.Scale(domain=series), legend=legend)
    tooltip = [
        alt.Tooltip("series:N", title="curve"),
        alt.Tooltip(f"{against}:Q"),
        alt.Tooltip("value:Q", title=title, format=".2%" if share else ".4f"),
    ]
    lines = alt.Chart(table).mark_line(point={"size": 18}).encode(x=x, y=y, color=color, tooltip=tooltip)
    if reference is None:
        return readable(alt.layer(lines).properties(height=height))
    rule = (
        alt.Chart(pd.DataFrame({"value": [reference]})).mark_rule(strokeDash=[4, 3], color="gray").encode(y="value:Q")
    )
    return readable((lines + rule).properties(height=height))


def seed_curves(table: pd.DataFrame, title: str, share: bool = False) -> alt.LayerChart:
    """One measure of many seeds against the optimiser step: a thin line for each seed, a thick one for their median.

    `table` has the columns step, seed and value. With `share` values are fractions and stand in per cent.
    """
    x = alt.X("step:Q", title="optimiser step", scale=alt.Scale(nice=False))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format="%" if share else "~g"))
    shown = alt.Tooltip("value:Q", title=title, format=".2%" if share else ".4f")
    seeds = alt.Chart(table).mark_line(strokeWidth=1, opacity=0.35)
    thin = seeds.encode(x=x, y=y, detail="seed:N", tooltip=["seed:N", "step:Q", shown])
    medians = table.groupby("step", as_index=False)["value"].median()
    thick = alt.Chart(medians).mark_line(strokeWidth=4, point={"size": 40}).encode(x=x, y=y, tooltip=["step:Q", shown])
    return readable(alt.layer(thin, thick).properties(height=260))


def seed_dots(table: pd.DataFrame, title: str) -> alt.Chart:
    """Where the seeds stand: a dot for each on an axis of fractions, those of the same value on top of each other.

    `table` has the columns seed and value.
    """
    binned = table.assign(bin=(table["value"] * DOTS_PER_UNIT).round() / DOTS_PER_UNIT)
    binned["place"] = binned.groupby("bin").cumcount() + 1
    low = min(binned["bin"].min(), 0.98)
    ends = alt.Scale(domain=[low - MARGIN_OF_DOTS * (1 - low), 1])  # there is no share above 1
    x = alt.X("bin:Q", title=title, scale=ends, axis=alt.Axis(format=".0%", tickMinStep=0.01))
    y = alt.Y("place:Q", title="seeds", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(domainMin=0))
    tooltip = ["seed:N", alt.Tooltip("value:Q", title=title, format=".2%")]
    dots = alt.Chart(binned).mark_circle(size=45, opacity=0.9).encode(x=x, y=y, tooltip=tooltip)
    return readable(dots.properties(height=150))
