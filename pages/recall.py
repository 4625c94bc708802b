from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from models import READOUTS, Network, Trace, belief_backwards, names, trace
from models.occlusion import replaced
from training import runs
from training.reported import SIXTEEN
from training.task import Settings
from training.tasks import recall
from ui import frame
from ui.background import just_trained
from ui.charts import accuracy_curve, accuracy_map, probability_bars
from ui.equations import EQUATIONS, MEANINGS, symbols
from ui.inside import Reading, Variant, inside_panel
from ui.models import describe, model_picker, network
from ui.recall_text import beyond, kept, notes, notice, outside, reach, shaded, span, trained_lengths
from ui.timeline import Scale, Timeline, heat_lanes, text_lane
from ui.train import train_panel
from ui.words import percent, verdict

# The report's test examples (section 3.2.4), all asked for index 1.
EXAMPLES = tuple(map(" ".join, SIXTEEN))
FIRST = "7 0 5 3 9 9 4 5"
CLASSES = [str(digit) for digit in range(recall.CLASSES)]
TABS = ("Hidden 2, 5 and 10", "Accuracy against length", "Look inside", "Train", "How it works")
SIDE_BY_SIDE = 20  # digits of a sequence that fits beside the answer
WATCHED = 9  # sequences on which one sees a network learn
SEQUENCES = 500  # per length
ASKED_SEQUENCES = 200  # per length and index
SHIPPED = {index: [name for name in names("recall") if f"-i{index}-" in name] for index in range(10)}
TRAINED = runs.trained("recall")
TRAINED_FOR = {  # the one index of each, or None where it is told
    name: data["index"] if recall.query(data) == "fixed" else None
    for name, run in TRAINED.items()
    for data in [recall.TASK.defaults.data | run.settings.data]
}
TOLD = ["recall-any", *(name for name, index in TRAINED_FOR.items() if index is None)]
MODELS = {  # by the index that they name; those that are told name any index that one element can say
    index: SHIPPED.get(index, [])
    + TOLD * (index < recall.CLASSES)
    + [name for name, trained in TRAINED_FOR.items() if trained == index]
    for index in sorted({*SHIPPED, *(index for index in TRAINED_FOR.values() if index is not None)})
}

STYLE = """<style>
.st-key-answer .digit { margin: 0; font-size: 8.5rem; font-weight: 700; line-height: 0.85; }
.st-key-index [role="radiogroup"] { flex-wrap: wrap; }
@media (min-width: 1000px) {
  .st-key-recall_columns > :has(> .st-key-answer) { order: 1; }
  .st-key-recall_columns > :has(> .st-key-recall_why) { max-width: 900px; }
}
@media (max-width: 999px) {
  .st-key-recall_columns > :has(> .st-key-recall_why) { flex: 1 0 100%; }
}
</style>"""
STACKED = """<style>
.st-key-recall_columns { row-gap: 1rem; }
.st-key-recall_columns > * { order: 0 !important; flex: 1 0 100%; max-width: none !important; }
</style>"""
GREYED = "<style>.st-key-answer, .st-key-recall_why, .st-key-recall_tab_input { opacity: 0.4; }</style>"

