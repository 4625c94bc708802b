import random
import time
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
import torch

from models import Network, Trace, names, trace
from models.occlusion import flipped
from models.search import Search, find_error
from training import runs
from training.task import Settings
from training.tasks import addition, lengths
from training.tasks.lengths import RANDOM_PAIRS
from ui import frame
from ui.addition_text import Sum, first_errors, notes, notice, search_result, short, verdict, worked, written
from ui.background import just_trained
from ui.charts import accuracy_lines
from ui.equations import EQUATIONS, MEANINGS, symbols
from ui.inside import Reading, Variant, inside_panel
from ui.models import model_picker, network, own
from ui.proof import proof_panel
from ui.timeline import STATE, Lane, Scale, Timeline, heat_lanes, rule, text_lane
from ui.train import train_panel
from ui.words import percent, spaced

Bits = list[int]  # of an operand, least significant first

BASES = {"binary": 2, "decimal": 10}
EXAMPLE = {"a": "01101", "b": "11111"}  # the report's second example
TABS = ("Accuracy against length", "All models on this sum", "Proof", "Look inside", "Train", "How it works")
SHIPPED = names("addition")
DEFAULT_MODEL = "addition-bce-h10"
MODEL_HELP = "LSTMs; bce or mse is the loss in training, and h the number of hidden units: see How it works."
SEED = 0
ANSWER_WIDTH, SIDE_BY_SIDE = 400, 20  # pixels, and bits of a sum that fits beside such an answer
PATIENCE = 1.0  # seconds after which a computation shows how far it is
CARRY = (
    "A carry is born where 1 + 1 is added. It travels on through columns with a single 1, and ends at the next 0 + 0, "
    "which takes it in, or at the next 1 + 1, which makes a carry of its own."
)

BOX_HELP = {
    "binary": "The digits 0 and 1, at most 64. Leading zeros count: each is one more time step for the network.",
    "decimal": "A number from 0 up to 18,446,744,073,709,551,615, the largest of 64 bits.",
}
PAIRS = {
    "random numbers": f"At each length: the lowest bits of the same {RANDOM_PAIRS:,} random pairs (seed {SEED}).",
    "carry chains": "At each length n: all n (n + 1) carry chains, that is every run of ones plus a single 1 where the "
    "run begins, so that one carry travels through the whole run.",
}
COLUMNS = {
    "length": "bits",
    "bit_accuracy": st.column_config.NumberColumn("bit accuracy", format="percent"),
    "sum_accuracy": st.column_config.NumberColumn("whole-sum accuracy", format="percent"),
    "pairs": "pairs",
}

STYLE = """<style>
.st-key-a input, .st-key-b input, .st-key-answer .bits { font-family: "Source Code Pro", monospace; }
.st-key-answer { container-type: inline-size; }
.st-key-answer .sum { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.5rem; }
.st-key-answer .bits {
  font-size: clamp(1.5rem, calc(100cqw / var(--length) / 0.62), 5rem);
  font-weight: 700;
  line-height: 1.15;
  overflow-wrap: anywhere;
}
.st-key-answer .number {
  font-size: clamp(1rem, calc(100cqw / var(--length) / 0.58), 2.25rem);
  font-weight: 600;
}
.st-key-addition_table { overflow-x: auto; }
.st-key-answer .wrong { text-decoration: underline 0.08em; text-underline-offset: 0.12em; }
</style>"""
STACKED = "<style>.st-key-addition_columns > * { flex: 1 0 100%; }</style>"
GREYED = "<style>.st-key-answer, .st-key-addition_why, .st-key-addition_tab_input { opacity: 0.4; }</style>"

