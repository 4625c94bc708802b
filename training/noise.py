"""Noise on the hidden state while training, so that a network learns to correct small errors of its own memory.

A regulariser (Jim, Giles and Horne, "An analysis of noise in recurrent neural networks", 1996). Without it an adder may
let its carry fade from column to column; with it, states that mean the same are drawn together.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from models.trace import STEPS
from training.task import Settings

QUIET = 1 / 3  # of all optimiser steps pass without noise; over the next third it grows to its full size


def amount(settings: Settings, step: int, steps: int) -> float:
    """How large the noise is at optimiser step `step` (0-based) of `steps`."""
    grown = min(1.0, max(0.0, (step / steps - QUIET) / QUIET))
    return settings.data.get("state_noise", 0.0) * grown


def noisy_logits(network: Network, x: Tensor, largest: float, generator: torch.Generator) -> Tensor:
    """`network(x)` for a network that answers at every time step, its hidden states disturbed after each of them.

    To every hidden state is added uniform noise between -largest and +largest before it is used again or read out.
    """
    sequence = x
    for layer in range(network.num_layers):
        directions = [_direction(network, sequence, layer, largest, generator)]
        if network.bidirectional:
            backwards = _direction(network, sequence.flip(1), layer, largest, generator, backward=1)
            directions.append(backwards.flip(1))
        sequence = torch.cat(directions, dim=-1)
    return network.linear(sequence).squeeze(-1)


def _direction(
    network: Network, x: Tensor, layer: int, largest: float, generator: torch.Generator, backward: int = 0
) -> Tensor:
    """The disturbed hidden states (batch, time, H) of one layer in one direction."""
    weight_ih, weight_hh, bias_ih, bias_hh = network.parameters_of(layer, backward)
    from_input = F.linear(x, weight_ih, bias_ih)
    h = c = x.new_zeros(len(x), network.hidden_size)
    noise = (2 * torch.rand(x.shape[1], *h.shape, generator=generator) - 1).to(x.device) * largest
    states = []
    for t in range(x.shape[1]):
        after = STEPS[network.cell](from_input[:, t], F.linear(h, weight_hh, bias_hh), h, c)
        h, c = after["hidden"] + noise[t], after.get("cell", c)
        states.append(h)
    return torch.stack(states, dim=1)