TASK = """
**The task.** The network hears a sequence of digits, one at a time, and must then name the one at an *index*, counted
from 0. Each digit comes as ten numbers, a 1 at its own place and 0 elsewhere
([*one-hot*](https://en.wikipedia.org/wiki/One-hot)), so nothing tells the network that 7 is more than 6. Sequences of
{lengths} digits were used in training. {question}
"""
HOW_IT_WORKS = r"""
{direction}

**The cell.** {meaning}

$$
{equations}
$$

{symbols} A linear layer turns what is read out of the states into ten *logits*, and *softmax* makes probabilities of
them.
"""
FIXED = """Which index is
asked for is never told: a network is trained for one index only, and each index has a network of its own."""
ANY = """After the
last digit it reads one element more: the index that is asked for, one-hot like a digit. """
LATE = """Until then it cannot know
which digit will matter, so it must keep all of them, each with its place: with ten digits that is one of
10,000,000,000 sequences, in {units} cells and hidden units."""
EARLY = """The half that
hears the sequence from its end hears the index first, and so knows what to wait for; the other half has to keep all
digits, each with its place, until it hears the index at last."""
BOTH = """**In both directions.** This network is two in one: the first hears the sequence from its beginning, the
second from its end. Its answer is read from {readout}. That choice matters: in the *final state of each direction*,
both have heard everything. PyTorch's *output at the last time step* holds the second direction after a single digit,
which is of little use, and leaves all the work to the first. """
BELIEF = """Had the sequence ended earlier, the second direction would
have begun elsewhere. So for its belief the lab really runs the network on every beginning of the sequence, and on every
end of it."""
ASKED_BELIEF = """For its belief the lab asks for the index after every beginning of the sequence."""
ONE_ASKED = """**In one direction.** This network hears the sequence from its beginning only: it must keep every digit
until the question comes, while every digit after it wears the memory down. For its belief the lab asks for the index
after every beginning of the sequence."""
ONE = """**In one direction.** This network hears the sequence from its beginning only: it must keep the asked digit
until the last one has been heard, while every digit after it wears the memory down."""


def told(name: str) -> bool:
    """Whether the model reads the index that is asked for as one more element."""
    return recall.query(network(name).card["data"]) == "any"


def trained_on(name: str) -> tuple[int, int]:
    """The lengths, from and to, of the sequences that the model was trained on."""
    return trained_lengths(network(name).card["data"])


@st.cache_data(max_entries=512, show_spinner=False)
def read(name: str, sequence: list[int], index: int) -> tuple[Trace, np.ndarray, np.ndarray | None]:
    """What happens in the model when it hears the sequence, and its beliefs (T, 10) had it ended sooner or begun later.

    A network that reads in one direction, or that is told the index, has no second belief.
    """
    if told(name):
        asked = recall.encode([*sequence, index])
        return trace(network(name), asked), recollections(name, sequence)[index], None
    x = recall.encode(sequence)
    run = trace(network(name), x)
    return run, run.belief, belief_backwards(network(name), x) if network(name).bidirectional else None


@st.cache_data(max_entries=512, show_spinner=False)
def recollections(name: str, sequence: list[int]) -> np.ndarray:
    """(10, T, 10): what the model, which is told the index, would answer for each index after each digit."""
    return recall.recollections(network(name), sequence)


@st.cache_data(max_entries=128, show_spinner="Hearing thousands of sequences ...")
def accuracies(name: str, longest: int) -> list[dict[str, float]]:
    """The model's accuracy at every length that holds its index."""
    index = network(name).card["data"]["index"]
    return recall.accuracy_by_length(network(name), index, range(max(2, index + 1), longest + 1), SEQUENCES)


@st.cache_data(max_entries=32, show_spinner="Asking for every digit of thousands of sequences ...")
def accuracies_by_index(name: str) -> list[dict[str, float]]:
    """The accuracy of the model, which is told the index, at every length and index."""
    return recall.accuracy_by_index(network(name), range(2, recall.MOST_DIGITS + 1), ASKED_SEQUENCES)


@st.cache_data(max_entries=512, show_spinner=False)
def effects(name: str, sequence: list[int]) -> np.ndarray:
    """(T, units): how far every digit moves every unit of the model, which is told the index."""
    return recall.effects(network(name), sequence)


def default_model(index: int) -> str:
    """The network that is asked for an index until one chooses another: the shipped one with 10 hidden units."""
    shipped = f"recall-i{index}-h10"
    return shipped if shipped in MODELS[index] else MODELS[index][0]


def change_index() -> None:
    """Another index needs another network, unless the one chosen is told the index."""
    forget_link()
    index = st.session_state["index"]
    if st.session_state.get("recall_model") not in MODELS[index]:
        st.session_state["recall_model"] = default_model(index)


def forget_link() -> None:
    """What a link asked for in vain is no matter any more once one asks for something else."""
    st.session_state.pop("recall_in_vain", None)


def load_example(chosen: str) -> None:
    forget_link()
    st.session_state["sequence"] = chosen
    if st.session_state["index"] != 1:
        st.session_state["index"] = 1
        change_index()


