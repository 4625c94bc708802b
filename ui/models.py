"""The networks that the pages show, shipped and trained here: loaded once for all sessions, chosen with one widget."""

from pathlib import Path
from typing import Any

import streamlit as st

from models import Network, load
from models.store import WEIGHTS
from training import runs


def network(name: str) -> Network:
    """The network called `name`, in eval mode; the same object for every session, never to be changed.

    A shipped model, or what the run of that name has left. Raises WeightsError where there is neither.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if not path.exists() and (run := runs.trained().get(name)):
        path = run.weights
    return _network(path, path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_resource(max_entries=64, show_spinner=False)
def _network(path: Path, changed: int) -> Network:
    return load(path)


def describe(card: dict[str, Any]) -> str:
    """A network in a few words: "bidirectional LSTM, 2 layers of 128, L2"."""
    direction = "bidirectional " if card["bidirectional"] else ""
    kind = f"{direction}{'RNN' if card['cell'] == 'rnn' else card['cell'].upper()}"
    layers = "1 layer" if card["num_layers"] == 1 else f"{card['num_layers']} layers"
    return f"{kind}, {layers} of {card['hidden_size']}" + (", L2" if card["weight_decay"] else "")


def model_picker(options: list[str], key: str, default: str, **looks: Any) -> str:
    """A select box of models, by the names that also stand in the page's address. Returns the chosen one."""
    return st.selectbox("Model", options, options.index(default), key=key, bind="query-params", **looks)