# One text, because the browser draws one element faster than ten, and this one is drawn with every answer.
HOW_IT_WORKS = r"""
**The task.** Two numbers are written in the [binary system](https://en.wikipedia.org/wiki/Binary_number), with the
digits 0 and 1, and are added as at school: column by column from the right. At each time step the network reads one bit
of $a$ and one of $b$, bit 0 (the ones) first, and says one bit of the sum. Both numbers get one more zero in front, so
that the last carry has a column to go to. The shipped networks were trained on pairs of {length} bits only; whatever
they do with longer numbers, nobody taught them.

**One bit of memory.** Nearly all that a column needs stands in the column. What doesn't is the carry, and that is a
single bit. A network that adds must therefore keep one bit in its hidden state, write it anew at 0 + 0 and at 1 + 1,
and hold it through every column with a single 1. A long run of such columns is the hard case: each may wear the memory
down a little, until the carry is lost. Random numbers hardly ever contain such a run.

**The answer.** A linear layer turns the hidden state into one number, the *logit*, and $\sigma$ makes a probability of
it: $p_t = \sigma(W h_t + b)$ is the probability $p(1)$ that bit $t$ of the sum is 1. The network says 1 where it is
above one half.

**Two losses.** Training makes the average loss of all bits small. With the true bit $y_t$, it is one of these:

$$
\begin{{aligned}}
\text{{BCE}} &= - y_t \log p_t - (1 - y_t) \log(1 - p_t) \\
\text{{MSE}} &= (p_t - y_t)^2
\end{{aligned}}
$$

BCE is short for binary cross-entropy, MSE for mean squared error. The surer the network is of a wrong bit, the larger
BCE becomes, without a limit; MSE never exceeds 1. So BCE punishes confident mistakes harder.

**The cell.** The lab report does not name the cell of its adders. These are LSTMs, because a plain tanh network with 2
hidden units did not learn addition in any of several hundred random starts, and an LSTM with 2 does in some (the page
Report says in how many). Of each setting the lab ships the best of several starts, chosen on validation data, so these
six do not say what a single start of their kind would do. In the names, h2, h5 and h10 give the number of hidden units.

**The ideal one.** In `addition-ideal-h2` nothing was trained: the weights of a plain tanh network with 2 units were
set by hand. Let $u$ be its first unit, $v$ its second one, and $v'$ the second one's value a column earlier. With
$z = a + b + v' / 2 - 1.25$ the first is nearly linear, $u = \tanh(0.1 z)$, and the second is a latch for the carry,
$v = \tanh(20 z)$. The logit is $10 (u / 0.1 - v)$. It adds numbers of every length, as
the tab Proof shows: the capacity is there in 2 units, it is the search by gradient that fails to find it.

{table}

*Accuracy* is the bit accuracy on all {pairs:,} pairs of {length} bits, *lab report* the one that the report found on
its own random pairs.

{meaning}

$$
{equations}
$$

{symbols}
"""


@st.cache_data(max_entries=512, show_spinner=False)
def read(name: str, a: Bits, b: Bits) -> Trace:
    """What happens in the model when it adds a and b."""
    return trace(network(name), encoded(a, b))


def encoded(a: Bits, b: Bits) -> torch.Tensor:
    """What a network reads of a and b; the shorter one gets zeros in front."""
    return addition.encode(addition.decode(a), addition.decode(b), max(len(a), len(b)))


def added(name: str, a: Bits, b: Bits) -> Sum:
    """The sum of a and b as it is and as the model gives it."""
    run = read(name, a, b)
    return worked(run.inputs, run.logits, run.probabilities)


@st.cache_data(max_entries=32, show_spinner=False)
def search(name: str) -> Search:
    """The search for a pair that the model adds wrongly."""
    return find_error(network(name))


@st.cache_data(max_entries=512, show_spinner=False)
def accuracies(name: str, longest: int, kind: str) -> list[dict[str, float]]:
    """The model's accuracies at all lengths up to the longest."""
    return lengths.accuracy_by_length(network(name), longest, kind, seed=SEED)


def nickname(name: str) -> str:
    """What tells the models apart: of the shipped ones loss and hidden units, "BCE h10"."""
    if name not in SHIPPED:
        return own(name)
    card = network(name).card
    kind = "ideal" if card.get("by_hand") else card["loss"].upper()
    return f"{kind} h{card['hidden_size']}"


def as_text(bits: Bits, notation: str) -> str:
    """The number as it stands in a box."""
    return written(bits) if notation == "binary" else str(addition.decode(bits))


