"""The tab Look inside, the same for every task: states and gates, gradients, what if, the plane of the states."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from models import CELLS, Network, Trace, names, trace
from models.fixed_points import FixedPoint, fixed_points
from models.gradients import gradients
from models.occlusion import answers, replaced
from models.projection import Plane, plane
from training.fit import build
from training.task import Settings
from ui import frame, picture
from ui.digits_text import refused
from ui.equations import EQUATIONS, READING
from ui.inside_charts import answers_map, fading, ground, saliency, trajectory
from ui.inside_text import changes, correlations, rests, sums, vanishing
from ui.models import network, own
from ui.timeline import STATE, Direction, Lane, Scale, Timeline, heat_lanes
from ui.words import percent

PARTS = ("States and gates", "Gradient through time", "What if", "Plane and fixed points")
MOST_UNITS = {"right": 24, "left": 24, "down": 12}  # that are shown at once
FIRST_ORDER = "how much they change"
FIXED_AT_ONCE, LARGEST_TO_REST = 64, 256  # numbers in a state: where fixed points take a moment, and too long
BESIDE = 10  # time steps across, of a chart that leaves room for the equations beside it
TOLD_BY_TWO = 0.7  # of the variance in two components, below which a place of the plane says too little of a state
GATES = Scale("sequential", 0.0, 1.0, "gate")
# Text beside a chart that is higher than the screen moves along with it, below Streamlit's own header.
STAYS = """<style>
[data-testid=stLayoutWrapper]:has(> [class*=_beside]) { position: sticky; top: 4rem; }
</style>"""
FEWEST_FOR_COMPONENTS = 3  # states, that two principal components say something of
REFUSED = -1  # in place of a class
CANDIDATE = "candidate"  # the one "gate" that runs from -1 to 1


@dataclass(frozen=True)
class Variant:
    """A changed input: what was changed, the input (T, features), and the right answer to it, where there is one.

    That is a class, or the bits of every step.
    """

    name: str
    x: np.ndarray
    right: Sequence[int] | None = None


@dataclass(frozen=True)
class Reading:
    """What the network `name` reads on a page, and how that page shows it.

    `lanes` show the input `x` (T, features) on the time axis with the headers `steps`. `output` is the logit that is
    looked at, called `output_name`; `outputs` names all. `signals` are what units may respond to, each (T,).
    `variants` makes the changed inputs of What if, by the kind of change, and `others` are networks whose gradients
    are compared. `elements` names what may stand at each step of a one-hot input, which What if shows for all steps.
    `inputs` says in a word what is read at each step, where that is possible.
    """

    name: str
    x: np.ndarray
    steps: Sequence[str]
    lanes: Sequence[Lane]
    axis: str
    direction: Direction
    output: int
    output_name: str
    outputs: Sequence[str]
    signals: Mapping[str, np.ndarray]
    variants: Callable[[], Mapping[str, list[Variant]]]
    elements: Sequence[str] = ()
    inputs: Sequence[str] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    image: bool = False

    @property
    def task(self) -> str:
        """The network's task, which is the group of the page's timelines, too."""
        return network(self.name).card["task"]

    @property
    def key(self) -> str:
        """What the keys of the panel's widgets begin with."""
        return f"inside_{self.task}"


def inside_panel(reading: Reading) -> None:
    """The chosen part of the tab."""
    part = frame.choice("Show", PARTS, key=f"{reading.key}_part")
    SHOW[part](reading)


@st.cache_data(max_entries=64, show_spinner=False)
def traced(name: str, x: np.ndarray) -> Trace:
    """What happened in the network at every time step."""
    return trace(network(name), x)


def place(reading: Reading) -> tuple[int, int]:
    """The layer and the direction that one looks at."""
    net = network(reading.name)
    layers = [f"layer {number + 1}" for number in range(net.num_layers)]
    directions = ["forwards", "backwards"][: net.num_directions]
    layer = direction = None
    with st.container(horizontal=True):
        if len(layers) > 1:
            layer = frame.choice("Layer", layers, default=layers[-1], key=f"{reading.key}_layer")
        if len(directions) > 1:
            direction = frame.choice("Direction", directions, key=f"{reading.key}_direction")
    return (layers.index(layer) if layer else 0), (directions.index(direction) if direction else 0)


