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
SAME = 1e-3  # fixed points that are nearer than this are one
STARTS = 24
SETTLING = 200  # time steps, after which a state has come to where it is drawn to


@dataclass(frozen=True)
class FixedPoint:
    """`state` (H,) is the hidden state; `eigenvalues` are those of the Jacobian, the largest in size first."""

    state: np.ndarray
    eigenvalues: np.ndarray

    @property
    def kind(self) -> str:
        """ "stable": every small change dies out; "unstable": none does; "saddle": some do."""
        grows = np.abs(self.eigenvalues) > 1
        return "unstable" if grows.all() else "saddle" if grows.any() else "stable"


def fixed_points(
    network: Network,
    x: Tensor | np.ndarray,
    layer: int,
    backward: int,
    hidden: np.ndarray,
    cells: np.ndarray | None = None,
) -> list[FixedPoint]:
    """The fixed points of one layer in one direction under the constant input `x` (features of that layer,).

    Newton's method from the hidden states (N, H), of an LSTM with its cell states (N, H), from random ones, and from
    where all these have come to after a while; it finds what lies near, not all there is.
    """
    step = _map(network, torch.as_tensor(x, dtype=torch.float64), layer, backward)
    starts = _starts(np.concatenate([hidden, cells], axis=1) if network.cell == "lstm" else hidden)
    settled = starts
    for _ in range(SETTLING):
        settled = torch.vmap(step)(settled)
    found = _newton(step, torch.cat([settled, starts]))
    points: list[FixedPoint] = []
    kept: list[Tensor] = []
    for state in found:
        if any((state - other).abs().max() < SAME for other in kept):
            continue
        kept.append(state)
        eigenvalues = torch.linalg.eigvals(torch.func.jacrev(step)(state)).numpy()
        order = np.argsort(-np.abs(eigenvalues))
        points.append(FixedPoint(state.numpy()[: network.hidden_size], eigenvalues[order]))
    return points


def _map(network: Network, x: Tensor, layer: int, backward: int):  # noqa: ANN202 (a function of Tensor to Tensor)
    """The map from the state before a time step to the state after it: (H,), of an LSTM (2 H,)."""
    suffix = f"l{layer}" + ("_reverse" if backward else "")
    weight_ih, weight_hh, bias_ih, bias_hh = (
        getattr(network.recurrent, f"{name}_{suffix}").detach().double()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    H, has_cell = network.hidden_size, network.cell == "lstm"
    from_input = weight_ih @ x + bias_ih

    def step(state: Tensor) -> Tensor:
        h, c = (state[:H], state[H:]) if has_cell else (state, state)
        states = STEPS[network.cell](from_input, weight_hh @ h + bias_hh, h, c)
        return torch.cat([states["hidden"], states["cell"]]) if has_cell else states["hidden"]

    return step


def _starts(states: np.ndarray) -> Tensor:
    """A few of the states (N, S), and as many random ones in their range."""
    states = torch.as_tensor(states, dtype=torch.float64)
    some = states[torch.linspace(0, len(states) - 1, min(STARTS, len(states))).long()]
    most = states.abs().amax(dim=0).clamp(min=1)
    generator = torch.Generator().manual_seed(0)
    others = 2 * torch.rand(STARTS, states.shape[1], generator=generator, dtype=torch.float64) - 1
    return torch.cat([some, others * most])


def _newton(step, states: Tensor) -> Tensor:  # noqa: ANN001 (a function of Tensor to Tensor)
    """The states (N, S) that Newton's method on step(s) - s = 0 comes to; those that come to none are left out."""
    jacobian = torch.vmap(torch.func.jacrev(step))
    every = torch.vmap(step)
    eye = torch.eye(states.shape[1], dtype=torch.float64)
    for _ in range(STEPS_OF_NEWTON):
        excess = every(states) - states
        change = torch.linalg.lstsq(jacobian(states) - eye, -excess[..., None]).solution[..., 0]
        # No further than the state is large: far leaps miss what is near.
        most = 1 + states.norm(dim=1, keepdim=True)
        states = states + change * (most / change.norm(dim=1, keepdim=True).clamp(min=1e-300)).clamp(max=1)
    rests = (every(states) - states).abs().amax(dim=1) < CLOSE
    return states[rests & states.isfinite().all(dim=1)]
