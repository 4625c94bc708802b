"""The frame around every page: the browser tab, the menu, the title, and the link that reproduces the screen."""

import gc
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import urlencode

import streamlit as st

from ui import background
from ui.words import escaped

LAB = "RNN Lab"

# The menu in reading order: (script, label, icon). These icons come with Streamlit; a page's own icon must be an emoji,
# because Streamlit fetches any other from the internet.
PAGES = [
    ("app.py", "Start", ":material/home:"),
    ("pages/digits.py", "Digits", ":material/draw:"),
    ("pages/recall.py", "Recall", ":material/format_list_numbered:"),
    ("pages/addition.py", "Addition", ":material/add:"),
    ("pages/report.py", "Report", ":material/fact_check:"),
    ("pages/runs.py", "Runs", ":material/monitoring:"),
]

# All that may stand in one row is as high as a field, so that labels stand in one line, and so do what they label.
# On a phone the chosen tab of a link may lie beyond the edge of its strip, which then looks as if none were chosen.
STYLE = """<style>
[data-testid=stButtonGroup] [data-variant] { min-height: 2.5rem; }
[direction=row] > * > .stCheckbox.row-widget { min-height: 2.5rem; margin-bottom: 0; justify-content: center; }
[direction=row]:has([data-testid=stWidgetLabel]) > * > .stMarkdown {
  display: grid; min-height: 2.5rem; align-items: center;
}
[role=tab][aria-selected=true] { scroll-initial-target: nearest; }
</style>"""


def page(title: str, icon: str, lead: str | None = None) -> None:
    """The first call of every page: browser tab with `title` and `icon` (an emoji), menu, heading, lead sentence."""
    st.set_page_config(page_title=title if title == LAB else f"{title} · {LAB}", page_icon=icon, layout="wide")
    _settle(title)
    _come_back(title)
    st.html(STYLE)
    # A row on top, not a sidebar: charts keep the whole width, and a phone shows it without a tap.
    with st.container(horizontal=True, gap="xsmall", key="menu"):
        for script, label, symbol in PAGES:
            st.page_link(script, label=label, icon=symbol)
    with st.container():  # there with or without a notice: what stands below it must not be built anew, least a canvas
        background.notice()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(title, anchor=False, width="content")
        if lead:
            st.markdown(lead, width="content")


def _come_back(title: str) -> None:
    """Whoever comes back to a page finds it as it was, unless the address says otherwise.

    The menu, and the browser's Back, come with an empty address: as one leaves, Streamlit takes the settings out of it.
    """
    kept, before = f"address_{title}", st.session_state.get("page")
    st.session_state["page"] = title
    if before not in (None, title) and not st.query_params and st.session_state.get(kept):
        st.query_params.from_dict(st.session_state[kept])
        st.rerun()  # which reads the address anew
    st.session_state[kept] = {key: st.query_params.get_all(key) for key in st.query_params}


@st.cache_resource(max_entries=16, show_spinner=False)
def _settle(title: str) -> None:
    """Once per page: what is imported by now stays, so the garbage collector need not look at it again.

    With torch loaded a full collection, which any rerun may meet, takes about 10 ms instead of 200.
    """
    gc.freeze()


def problem(sentence: str) -> None:
    """What is wrong with what was typed, or came with a link, and what to do; it may hold some of that."""
    st.markdown(f":red[:material/error: {escaped(sentence)}]")


def bound(key: str) -> Literal["query-params"] | None:
    """How to bind a field for numbers to the page's address: not at all where that holds an infinite one.

    No field can hold it, and Streamlit fails to say so.
    """
    with suppress(ValueError):  # what is no number at all Streamlit leaves out by itself
        if math.isinf(float(st.query_params.get(key, 0))):
            return None
    return "query-params"


def choice(label: str, options: Sequence[Any], *, key: str, default: Any = None, **looks: Any) -> Any:
    """One of the options, the first unless there is a default, which the page's address can name, too.

    Streamlit takes an empty value in the address for no option at all, which none of our pages has a meaning for.
    """
    if st.query_params.get(key) == "":
        del st.query_params[key]
        st.rerun()  # which reads the address anew
    default = options[0] if default is None else default
    return st.segmented_control(label, options, default=default, required=True, key=key, bind="query-params", **looks)


@st.fragment
def share_link(without: Callable[[], str] = str) -> None:
    """A button that shows, ready to copy, the address which opens this page with the same settings and inputs.

    `without` names an input that no address can carry, where there is one. It is asked when the button is pressed: what
    the page was drawn with may be over by then.
    """
    popover = st.popover("Share", icon=":material/link:", type="tertiary", on_change="rerun")
    if popover.open:
        query = urlencode(st.query_params.to_dict(), doseq=True)
        popover.code(f"{st.context.url}?{query}" if query else st.context.url, language=None, wrap_lines=True)
        lost = f", but without {lacking}" if (lacking := without()) else ""
        popover.caption(f"This address opens the page with the same settings and inputs{lost}.")
