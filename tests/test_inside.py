"""What happens inside a network: gradients, changed inputs, fixed points, the plane of its states."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.fixed_points import FixedPoint, _Map, fixed_points
from models.gradients import gradients
from models.network import CELLS, Network
from models.occlusion import answers, blanked, flipped, replaced
from models.projection import plane

SHAPES = [
    {"cell": cell, "num_layers": layers, "bidirectional": both, "readout": readout}
    for cell in CELLS
    for layers, both, readout in ((1, False, "final"), (2, True, "final"), (1, True, "last"), (2, True, "pooled"))
]


def network(**shape: object) -> Network:
    torch.manual_seed(3)
    return Network(3, 4, hidden_size=5, **shape).eval()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_input_gradients_are_pytorchs_own(shape: dict) -> None:
    net, x = network(**shape), torch.randn(6, 3)
    inputs = x.clone().requires_grad_()
    net(inputs[None])[0, 2].backward()
    np.testing.assert_allclose(gradients(net, x, 2).inputs, inputs.grad.numpy(), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_an_adders_gradients_reach_no_bit_that_is_read_later(cell: str) -> None:
    torch.manual_seed(0)
    net = Network(2, 1, cell=cell, hidden_size=4, readout="every").eval()
    x = torch.randint(2, (7, 2)).float()
    found = gradients(net, x, 3)
    assert (found.inputs[4:] == 0).all()
    assert (found.hidden[0, 0, :4] > 0).all()
    assert (found.hidden[0, 0, 4:] == 0).all()
    inputs = x.clone().requires_grad_()
    net(inputs[None])[0, 3].backward()
    np.testing.assert_allclose(found.inputs, inputs.grad.numpy(), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_state_gradients_are_finite_differences(cell: str) -> None:
    from models.trace import run_direction

    net, x = network(cell=cell).double(), torch.randn(5, 3, dtype=torch.float64)
    found = gradients(net.float(), x.float(), 1)
    net.double()

    def logit(t: int, unit: int, change: float) -> float:
        nudges = torch.zeros(5, 5, dtype=torch.float64)
        nudges[t, unit] = change
        torch.set_default_dtype(torch.float64)
        try:
            with torch.no_grad():
                return net.answer(run_direction(net, x, 0, 0, nudges)["hidden"][None])[0, 1].item()
        finally:
            torch.set_default_dtype(torch.float32)

    for t in range(5):
        slopes = [(logit(t, unit, 1e-5) - logit(t, unit, -1e-5)) / 2e-5 for unit in range(5)]
        assert found.hidden[0, 0, t] == pytest.approx(np.linalg.norm(slopes), rel=1e-3, abs=1e-6)


def test_a_vanishing_gradient_vanishes() -> None:
    """A linear unit h' = w h has d h_T / d h_t = w^(T - t)."""
    net = Network(1, 1, cell="rnn", hidden_size=1).eval()
    with torch.no_grad():
        net.recurrent.weight_ih_l0.fill_(0)
        net.recurrent.bias_ih_l0.fill_(0)
        net.recurrent.bias_hh_l0.fill_(0)
        net.recurrent.weight_hh_l0.fill_(0.5)
        net.linear.weight.fill_(1)
    found = gradients(net, torch.zeros(6, 1), ())  # one output is squeezed away
    np.testing.assert_allclose(found.hidden[0, 0], 0.5 ** np.arange(5, -1, -1), rtol=1e-6)


def test_changed_inputs_differ_in_one_place_only() -> None:
    x = np.eye(4, dtype=np.float32)[[2, 0, 3]]
    spans = [slice(1, 2), slice(2), slice(1, None), slice(0)]
    assert (blanked(x, spans) != x).any(axis=-1).astype(int).tolist() == [[0, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]]
    values = replaced(x)
    assert values.shape == (3, 4, 3, 4)
    assert np.array_equal(values[1, 2], np.eye(4)[[2, 2, 3]])
    assert np.array_equal(values[1, 0], x), "the same value is the same input"
    bits = np.array([[0.0, 1], [1, 1]])
    assert (flipped(bits) != bits).sum(axis=(2, 3)).tolist() == [[1, 1], [1, 1]]


