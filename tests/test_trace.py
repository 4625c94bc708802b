"""Traces against PyTorch's own outputs."""

import itertools

import numpy as np
import pytest
import torch

from models import CELLS, Network, belief, belief_backwards, trace

SHAPES = list(itertools.product(CELLS, (1, 2), (False, True)))


def network_of(cell: str, num_layers: int, bidirectional: bool, readout: str = "final") -> Network:
    torch.manual_seed(0)
    return Network(
        3, 4, cell=cell, hidden_size=5, num_layers=num_layers, bidirectional=bidirectional, readout=readout
    ).eval()


@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), SHAPES)
def test_hidden_states_equal_pytorchs(cell: str, num_layers: int, bidirectional: bool) -> None:
    network, x = network_of(cell, num_layers, bidirectional), torch.randn(9, 3)
    output, state = network.recurrent(x)
    traced = trace(network, x)
    directions = 2 if bidirectional else 1
    assert traced.hidden.shape == (num_layers, directions, 9, 5)
    top = np.concatenate(list(traced.hidden[-1]), axis=-1)
    np.testing.assert_allclose(top, output.detach().numpy(), atol=1e-5)
    final = (state[0] if cell == "lstm" else state).detach().numpy().reshape(num_layers, directions, 5)
    np.testing.assert_allclose(traced.hidden[:, 0, -1], final[:, 0], atol=1e-5)
    if bidirectional:
        np.testing.assert_allclose(traced.hidden[:, 1, 0], final[:, 1], atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_cell_states_equal_pytorchs(bidirectional: bool) -> None:
    network, x = network_of("lstm", 2, bidirectional), torch.randn(9, 3)
    _, (_, c) = network.recurrent(x)
    traced = trace(network, x)
    expected = c.detach().numpy().reshape(2, -1, 5)
    np.testing.assert_allclose(traced.cell[:, 0, -1], expected[:, 0], atol=1e-5)
    if bidirectional:
        np.testing.assert_allclose(traced.cell[:, 1, 0], expected[:, 1], atol=1e-5)


def test_a_sequence_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one time step at least"):
        trace(network_of("gru", 1, False), torch.zeros(0, 3))


@pytest.mark.parametrize(("cell", "gates"), [("rnn", set()), ("gru", {"reset", "update", "candidate"})])
def test_gates_carry_pytorchs_names_and_only_the_lstm_has_a_cell_state(cell: str, gates: set[str]) -> None:
    traced = trace(network_of(cell, 1, False), torch.randn(4, 3))
    assert set(traced.gates) == gates
    assert traced.cell is None


def test_the_lstms_gates_rebuild_its_states() -> None:
    traced = trace(network_of("lstm", 1, False), torch.randn(6, 3))
    before = np.concatenate([np.zeros((1, 5)), traced.cell[0, 0, :-1]])
    gates = {name: values[0, 0] for name, values in traced.gates.items()}
    np.testing.assert_allclose(
        traced.cell[0, 0], gates["forget"] * before + gates["input"] * gates["candidate"], atol=1e-6
    )
    np.testing.assert_allclose(traced.hidden[0, 0], gates["output"] * np.tanh(traced.cell[0, 0]), atol=1e-6)


@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), SHAPES)
@pytest.mark.parametrize("readout", ["final", "last"])
def test_belief_is_the_answer_to_each_prefix(cell: str, num_layers: int, bidirectional: bool, readout: str) -> None:
    network, x = network_of(cell, num_layers, bidirectional, readout), torch.randn(7, 3)
    believed = belief(network, x)
    for t in range(7):
        alone = torch.softmax(network(x[None, : t + 1])[0], dim=-1).detach().numpy()
        np.testing.assert_allclose(believed[t], alone, atol=1e-5)
    np.testing.assert_allclose(trace(network, x).probabilities, believed[-1], atol=1e-5)


@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), SHAPES)
def test_belief_backwards_is_the_answer_to_each_suffix(cell: str, num_layers: int, bidirectional: bool) -> None:
    network, x = network_of(cell, num_layers, bidirectional), torch.randn(7, 3)
    believed = belief_backwards(network, x)
    for t in range(7):
        alone = torch.softmax(network(x[None, t:])[0], dim=-1).detach().numpy()
        np.testing.assert_allclose(believed[t], alone, atol=1e-5)


def test_a_network_that_answers_every_time_step_has_no_belief() -> None:
    network = Network(2, 1, cell="rnn", hidden_size=3, readout="every").eval()
    traced = trace(network, torch.ones(6, 2))
    assert traced.belief is None
    assert traced.probabilities.shape == (6,)
    np.testing.assert_allclose(traced.probabilities, 1 / (1 + np.exp(-traced.logits)), atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_belief_of_a_pooled_network_is_its_answer_to_each_prefix(bidirectional: bool) -> None:
    network = Network(3, 4, cell="gru", hidden_size=5, bidirectional=bidirectional, readout="pooled").eval()
    x = torch.randn(6, 3)
    answers = [torch.softmax(network(x[None, : t + 1])[0], -1).detach().numpy() for t in range(6)]
    np.testing.assert_allclose(belief(network, x), answers, atol=1e-6)