def sequence_box() -> tuple[list[int] | None, str]:
    """The digits in the box; or None, and a sentence that says why."""
    text = st.text_input(
        "Sequence",
        FIRST,
        key="sequence",
        bind="query-params",
        on_change=forget_link,
        live="0ms",
        autocomplete="off",
        help=f"Up to {recall.MOST_DIGITS} digits, with or without blanks and commas between them.",
    )
    try:
        return recall.parse(text), ""
    except ValueError as error:
        return None, str(error)


def index_choice(length: int) -> int:
    """The index to ask for. One that a shorter sequence has lost stays on offer, so that nothing jumps."""
    kept = st.session_state.get("index", linked_index())
    return frame.choice(
        "Index, counted from 0",
        [index for index in MODELS if index < length or index == kept],
        default=1 if length > 1 else 0,
        key="index",
        on_change=change_index,
        help="The lab ships a network for each index from 0 to 9, and recall-any, which is told the index; train one "
        "for a higher index.",
    )


def linked_index() -> int | None:
    """The index that a link asks for; None where it names none that has a network."""
    asked = st.query_params.get("index", "")
    return next((index for index in MODELS if str(index) == asked), None)


def asked_in_vain() -> str:
    """A sentence where a link asks for an index without a network, until one chooses an index; else empty."""
    if "index" not in st.session_state and st.query_params.get("index") and linked_index() is None:
        st.session_state["recall_in_vain"] = st.query_params["index"][:20]
    asked = st.session_state.get("recall_in_vain")
    if asked is None:
        return ""
    return f"No network was trained for index {asked}: choose one from 0 to {max(MODELS)}."


def show_answer(probabilities: np.ndarray, truth: int) -> None:
    best = int(probabilities.argmax())
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width=120, gap="xsmall"):
            st.html(f'<p class="digit" role="status" aria-label="The answer is {best}">{best}</p>')
            st.markdown(
                f"**{percent(probabilities[best])}**", help="The probability that the network gives to its answer"
            )
            st.markdown(verdict(best, truth))
        with st.container(width=200):
            st.vega_lite_chart(probability_bars(probabilities), alt="Probability of each digit")


def digit_lane(sequence: list[int], index: int) -> Any:
    marks = ["asked" if t == index else "" for t in range(len(sequence))]
    return text_lane("digit", [str(digit) for digit in sequence], marks=marks, tiles=True)


def show_why(name: str, sequence: list[int], index: int, belief: np.ndarray, backwards: np.ndarray | None) -> None:
    asked = "Asked anew after each digit: " if told(name) else ""
    st.markdown(f"**{asked}{notice(sequence, index, belief)}**")
    lanes = {"": [digit_lane(sequence, index)], "Belief had the sequence ended here": heat_lanes(CLASSES, belief.T)}
    if backwards is not None:
        lanes["Belief had the sequence begun here"] = heat_lanes(CLASSES, backwards.T, backwards=True)
    if told(name):
        shares = kept(sequence, recollections(name, sequence))
        heard = np.tri(len(sequence), dtype=bool).T[: len(shares)]  # before its digit no index has a right answer
        lanes["Right answer had the sequence ended here, by the index asked for"] = heat_lanes(
            [str(asked) for asked in range(len(shares))], shares, known=heard
        )
    if warning := outside(len(sequence), trained_on(name)):
        st.markdown(f":material/info: {warning}")
    Timeline(
        "Belief after each digit",
        [str(t) for t in range(len(sequence))],
        lanes,
        axis="index",
        notes=notes(sequence, belief, backwards),
        view=index,
        group="recall",
    ).show("recall_belief")


