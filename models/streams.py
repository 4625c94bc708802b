"""Streams of columns to add, as symbols 2 a + b, the lowest column first: what makes adders err."""

import torch
from torch import Tensor

BITS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])  # a and b of each symbol
ONES = torch.tensor([0, 1, 1, 2])  # how many ones each symbol holds


def mixed(count: int, time: int, seed: int) -> Tensor:
    """Random streams (count, time), each with a taste of its own: carries travel far, or are born and die in turns.

    Every other stream repeats its first 1 to 7 symbols, with few or many exceptions.
    """
    g = torch.Generator().manual_seed(seed)
    single = torch.rand(count, time, generator=g) < torch.rand(count, 1, generator=g).sqrt()
    turns = torch.rand(count, time, generator=g) < torch.rand(count, 1, generator=g)
    ends = (torch.randint(2, (count, 1), generator=g) + turns.long().cumsum(1)) % 2 * 3
    symbols = torch.where(single, torch.randint(1, 3, (count, time), generator=g), ends)
    period = torch.randint(1, 8, (count, 1), generator=g)
    repeated = symbols.gather(1, torch.arange(time) % period)
    exceptions = torch.rand(count, time, generator=g) < 0.2 * torch.rand(count, 1, generator=g)
    odd = torch.arange(count)[:, None] % 2 == 1
    return torch.where(odd & ~exceptions, repeated, symbols)


def patterns(longest_period: int, time: int) -> Tensor:
    """Every word of up to `longest_period` symbols, repeated; as it is, after 0 + 0 and after 1 + 1: (count, time)."""
    rows = []
    for period in range(1, longest_period + 1):
        words = torch.arange(4**period)[:, None] // 4 ** torch.arange(period) % 4
        repeated = words[:, torch.arange(time) % period]
        rows += [repeated] + [torch.cat([torch.full_like(words[:, :1], s), repeated[:, :-1]], 1) for s in (0, 3)]
    return torch.cat(rows)


def carry_chains(length: int) -> Tensor:
    """Every carry that is born at bit i and travels to bit j + 1, once with the run of ones in a and once in b.

    The streams (length * (length + 1), length) are those of `training.tasks.addition.carry_chains`.
    """
    t = torch.arange(length)
    i, j = torch.triu_indices(length, length)[:, :, None]
    run, one = ((t >= i) & (t <= j)).long(), (t == i).long()
    return torch.cat([2 * run + one, run + 2 * one])


def columns(symbols: Tensor) -> tuple[Tensor, Tensor]:
    """The sum bits (N, T) of streams, and the carries (N, T + 1) into each column and out of the last.

    Both are of the symbols' type: millions of them need little memory as uint8.
    """
    carries = [torch.zeros_like(symbols[:, 0])]
    ones = symbols // 2 + symbols % 2  # as ONES has it, which can't be indexed by uint8
    for t in range(symbols.shape[1]):
        carries.append((ones[:, t] + carries[-1]) // 2)
    carry = torch.stack(carries, dim=1)
    return (ones + carry[:, :-1]) % 2, carry