def parsed(text: str, notation: str) -> tuple[Bits | None, str]:
    """The bits, or None and the sentence that says why there are none."""
    try:
        return addition.parse(text, BASES[notation]), ""
    except ValueError as error:
        return None, str(error)


def show_pair(a: Bits, b: Bits) -> None:
    """Put two numbers into the boxes, in the notation chosen there."""
    for key, bits in (("a", a), ("b", b)):
        st.session_state[key] = as_text(bits, st.session_state["notation"])


def change_notation() -> None:
    """Rewrite both numbers; a binary one that comes back unchanged gets its leading zeros back."""
    new = st.session_state["notation"]
    old = "binary" if new == "decimal" else "decimal"
    for key in EXAMPLE:
        bits, _ = parsed(st.session_state[key], old)
        if bits is None:
            continue  # it may well be a number in the new notation: leave it to the person who typed it
        if new == "decimal":
            st.session_state[f"addition_binary_{key}"] = bits
        before = st.session_state.get(f"addition_binary_{key}", bits)
        unchanged = addition.decode(before) == addition.decode(bits)
        st.session_state[key] = as_text(before if unchanged else bits, new)


def width() -> int:
    """How many bits the longer of the numbers on the screen has."""
    return max(map(len, st.session_state["addition_pair"]))


def show_random() -> None:
    """Two random numbers; one needs the whole width, or decimal ones would shrink from click to click."""
    size = width()
    pair = [random.randrange(2**size >> 1, 2**size), random.randrange(2**size)]
    random.shuffle(pair)
    show_pair(*(addition.parse(f"{number:0{size}b}") for number in pair))


def show_carry_chain() -> None:
    """0111...1 + 1; a decimal number has no leading zero, so there the ones fill the width."""
    ones = max(1, width() - (st.session_state["notation"] == "binary"))
    show_pair([1] * ones + [0], [1] + [0] * ones)


def ask_to_break(model: str) -> None:
    """Have the page look for a pair that the model adds wrongly, before it draws the boxes for it."""
    st.session_state["addition_break"] = model


def break_it(model: str) -> None:
    """Put the shortest pair that the model is found to add wrongly into the boxes."""
    with st.spinner("Looking for two numbers that it adds wrongly ..."):
        found = search(model)
    if found.pair is not None and len(found.pair[0]) <= addition.MAX_BITS:
        st.session_state["notation"] = "binary"  # leading zeros may be what breaks it
        st.session_state["addition_pair"] = found.pair
        show_pair(*found.pair)
    st.session_state["addition_searched"] = model, *st.session_state["addition_pair"]


def show_wrong_pair(a: Bits, b: Bits) -> None:
    """The same in binary: leading zeros may be what breaks it."""
    st.session_state["notation"] = "binary"
    show_pair(a, b)


def operand(key: str, notation: str) -> Bits | None:
    """A box for one number, below it the same number in the other notation or what is wrong with it."""
    with st.container(gap="xxsmall"):
        text = st.text_input(
            key, EXAMPLE[key], key=key, bind="query-params", live="0ms", autocomplete="off", help=BOX_HELP[notation]
        )
        bits, problem = parsed(text, notation)
        if bits is None:
            frame.problem(problem)
        else:
            other = f"{addition.decode(bits):,}" if notation == "binary" else f"binary {written(bits)}"
            st.markdown(f"= {other}  ·  {len(bits)} {'bit' if len(bits) == 1 else 'bits'}")
    return bits


def show_answer(total: Sum) -> None:
    """The network's sum, large, its wrong bits underlined, and whether it is right."""
    bits = [
        f'<span class="wrong">{bit}</span>' if t in total.wrong else str(bit)
        for t, bit in enumerate(total.said.tolist())
    ]
    a, b, said = (addition.decode(row) for row in (total.a, total.b, total.said))
    st.caption(f"The network's answer to {a:,} + {b:,}")
    number = f"=\N{NO-BREAK SPACE}{said:,}"
    label = f"The network says {written(total.said)}, {said:,}: {verdict(total)}"
    st.html(
        f'<div class="sum" role="status" aria-label="{label}">'
        f'<span class="bits" style="--length: {len(bits)}">{"".join(reversed(bits))}</span>'
        f'<span class="number" style="--length: {len(number)}">{number}</span></div>'
    )
    icon, colour = ("cancel", "red") if len(total.wrong) else ("check_circle", "green")
    truth = f", the sum is {addition.decode(total.true):,}" if len(total.wrong) else ""
    st.markdown(f":{colour}[:material/{icon}: {verdict(total)}{truth}]")
    st.markdown(f"**{notice(total)}**", help=CARRY)