def show_sizes(sequence: list[int]) -> None:
    """Tab: the three networks for index 1 on the same sequence."""
    if len(sequence) < 2:
        st.markdown("These three networks name the digit at index 1: type at least two digits.")
        return
    st.markdown(
        "The three networks of the report all name the digit at **index 1**, with 2, 5 and 10 hidden units in each "
        "direction. The state has to tell ten digits apart: in two numbers that is hard, in ten there is room to spare."
    )
    table = ["| units | answer | tested | starts tried | lab report |", "|--:|:--|--:|--:|--:|"]
    lanes = {"": [digit_lane(sequence, 1)]}
    for name in SHIPPED[1]:
        (run, belief, _), card = read(name, sequence, 1), network(name).card
        best = int(run.probabilities.argmax())
        sign = ":green[✓]" if best == sequence[1] else ":red[✗]"
        table.append(
            f"| {card['hidden_size']} | {sign} **{best}** at {percent(run.probabilities[best])} "
            f"| {percent(card['metrics']['accuracy'])} | {card['seeds_tried']} | {percent(card['report'])} |"
        )
        lanes[f"Belief with {card['hidden_size']} hidden units"] = heat_lanes(CLASSES, belief.T)
    st.markdown("\n".join(table))
    st.caption(
        "*Tested*: the share of the 10,000 test sequences whose digit the network names correctly. *Starts tried*: how "
        "many random starts were trained; the best on validation data is shipped. *Lab report*: what it found."
    )
    Timeline(
        "Belief of the three networks after each digit",
        [str(t) for t in range(len(sequence))],
        lanes,
        axis="index",
        view=1,
        group="recall",
    ).show("recall_sizes")


def show_lengths(name: str) -> None:
    """Tab: accuracy against the sequence's length, beyond the trained lengths too."""
    rows, trained = accuracies(name, recall.MOST_DIGITS), trained_on(name)
    st.markdown(f"**{beyond(rows, trained, SEQUENCES)}**")
    table = pd.DataFrame(rows)
    st.altair_chart(accuracy_curve(table, trained), alt="Accuracy against the length of the sequence")
    st.caption(f"{SEQUENCES} random sequences at each length (seed 0). Shaded: {shaded(trained)}.")
    st.download_button("CSV", table.to_csv(index=False), "recall-accuracy.csv", icon=":material/download:")


def show_lengths_and_indices(name: str) -> None:
    """Tab: accuracy of a network that is told the index, against index and length, beyond the trained lengths too."""
    rows, trained = accuracies_by_index(name), trained_on(name)
    st.markdown(f"**{reach(rows)}**")
    table = pd.DataFrame(rows)
    st.altair_chart(accuracy_map(table, trained), alt="Accuracy against the length of the sequence and the index")
    st.caption(
        f"{ASKED_SEQUENCES} random sequences at each length, asked for every index from 0 to 9 (seed 0). Between the "
        f"lines: the trained lengths, {trained[0]} to {trained[1]}. One element can name no index above 9."
    )
    st.download_button("CSV", table.to_csv(index=False), "recall-accuracy.csv", icon=":material/download:")


def inside(name: str, sequence: list[int], index: int, run: Trace) -> Reading:
    """What the tab Look inside shows: the sequence, and after it the index where the network is told it."""
    T, asked = len(sequence), bool(told(name))
    elements = [*sequence, index] if asked else sequence
    texts = [str(element) for element in elements]
    heard = (np.arange(len(elements)) >= index).astype(float)
    marks = ["asked" if t == index else "" for t in range(len(elements))]
    answer = int(run.probabilities.argmax())

    def variants() -> dict[str, list[Variant]]:
        every = replaced(run.inputs)
        digits = [
            Variant(f"{digit} at index {t}", every[t, digit], [digit if t == index else sequence[index]])
            for t in range(T)
            for digit in range(recall.CLASSES)
            if digit != sequence[t]
        ]
        others = [t for t in range(min(T, recall.CLASSES)) if t != index] if asked else []
        return {"one digit": digits + [Variant(f"asked for index {t}", every[T, t], [sequence[t]]) for t in others]}

    return Reading(
        name=name,
        x=run.inputs,
        steps=[str(t) for t in range(len(elements))],
        lanes=[text_lane("element" if asked else "digit", texts, marks=marks, tiles=True)],
        axis="time step" if asked else "index",
        direction="right",
        output=answer,
        output_name=f"the answer {answer}",
        outputs=[str(digit) for digit in range(recall.CLASSES)],
        signals={"whether the asked digit has been heard": heard, "the digits themselves": np.array(elements, float)},
        variants=variants,
        elements=CLASSES,
        inputs=texts,
    )


