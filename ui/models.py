"""The networks that the pages show: loaded once for all sessions, chosen with one widget."""

from typing import Any

import streamlit as st

from models import Network, load


@st.cache_resource(max_entries=64, show_spinner=False)
def network(name: str) -> Network:
    """The shipped network called `name`, in eval mode; the same object for every session, never to be changed."""
    return load(name)


def describe(card: dict[str, Any]) -> str:
    """A network in a few words: "bidirectional LSTM, 2 layers of 128, L2"."""
    direction = "bidirectional " if card["bidirectional"] else ""
    kind = f"{direction}{'RNN' if card['cell'] == 'rnn' else card['cell'].upper()}"
    layers = "1 layer" if card["num_layers"] == 1 else f"{card['num_layers']} layers"
    return f"{kind}, {layers} of {card['hidden_size']}" + (", L2" if card["weight_decay"] else "")


def model_picker(options: list[str], key: str, default: str, **looks: Any) -> str:
    """A select box of shipped models, by the names that also stand in the page's address. Returns the chosen one."""
    return st.selectbox("Model", options, options.index(default), key=key, bind="query-params", **looks)
