"""How strongly an answer depends on what the network read, and on what it had in mind, at each time step."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.network import Network
from models.trace import run_direction


@dataclass(frozen=True)
class Gradients:
    """The derivatives of one logit. `inputs` is (T, features): d logit / d x_t.

    `hidden` is (L, D, T): the norms of d logit / d h_t, the hidden state after time step t taking all its ways to the
    answer, through later time steps and higher layers.
    """

    inputs: np.ndarray
    hidden: np.ndarray


def gradients(network: Network, x: Tensor | np.ndarray, output: int) -> Gradients:
    """The gradients of the logit number `output` for one sequence `x` (T, features).

    `output` is a class, or for a network that answers at every time step a time step. Raises IndexError where there
    is no such output.
    """
    x = torch.as_tensor(x, dtype=torch.float32).clone().requires_grad_()
    L, D, T = network.num_layers, network.num_directions, len(x)
    nudges = torch.zeros(L, D, T, network.hidden_size, requires_grad=True)
    sequence = x
    for layer in range(L):
        states = [run_direction(network, sequence, layer, backward, nudges[layer, backward]) for backward in range(D)]
        sequence = torch.cat([each["hidden"] for each in states], dim=-1)
    logit = network.answer(sequence[None])[0][output]
    to_inputs, to_states = torch.autograd.grad(logit, [x, nudges])
    return Gradients(to_inputs.numpy(), to_states.norm(dim=-1).numpy())
