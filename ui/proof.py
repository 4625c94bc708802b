"""The tab Proof of the Addition page: the verdict on a network, its boxes of states, and its automaton."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st
import torch

from models import Verdict, verdict
from models.automaton import AHEAD, Automaton, extract
from models.verdict import at_least
from training.tasks import addition
from ui.addition_text import written
from ui.charts import state_boxes
from ui.models import network

HOW = """
**How such a proof works.** Feed the network with bits for ever, and its state wanders through a space. The proof covers
every place it can get to with finitely many boxes: the first one holds the start, and whichever of the four pairs of
bits comes next, all states of a box move along a way that ends in a box again, or in several. Nowhere on a way is there
a state from which the network says a wrong bit. So none is ever said, however long the numbers are. Roundings are
counted in: every set of states is a little larger than it must be, for what 32-bit numbers can be off.
"""
AUTOMATON = f"""
An adder needs two states only: no carry, and carry. Here hidden states of the network are one state of the machine when
nothing that comes in the next {AHEAD} columns tells them apart. Arrows bear the two bits read and the bit that is said
(Giles et al., 1992; Weiss et al., 2018).
"""
CARRY = Automaton.of_carries()
DRAWN = 10  # states of an automaton, at most


@st.cache_data(max_entries=64, show_spinner="Looking for an error, then for a proof")
def judged(name: str) -> Verdict:
    """The verdict on the network called `name`."""
    return verdict(network(name))


@st.cache_data(max_entries=64, show_spinner=False)
def extracted(name: str) -> Automaton:
    """The automaton of the network called `name`."""
    return extract(network(name))


def proof_panel(name: str, show_pair: Callable[[list[int], list[int]], None]) -> None:
    """The verdict on the network, with its reasons; `show_pair` puts two numbers into the page's boxes."""
    found = judged(name)
    if found.kind == "proved":
        st.success(f"**{found.reason}**", icon=":material/verified:")
        _show_boxes(found)
    elif found.kind == "fails":
        _show_failure(name, found, show_pair)
    else:
        st.info(f"{found.reason} That says nothing of the network: it may be right, or err somewhere else.")
    _show_automaton(name)


def _show_failure(name: str, found: Verdict, show_pair: Callable[[list[int], list[int]], None]) -> None:
    """The addition that goes wrong, the right sum, the network's, and a button that loads it into the page's boxes."""
    a, b = found.operands
    length = found.length
    st.error(f"**It fails.** {found.reason}", icon=":material/error:")
    bits = [[side >> t & 1 for t in range(length)] for side in (a, b)]
    x = addition.encode(a, b, length)[None]
    with torch.inference_mode():
        said = (network(name)(x)[0] > 0).long().tolist()
    true = f"{a + b:0{length + 1}b}"
    wrong = "".join("^" if one != other else " " for one, other in zip(true, written(said), strict=True))
    lines = (written(bits[0]), written(bits[1]), true, written(said), wrong)
    signs = ("        ", "      + ", "right = ", " said = ", "  wrong ")
    st.code("\n".join(sign + line.rjust(length + 1) for sign, line in zip(signs, lines, strict=True)), None)
    if length > addition.MAX_BITS:
        st.caption(f"It is too long for the page, which takes numbers of up to {addition.MAX_BITS} bits.")
        return
    st.button("Load into the boxes above", icon=":material/input:", on_click=show_pair, args=bits)


def _show_boxes(found: Verdict) -> None:
    """The boxes' centres in the plane of their two principal components, by the carry."""
    proof = found.proof
    centers = proof.centers.numpy()
    away = centers - centers.mean(0)
    _, sizes, axes = np.linalg.svd(away, full_matrices=False)
    places = away @ axes[:2].T if centers.shape[1] > 1 else np.pad(away, ((0, 0), (0, 1)))
    reach = proof.room * np.abs(axes[:2] @ np.linalg.inv(proof.metrics.numpy())).sum(2)[proof.kinds.numpy()]
    share = float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-30))
    table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1], "width": reach[:, 0], "height": reach[:, 1]})
    table = table.assign(carry=proof.carries.numpy())
    st.altair_chart(state_boxes(table), alt="The boxes of the proof by carry")
    way = f"{proof.longest_way} {'input' if proof.longest_way == 1 else 'inputs'}"
    st.caption(
        f"{len(table):,} boxes, as far as they reach along the first two principal components of their centres "
        f"({share:.0%} of the variance). {proof.moved:,} sets were moved; the longest way from box to box takes {way}. "
        f"Smallest logit on the right side of 0: {at_least(proof.margin)}."
    )
    st.markdown(HOW, width=760)


def _seemingly_right(automaton: Automaton) -> str:
    """What the machine of a network says of it that fails, though the machine does not."""
    kinds, least = len(automaton.following), len(CARRY.following)
    alike = "Over a few columns it is a carry machine"
    alike = alike if kinds == least else f"It tells {kinds:,} kinds of states apart, where {least} would do"
    apart = (
        f"After longer streams its states are of {automaton.apart:,} more kinds, to which no arrow leads: states that "
        f"are alike over {AHEAD} columns drift apart later. "
    )
    last = "It takes a longer sum to make it err, such as the one above."
    return f"**{alike}.** {apart if automaton.apart else ''}{last}"


def _show_automaton(name: str) -> None:
    """The network's automaton beside the true one."""
    st.markdown("**Its automaton**")
    if network(name).bidirectional:
        st.caption("A network that reads from both ends has no automaton that reads from one.")
        return
    automaton = extracted(name)
    sides = st.columns(2)
    for side, title, machine in zip(sides, ("The network", "A carry machine"), (automaton, CARRY), strict=True):
        with side:
            states = len(machine.following)
            st.caption(f"{title}: {states:,} states" + (f", of which {DRAWN} are drawn" if states > DRAWN else ""))
            st.graphviz_chart(machine.dot(DRAWN), width="content", alt=f"{title} with {states:,} states")
    word = automaton.difference()
    if word is not None:
        a, b = (written(bits) for bits in ([x >> 1 for x in word], [x & 1 for x in word]))
        st.markdown(f"**The two differ**: on {a} + {b}, the network's machine says a wrong bit in the highest column.")
    elif judged(name).kind == "fails":
        st.markdown(_seemingly_right(automaton))
    elif judged(name).kind == "undecided":
        st.markdown("**The two agree** on what was looked at. Whether they always do is not decided.")
    else:
        st.markdown("**The two agree**: whatever the network has read, it says what the carry machine says.")
    st.caption(AUTOMATON)