def scale_end(values: np.ndarray) -> float:
    """The largest distance from 0, rounded up to a tenth, for the end of a scale."""
    return np.ceil(10 * float(np.abs(values).max())) / 10 or 1.0  # a scale needs two ends, even where all is 0


def show_memory(name: str, sequence: list[int], index: int, run: Trace) -> None:
    """Tab: which units of a network that is told the index keep which digit, and its states."""
    what = "Hidden state" if run.cell is None else "Cell state"
    states = (run.hidden if run.cell is None else run.cell)[-1, 0]
    held = effects(name, sequence)
    order = np.argsort(held.argmax(axis=0), kind="stable")
    units = [str(unit + 1) for unit in order]
    T, bits = len(sequence), len(sequence) * np.log2(recall.CLASSES)
    st.markdown(
        f"Before the question comes, {'all ' * (T > 1)}{T} {'digits' if T > 1 else 'digit'} must be in the state: "
        f"{bits:.0f} bits, in {len(units)} numbers. Change one digit, and see which numbers move: those keep it. Each "
        "row is one of them; the rows stand in the order of the digit that moves them most. Blocks along the diagonal "
        "say that every digit has units of its own; smears, that digits share them."
    )
    Timeline(
        "How far each unit moves when a digit is another one",
        [str(t) for t in range(T)],
        {
            "": [digit_lane(sequence, index)],
            "Moved by another digit here": heat_lanes(
                units, held.T[order], Scale("sequential", 0.0, scale_end(held), "how far it moves")
            ),
        },
        axis="index",
        view=index,
        group="recall",
    ).show("recall_held")
    st.caption(f"How far the {what.lower()} after the last digit moves: the mean over the nine other digits.")
    largest = scale_end(states)
    marks = ["asked" if t == index else "" for t in range(T + 1)]
    Timeline(
        f"{what} after each digit and after the question",
        [str(t) for t in range(T + 1)],
        {
            "": [text_lane("element", [str(element) for element in (*sequence, index)], marks=marks, tiles=True)],
            what: heat_lanes(units, states.T[order], Scale("diverging", -largest, largest, what.lower())),
        },
        axis="time step",
        notes=[*(f"{digit} is heard." for digit in sequence), f"Index {index} is asked for."],
        view=index,
        group="recall_memory",
    ).show("recall_memory")


def show_recalled(sequence: list[int], index: int, settings: Settings, trained: Network, who: str) -> None:
    """What a network in training makes of the sequence on the screen and of the report's, at the index it learns."""
    is_told = recall.query(settings.data) == "any"
    index = min(index, recall.CLASSES - 1) if is_told else settings.data["index"]
    every = [sequence, *map(recall.parse, EXAMPLES)]
    long_enough = [digits for digits in every if len(digits) > index][:WATCHED]
    if not long_enough:
        st.caption(f"Type a sequence with a digit at index {index} to see what {who} makes of it.")
        return
    st.caption(f"What {who} makes of the sequence above and of the report's, asked for index {index}:")
    table = ["| sequence | answer |", "|:--|:--|"]
    for digits in long_enough:
        answer = trace(trained, recall.encode(digits + [index] * is_told)).probabilities
        best = int(answer.argmax())
        sign = ":green[✓]" if best == digits[index] else ":red[✗]"
        marked = " ".join(f"**{digit}**" if t == index else str(digit) for t, digit in enumerate(digits))
        table.append(f"| {marked} | {sign} **{best}** at {percent(answer[best])} |")
    st.markdown("\n".join(table))