def show_states(reading: Reading) -> None:
    """Heat maps of hidden state, cell state and gates, and one unit's sum at every time step."""
    net, run = network(reading.name), traced(reading.name, reading.x)
    layer, backward = place(reading)
    hidden = run.hidden[layer, backward]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order, labels = sorted_units(reading, hidden)
        chosen = st.selectbox("Calculate for", labels, key=f"{reading.key}_unit", width=200, bind="query-params")
    unit = int(order[labels.index(chosen)])
    rows = [unit_name(number, "down") for number in order] if reading.direction == "down" else labels
    back = bool(backward)
    groups: dict[str, Sequence[Lane]] = {
        "": reading.lanes,
        "Hidden state h": heat_lanes(rows, hidden[:, order].T, STATE, backwards=back),
    }
    if run.cell is not None:
        cell = run.cell[layer, backward][:, order]
        most = float(np.ceil(np.abs(cell).max())) or 1.0
        groups["Cell state c"] = heat_lanes(rows, cell.T, Scale("diverging", -most, most, "cell state"), backwards=back)
    for gate, values in run.gates.items():
        scale = STATE if gate == CANDIDATE else GATES
        groups[f"{gate.capitalize()}{'' if gate == CANDIDATE else ' gate'}"] = heat_lanes(
            rows, values[layer, backward][:, order].T, scale, backwards=back
        )
    chart, beside = chart_and_text(reading)
    with chart:
        show_lanes(reading, groups, "states", sums(net, run, layer, backward, unit))
    with beside:
        st.latex(EQUATIONS[net.cell])
        st.caption(f"Under the chart: the last lines of the equations with the real numbers of unit {unit + 1}.")
        st.markdown(f"{READING[net.cell]} Units that hold one colour while the input changes remember something.")


def chart_and_text(reading: Reading) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Places for a chart of lanes and for text: beside it, where there is room, and in view whatever part one sees."""
    if reading.direction == "down" or len(reading.steps) > BESIDE:
        return st.container(), st.container()
    st.html(STAYS)
    chart, text = st.columns([3, 2], gap="large")
    return chart, text.container(key=f"{reading.key}_beside")


def beside_input(reading: Reading) -> DeltaGenerator:
    """A place for charts that move along with the input, which stands above it, or to the left where time runs down."""
    if reading.direction == "down":
        left, charts = st.columns([1, 3], gap="large")
    else:
        left, charts = st.container(), st.container()
    with left:
        show_lanes(reading, {"": reading.lanes}, "input")
    return charts


def sorted_units(reading: Reading, hidden: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The units to show, in the order that is asked for, and what their rows are called."""
    orders = [FIRST_ORDER, "number", *reading.signals]
    asked = st.selectbox("Sort units by", orders, key=f"{reading.key}_sort", width=260, bind="query-params")
    if asked in reading.signals:
        found = correlations(hidden, np.asarray(reading.signals[asked], float))
        order = shown_units(reading, np.argsort(-np.abs(found), kind="stable"))
        return order, [f"unit {unit + 1} ({found[unit]:+.2f})" for unit in order]
    order = np.argsort(-hidden.std(axis=0), kind="stable") if asked == FIRST_ORDER else np.arange(hidden.shape[1])
    order = shown_units(reading, order)
    return order, [f"unit {unit + 1}" for unit in order]


def unit_name(unit: int, direction: Direction) -> str:
    """What a unit's lane is called: by its number alone where lanes are narrow columns."""
    return f"{unit + 1}" if direction == "down" else f"unit {unit + 1}"


def shown_units(reading: Reading, order: np.ndarray) -> np.ndarray:
    """All units in their order, or of a larger layer the part that is asked for."""
    most, H = MOST_UNITS[reading.direction], len(order)
    if most >= H:
        return order
    parts = {f"{first + 1} to {min(first + most, H)} of {H}": first for first in range(0, H, most)}
    asked = st.selectbox("Units shown", list(parts), key=f"{reading.key}_units_{H}", width=160, bind="query-params")
    return order[parts[asked] : parts[asked] + most]


def show_chart(reading: Reading, key: str, description: str, chart: alt.LayerChart, wide: bool = False) -> None:
    """A chart that moves along with the timelines."""
    shown = drawn(chart.to_json(indent=None), wide)
    picture.show(f"{reading.key}_{key}", description, shown, time=(reading.task, len(reading.steps)))


