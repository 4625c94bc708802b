"""Sequences of different lengths for many networks at once, without a step for one that has ended.

As in `torch.nn.utils.rnn.PackedSequence`, but what ends earlier is a network, not a sequence: all sequences that a
network reads at once have one length, as in every batch of these tasks. The networks are ordered by it, the longest
first, so that those which still read at a time step are the first `active[t]`. Their rows of all time steps lie one
after the other.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Where the rows of S networks lie.

    `order` (S,) sorts the networks, `back` (S,) brings them back; `places` (rows,) are the rows among T * S; `last`
    (S,) is each network's row of its last time step, as the first S rows are those of the first; `turned` (rows,) is
    for each row the one that a network has there when it reads from its end to its beginning.
    """

    active: list[int]
    order: Tensor
    back: Tensor
    places: Tensor
    last: Tensor
    turned: Tensor

    def pack(self, x: Tensor) -> Tensor:
        """The rows (rows, features, B) of inputs (S, B, T, features)."""
        T = len(self.active)
        rows = x[:, :, :T].permute(2, 0, 3, 1).flatten(0, 1)
        return rows if len(rows) == len(self.places) else rows.index_select(0, self.places)


@cache
@torch.inference_mode(mode=False)  # kept from an evaluation, it could not be used in training
def even_packing(networks: int, length: int) -> Packing:
    """The packing of networks that all read sequences of one length."""
    return packing(torch.full((networks,), length))


def packing(lengths: Tensor) -> Packing:
    """The packing of networks that read `lengths` (S,) int64 time steps."""
    lengths, order = lengths.sort(descending=True, stable=True)
    S, t = len(lengths), torch.arange(int(lengths[0]))[:, None]
    reads = t < lengths
    rows = reads.flatten().cumsum(0).view(reads.shape) - 1
    turned = rows.gather(0, (lengths - 1 - t).clamp(min=0))
    return Packing(
        active=reads.sum(dim=1).tolist(),
        order=order,
        back=order.argsort(),
        places=(t * S + order)[reads],
        last=rows[lengths - 1, torch.arange(S)],
        turned=turned[reads],
    )
