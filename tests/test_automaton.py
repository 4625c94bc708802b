"""The automaton of an adder, against the machine that carries."""

import itertools

import pytest
import torch

from models import CELLS, Network, load
from models.automaton import AHEAD, Automaton, extract
from models.search import is_wrong
from models.streams import BITS


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


@pytest.mark.parametrize("name", ["addition-bce-h2", "addition-mse-h5"])
def test_states_to_which_it_has_no_way_are_counted_and_left_out(name: str) -> None:
    """Both add all short sums rightly, and have states after long ones that are of other kinds."""
    machine = extract(load(name))
    assert machine.following == Automaton.of_carries().following
    assert machine.apart > 0


def test_states_are_in_the_order_in_which_it_gets_to_them() -> None:
    machine = Automaton(((3, 3, 0, None), (1, 1, 1, 1), (0, 0, 0, 0), (2, 3, 3, 3)), tuple((n,) * 4 for n in range(4)))
    assert machine.reached() == Automaton(
        ((1, 1, 0, None), (2, 1, 1, 1), (0, 0, 0, 0)), ((0,) * 4, (3,) * 4, (2,) * 4), apart=1
    )


def behaviour(machine: Automaton, state: int) -> list[int]:
    """What the machine says on all words of AHEAD symbols from this state on."""
    said = []
    for word in itertools.product(range(4), repeat=AHEAD):
        here = state
        for x in word:
            said.append(machine.says[here][x])
            here = machine.following[here][x]
    return said


@pytest.mark.parametrize("name", ["addition-bce-h2", "addition-bce-h5", "addition-mse-h2", "addition-mse-h5"])
def test_every_arrow_leads_to_what_the_network_does_next(name: str) -> None:
    machine, network = extract(load(name)), load(name)
    behaviours = [behaviour(machine, state) for state in range(len(machine.following))]
    assert len(set(map(tuple, behaviours))) == len(behaviours), "states are told apart by what is said after them"
    words = torch.tensor(list(itertools.product(range(4), repeat=AHEAD)))
    with torch.inference_mode():
        assert behaviours[0] == (network(BITS[words].float()) > 0).long().flatten().tolist()


def test_a_machine_of_too_many_states_leaves_arrows_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.automaton.MOST_STATES", 1)
    machine = extract(load("addition-bce-h5"))
    assert len(machine.following) == 1
    assert None in [after for row in machine.following for after in row]
    machine.difference()
    assert "None" not in machine.dot()


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