def bit_lane(name: str, bits: np.ndarray, marked: np.ndarray | None = None, mark: str = "") -> Lane:
    """A row of bits (T,); where `marked` (T,) is true they bear the mark."""
    marks = None if marked is None else [mark if here else "" for here in marked]
    return text_lane(name, [str(bit) for bit in bits], marks=marks)


def show_why(total: Sum, run: Trace) -> None:
    """The column addition, and under each column what the network had in mind."""
    different = total.said != total.true
    lanes = [
        bit_lane("carry", total.carries, total.carries == 1, "strong"),
        bit_lane("a", total.a),
        bit_lane("b", total.b),
        rule(),
        bit_lane("network", total.said, different, "wrong"),
    ]
    if different.any():
        lanes.append(bit_lane("true sum", total.true, different, "right"))
    chances = [short(p) for p in total.probabilities]
    lanes += heat_lanes(["p(1)"], total.probabilities[None], texts=[chances])
    groups = {"": lanes, "Hidden state": state_lanes(run.hidden, STATE)}
    shown = st.container()  # above the switch that it depends on
    if run.cell is not None and st.toggle("Show the cell state too", key="cell_state", bind="query-params"):
        most = float(np.ceil(np.abs(run.cell).max()))
        groups["Cell state"] = state_lanes(run.cell, Scale("diverging", -most, most, "cell state"))
    with shown:
        Timeline(
            "The sum, column by column",
            [str(t) for t in range(len(total.a))],
            groups,
            direction="left",
            axis="bit",
            notes=notes(total),
            start=first_wrong(total),
            group="addition",
        ).show("addition_timeline")


def inside(name: str, total: Sum, run: Trace) -> Reading:
    """What the tab Look inside shows: the columns of the sum."""
    top = len(total.a) - 1

    def variants() -> dict[str, list[Variant]]:
        changed = [f"bit {t} of {operand} flipped" for t in range(top) for operand in "ab"]
        every = flipped(run.inputs)[:top].reshape(-1, *run.inputs.shape)
        sums, _ = addition.add(*torch.from_numpy(every[:, :-1]).long().unbind(-1))
        return {"one bit": list(map(Variant, changed, every, sums.tolist()))}

    return Reading(
        name=name,
        x=run.inputs,
        steps=[str(t) for t in range(len(total.a))],
        lanes=[
            bit_lane("carry", total.carries, total.carries == 1, "strong"),
            bit_lane("a", total.a),
            bit_lane("b", total.b),
            bit_lane("network", total.said, total.said != total.true, "wrong"),
        ],
        axis="bit",
        direction="left",
        output=top,
        output_name=f"the highest bit of the sum (bit {top})",
        outputs=[f"bit {t}" for t in range(len(total.a))],
        signals={"the carry that goes in": total.carries, "a + b": total.a + total.b, "the sum bit": total.true},
        variants=variants,
        inputs=[f"{x} + {y}" for x, y in zip(total.a, total.b, strict=True)],
    )


def first_wrong(total: Sum) -> int | None:
    """The time step to begin at: where the network first errs, None where it doesn't."""
    return int(total.wrong[0]) if len(total.wrong) else None


def state_lanes(states: np.ndarray, scale: Scale) -> list[Lane]:
    """One lane per unit of the last layer's states (layers, directions, T, units)."""
    units = np.concatenate(list(states[-1]), axis=-1).T
    return heat_lanes([f"unit {unit}" for unit in range(1, len(units) + 1)], units, scale)


def with_shipped(name: str) -> list[str]:
    """All shipped models, and the chosen one if it is another."""
    return list(dict.fromkeys([*SHIPPED, name]))


