"""The search for operands that an adder adds wrongly: all short ones, then long ones of the kinds that break adders.

A network that reads from the ones upwards says the lowest bits of a sum before it has seen the higher ones, so one pass
over a stream of columns holds its answers for every pair of operands that the stream begins with: what it says so far,
and the last carry, for which it reads one more pair of zeros.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.network import Network
from models.streams import BITS, ONES, carry_chains, columns, mixed, patterns

EXHAUSTIVE, EXHAUSTIVE_BIDIRECTIONAL = 10, 5  # bits
LONGEST, LONGEST_BIDIRECTIONAL = 1000, 64
CHAINS = 64  # bits up to which every carry chain is tried
AT_ONCE = 65_536  # columns that are read in one call
POPULATION, GENERATIONS, BRED_BITS = 400, 15, 48

State = Tensor | tuple[Tensor, ...] | None


@dataclass(frozen=True)
class Search:
    """What `find_error` found and how far it looked.

    `pair`: the operands' bits, least significant first and of one length, or None. All pairs of `exhaustive_length`
    bits were tried, then `streams` longer ones of up to `longest` bits, each cut to its lowest 1, 2, 3, ... bits.
    """

    pair: tuple[list[int], list[int]] | None
    exhaustive_length: int
    streams: int
    longest: int


@torch.inference_mode()
def find_error(network: Network) -> Search:
    """Look for a pair that the network adds wrongly, and return the shortest of those it comes by.

    First all pairs of 1, 2, 3, ... bits; then carry chains, repeated patterns and random mixtures of both, the worst of
    which are bred: changed at random, and kept where the network is less sure of a bit of the sum.
    """
    if network.bidirectional:
        return _search_bidirectional(network)
    pair = _exhaustive(network)
    if pair is not None:
        return Search(pair, EXHAUSTIVE, 0, EXHAUSTIVE)
    kinds = [carry_chains(CHAINS), patterns(5, CHAINS), patterns(3, LONGEST), mixed(1000, 2 * CHAINS, seed=0)]
    found = [error for symbols in kinds if (error := _first_error(network, symbols)) is not None]
    if not found and (bred := _breed(network)) is not None:
        found = [bred]
    streams = sum(map(len, kinds)) + POPULATION * GENERATIONS
    pair = _operands(min((_shortened(network, each) for each in found), key=len)) if found else None
    return Search(pair, EXHAUSTIVE, streams, LONGEST)


def is_wrong(network: Network, a: int, b: int, length: int | None = None) -> bool:
    """Whether the network, really run on the operands with `length` bits (None: as many as they have), adds wrongly."""
    length = length or max(1, a.bit_length(), b.bit_length())
    bits = torch.tensor([[a >> t & 1, b >> t & 1] for t in range(length + 1)], dtype=torch.float32)
    true = torch.tensor([a + b >> t & 1 for t in range(length + 1)], dtype=torch.bool)
    with torch.inference_mode():
        return not torch.equal(network(bits[None])[0] > 0, true)


def number(bits: list[int]) -> int:
    """The number that the bits stand for, least significant first."""
    return sum(bit << t for t, bit in enumerate(bits))


def _operands(symbols: Tensor) -> tuple[list[int], list[int]]:
    a, b = BITS[symbols].unbind(-1)
    return a.tolist(), b.tolist()


def _read(network: Network, symbols: Tensor, state: State = None) -> tuple[Tensor, State]:
    """The logits (N, T) of streams, and the state after them."""
    output, state = network.recurrent(BITS[symbols].float(), state)
    return network.linear(output)[..., 0], state


def _exhaustive(network: Network) -> tuple[list[int], list[int]] | None:
    """The first pair of up to EXHAUSTIVE bits that is added wrongly, by length.

    The pairs form a tree, in which each state is used for the four columns that can follow it: a column of zeros ends a
    pair one bit shorter.
    """
    words, carries, state = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), None
    for length in range(1, EXHAUSTIVE + 2):
        count = 4 if length <= EXHAUSTIVE else 1
        symbols = torch.arange(count).repeat(len(words))
        ones = ONES[symbols] + carries.repeat_interleave(count)
        said, state = read_on(network, symbols, repeated(state, count))
        wrong = (said > 0) != (ones % 2).bool()
        words = torch.cat([words.repeat_interleave(count, 0), symbols[:, None].to(torch.int64)], dim=1)
        if length > 1 and (short := wrong & (symbols == 0)).any():
            return _operands(words[int(short.to(torch.int8).argmax()), :-1])
        if wrong.any() and length <= EXHAUSTIVE:
            return _operands(words[int(wrong.to(torch.int8).argmax())])
        carries = ones // 2
    return None


def read_on(network: Network, symbols: Tensor, state: State) -> tuple[Tensor, State]:
    """The logits (N,) after one more symbol each, and the states, a part at a time so that it fits into memory."""
    sizes = range(0, len(symbols), AT_ONCE)
    parts = [_read(network, symbols[i : i + AT_ONCE, None], _part(state, i, i + AT_ONCE)) for i in sizes]
    return torch.cat([logits[:, 0] for logits, _ in parts]), _joined([state for _, state in parts])


# A state is PyTorch's h (layers, N, H), an LSTM's (h, c), or None for the start.
def repeated(state: State, times: int) -> State:
    """Every state `times` times, one after the other."""
    if isinstance(state, tuple):
        return tuple(repeated(each, times) for each in state)
    return None if state is None else state.repeat_interleave(times, dim=-2)


def _part(state: State, start: int, end: int) -> State:
    if isinstance(state, tuple):
        return tuple(_part(each, start, end) for each in state)
    return None if state is None else state[..., start:end, :].contiguous()


def _joined(states: list[State]) -> State:
    if isinstance(states[0], tuple):
        return tuple(_joined(list(each)) for each in zip(*states, strict=True))
    return torch.cat(states, dim=-2)


def _wrong_operands(network: Network, symbols: Tensor) -> int | None:
    """The first of the pairs (N, T) of operands, each of T bits, that the network adds wrongly."""
    padded = torch.nn.functional.pad(symbols, (0, 1))
    logits, _ = _read(network, padded)
    wrong = ((logits > 0) != columns(padded)[0].bool()).any(1).nonzero()
    return int(wrong[0]) if len(wrong) else None


def _first_error(network: Network, symbols: Tensor) -> Tensor | None:
    """The shortest operands, as one stream, with which any of the streams (N, T) begins and that are added wrongly."""
    sums, carries = columns(symbols)
    zeros, state = torch.zeros(len(symbols), 1, dtype=torch.int64), None
    for t in range(symbols.shape[1]):
        said, state = _read(network, symbols[:, t : t + 1], state)
        last, _ = _read(network, zeros, state)
        wrong = ((said[:, 0] > 0) != sums[:, t].bool()) | ((last[:, 0] > 0) != carries[:, t + 1].bool())
        if wrong.any():
            return symbols[int(wrong.to(torch.int8).argmax()), : t + 1]
    return None


def _shortened(network: Network, symbols: Tensor) -> Tensor:
    """The shortest end of a stream that the network adds wrongly too; the stream itself, where there is none."""
    for first in range(len(symbols) - 1, 0, -1):
        if len(symbols) - first > 2 * CHAINS:
            break  # each end is read anew: that takes too long for those
        if _wrong_operands(network, symbols[None, first:]) is not None:
            return symbols[first:]
    return symbols


def _breed(network: Network) -> Tensor | None:
    """The shortest wrong stream of a population that is bred for small margins, or None."""
    g = torch.Generator().manual_seed(0)
    population = mixed(4 * POPULATION, BRED_BITS, seed=1)
    for _ in range(GENERATIONS):
        logits, _ = _read(network, population)
        sums, _ = columns(population)
        margins, worst = torch.where(sums == 1, logits, -logits).min(1)
        if not (margins > 0).all():
            return _first_error(network, population)
        best = margins.argsort()[: POPULATION // 4]
        population = torch.cat([population[best[: POPULATION // 8]], _children(population[best], worst[best], g)])
    return None


def _children(parents: Tensor, worst: Tensor, g: torch.Generator) -> Tensor:
    """POPULATION changed copies of the parents (N, T), turned so that their worst column comes near the end."""
    count, T = POPULATION, parents.shape[1]
    t = torch.arange(T)

    def chance(of: float | Tensor, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=g) < of

    parent = torch.randint(len(parents), (count,), generator=g)
    turn = T - 1 - torch.randint(3, (count,), generator=g) - worst[parent]
    children = parents[parent].gather(1, (t - turn[:, None]) % T)
    mutated = chance(0.3 * torch.rand(count, 1, generator=g) ** 2, T)
    children = torch.where(mutated, torch.randint(4, (count, T), generator=g), children)
    period, start, length = (torch.randint(*ends, (count, 1), generator=g) for ends in ((1, 9), (0, T), (1, 24)))
    again = torch.where((t >= start) & (t < start + length), start + (t - start) % period, t).clamp(max=T - 1)
    children = torch.where(chance(0.5, 1), children.gather(1, again), children)
    other = parents[torch.randint(len(parents), (count,), generator=g)]
    cut = torch.randint(T, (count, 1), generator=g)
    return torch.where(chance(0.3, 1) & (t < cut), other, children)


def _search_bidirectional(network: Network) -> Search:
    """The same for a network that reads from both ends, and so must be run for every length anew."""
    longest, exhaustive = LONGEST_BIDIRECTIONAL, EXHAUSTIVE_BIDIRECTIONAL
    every = torch.arange(4**exhaustive)[:, None] // 4 ** torch.arange(exhaustive) % 4
    kinds = [carry_chains(longest), patterns(3, longest), mixed(500, longest, seed=0)]
    streams = torch.cat(kinds)
    pair = None
    for length in range(1, longest + 1):
        tried = torch.cat([every[:, :length], streams[:, :length]]) if length <= exhaustive else streams[:, :length]
        padded = torch.nn.functional.pad(tried, (0, 1))
        wrong = ((network(BITS[padded].float()) > 0) != columns(padded)[0].bool()).any(1).nonzero()
        if len(wrong):
            pair = _operands(tried[int(wrong[0])])
            break
    return Search(pair, exhaustive, len(streams), longest)
