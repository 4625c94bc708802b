"""The networks that the pages show, shipped and trained here: loaded once for all sessions, chosen with one widget."""

from typing import Any

import streamlit as st

from models import Network, WeightsError, load
from models.store import WEIGHTS
from training import runs
from training.runs import Run
from ui.words import escaped


@st.cache_resource(max_entries=64, show_spinner=False)
def network(name: str) -> Network:
    """The network called `name`, in eval mode; the same object for every session, never to be changed.

    A shipped model by its name, or what a run has left by the run's id: unlike a run's name, that is never used again.
    Raises WeightsError where there is neither.
    """
    shipped = WEIGHTS / f"{name}.safetensors"
    return load(shipped if shipped.exists() else Run(runs.folder() / name).weights)


def label(name: str) -> str:
    """What people call the network `name`: a shipped model's name, or what its owner calls the run."""
    run = Run(runs.folder() / name)
    return run.name if run.is_readable() else name


def own(name: str) -> str:
    """A network that was trained here, among shipped ones: its owner may have called it like one of them."""
    return f"{label(name)} (trained here)"


def describe(card: dict[str, Any]) -> str:
    """A network in a few words: "bidirectional LSTM, 2 layers of 128, L2"."""
    direction = "bidirectional " if card["bidirectional"] else ""
    kind = f"{direction}{card['cell'].upper()}"
    layers = "1 layer" if card["num_layers"] == 1 else f"{card['num_layers']} layers"
    return f"{kind}, {layers} of {card['hidden_size']}" + (", L2" if card["weight_decay"] else "")


def with_marks(chosen: list[str], shown: list[str], marked: list[str]) -> list[str]:
    """The chosen models where of those `shown` in a table these are now `marked`: those not shown stay chosen."""
    kept = [name for name in chosen if name in marked or name not in shown]
    return list(dict.fromkeys([*kept, *marked]))


def model_picker(options: list[str], key: str, default: str, **looks: Any) -> str:
    """A select box of models, whose labels also stand in the page's address. Returns the chosen one's name.

    Where its network can't be read, the page says so and goes on with `default`; without that one, too, it ends here.
    A link may ask for a model that is not among them.
    """
    asked = st.query_params.get(key)
    if key not in st.session_state and asked not in (None, *map(label, options)):
        st.toast(f"The link asks for the model {escaped(asked[:80])}, which is not on offer here.", duration="long")
    chosen = st.selectbox(
        "Model", options, options.index(default), format_func=label, key=key, bind="query-params", **looks
    )
    for name in (chosen, default):
        try:
            network(name)
        except WeightsError as error:
            st.error(f"{label(name)} can't be shown: {error}")
        else:
            return name
    st.stop()
