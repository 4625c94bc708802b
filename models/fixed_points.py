"""Where a recurrent layer comes to rest while its input stays the same, and whether it stays there.

Sussillo and Barak, "Opening the black box" (2013): a recurrent layer under a constant input is a map of its state;
its fixed points, and the eigenvalues of the map's Jacobian there, say what the layer can remember.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.network import Network
from models.trace import STEPS

STEPS_OF_NEWTON = 40
CLOSE = 1e-7  # how little the map may move a fixed point
FOUND = 1e-12  # moved as little as this, a state needs no further step of Newton's method
SAME = 1e-3  # fixed points that are nearer than this are one
SAME_SIZE = 1e-6  # by how much a change must shrink or grow to do so
STARTS = 24
LARGE, FEWER_STARTS = 128, 6  # entries of a state beyond which each start takes long, and how many there are then
SETTLING = 200  # time steps, after which a state has come to where it is drawn to


@dataclass(frozen=True)
class FixedPoint:
    """`state` (H,) is the hidden state; `eigenvalues` are those of the Jacobian, the largest in size first."""

    state: np.ndarray
    eigenvalues: np.ndarray

    @property
    def kind(self) -> str:
        """ "stable": every small change dies out; "unstable": each grows; "saddle": some do; "neutral": none does, but
        some stay as they are, as along a line of fixed points.
        """
        sizes = np.abs(self.eigenvalues)
        grows = sizes > 1 + SAME_SIZE
        if grows.any():
            return "unstable" if grows.all() else "saddle"
        return "stable" if (sizes < 1 - SAME_SIZE).all() else "neutral"


def fixed_points(
    network: Network,
    x: Tensor | np.ndarray,
    layer: int,
    backward: int,
    hidden: np.ndarray,
    cells: np.ndarray | None = None,
) -> list[FixedPoint]:
    """The fixed points of one layer in one direction under the constant input `x` (features of that layer,).

    Newton's method from some of the hidden states (N, H), of an LSTM with its cell states (N, H), from random ones, and
    from where all these have come to after a while; it finds what lies near, not all there is.
    """
    layer_map = _Map(network, torch.as_tensor(x, dtype=torch.float64), layer, backward)
    starts = _starts(np.concatenate([hidden, cells], axis=1) if network.cell == "lstm" else hidden)
    settled = starts
    for _ in range(SETTLING):
        settled = layer_map(settled)
    found = _distinct(_newton(layer_map, torch.cat([_distinct(settled), starts])))
    if not len(found):
        return []
    points = []
    for state, jacobian in zip(found, layer_map.jacobians(found), strict=True):
        eigenvalues = torch.linalg.eigvals(jacobian).numpy()
        order = np.argsort(-np.abs(eigenvalues))
        points.append(FixedPoint(state.numpy()[: network.hidden_size], eigenvalues[order]))
    return points


class _Map:
    """The map from the states before a time step to those after it, (N, S) to (N, S): S is H, of an LSTM 2 H."""

    def __init__(self, network: Network, x: Tensor, layer: int, backward: int) -> None:
        weight_ih, self.weight_hh, bias_ih, self.bias_hh = (
            each.detach().double() for each in network.parameters_of(layer, backward)
        )
        self.from_input = weight_ih @ x + bias_ih
        self.cell, self.parts = network.cell, 2 if network.cell == "lstm" else 1

    def __call__(self, states: Tensor) -> Tensor:
        h, c = self._split(states)
        return self._after(h @ self.weight_hh.T + self.bias_hh, h, c)

    def jacobians(self, states: Tensor) -> Tensor:
        """(N, S, S): how the state after the step changes with each entry of the one before.

        Once W_hh h is known a unit depends on its own numbers only. So the gradient of the sum over all units holds the
        derivative of each, and the rest is a product with W_hh: autograd alone would take S times as long.
        """
        h, c = self._split(states)
        with torch.enable_grad():
            before = [each.detach().requires_grad_() for each in (h @ self.weight_hh.T + self.bias_hh, h, c)]
            sums = [part.sum() for part in self._after(*before).chunk(self.parts, dim=1)]
            each = [torch.autograd.grad(part, before, retain_graph=True, materialize_grads=True) for part in sums]
        return torch.cat([self._rows(*derivatives) for derivatives in each], dim=1)

    def _rows(self, by_gates: Tensor, by_h: Tensor, by_c: Tensor) -> Tensor:
        """(N, H, S) of the Jacobians, from the derivatives by W_hh h + b_hh (N, gates * H), and by h and c (N, H)."""
        H = by_h.shape[1]
        through_gates = torch.einsum("ngi,gij->nij", by_gates.view(len(by_h), -1, H), self.weight_hh.view(-1, H, H))
        by_state = through_gates + torch.diag_embed(by_h)
        return by_state if self.parts == 1 else torch.cat([by_state, torch.diag_embed(by_c)], dim=2)

    def _split(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """h, and c of an LSTM, which the others do not look at."""
        return (states, torch.zeros_like(states)) if self.parts == 1 else states.chunk(2, dim=1)

    def _after(self, from_state: Tensor, h: Tensor, c: Tensor) -> Tensor:
        states = STEPS[self.cell](self.from_input, from_state, h, c)
        return torch.cat([states["hidden"], states["cell"]], dim=1) if self.parts == 2 else states["hidden"]


def _starts(states: np.ndarray) -> Tensor:
    """A few of the states (N, S), and as many random ones in their range."""
    states = torch.as_tensor(states, dtype=torch.float64)
    starts = STARTS if states.shape[1] <= LARGE else FEWER_STARTS
    some = states[torch.linspace(0, len(states) - 1, min(starts, len(states))).long()]
    most = states.abs().amax(dim=0).clamp(min=1)
    generator = torch.Generator().manual_seed(0)
    others = 2 * torch.rand(starts, states.shape[1], generator=generator, dtype=torch.float64) - 1
    return torch.cat([some, others * most])


def _distinct(states: Tensor) -> Tensor:
    """The states (N, S) without those that are as good as one before."""
    kept: list[Tensor] = []
    for state in states:
        if all((state - other).abs().max() >= SAME for other in kept):
            kept.append(state)
    return torch.stack(kept) if kept else states


def _newton(layer_map: _Map, states: Tensor) -> Tensor:
    """The states (N, S) that Newton's method on map(s) - s = 0 comes to; those that come to none are left out."""
    eye = torch.eye(states.shape[1], dtype=torch.float64)
    for _ in range(STEPS_OF_NEWTON):
        excess = layer_map(states) - states
        moving = (excess.abs().amax(dim=1) >= FOUND).nonzero()[:, 0]
        if not len(moving):
            break
        change = _solved(layer_map.jacobians(states[moving]) - eye, -excess[moving])
        # No further than the state is large: far leaps miss what is near.
        most = 1 + states[moving].norm(dim=1, keepdim=True)
        change = change * (most / change.norm(dim=1, keepdim=True).clamp(min=1e-300)).clamp(max=1)
        states = states.index_add(0, moving, change)
    rests = (layer_map(states) - states).abs().amax(dim=1) < CLOSE
    return states[rests & states.isfinite().all(dim=1)]


def _solved(matrices: Tensor, right: Tensor) -> Tensor:
    """The solutions (N, S) of N systems of equations; of one that has none, or many, that of least squares."""
    solutions, info = torch.linalg.solve_ex(matrices, right)
    failed = (info != 0) | ~solutions.isfinite().all(dim=1)
    if failed.any():
        solutions[failed] = torch.linalg.lstsq(matrices[failed], right[failed][..., None]).solution[..., 0]
    return solutions
