"""The Start page: what the lab is, and three networks at work, from shipped weights."""

import numpy as np
import streamlit as st

from models import Trace, trace
from training.tasks import addition, digits, recall
from ui import frame
from ui.digits_text import notice
from ui.drawing import Stroke, render
from ui.models import network
from ui.timeline import STATE, Timeline, heat_lanes, image_lane, rule, text_lane
from ui.words import percent

# A 7 as someone drew it on the canvas: pen positions in the 280 pixels of its side.
SEVEN = [Stroke(20, np.array([[78, 80], [110, 76], [150, 74], [196, 76], [178, 116], [158, 160], [142, 222]]))]
SEQUENCE, INDEX = [7, 0, 5, 3, 9], 1
A, B, LENGTH = 13, 31, 5


@st.cache_resource(show_spinner=False)
def traces() -> dict[str, Trace]:
    """The three examples, each run through a shipped network."""
    return {
        "digits": trace(network("digits-gru"), digits.prepare(render(SEVEN))),
        "recall": trace(network(f"recall-i{INDEX}-h10"), recall.encode(SEQUENCE)),
        "addition": trace(network("addition-bce-h5"), addition.encode(A, B, LENGTH)),
    }


def show_digits(traced: Trace) -> None:
    st.markdown(
        "**An image, one row at a time.** The more a cell stands out, the more the network, here a GRU, believes in "
        "that digit."
    )
    Timeline(
        "Belief of the GRU after each row of a drawn 7",
        [str(row + 1) for row in range(digits.SIDE)],
        {
            "the image": [image_lane("image", traced.inputs)],
            "its belief": heat_lanes([str(digit) for digit in range(digits.CLASSES)], traced.belief.T),
        },
        direction="down",
        axis="row",
    ).show("start_digits")
    st.markdown(notice(traced.inputs, traced.belief))
    st.page_link("pages/digits.py", label="Draw a digit", icon=":material/draw:")


def show_recall(traced: Trace) -> None:
    st.markdown(f"**A sequence, one digit at a time.** Which digit stood at index {INDEX}, counted from 0?")
    marks = ["asked" if t == INDEX else "" for t in range(len(SEQUENCE))]
    Timeline(
        f"Belief of the LSTM after each digit of {SEQUENCE}",
        [str(t) for t in range(len(SEQUENCE))],
        {
            "": [text_lane("digit", [str(digit) for digit in SEQUENCE], marks=marks, tiles=True)],
            "its belief": heat_lanes([str(digit) for digit in range(recall.CLASSES)], traced.belief.T),
        },
        axis="index",
    ).show("start_recall")
    answer = int(traced.probabilities.argmax())
    st.markdown(f"Its answer in the end: {answer}, at {percent(traced.probabilities[answer])}.")
    st.page_link("pages/recall.py", label="Query a sequence", icon=":material/format_list_numbered:")


def show_addition(traced: Trace) -> None:
    st.markdown("**A sum, one bit at a time.** From the right, as on paper: the carry must be kept in the state.")
    a, b = (traced.inputs[:, column].astype(int).tolist() for column in (0, 1))
    bits = (traced.logits > 0).astype(int)
    Timeline(
        f"The LSTM adds {A} and {B}",
        [str(t) for t in range(LENGTH + 1)],
        {
            "": [text_lane("a", a), text_lane("b", b), rule(), text_lane("network", bits.tolist())],
            "hidden state": heat_lanes([f"unit {unit}" for unit in range(1, 6)], traced.hidden[-1, 0].T, STATE),
        },
        direction="left",
        axis="bit",
    ).show("start_addition")
    total = sum(int(bit) << t for t, bit in enumerate(bits))
    st.markdown(f"Its answer: {A} + {B} = {total}.")
    st.page_link("pages/addition.py", label="Add two numbers", icon=":material/add:")


frame.page(
    "RNN Lab",
    "🔁",
    "A recurrent network reads one thing at a time and keeps what matters in its *hidden state*: a short list of "
    "numbers, renewed at every step. Watch three of them at work.",
)
for column, (task, show) in zip(
    st.columns(3), {"digits": show_digits, "recall": show_recall, "addition": show_addition}.items(), strict=True
):
    with column, st.container(border=True, height="stretch"):
        show(traces()[task])
st.markdown(
    "**Where to go first?** Draw a 7 without its bar, then one with it, and see at which row the network makes up its "
    "mind. Ask Recall for the second of nine digits, and see how long it must keep it. Then try to find two numbers "
    "that Addition gets wrong. All of this is live: every colour and every number comes from a network in this "
    "repository, trained on a laptop."
)
st.markdown(
    "**And then?** Train your own, in the tab *Train* of every page: choose a cell, its size and all the rest, and "
    "watch it learn. An adder takes a few seconds. Then lay it beside the others in *Runs*, with its learning curves. "
    "*Report* puts the conclusions of the lab report that this began with to the test, over many seeds."
)
with st.container(horizontal=True, gap="medium"):
    train = {"addition_tab": "Train"}
    st.page_link("pages/addition.py", label="Train an adder", icon=":material/model_training:", query_params=train)
    st.page_link("pages/runs.py", label="Compare in Runs", icon=":material/monitoring:")
    st.page_link("pages/report.py", label="Is the report right?", icon=":material/fact_check:")