@st.cache_data(max_entries=64, show_spinner=False)
def drawn(specification: str, wide: bool) -> picture.Pictures:
    """A chart's pictures, which a rerun does not draw anew."""
    return picture.pictures(specification, wide)


def show_lanes(
    reading: Reading, groups: Mapping[str, Sequence[Lane]], key: str, notes: list[str] | None = None
) -> None:
    """Lanes on the page's own time axis; all charts of the page that have as many time steps move together."""
    Timeline(
        f"{reading.axis.capitalize()} by {reading.axis}: {', '.join(filter(None, groups)) or 'the input'}",
        list(reading.steps),
        groups,
        direction=reading.direction,
        axis=reading.axis,
        notes=notes,
        group=reading.task,
    ).show(f"{reading.key}_{key}")


def title(reading: Reading) -> str:
    """What the network is called among those that it is compared with."""
    named = {name: label for label, name in reading.others.items()}
    return named.get(reading.name) or (reading.name if reading.name in names() else own(reading.name))


def compared(reading: Reading) -> dict[str, Network]:
    """The network, and others on the same input: those that the page names, or untrained ones of its shape."""
    net = network(reading.name)
    found = {title(reading): net}
    if reading.others:
        return found | {label: network(name) for label, name in reading.others.items() if name != reading.name}
    settings = Settings.of(net.card)
    for cell in CELLS:
        found[f"{cell.upper()}, before training"] = build(replace(settings, cell=cell)).eval()
    return found


def show_gradients(reading: Reading) -> None:
    """Norms of the gradients of one logit, of several networks on the same input."""
    found = {label: gradients(net, reading.x, reading.output) for label, net in compared(reading).items()}
    st.markdown(
        f"How strongly does the logit of **{reading.output_name}** depend on what the network read at each step, and "
        "on its hidden state there? In training the same numbers say how much a weight learns from that step: where "
        "the gradient vanishes, nothing is learned."
    )
    inputs = {label: np.linalg.norm(each.inputs, axis=-1) for label, each in found.items()}
    hidden = {label: each.hidden[-1, 0] for label, each in found.items()}
    backwards = reading.direction == "left"
    if not reading.others:
        st.markdown(
            "For comparison: an RNN, a GRU and an LSTM of the same size, with the random weights from which training "
            "starts."
        )
    with beside_input(reading):
        columns = st.columns(2)
    for column, norms, what in zip(columns, (inputs, hidden), "xh", strict=True):
        with column:
            chart = fading(
                norms, list(reading.steps), reading.axis, f"norm of d logit / d {what} (log scale)", backwards
            )
            show_chart(reading, f"gradient_{what}", f"Norm of the gradient with respect to {what}, by step", chart)
    st.caption("h: the hidden state of the last layer, reading forwards.")
    st.markdown(f"**{vanishing(hidden)}**")
    if reading.image:
        image, words = st.columns([2, 3], gap="large")
        with image:
            chart = saliency(found[title(reading)].inputs, reading.x)
            show_chart(reading, "saliency", "The gradient of the answer over the image's pixels", chart)
        with words:
            st.markdown(
                f"*Saliency*: the gradient of the logit of {reading.output_name} with respect to every pixel. More ink "
                "on a blue pixel speaks for it, on an orange one against it. It says what a small change would do, not "
                "what blanking a whole row does: that is What if."
            )


def show_what_if(reading: Reading) -> None:
    """Answers to changed inputs, and one of them beside the input as it is."""
    kinds = reading.variants()
    kind = next(iter(kinds))
    st.markdown("What would the network answer had one thing been different?")
    if len(kinds) > 1:
        kind = frame.choice("What is blank", list(kinds), key=f"{reading.key}_change")
    variants = kinds[kind]
    if not variants:
        st.markdown("The input is too short for this change.")
        return
    net = network(reading.name)
    changed = [variant.name for variant in variants]
    values = answers(net, np.stack([variant.x for variant in variants]))
    if reading.elements:
        show_replaced(reading)
    else:
        show_changed(reading, changed, values)
    unchanged = answers(net, reading.x[None])[0]
    right = [variant.right for variant in variants]
    st.markdown(f"**{changes(changed, said(unchanged, net), said(values, net), right)}**")
    show_beside(reading, {variant.name: variant.x for variant in variants})


