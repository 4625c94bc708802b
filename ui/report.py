"""What every section of the Report page consists of: results from disk, a claim judged, a figure to keep or open."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
import vl_convert

from training.claims import DEPENDS, FAILS, HOLDS, Claim
from training.options import options, value
from training.pretrain import recipes
from training.report import FOLDER
from training.seeds import is_small
from training.task import Settings
from training.tasks import TASKS
from ui.report_charts import Figure
from ui.train import WORDS

BADGES = {HOLDS: ("green", "check_circle"), FAILS: ("red", "cancel"), DEPENDS: ("orange", "casino")}
MIME = {"csv": "text/csv", "png": "image/png", "svg": "image/svg+xml"}
# The shipped models that came of nothing but their settings.
TRAINED = {name: each.settings for name, each in recipes().items() if each.by_hand is None and each.polish is None}
Specification = dict[str, Any]


@dataclass(frozen=True)
class Link:
    """What one opens from a figure: `label` says what, `query` are the parameters of the task's page's address."""

    label: str
    task: str
    query: dict[str, str]

    @property
    def address(self) -> str:
        """The address, relative to the Report page's."""
        return f"{self.task}?{urlencode(self.query)}"


def results(part: str) -> dict[str, Any] | None:
    """What `python -m training report` wrote of this part; None, with a sentence on the page, where it has not."""
    path = FOLDER / f"{part}.json"
    try:
        return _read(str(path), path.stat().st_mtime_ns)
    except (OSError, ValueError):
        st.info(f"This part has not been measured yet: run `python -m training report --only {part}`.")
        return None


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: str, changed: int) -> dict[str, Any]:
    return json.loads(Path(path).read_text())


def show_claim(claim: Claim) -> None:
    """The report's conclusion, the verdict as a badge, what was found, and how it was tested."""
    color, icon = BADGES[claim.verdict]
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(claim.verdict.upper(), color=color, icon=f":material/{icon}:")
            st.markdown(f"**“{claim.text}.”**", width="content")
        st.markdown(claim.because)
        st.caption(f"Test: {claim.test}.")


def show_figure(name: str, spec: Specification, csv: str, description: str, links: Sequence[Link]) -> None:
    """A figure, what it can be downloaded as, and what it shows on the page of its task."""
    st.vega_lite_chart(spec, alt=description, key=f"figure_{name}")
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        show_downloads(name, csv, lambda: spec)
        show_links(name, links)


def show_downloads(name: str, csv: str, spec: Callable[[], Specification]) -> None:
    """A figure's numbers, and the figure itself as two kinds of pictures, made of `spec` when they are asked for."""
    for kind, mime in MIME.items():
        st.download_button(
            kind.upper(),
            csv if kind == "csv" else _picture(spec, kind),
            f"{name}.{kind}",
            mime,
            key=f"{kind}_{name}",
            type="tertiary",
            on_click="ignore",
        )


def _picture(spec: Callable[[], Specification], kind: str) -> Callable[[], bytes]:
    """Draws the figure when it is asked for: that takes a second, and hardly anybody asks."""

    def draw() -> bytes:
        on_white = spec() | {"background": "white"}
        if kind == "svg":
            return vl_convert.vegalite_to_svg(on_white).encode()
        return vl_convert.vegalite_to_png(on_white, scale=2)

    return draw


@st.fragment
def show_links(name: str, links: Sequence[Link]) -> None:
    """A link, or a button that unfolds one for each series of the figure; they are made when it is pressed."""
    if len(links) == 1:
        _page_link(links[0], "Open this setting")
        return
    popover = st.popover("Open", icon=":material/open_in_new:", type="tertiary", on_change="rerun", key=f"open_{name}")
    if popover.open:
        with popover:
            for each in links:
                _page_link(each, each.label)


def _page_link(link: Link, label: str) -> None:
    st.page_link(
        f"pages/{link.task}.py",
        label=label,
        icon=":material/open_in_new:",
        query_params=link.query,
        width="content",
    )


def specification(figure: Figure) -> tuple[Specification, str]:
    """A figure as what is kept of it: its Vega-Lite specification and its numbers as CSV."""
    return figure.chart.to_dict(), figure.table.to_csv(index=False)


def settings_link(label: str, settings: Settings, seeds: int = 1, **shown: str) -> Link:
    """The page of the task with these settings in the tab Train, and the shipped model that has them, if there is one.

    Of a shipped model the page can show more: `shown` are parameters of the address that it then has, too.
    """
    query = train_query(settings)
    if seeds > 1 and is_small(TASKS[settings.task]):
        query[f"train_{settings.task}_seeds"] = str(seeds)
    if (model := shipped(settings)) is not None:
        query |= {f"{settings.task}_model": model} | shown
    return Link(label, settings.task, query)


def shipped(settings: Settings) -> str | None:
    """The shipped model that was trained with these settings, from whatever seed; None where there is none."""
    same = (name for name, trained in TRAINED.items() if replace(trained, seed=settings.seed) == settings)
    return next(same, None)


def train_query(settings: Settings) -> dict[str, str]:
    """The parameters of the page's address under which the tab Train shows these settings."""
    task = TASKS[settings.task]
    query = {f"{task.name}_tab": "Train"}
    for option in options(task):
        wanted = value(settings, option)
        if wanted != value(task.defaults, option):
            query[f"train_{task.name}_{option.name}"] = _in_address(wanted)
    return query


def _in_address(value: Any) -> str:
    """A setting as its widget writes it into the address: of a choice that is the label."""
    return str(value).lower() if isinstance(value, bool) else WORDS.get(value, str(value))