@st.fragment
def show_accuracy(name: str) -> None:
    """Tab: how the accuracies change with the length of the numbers."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = frame.choice("Models", ["all models", "this model"], key="addition_models")
        kind = frame.choice("Numbers", ["random numbers", "carry chains"], key="numbers")
        longest = st.slider("Longest, in bits", 8, addition.MAX_BITS, 32, key="longest", bind="query-params", width=260)
    rows = measured([name] if which == "this model" else with_shipped(name), longest, kind)
    table = pd.DataFrame([{"model": model} | row for model, of in rows.items() for row in of])
    st.markdown(f"**{first_errors(rows, kind)}**")
    card = network(name).card
    trained = card["data"]["length"]
    st.altair_chart(
        accuracy_lines(table, trained, nickname(name)), alt="Bit accuracy and whole-sum accuracy against length"
    )
    whose = "they were" if len(rows) > 1 else "others were" if card.get("by_hand") else "it was"
    st.caption(
        "*Bit accuracy* (solid) is the share of all bits of the sums that are right, *whole-sum accuracy* (dashed) the "
        "share of sums without a wrong bit. The dotted line marks the length that "
        f"{whose} trained on, {trained} bits. {PAIRS[kind]}"
    )
    with st.expander("The values as a table"):
        st.dataframe(table, hide_index=True, column_config=COLUMNS, alt="Accuracy against length")
    st.download_button("CSV", table.to_csv(index=False), "addition-accuracy.csv", icon=":material/download:")


def measured(chosen: list[str], longest: int, kind: str) -> dict[str, list[dict[str, float]]]:
    """The accuracies of each model, by its short name."""
    rows, start, bar = {}, time.monotonic(), st.empty()
    for done, name in enumerate(chosen):
        if time.monotonic() - start > PATIENCE:
            bar.progress(done / len(chosen), f"{nickname(name)} is adding: {done} of {len(chosen)} models are done.")
        rows[nickname(name)] = accuracies(name, longest, kind)
    bar.empty()
    return rows


def show_all_models(name: str, a: Bits, b: Bits) -> None:
    """Tab: the same sum by all models."""
    sums = {each: added(each, a, b) for each in with_shipped(name)}
    table = ["| model | answer | least sure of |", "|:--|:--|:--|"]
    for each, total in sums.items():
        least = int(total.confidence.argmin())
        sign = ":red[✗]" if len(total.wrong) else ":green[✓]"
        answer = f"{sign} **{addition.decode(total.said):,}** {verdict(total)}"
        table.append(f"| {nickname(each)} | {answer} | bit {least}, {percent(total.confidence[least])} |")
    with st.container(key="addition_table"):
        st.markdown("\n".join(table))
    this = sums[name]
    operands = [bit_lane("a", this.a), bit_lane("b", this.b), rule(), bit_lane("true sum", this.true)]
    answers = [bit_lane(nickname(each), total.said, total.said != total.true, "wrong") for each, total in sums.items()]
    doubts = heat_lanes([nickname(each) for each in sums], np.stack([total.probabilities for total in sums.values()]))
    Timeline(
        "The same sum by all models",
        [str(t) for t in range(len(this.a))],
        {"": operands, "What each model says": answers, "p(1)": doubts},
        direction="left",
        axis="bit",
        start=first_wrong(sums[name]),
        group="addition",
    ).show("addition_timelines")


def show_added(a: Bits, b: Bits, settings: Settings, trained: Network, who: str) -> None:
    """What a network in training makes of the sum on the screen."""
    run = trace(trained, encoded(a, b))
    total = worked(run.inputs, run.logits, run.probabilities)
    lanes = [
        bit_lane("a", total.a),
        bit_lane("b", total.b),
        rule(),
        bit_lane("true sum", total.true),
        bit_lane("network", total.said, total.said != total.true, "wrong"),
        *heat_lanes(["p(1)"], total.probabilities[None], texts=[[short(p) for p in total.probabilities]]),
    ]
    st.caption(f"What {who} makes of the sum above: {verdict(total)}.")
    Timeline(
        f"The sum, by {who}",
        [str(t) for t in range(len(total.a))],
        {"": lanes},
        direction="left",
        axis="bit",
        group="addition",
    ).show("addition_watched")


def show_how_it_works(name: str) -> None:
    """Tab: the task, the losses, the cell."""
    card = network(name).card
    length = network(DEFAULT_MODEL).card["data"]["length"]  # of all that are shipped
    rows = ["| model | starts | accuracy | lab report |", "|:--|--:|--:|--:|", *map(card_row, SHIPPED)]
    text = HOW_IT_WORKS.format(
        length=length,
        pairs=4**length,
        table="\n".join(rows),
        meaning=MEANINGS[card["cell"]],
        equations=EQUATIONS[card["cell"]],
        symbols=symbols(card["cell"]),
    )
    st.markdown(text, width=760)


def card_row(name: str) -> str:
    """The model's row in a table of what the cards say."""
    card = network(name).card
    report = "" if card["report"] is None else f"{card['report']:.1%}"
    accuracy = spaced(f"{card['metrics']['all_pairs_bit_accuracy']:.2%} | {report}")
    starts = "none" if card.get("by_hand") else card["seeds_tried"]
    return f"| {nickname(name)} | {starts} | {accuracy} |"


