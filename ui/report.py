"""What every section of the Report page consists of: results from disk, a claim judged, a figure to keep or open."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path
from types import FunctionType
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
from ui import picture
from ui.report_charts import Figure
from ui.words import in_words

OURS = ":gray-badge[not in the report]"  # of a claim
Judge = Callable[[dict[str, Any]], Claim]
BADGES = {HOLDS: ("green", "check_circle"), FAILS: ("red", "cancel"), DEPENDS: ("orange", "casino")}
MORE = "Save or open"
MIME = {"csv": "text/csv", "png": "image/png", "svg": "image/svg+xml"}
# The shipped models that came of nothing but their settings.
TRAINED = {name: each.settings for name, each in recipes().items() if each.by_hand is None and each.polish is None}


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


Links = Callable[[], Sequence[Link]]


def measured(part: str) -> dict[str, Any] | None:
    """What `python -m training report` wrote of this part, and its name as `part`; None where it has not."""
    path = FOLDER / f"{part}.json"
    try:
        return _read(str(path), path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


def results(part: str) -> dict[str, Any] | None:
    """The same, with a sentence on the page where there is nothing."""
    found = measured(part)
    if found is None:
        st.info(
            "This part has not been measured yet, or its file is damaged: "
            f"run `python -m training report --only {part}`."
        )
    return found


@st.cache_resource(max_entries=16, show_spinner=False)  # nobody changes what was measured
def _read(path: str, changed: int) -> dict[str, Any]:
    content = json.loads(Path(path).read_text())
    if not isinstance(content, dict) or not {"rows", "models"} & content.keys() or "command" not in content:
        raise ValueError("These are no results.")
    return content | {"part": Path(path).stem, "changed": changed}


# For what is made of a part's results: it is kept until they change on disk.
kept = partial(
    st.cache_data,
    max_entries=128,
    show_spinner=False,
    hash_funcs={dict: itemgetter("part", "changed"), FunctionType: attrgetter("__qualname__")},
)


@kept
def judged(judge: Judge, found: dict[str, Any]) -> Claim:
    """The claim as the results of its part judge it."""
    return judge(found)


def badge(claim: Claim) -> str:
    """The verdict on the claim, with its sign and colour."""
    color, icon = BADGES[claim.verdict]
    return f":{color}-badge[:material/{icon}: {claim.verdict.upper()}]"


# Where a link from the top of the page leads, with some room above it.
ANCHOR = '<span id="{}" style="scroll-margin-top: 5rem"></span>'


def show_claim(judge: Judge, found: dict[str, Any]) -> None:
    """The report's conclusion, the verdict as a badge, what was found, and how it was tested."""
    claim = judged(judge, found)
    with st.container(border=True):
        said = f"**“{claim.text}.”**" if claim.reported else f"**{claim.text}.** {OURS}"
        st.markdown(
            f"{badge(claim)} {said}{ANCHOR.format(judge.__name__)}\n\n{claim.because}\n\n"
            f":gray[:small[Test: {claim.test}.]]",
            unsafe_allow_html=True,  # the anchor; all else is ours, too
        )


def show_figure(
    name: str, shown: picture.Pictures, description: str, figure: Callable[[], Figure], links: Links
) -> None:
    """A figure; and, made when they are asked for, its downloads and what it shows on the page of its task."""
    if picture.show(f"figure_{name}", description, shown, more=MORE):
        show_more(name, description, figure, links)


def no_links() -> list[Link]:
    """Of a figure that shows no settings."""
    return []


def show_more(name: str, description: str, figure: Callable[[], Figure], links: Links = no_links) -> None:
    """What a figure can be saved as, and a link for each of its series, above the page."""

    @st.dialog(description)
    def more() -> None:
        st.markdown("Save it as")
        show_downloads(name, figure())
        if opened := links():
            st.markdown("Open its settings, on the page of the task")
        for link in opened:
            _page_link(link)

    more()


def show_downloads(name: str, figure: Figure) -> None:
    """A figure's numbers, and the figure itself as two kinds of pictures, drawn when they are asked for."""
    with st.container(horizontal=True, gap="small"):
        for kind, mime in MIME.items():
            st.download_button(
                kind.upper(),
                figure.table.to_csv(index=False) if kind == "csv" else partial(_drawn, figure, kind),
                f"{name}.{kind}",
                mime,
                key=f"{kind}_{name}",
                on_click="ignore",
            )


def _drawn(figure: Figure, kind: str) -> bytes:
    """The figure as a file: in the light theme's colours, on white."""
    specification = picture.themed(figure.chart.to_dict(), picture.WIDE, picture.light) | {"background": "white"}
    if kind == "svg":
        return vl_convert.vegalite_to_svg(specification).encode()
    return vl_convert.vegalite_to_png(specification, scale=2)


def _page_link(link: Link) -> None:
    st.page_link(
        f"pages/{link.task}.py",
        label=link.label,
        icon=":material/open_in_new:",
        query_params=link.query,
        width="content",
    )


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
    return str(value).lower() if isinstance(value, bool) else in_words(value)
