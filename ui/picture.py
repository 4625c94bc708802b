"""A chart as a picture that stands on the page at once: an SVG made by the server, in the colours of light and dark.

A page of many charts opens several times as fast with pictures as with charts that the browser draws. Each mark that
has a description shows it on hover; a button shows the picture on the whole screen. Where a description was made by
`ui.charts.at`, its mark belongs to a time step: it moves along with the timelines of the picture's group.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import streamlit as st
import vl_convert

Specification = dict[str, Any]
Colors = Callable[[str], Any]
Time = tuple[str, int]  # a group of timelines, and their number of steps

WIDE, NARROW = 860, 350  # pixels; shown as large as there is room, the narrow one where the wide one's text were small
NAMES = re.compile(r'\bid="|url\(#')  # where an SVG names a part of itself, or refers to one
TIMED = re.compile(r'aria-label="(\d+)\|')  # what `ui.charts.at` makes
MARGIN = {"left": 0, "right": 14, "top": 6, "bottom": 0}  # the last label of an axis sticks out


def themed(specification: Specification, width: int, colors: Colors) -> Specification:
    """The Vega-Lite specification, `width` pixels wide with all its labels, in the theme's colours by their names."""
    text = {"labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal"}
    hidden = {"domain": False, "ticks": False, "labelPadding": 8, "titlePadding": 10, "labelOverlap": True}
    categories, ramp = colors("chartCategoricalColors"), colors("chartSequentialColors")
    theme = {
        "font": "Source Sans, sans-serif",
        "padding": MARGIN,
        "axis": text | hidden | {"gridColor": colors("borderColor")},
        "axisXBand": {"grid": False},
        "axisYBand": {"grid": False},
        "legend": text | {"gradientStrokeColor": colors("borderColor")},
        "mark": {"color": categories[0]},
        "range": {"category": categories, "ramp": ramp, "heatmap": ramp},
        "view": {"stroke": None},
    }
    fitted = {"autosize": {"type": "fit", "contains": "padding"}, "background": None, "width": width}
    return fitted | specification | {"config": _merged(theme, specification.get("config", {}))}


def _merged(below: Specification, above: Specification) -> Specification:
    """Both configurations in one; where both say something, `above` does."""
    parts = {name for name in below.keys() & above.keys() if isinstance(below[name], dict)}
    return below | above | {name: _merged(below[name], above[name]) for name in parts}


def light(name: str) -> Any:
    """A colour, or a list of them, of the light theme."""
    return st.get_option(f"theme.light.{name}")


def light_and_dark(name: str) -> Any:
    """The same for CSS, which takes the one or the other as the page is light or dark.

    Scales that pick one of a list of colours keep such a text as it is; those that mix colours can't.
    """
    pair = light(name), st.get_option(f"theme.dark.{name}")
    if isinstance(pair[0], str):
        return "light-dark({}, {})".format(*pair)
    return [f"light-dark({one}, {other})" for one, other in zip(*pair, strict=True)]


def svg(specification: Specification, width: int, name: str) -> str:
    """The chart as SVG for a page, `width` pixels wide; `name` keeps its parts apart from those of others there."""
    drawn = vl_convert.vegalite_to_svg(themed(specification, width, light_and_dark))
    return TIMED.sub(r'data-t="\1" aria-label="', NAMES.sub(lambda found: f"{found[0]}{name}-", drawn))


def show(key: str, description: str, narrow: str, wide: str | None = None, time: Time | None = None) -> None:
    """Put a picture on the page: its SVG `narrow`, or `wide` where there is room for that.

    `time` is the group of timelines, and their number of steps, with which its marks move along.
    """
    shown = {
        "description": description,
        "narrow": narrow,
        "wide": wide or "",
        "time": time and "/".join(map(str, time)),
    }
    _COMPONENT(key=key, data=shown)


def show_chart(key: str, description: str, chart: alt.TopLevelMixin, wide: bool, time: Time | None = None) -> None:
    """The same of a chart; one that never has a page's width is not `wide`."""
    specification = chart.to_json(indent=None)
    sizes = {"narrow": NARROW} | ({"wide": WIDE} if wide else {})
    show(key, description, **{name: _kept(specification, sizes[name], f"{key}-{name}") for name in sizes}, time=time)


@st.cache_data(max_entries=64, show_spinner=False)
def _kept(specification: str, width: int, name: str) -> str:
    return svg(json.loads(specification), width, name)


HTML = """
<figure>
  <div class="wide"></div>
  <div class="narrow"></div>
  <button class="enlarge" type="button" title="Full screen" aria-label="Full screen">
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg>
  </button>
  <p class="tip" hidden></p>
</figure>
"""
HERE = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "rnn_lab_picture",
    html=HTML,
    css=(HERE / "picture.css").read_text(encoding="utf-8"),
    js=(HERE / "picture.js").read_text(encoding="utf-8"),
)