def test_answers_to_changed_inputs_are_the_networks() -> None:
    net, x = network(cell="gru"), np.random.default_rng(0).random((6, 3), dtype=np.float32)
    found = answers(net, blanked(x, [slice(t, t + 1) for t in range(6)]))
    without = x.copy()
    without[2] = 0
    expected = torch.softmax(net(torch.from_numpy(without)[None]), -1)[0].detach().numpy()
    np.testing.assert_allclose(found[2], expected, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_fixed_points_are_where_the_layer_rests(cell: str) -> None:
    net = network(cell=cell)
    x = torch.tensor([0.3, -0.2, 0.5])
    starts = np.random.default_rng(0).uniform(-1, 1, (4, 5))
    found = fixed_points(net, x, 0, 0, starts, starts if cell == "lstm" else None)
    assert found
    output, _ = net.recurrent(x.expand(1, 3000, 3))
    rest = output[0, -1].detach().numpy()
    stable = [point for point in found if point.kind == "stable"]
    assert min(np.abs(point.state - rest).max() for point in stable) < 1e-4


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backward", [0, 1])
def test_the_jacobians_are_autograds(cell: str, backward: int) -> None:
    torch.manual_seed(2)
    network = Network(3, 2, cell=cell, hidden_size=4, num_layers=2, bidirectional=True)
    layer_map = _Map(network, torch.randn(8, dtype=torch.float64), 1, backward)
    states = torch.randn(5, 8 if cell == "lstm" else 4, dtype=torch.float64)
    for state, jacobian in zip(states, layer_map.jacobians(states), strict=True):
        expected = torch.func.jacrev(lambda one: layer_map(one[None])[0])(state)
        torch.testing.assert_close(jacobian, expected)


def test_a_latch_has_two_stable_points_and_one_that_is_not() -> None:
    """h' = tanh(2 h): 0 is unstable, with the eigenvalue 2; the two others solve h = tanh(2 h)."""
    net = Network(1, 2, cell="rnn", hidden_size=1).eval()
    with torch.no_grad():
        for name, value in (("weight_ih", 0.0), ("weight_hh", 2.0), ("bias_ih", 0.0), ("bias_hh", 0.0)):
            getattr(net.recurrent, f"{name}_l0").fill_(value)
    found = {
        round(float(point.state[0]), 3): point for point in fixed_points(net, torch.zeros(1), 0, 0, np.array([[0.1]]))
    }
    assert set(found) == {-0.958, 0.0, 0.958}
    assert (found[0.0].kind, found[0.958].kind, found[-0.958].kind) == ("unstable", "stable", "stable")
    assert found[0.0].eigenvalues[0] == pytest.approx(2)
    assert FixedPoint(np.zeros(2), np.array([2.0, 0.5])).kind == "saddle"


def test_a_gate_that_keeps_everything_makes_a_line_of_neutral_points() -> None:
    net = Network(2, 1, cell="gru", hidden_size=1, readout="every").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.recurrent.bias_ih_l0[1] = 40  # the update gate: h' = h
    found = fixed_points(net, np.zeros(2), 0, 0, np.linspace(-1, 1, 9)[:, None])
    assert {point.kind for point in found} == {"neutral"}
    assert len(found) >= 9


@given(st.integers(2, 9), st.integers(2, 30))
def test_the_plane_holds_as_much_as_it_says(units: int, steps: int) -> None:
    states = np.random.default_rng(units * steps).normal(size=(steps, units)) * np.arange(1, units + 1)
    seen = plane(states)
    np.testing.assert_allclose(seen.axes @ seen.axes.T, np.eye(2), atol=1e-9)
    shown = seen.project(states).var(axis=0)
    np.testing.assert_allclose(shown / states.var(axis=0).sum(), seen.explained, atol=1e-9)
    points = np.array([[0.2, -0.4], [1.0, 2.0]])
    np.testing.assert_allclose(seen.project(seen.lift(points)), points, atol=1e-9)
    if units == 2:
        np.testing.assert_array_equal(seen.project(states), states)


def test_one_unit_has_no_plane() -> None:
    with pytest.raises(ValueError, match="no plane"):
        plane(np.zeros((4, 1)))


def test_points_that_differ_in_the_cell_state_only_are_two() -> None:
    """The forget gate is open, so the cell state rests wherever it is; h is its tanh, which saturates."""
    network = Network(1, 1, cell="lstm", hidden_size=1, readout="every").eval()
    with torch.no_grad():
        for parameter in network.recurrent.parameters():
            parameter.zero_()
        network.recurrent.bias_ih_l0.copy_(torch.tensor([-50.0, 50.0, 0.0, 50.0]))  # input, forget, candidate, output
    states = np.array([[1.0], [1.0]])
    points = fixed_points(network, np.zeros(1), 0, 0, states, cells=np.array([[12.0], [15.0]]))
    assert sum(point.state[0] > 0.9999 for point in points) >= 2
