"""An addition network at operands of every length at once.

A network that reads from the ones upwards says the lowest bits of a sum before it has seen the higher ones. So one pass
over long operands holds its answers for all shorter ones that they begin with, up to the last bit of each sum: for that
it reads one more pair of zeros.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from models.network import Network
from training.tasks import addition

RANDOM_PAIRS = 4000


def accuracy_by_length(
    network: Network, longest: int, kind: str = "random numbers", count: int = RANDOM_PAIRS, seed: int = 0
) -> list[dict[str, float]]:
    """Bit accuracy, whole-sum accuracy and number of pairs for operands of 1 to `longest` bits, at most 64.

    `kind` "random numbers" tests at each length the lowest bits of the same `count` random pairs of 64 bits;
    "carry chains" tests all of `addition.carry_chains`.
    """
    if kind == "carry chains":
        a, b = _operands(addition.carry_chains(longest))
    else:
        a, b = (side[:, :longest] for side in _operands(addition.generate(addition.MAX_BITS, count, 1, seed)))
    used = _used(a, b)
    rows = []
    for length, every in _right_bits(network, a, b):
        right = every[used <= length] if kind == "carry chains" else every
        bits, sums = (accuracy.double().mean().item() for accuracy in (right, right.all(-1)))
        rows.append({"length": length, "bit_accuracy": bits, "sum_accuracy": sums, "pairs": len(right)})
    return rows


@torch.inference_mode()
def _right_bits(network: Network, a: Tensor, b: Tensor) -> Iterator[tuple[int, Tensor]]:
    """For each length, counted up from 1: which sum bits (pairs, length + 1) of the operands' lowest bits are right."""
    sums, carries = addition.add(a, b)
    for length, ones in enumerate(_said_ones(network, a, b), start=1):
        true = torch.cat([sums[:, :length], carries[:, length, None]], dim=-1)
        yield length, ones == true.bool()


def _said_ones(network: Network, a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """For each length, counted up from 1: where the network says 1 (pairs, length + 1)."""
    x = torch.stack([a, b], dim=-1).float()
    zeros = torch.zeros_like(x[:, :1])
    if network.bidirectional:
        for length in range(1, x.shape[1] + 1):
            yield network(torch.cat([x[:, :length], zeros], dim=1)) > 0
        return
    state, said = None, []
    for t in range(x.shape[1]):
        output, state = network.recurrent(x[:, t : t + 1], state)
        last, _ = network.recurrent(zeros, state)
        said.append(network.linear(output)[..., 0] > 0)
        yield torch.cat([*said, network.linear(last)[..., 0] > 0], dim=-1)


def _operands(examples: addition.Examples) -> tuple[Tensor, Tensor]:
    """Both operands (pairs, length) int64 of examples of one length, without the padding bit."""
    ((x, _),) = examples.groups
    a, b = x[:, :-1].long().unbind(-1)
    return a, b


def _used(a: Tensor, b: Tensor) -> Tensor:
    """How many bits each pair (pairs, length) has up to its highest one."""
    places = torch.arange(1, a.shape[1] + 1)
    return ((a | b) * places).amax(-1)
