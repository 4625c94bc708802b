"""A chart as a picture that stands on the page at once: an SVG made by the server, in the colours of light and dark.

A page of many charts opens several times as fast with pictures as with charts that the browser draws. Each mark that
has a description shows it on hover; a button shows the picture on the whole screen. Where a description was made by
`ui.charts.at`, its mark belongs to a time step: it moves along with the timelines of the picture's group.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import streamlit as st
import vl_convert

from ui.charts import ON_INK, ON_PAPER
from ui.component import component

Specification = dict[str, Any]
Colors = Callable[[str], Any]
Time = tuple[str, int]  # a group of timelines, and their number of steps
Pictures = tuple[str, str]  # narrow and wide, the latter empty for what never has a page's width

WIDE, NARROW = 860, 350  # pixels; shown as large as there is room, the narrow one where the wide one's text were small
TIMED = re.compile(r'aria-label="(\d+)\|')  # what `ui.charts.at` makes
NOWHERE = re.compile(r"\(-?[\d.]*,?-?(Infinity|NaN)|e\+308")  # a part of an SVG that was put to no place
ATTEMPTS = 3


def themed(specification: Specification, width: int, colors: Colors) -> Specification:
    """The Vega-Lite specification in the theme's colours; where it has no width, `width` pixels with all labels."""
    text = {"labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal"}
    hidden = {"domain": False, "ticks": False, "labelPadding": 8, "titlePadding": 10, "labelOverlap": True}
    categories, ramp = colors("chartCategoricalColors"), colors("chartSequentialColors")
    theme = {
        "font": "Source Sans, sans-serif",
        "axis": text | hidden | {"gridColor": colors("borderColor")},
        "axisXBand": {"grid": False},
        "axisYBand": {"grid": False},
        "legend": text | {"gradientStrokeColor": colors("borderColor")},
        "mark": {"color": categories[0]},
        "style": {ON_INK: {"color": colors("backgroundColor")}, ON_PAPER: {"color": "currentColor"}},
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


def svg(specification: Specification, width: int) -> str:
    """The chart as SVG for a page, `width` pixels wide."""
    return TIMED.sub(r'data-t="\1" aria-label="', _drawn(themed(specification, width, light_and_dark)))


def _drawn(specification: Specification) -> str:
    """The chart as SVG, drawn again where parts of it have no place: seen once, in two charts of a loaded server."""
    for _ in range(ATTEMPTS):
        drawn = vl_convert.vegalite_to_svg(specification)
        if not NOWHERE.search(drawn):
            break
    return drawn


def pictures(specification: str, wide: bool) -> Pictures:
    """A chart's JSON as SVG: narrow and, where it may have the width of a page, wide."""
    chart = json.loads(specification)
    return svg(chart, NARROW), svg(chart, WIDE) if wide else ""


def show(key: str, description: str, shown: Pictures, *, time: Time | None = None, more: str = "") -> bool:
    """Put a picture on the page, in the size that there is room for.

    `time` is the group of timelines, and their number of steps, with which its marks move along. `more` names a button
    below it; true is returned in the run of the page that a click on it brings about.
    """
    narrow, wide = shown
    moving = time and "/".join(map(str, time))
    data = {"description": description, "narrow": narrow, "wide": wide, "time": moving, "more": more}
    return bool(_COMPONENT(key=key, data=data, on_more_change=_rerun).more)


def _rerun() -> None:
    """What Streamlit asks for to know a value's name; a click runs the page again all by itself."""


HTML = """
<figure>
  <div class="picture"></div>
  <button class="more" type="button">
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 2v8M4 7l4 4l4-4M2 14h12"/></svg>
    <span></span>
  </button>
  <button class="enlarge" type="button" title="Full screen" aria-label="Full screen">
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg>
  </button>
  <p class="tip" hidden></p>
</figure>
"""
_COMPONENT = component("picture", HTML)
