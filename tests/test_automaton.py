"""The automaton of an adder, against the machine that carries."""

import pytest

from models import CELLS, Network, load
from models.automaton import Automaton, extract
from models.search import is_wrong


def test_the_carry_machine_adds() -> None:
    machine = Automaton.of_carries()
    assert machine.difference() is None
    state, said = 0, []
    for a, b in zip((1, 0, 1, 1, 0), (1, 1, 1, 0, 0), strict=True):
        said.append(machine.says[state][2 * a + b])
        state = machine.following[state][2 * a + b]
    assert sum(bit << t for t, bit in enumerate(said)) == 0b1101 + 0b0111


def test_a_network_that_adds_is_that_machine() -> None:
    machine = extract(load("addition-ideal-h2"))
    assert len(machine.following) == 2
    assert machine.difference() is None
    assert machine == Automaton.of_carries()


@pytest.mark.parametrize("cell", CELLS)
def test_an_untrained_network_differs_where_it_really_errs(cell: str) -> None:
    network = Network(2, 1, cell=cell, hidden_size=3, readout="every").eval()
    word = extract(network).difference()
    a, b = (sum((x >> side & 1) << t for t, x in enumerate(word)) for side in (1, 0))
    assert is_wrong(network, a, b, len(word))


def test_a_drawing_names_every_state_and_what_is_read_and_said() -> None:
    source = Automaton.of_carries().dot()
    assert source.startswith("digraph {")
    assert '0 -> 1 [label="1+1 : 0"]' in source
    assert '1 -> 0 [label="0+0 : 1"]' in source