def show_how_it_works(name: str) -> None:
    """Tab: the task, the two directions, the cell."""
    card = network(name).card
    both = BOTH.format(readout=READOUTS[card["readout"]]) + (ASKED_BELIEF if told(name) else BELIEF)
    asked = EARLY if card["bidirectional"] else LATE.format(units=card["hidden_size"])
    question = ANY + asked if told(name) else FIXED
    st.markdown(TASK.format(lengths=span(trained_on(name)), question=question), width=760)
    # By itself: the browser takes long to set equations, and does so only when a text has changed.
    st.markdown(
        HOW_IT_WORKS.format(
            direction=both if card["bidirectional"] else ONE_ASKED if told(name) else ONE,
            meaning=MEANINGS[card["cell"]],
            equations=EQUATIONS[card["cell"]],
            symbols=symbols(card["cell"]),
        ),
        width=760,
    )


frame.page(
    "Recall",
    "🔢",
    "Type a sequence of digits. The network hears them one after another, then must name the one you ask for.",
)
st.html(STYLE)
if (trained_run := just_trained("recall")) and trained_run.id in TRAINED_FOR:  # or it ended a moment ago
    trained_index = TRAINED_FOR[trained_run.id]
    if trained_index is None:  # it names the index that one looks at, if an element can say it
        trained_index = min(st.session_state.get("index", 1), recall.CLASSES - 1)
    st.session_state["index"] = trained_index
    st.session_state["recall_model"] = trained_run.id
with st.container(horizontal=True, vertical_alignment="bottom"):
    with st.container(width=380):
        typed, problem = sequence_box()
    st.menu_button(
        "Examples",
        EXAMPLES,
        key="example",
        icon=":material/list:",
        help="The report's sixteen test sequences; it asks all of them for index 1",
        on_click=lambda: load_example(st.session_state["example"]),
    )
    frame.share_link()
if problem:  # below the row, which so stays as it is
    frame.problem(problem)
in_vain = asked_in_vain()
sequence = typed or st.session_state.get("recall_sequence", recall.parse(FIRST))
with st.container(horizontal=True, vertical_alignment="bottom"):
    index = index_choice(len(sequence))
    model = model_picker(MODELS[index], key="recall_model", default=default_model(index), width=200)
    st.markdown(describe(network(model).card), width="content")
if len(sequence) > max(MODELS) + 1:
    first, last = max(MODELS) + 1, len(sequence) - 1
    those = f"index {first}" if first == last else f"the indices {first} to {last}"
    st.caption(f"There is no network for {those} yet: the tab Train makes one.")
if typed and index >= len(typed):
    digits = "1 digit" if len(typed) == 1 else f"{len(typed)} digits"
    frame.problem(f"A sequence of {digits} has nothing at index {index}: choose a smaller index, or type more digits.")
    typed = None
if in_vain:
    frame.problem(in_vain)
    typed = None
if typed:
    st.session_state["recall_sequence"], st.session_state["recall_index"] = sequence, index
    st.session_state["recall_former"] = model
else:
    st.html(GREYED)
    sequence = st.session_state.get("recall_sequence", recall.parse(FIRST))
    index = st.session_state.get("recall_index", 1)
    model = st.session_state.get("recall_former", default_model(index))
    st.caption(f"Below, greyed: what was asked before, the digit at index {index} of {' '.join(map(str, sequence))}.")

run, belief, backwards = read(model, sequence, index)
if len(sequence) > SIDE_BY_SIDE:
    st.html(STACKED)
with st.container(horizontal=True, gap="large", key="recall_columns"):
    with st.container(width=380, key="answer"):
        show_answer(run.probabilities, sequence[index])
    with st.container(key="recall_why"):
        show_why(model, sequence, index, belief, backwards)

sizes, lengths, within, training, how = st.tabs(TABS, default=TABS[-1], key="recall_tab", bind="query-params")
if sizes.open:
    with sizes, st.container(key="recall_tab_input"):
        show_sizes(sequence)
if lengths.open:
    with lengths:
        if told(model):
            show_lengths_and_indices(model)
        else:
            show_lengths(model)
if within.open:
    with within, st.container(key="recall_tab_input"):
        if told(model):
            show_memory(model, sequence, index, run)
        inside_panel(inside(model, sequence, index, run))
if training.open:
    with training:
        train_panel("recall", watch=partial(show_recalled, sequence, index))
if how.open:
    with how:
        show_how_it_works(model)

for name in names("recall"):
    network(name)  # loaded while one looks, so that another index is answered at once
