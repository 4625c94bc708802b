"""The finite automaton that an adder has become: its hidden states, put together where nothing tells them apart.

Giles et al., "Learning and extracting finite state automata with second-order recurrent neural networks" (1992); Weiss,
Goldberg and Yahav, "Extracting automata from recurrent neural networks" (2018). States of the network are one state of
the automaton when the network says the same bits after them, on every continuation of up to 3 columns.
"""

from collections import deque
from dataclasses import dataclass

import torch

from models.network import Network
from models.search import State, chosen, joined, read_on, repeated
from models.streams import ONES, mixed

DEPTH = 5  # columns: the states after all streams as short as that are looked at
AHEAD = 3  # columns of a continuation
MOST_STATES = 500  # of an automaton
INK = "#6f7d93"  # of a drawn automaton: readable on light ground and on dark
SYMBOLS = ("0+0", "0+1", "1+0", "1+1")


@dataclass(frozen=True)
class Automaton:
    """A machine that reads columns: `following[q][x]` is the state after symbol x = 2 a + b, `says[q][x]` the bit said.

    It begins in state 0. Where it has more than MOST_STATES, what follows may not be known: None. `apart` counts the
    further kinds of states that a network has after long streams, to which the machine has no way: it goes on from the
    first state of a kind, and others that are like it over a few columns may part from it later.
    """

    following: tuple[tuple[int | None, ...], ...]
    says: tuple[tuple[int, ...], ...]
    apart: int = 0

    @classmethod
    def of_carries(cls) -> "Automaton":
        """The machine that adds: its state is the carry."""
        columns = [[int(ones) + carry for ones in ONES] for carry in (0, 1)]
        return cls(
            tuple(tuple(column // 2 for column in row) for row in columns),
            tuple(tuple(column % 2 for column in row) for row in columns),
        )

    def difference(self) -> list[int] | None:
        """The shortest stream of symbols on which the machine says a wrong bit, None where none is known."""
        true = Automaton.of_carries()
        seen, waiting = {(0, 0)}, deque([(0, 0, [])])
        while waiting:
            mine, carry, word = waiting.popleft()
            for x in range(4):
                if self.says[mine][x] != true.says[carry][x]:
                    return [*word, x]
                pair = self.following[mine][x], true.following[carry][x]
                if pair[0] is not None and pair not in seen:
                    seen.add(pair)
                    waiting.append((*pair, [*word, x]))
        return None

    def reached(self) -> "Automaton":
        """The machine with the states only that it gets to, in the order in which it does; the others are `apart`."""
        order = [0]
        for state in order:  # which grows meanwhile
            order += [after for after in dict.fromkeys(self.following[state]) if after not in {None, *order}]
        number = {state: place for place, state in enumerate(order)}
        return Automaton(
            tuple(tuple(map(number.get, self.following[state])) for state in order),
            tuple(self.says[state] for state in order),
            len(self.following) - len(order),
        )

    def dot(self, most: int = 10) -> str:
        """The machine in Graphviz's language, its first `most` states: on each arrow the bits read and the bit said."""
        lines = [
            "digraph {",
            "rankdir=LR",
            'bgcolor="transparent"',
            f'node [shape=circle, fontname="sans-serif", color="{INK}", fontcolor="{INK}"]',
            f'edge [fontname="sans-serif", color="{INK}", fontcolor="{INK}"]',
        ]
        lines += ["start [shape=point]", "start -> 0"]
        shown = range(min(most, len(self.following)))
        for state in shown:
            for after in shown:
                symbols = [x for x in range(4) if self.following[state][x] == after]
                if symbols:
                    label = "\\n".join(f"{SYMBOLS[x]} : {self.says[state][x]}" for x in symbols)
                    lines.append(f'{state} -> {after} [label="{label}"]')
        return "\n".join([*lines, "}"])


@torch.inference_mode()
def extract(network: Network) -> Automaton:
    """The automaton of a network that reads in one direction.

    Its states are those after short and after mixed streams, and what follows them, until nothing new does. Of states
    that are put together the first one met stands for all.
    """
    numbers: dict[bytes, int] = {}
    following, says = [], []
    states = _states(network)
    new = _numbered(_behaviours(network, states), numbers)
    while new:
        said, after = read_on(network, torch.arange(4).repeat(len(new)), repeated(chosen(states, torch.tensor(new)), 4))
        kinds = _behaviours(network, after)
        states, new = after, _numbered(kinds, numbers)
        following += [tuple(map(numbers.get, kinds[i : i + 4])) for i in range(0, len(kinds), 4)]
        says += [tuple(row) for row in (said > 0).int().view(-1, 4).tolist()]
    return Automaton(tuple(following), tuple(says)).reached()


def _numbered(kinds: list[bytes], numbers: dict[bytes, int]) -> list[int]:
    """Number the kinds of states that have none, up to MOST_STATES; returns where each of them is met first."""
    first = []
    for index, kind in enumerate(kinds):
        if kind not in numbers and len(numbers) < MOST_STATES:
            numbers[kind] = len(numbers)
            first.append(index)
    return first


def _states(network: Network) -> State:
    """The states after all streams of up to DEPTH columns, the start first, and after longer mixed ones."""
    start = network.recurrent(torch.zeros(1, 1, network.input_size))[1]
    zero = tuple(0 * part for part in start) if isinstance(start, tuple) else 0 * start
    levels = [zero]
    for _ in range(DEPTH):
        count = _count(levels[-1])
        levels.append(read_on(network, torch.arange(4).repeat(count), repeated(levels[-1], 4))[1])
    state = repeated(zero, 100)
    for symbols in mixed(100, 24, seed=5).unbind(1):
        state = read_on(network, symbols, state)[1]
        levels.append(state)
    return joined(levels)


def _behaviours(network: Network, states: State) -> list[bytes]:
    """What the network says after each state, on every continuation of AHEAD columns."""
    said, state, count = [], states, _count(states)
    for _ in range(AHEAD):
        symbols = torch.arange(4).repeat(_count(state))
        logits, state = read_on(network, symbols, repeated(state, 4))
        said.append((logits > 0).view(count, -1))
    return [row.numpy().tobytes() for row in torch.cat(said, dim=1)]


def _count(state: State) -> int:
    return (state[0] if isinstance(state, tuple) else state).shape[-2]