frame.page(
    "Addition",
    "➕",
    "Two binary numbers go in bit by bit from the right. At each time step one bit of the sum comes out.",
)
st.html(STYLE)
if run := just_trained("addition"):
    st.session_state["addition_model"] = run.id
st.session_state.setdefault("addition_pair", tuple(addition.parse(text) for text in EXAMPLE.values()))
if "addition_break" in st.session_state:
    break_it(st.session_state.pop("addition_break"))
boxes = st.columns(2)
with st.container(horizontal=True, vertical_alignment="bottom"):
    notation = frame.choice("Notation", list(BASES), key="notation", on_change=change_notation)
    st.button("Random", icon=":material/shuffle:", on_click=show_random, help="Two random numbers of the same width")
    st.button(
        "Carry chain",
        icon=":material/keyboard_double_arrow_left:",
        on_click=show_carry_chain,
        help=f"0111…1 + 1. {CARRY}",
    )
    models = [*SHIPPED, *runs.trained("addition")]
    model = model_picker(models, key="addition_model", default=DEFAULT_MODEL, width=230, help=MODEL_HELP)
    st.button(
        "Try to break it",
        icon=":material/search:",
        on_click=ask_to_break,
        args=(model,),
        help="Search for a pair that this model adds wrongly",
    )
    frame.share_link()
pair = []
for box, key in zip(boxes, EXAMPLE, strict=True):
    with box:
        pair.append(operand(key, notation))
if None in pair:
    st.html(GREYED)
else:
    st.session_state["addition_pair"] = tuple(pair)
a, b = st.session_state["addition_pair"]

total = added(model, a, b)
narrow = len(total.a) <= SIDE_BY_SIDE
if not narrow:
    st.html(STACKED)
with st.container(horizontal=True, gap="large", key="addition_columns"):
    with st.container(width=ANSWER_WIDTH if narrow else "stretch", key="answer"):
        show_answer(total)
        if st.session_state.get("addition_searched") == (model, a, b):
            st.markdown(f":material/search: {search_result(search(model))}")
    with st.container(key="addition_why"):
        show_why(total, read(model, a, b))

accuracy, everything, proof, within, training, how = st.tabs(
    TABS, default=TABS[-1], key="addition_tab", bind="query-params"
)
if accuracy.open:
    with accuracy:
        show_accuracy(model)
if everything.open:
    with everything, st.container(key="addition_tab_input"):
        show_all_models(model, a, b)
if proof.open:
    with proof:
        proof_panel(model, show_wrong_pair)
if within.open:
    with within, st.container(key="addition_tab_input"):
        inside_panel(inside(model, total, read(model, a, b)))
if training.open:
    with training:
        train_panel("addition", watch=partial(show_added, a, b))
if how.open:
    with how:
        show_how_it_works(model)