def show_changed(reading: Reading, changed: list[str], values: np.ndarray) -> None:
    """The answer to every changed input: a row for each."""
    outputs = list(reading.outputs)
    every = network(reading.name).readout == "every"
    chart = answers_map(values, changed, outputs, outputs[::-1] if every and reading.direction == "left" else outputs)
    st.altair_chart(chart, alt="The answer to every changed input")
    colours = "that each bit of the sum is 1" if every else "of the answers"
    st.caption(f"Each row of the chart is the input with one change, its colours are the probabilities {colours}.")


def show_replaced(reading: Reading) -> None:
    """What would be answered with any other element at any step, below the step."""
    every = replaced(reading.x)
    T, K = every.shape[:2]
    values = answers(network(reading.name), every.reshape(T * K, T, K)).reshape(T, K, -1)
    texts = np.asarray(reading.outputs)[values.argmax(axis=-1)]
    lanes = heat_lanes(reading.elements, values[..., reading.output].T, texts=texts.T.tolist())
    show_lanes(reading, {"": reading.lanes, "The answer with another digit in its place": lanes}, "replaced")
    st.caption(
        "In each cell: the answer had the digit on the left stood at this step. "
        f"Its colour: how probable {reading.output_name} then still is."
    )


def show_beside(reading: Reading, changed: Mapping[str, np.ndarray]) -> None:
    """The answer and the states of one changed input beside those of the input as it is."""
    chosen = st.selectbox(
        "Show one beside the input as it is",
        list(changed),
        key=f"{reading.key}_variant",
        width=320,
        bind="query-params",
    )
    net = network(reading.name)
    layer, backward = place(reading)
    both = {"The input as it is": reading.x, chosen: changed[chosen]}
    states = {label: traced(reading.name, x).hidden[layer, backward] for label, x in both.items()}
    moved = np.square(np.subtract(*states.values())).sum(axis=0)
    order = np.sort(np.argsort(-moved)[: MOST_UNITS[reading.direction]])
    rows = [unit_name(unit, reading.direction) for unit in order]
    for column, (label, x) in zip(st.columns(2, gap="large"), both.items(), strict=True):
        hidden = states[label]
        with column:
            st.markdown(f"**{label}**: {told(answers(net, x[None])[0], net, reading.outputs)}")
            lanes = heat_lanes(rows, hidden[:, order].T, STATE, backwards=bool(backward))
            show_lanes(reading, {"Hidden state h": lanes}, label)
    if len(order) < net.hidden_size:
        st.caption(f"These are the {len(order)} of {net.hidden_size} units that the change moves most.")


def said(probabilities: np.ndarray, net: Network) -> np.ndarray:
    """What is answered: bits, or the most probable class as one number, with the last dimension kept.

    REFUSED stands for what is not probable enough to be an answer.
    """
    if net.readout == "every":
        return probabilities > 0.5
    return np.where(refused(net.card, probabilities), REFUSED, probabilities.argmax(axis=-1))[..., None]


def told(probabilities: np.ndarray, net: Network, outputs: Sequence[str]) -> str:
    """The answer in words."""
    if net.readout == "every":
        return "".join("1" if p > 0.5 else "0" for p in probabilities[::-1])
    best = int(probabilities.argmax())
    answer = f"{outputs[best]} at {percent(probabilities[best])}"
    return f"does not look like a digit ({answer})" if said(probabilities, net)[0] == REFUSED else answer


