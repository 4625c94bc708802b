"""The search for operands that an adder adds wrongly: all short ones, carry chains, patterns, every state in reach.

A network that reads from the ones upwards says the lowest bits of a sum before it has seen the higher ones, so one pass
over a stream of columns holds its answers for every pair of operands that the stream begins with, but for the last
carry: for that it reads one more pair of zeros, which only the whole stream gets.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from models.network import Network
from models.streams import BITS, ONES, carry_chains, columns, mixed, patterns

EXHAUSTIVE, EXHAUSTIVE_BIDIRECTIONAL = 10, 5  # bits
LONGEST, LONGEST_BIDIRECTIONAL = 1000, 64
CHAINS = 64  # bits up to which every carry chain is tried
AT_ONCE = 65_536  # columns that are read in one call
GRIDS = tuple(0.5**n for n in range(1, 9))  # states in one cell of a grid as fine as this are taken for one
EXPLORED = 500_000  # states that are looked at on all grids together, about
FIRST_LOOK = 60_000  # the same, for a first look: most adders that err do so there already
FOLLOWED = 2000  # states of one length that are followed any further, at most

State = Tensor | tuple[Tensor, ...] | None


@dataclass(frozen=True)
class Search:
    """What `find_error` found and how far it looked.

    `pair`: the operands' bits, least significant first and of one length, or None. All pairs of `exhaustive_length`
    bits were tried (0: none), then `streams` longer ones of up to `longest` bits, each with its last carry, and its
    lowest 1, 2, 3, ... bits without theirs; then the columns that lead to `states` different states.
    """

    pair: tuple[list[int], list[int]] | None
    exhaustive_length: int
    streams: int
    longest: int
    states: int = 0


@torch.inference_mode()
def find_error(network: Network, likely: Search | None = None) -> Search:
    """Look for a pair that the network adds wrongly, and return the shortest of those it comes by.

    First all pairs of 1, 2, 3, ... bits; then longer ones, unless `find_likely_error` has found one already, `likely`.
    """
    if network.bidirectional:
        return _search_bidirectional(network)
    if (pair := _exhaustive(network)) is not None:
        return Search(pair, EXHAUSTIVE, 0, EXHAUSTIVE)
    return replace(likely or find_likely_error(network), exhaustive_length=EXHAUSTIVE)


@torch.inference_mode()
def find_likely_error(network: Network, explored: int = EXPLORED) -> Search:
    """The same in one direction, by likely pairs only: carry chains, repeated patterns, about `explored` states.

    What it finds is the same for any `explored`: where a chain or a pattern errs, all states are looked at for a
    shorter pair.
    """
    found = [error for streams in _likely() if (error := _first_error(network, streams)) is not None]
    states, error = _explore(network, EXPLORED if found else explored)
    found += [] if error is None else [error]
    pair = _operands(min((_shortened(network, each) for each in found), key=len)) if found else None
    return Search(pair, 0, sum(len(streams.symbols) for streams in _likely()), LONGEST, states)


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


def _read(network: Network, x: Tensor, state: State = None) -> tuple[Tensor, State]:
    """The logits (N, T) of streams of bits (N, T, 2), and the state after them."""
    output, state = network.recurrent(x, state)
    return network.linear(output)[..., 0], state


def _exhaustive(network: Network) -> tuple[list[int], list[int]] | None:
    """The first pair of up to EXHAUSTIVE bits that is added wrongly, by length.

    The pairs form a tree, in which each state is used for the four columns that can follow it: a column of zeros ends a
    pair one bit shorter.
    """
    carries, state = torch.zeros(1, dtype=torch.int64), None
    for length in range(1, EXHAUSTIVE + 2):
        count = 4 if length <= EXHAUSTIVE else 1
        symbols = torch.arange(count).repeat(len(carries))
        ones = ONES[symbols] + carries.repeat_interleave(count)
        said, state = read_on(network, symbols, repeated(state, count))
        wrong = (said > 0) != (ones % 2).bool()
        if length > 1 and (short := wrong & (symbols == 0)).any():
            return _operands(_word(int(short.to(torch.int8).argmax()) // count, length - 1))
        if wrong.any() and length <= EXHAUSTIVE:
            return _operands(_word(int(wrong.to(torch.int8).argmax()), length))
        carries = ones // 2
    return None


def _word(leaf: int, length: int) -> Tensor:
    """The symbols on the way to a leaf of the tree of all words: its number, written with four digits."""
    return torch.tensor([leaf >> 2 * t & 3 for t in reversed(range(length))])


def read_on(network: Network, symbols: Tensor, state: State) -> tuple[Tensor, State]:
    """The logits (N,) after one more symbol each, and the states, a part at a time so that it fits into memory."""
    sizes = range(0, len(symbols), AT_ONCE)
    bits = BITS[symbols, None].float()
    parts = [_read(network, bits[i : i + AT_ONCE], _part(state, i, i + AT_ONCE)) for i in sizes]
    return torch.cat([logits[:, 0] for logits, _ in parts]), joined([state for _, state in parts])


# A state is PyTorch's h (layers, N, H), an LSTM's (h, c), or None for the start.
def repeated(state: State, times: int) -> State:
    """Every state `times` times, one after the other."""
    if isinstance(state, tuple):
        return tuple(repeated(each, times) for each in state)
    return None if state is None else state.repeat_interleave(times, dim=-2)


def chosen(state: State, rows: Tensor) -> State:
    """Some of the states."""
    return tuple(chosen(part, rows) for part in state) if isinstance(state, tuple) else state[..., rows, :]


def _part(state: State, start: int, end: int) -> State:
    if isinstance(state, tuple):
        return tuple(_part(each, start, end) for each in state)
    return None if state is None else state[..., start:end, :].contiguous()


def joined(states: list[State]) -> State:
    """The states of several lists in one."""
    if isinstance(states[0], tuple):
        return tuple(joined(list(each)) for each in zip(*states, strict=True))
    return torch.cat(states, dim=-2)


@dataclass(frozen=True)
class _Streams:
    """Streams, each with a last column of zeros: `symbols` (N, T), what is read, `x` (N, T, 2), and `true` sum bits."""

    symbols: Tensor
    x: Tensor
    true: Tensor

    @classmethod
    def of(cls, symbols: Tensor) -> "_Streams":
        padded = torch.nn.functional.pad(symbols, (0, 1))
        return cls(padded, BITS[padded].float(), columns(padded)[0].bool())


@cache  # for any network they are the same
def _likely() -> tuple[_Streams, ...]:
    """Carry chains and patterns of a moderate length, and patterns as long as it goes."""
    moderate = torch.cat([carry_chains(CHAINS), patterns(5, CHAINS)])
    return _Streams.of(moderate), _Streams.of(patterns(3, LONGEST))


def _first_error(network: Network, streams: _Streams) -> Tensor | None:
    """The shortest beginning of any of the streams after which the network has said a wrong bit, or None."""
    parts = streams.x.split(max(1, AT_ONCE // streams.x.shape[1]))
    wrong = (torch.cat([_read(network, part)[0] for part in parts]) > 0) != streams.true
    if not wrong.any():
        return None
    t = int(wrong.any(0).to(torch.int8).argmax())
    return streams.symbols[int(wrong[:, t].to(torch.int8).argmax()), : t + 1]


def _wrong(network: Network, symbols: Tensor) -> Tensor:
    """Which bits (N, T) the network says wrongly when it reads the streams (N, T)."""
    return (_read(network, BITS[symbols].float())[0] > 0) != columns(symbols)[0].bool()


def _shortened(network: Network, symbols: Tensor) -> Tensor:
    """The shortest end of a stream that the network adds wrongly too, and of that the shortest beginning."""
    for first in range(len(symbols) - 1, 0, -1):
        if len(symbols) - first > 2 * CHAINS:
            break  # each end is read anew: that takes too long for those
        if _wrong(network, torch.nn.functional.pad(symbols[None, first:], (0, 1))).any():
            symbols = symbols[first:]
            break
    T = len(symbols)
    beginnings = torch.nn.functional.pad(symbols.expand(T, T).tril(), (0, 1))  # row t: t + 1 columns, then zeros
    wrong = _wrong(network, beginnings).tril(1).any(1)
    return symbols[: int(wrong.to(torch.int8).argmax()) + 1]


def _explore(network: Network, most: int) -> tuple[int, Tensor | None]:
    """How many states were looked at on finer and finer grids, and the symbols that lead to a wrong bit, or None."""
    looked_at = 0
    for grid in GRIDS:
        states, error = _explored(network, grid, most - looked_at)
        looked_at += states
        if error is not None or looked_at >= most:
            return looked_at, error
    return looked_at, None


def _explored(network: Network, grid: float, most: int) -> tuple[int, Tensor | None]:
    """The same on one grid, until no state lies in a new cell or more than `most` were looked at.

    Where a state lies in a cell that another one with the same carry was in before, it is not followed any further. Of
    too many new ones, some are.
    """
    state, carries = None, torch.zeros(1, dtype=torch.int64)
    seen: set[int] = set()
    ways, looked_at = [], 0
    while len(carries) and looked_at < most and len(ways) < LONGEST:
        symbols = torch.arange(4).repeat(len(carries))
        ones = ONES[symbols] + carries.repeat_interleave(4)
        said, state = read_on(network, symbols, repeated(state, 4))
        looked_at += len(symbols)
        wrong = (said > 0) != (ones % 2).bool()
        if wrong.any():
            return looked_at, _way(ways, int(wrong.to(torch.int8).argmax()))
        cells, first = np.unique(_cells(state, grid, ones // 2), return_index=True)
        unseen = np.flatnonzero([cell not in seen for cell in cells.tolist()])
        followed = np.random.default_rng(0).permutation(unseen)[:FOLLOWED]
        seen.update(cells[followed].tolist())
        new = first[followed]
        ways.append(new)
        state, carries = chosen(state, torch.from_numpy(new)), (ones // 2)[new]
    return looked_at, None


def _cells(state: State, grid: float, carries: Tensor) -> np.ndarray:
    """A number for each state's cell and carry; that two get the same number is as good as impossible."""
    parts = state if isinstance(state, tuple) else (state,)
    entries = torch.cat([part.movedim(-2, 0).flatten(1) for part in parts], dim=1)
    places = torch.cat([(entries / grid).round().long(), carries[:, None]], dim=1)
    g = torch.Generator().manual_seed(0)
    return (places * torch.randint(-(2**62), 2**62, places.shape[1:], generator=g)).sum(1).numpy()


def _way(ways: list[np.ndarray], last: int) -> Tensor:
    """The symbols that lead to state `last` of the last level, where `ways` are the states of each that went on."""
    symbols = [last % 4]
    for level in reversed(ways):
        last = int(level[last // 4])
        symbols.append(last % 4)
    return torch.tensor(symbols[::-1])


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
