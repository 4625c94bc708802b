"""The background of all pages: the one engine that trains this server's runs."""

import atexit

import streamlit as st

from training.engine import Engine


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The engine of this server, for all its sessions; what it trains ends with the server, and can be resumed."""
    started = Engine()
    atexit.register(started.shut_down)
    return started