def show_plane(reading: Reading) -> None:
    """The states' way through a plane, what the read-out makes of it, and where the layer would come to rest."""
    net, run = network(reading.name), traced(reading.name, reading.x)
    layer, backward = place(reading)
    states = run.hidden[layer, backward]
    if net.hidden_size < 2:
        st.info("A network with a single hidden unit has no plane to show.")
        return
    if len(states) < FEWEST_FOR_COMPONENTS and net.hidden_size > 2:
        st.info(f"The plane is that of at least {FEWEST_FOR_COMPONENTS} time steps: give the network a longer input.")
        return
    seen = plane(states)
    if net.hidden_size == 2:
        titles = ("hidden unit 1", "hidden unit 2")
    else:
        titles = tuple(f"principal component {n + 1} ({share:.0%})" for n, share in enumerate(seen.explained))
        st.caption(f"The first two principal components hold {sum(seen.explained):.0%} of the states' variance.")
    points = resting(reading, run, layer, backward, states)
    whole = net.hidden_size == 2 or sum(seen.explained) >= TOLD_BY_TWO
    last = layer == net.num_layers - 1
    decisions = decided(net, run, backward, seen, points, reading) if last and whole else None
    with beside_input(reading):
        chart = trajectory(seen, states, list(reading.steps), decisions, points, titles)
        show_chart(reading, "plane", "The way of the states through the plane", chart, wide=True)
    if decisions is not None:
        st.caption(
            "The ground: what the read-out would say of a state at that place"
            + ("" if net.hidden_size == 2 else ", all other components being at their mean")
            + (", and the other direction where it ended." if net.bidirectional else ".")
        )
    elif last and not whole and net.readout != "pooled":
        st.caption("Two components hold too little for a place to tell what the read-out would say there.")


def resting(reading: Reading, run: Trace, layer: int, backward: int, states: np.ndarray) -> list[FixedPoint]:
    """The fixed points under the input of a time step that one chooses, with a table of them."""
    size = states.shape[1] * (1 if run.cell is None else 2)
    if size > LARGEST_TO_REST:
        st.caption(f"Fixed points are looked for in states of up to {LARGEST_TO_REST} numbers; this one has {size}.")
        return []
    asked = size <= FIXED_AT_ONCE or st.toggle(
        "Look for fixed points",
        key=f"{reading.key}_look",
        bind="query-params",
        help="In so large a layer that takes seconds.",
    )
    if not asked:
        return []
    step = st.select_slider(
        f"Fixed points if the input stayed that of {reading.axis}",
        list(reading.steps),
        key=f"{reading.key}_rest",
        bind="query-params",
    )
    t = list(reading.steps).index(step)
    x = run.read_by(layer)[t]
    cells = None if run.cell is None else run.cell[layer, backward]
    points = found_points(reading.name, x, layer, backward, states, cells)
    read = f" ({reading.inputs[t]})" if reading.inputs else ""
    st.markdown(f"With the input of {reading.axis} {step}{read} again and again: {rests(points)}")
    if points:
        with st.expander("Eigenvalues of the Jacobian"):
            st.dataframe(eigenvalues(points), hide_index=True)
    return points


@st.cache_data(max_entries=64, show_spinner="Looking for fixed points")
def found_points(
    name: str, x: np.ndarray, layer: int, backward: int, states: np.ndarray, cells: np.ndarray | None
) -> list[FixedPoint]:
    """The fixed points near the states under the constant input x."""
    return fixed_points(network(name), x, layer, backward, states, cells)


def eigenvalues(points: list[FixedPoint]) -> pd.DataFrame:
    """A row for every fixed point: its kind and its three largest eigenvalues."""
    return pd.DataFrame(
        [
            {
                "kind": point.kind,
                "largest |λ|": round(float(np.abs(point.eigenvalues[0])), 3),
                "eigenvalues": ", ".join(f"{value:.3f}" for value in point.eigenvalues[:3]),
            }
            for point in points
        ]
    )


@torch.inference_mode()
def decided(
    net: Network, run: Trace, backward: int, seen: Plane, points: list[FixedPoint], reading: Reading
) -> tuple[np.ndarray, list[str]] | None:
    """What the read-out says at each place of the plane; None where it reads more than one state of a direction."""
    if net.readout == "pooled" or (net.bidirectional and net.readout != "final"):
        return None
    places = torch.from_numpy(seen.lift(ground(seen, run.hidden[-1, backward], points))).float()
    if net.bidirectional:
        end = torch.from_numpy(run.hidden[-1, 1 - backward, -1 if backward else 0]).expand(len(places), -1)
        places = torch.cat([end, places] if backward else [places, end], dim=1)
    logits = net.linear(places)
    if net.output_size == 1:
        return (logits[:, 0] > 0).long().numpy(), ["0", "1"]
    return logits.argmax(-1).numpy(), list(reading.outputs)


SHOW = dict(zip(PARTS, (show_states, show_gradients, show_what_if, show_plane), strict=True))
