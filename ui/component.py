"""A component of our own for a page: markup, and beside this file its style and its script in plain JavaScript."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def component(name: str, html: str) -> Callable[..., Any]:
    """What mounts `html` on a page, with NAME.css and NAME.js; its script gets the `data` that it is called with."""
    css, js = ((HERE / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component(f"rnn_lab_{name}", html=html, css=css, js=js)
