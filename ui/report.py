"""What every section of the Report page consists of: results from disk, a claim judged, a figure with its downloads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
import vl_convert

from training.claims import DEPENDS, FAILS, HOLDS, Claim
from training.options import options, value
from training.report import FOLDER
from training.task import Settings
from training.tasks import TASKS
from ui.report_charts import Figure
from ui.train import WORDS

BADGES = {HOLDS: ("green", "check_circle"), FAILS: ("red", "cancel"), DEPENDS: ("orange", "casino")}
MIME = {"csv": "text/csv", "png": "image/png", "svg": "image/svg+xml"}


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


def show_figure(name: str, spec: dict[str, Any], csv: str, description: str, settings: Settings | None = None) -> None:
    """A figure, what it can be downloaded as, and the page of its task with these settings loaded."""
    st.vega_lite_chart(spec, alt=description, key=f"figure_{name}")
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.download_button(
            "CSV", csv, f"{name}.csv", MIME["csv"], key=f"csv_{name}", type="tertiary", on_click="ignore"
        )
        for kind in ("png", "svg"):
            st.download_button(
                kind.upper(),
                _picture(spec, kind),
                f"{name}.{kind}",
                MIME[kind],
                key=f"{kind}_{name}",
                type="tertiary",
                on_click="ignore",
            )
        if settings is not None:
            link(settings)


def _picture(spec: dict[str, Any], kind: str) -> Callable[[], bytes]:
    """Draws the figure when it is asked for: that takes a second, and hardly anybody asks."""

    def draw() -> bytes:
        if kind == "svg":
            return vl_convert.vegalite_to_svg(spec | {"background": "white"}).encode()
        return vl_convert.vegalite_to_png(spec | {"background": "white"}, scale=2)

    return draw


def specification(figure: Figure) -> tuple[dict[str, Any], str]:
    """A figure as what is kept of it: its Vega-Lite specification and its numbers as CSV."""
    return figure.chart.to_dict(), figure.table.to_csv(index=False)


def link(settings: Settings, label: str = "Open these settings") -> None:
    """Opens the page of the task, with the tab Train on these settings."""
    st.page_link(
        f"pages/{settings.task}.py",
        label=label,
        icon=":material/open_in_new:",
        query_params=train_query(settings),
        width="content",
    )


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
