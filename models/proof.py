"""A proof that an adder is right for operands of every length.

Induction over the time steps, on finitely many boxes of states (Cousot and Cousot, "Abstract interpretation", 1977).
The first box surrounds the start. All states of a box are moved by each of the four inputs at once, and so is what
comes of them, until it lies in some box whose carry is the same; where it has shrunk and lies in none, it gets a new
box around it. What is too long for that is cut into pieces, which may lie in different boxes. Nowhere on the way may
the read-out say a wrong sum bit. When no box is left over, every state that any stream of inputs leads to lies on such
a way, so no operands of any length, with leading zeros or without, are added wrongly. Where the sets become so wide
that a sum bit may be wrong, smaller boxes are tried; nothing follows from that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models.affine import Affine
from models.network import Network
from models.streams import BITS, ONES, mixed
from models.trace import STEPS

ROOMS = (0.08, 0.03, 0.015)  # half the width of the boxes where the network tells states apart best
WORK, ALL_WORK = 36_000, 72_000  # sets moved at most, as much time: in boxes of one size, and in all
COMPARISON = 1 / 4000  # of the time that it takes to move a set: to compare one with a box
SHRUNK = 0.7  # of a box: sets as small as that get a box of their own
BATCH = 256  # sets that are moved together
CUTS = 3  # how often a set is halved at most
TERMS = 5  # per unit, above which a set is described by fewer
ROUNDNESS = 0.7  # the least weight of a direction in which states soon meet; that of the others is up to 1
ROUNDING = 1e-12  # of sums in float64, relative to the numbers in them


class Adder:
    """The equations of an adder of one layer and one direction, in float64: of states, or of sets of them.

    The state of an LSTM is its h, then its c.
    """

    def __init__(self, network: Network) -> None:
        layer = network.recurrent
        parameters = layer.weight_ih_l0, layer.bias_ih_l0, layer.weight_hh_l0, layer.bias_hh_l0
        self.weight_ih, self.bias_ih, self.weight_hh, self.bias_hh = (each.detach().double() for each in parameters)
        self.weight, self.bias = (each.detach().double() for each in (network.linear.weight, network.linear.bias))
        self.cell = network.cell
        self.state_size = network.hidden_size * (2 if network.cell == "lstm" else 1)

    def step(self, states: Affine, symbols: Tensor) -> Affine:
        """The sets of states after a symbol (N,) each."""
        h, c = states.chunk(2) if self.cell == "lstm" else (states, states)
        from_input = Affine(BITS[symbols].double()).linear(self.weight_ih, self.bias_ih)
        after = STEPS[self.cell](from_input, h.linear(self.weight_hh, self.bias_hh), h, c)
        return Affine.concatenate([after["hidden"], after["cell"]]) if self.cell == "lstm" else after["hidden"]

    def margins(self, states: Affine, right: Tensor) -> Tensor:
        """How far a set's logits (N,) are at least on the right side of 0, where the sum bits should be `right`."""
        h = states.chunk(2)[0] if self.cell == "lstm" else states
        low, high = h.linear(self.weight, self.bias).bounds()
        return torch.where(right == 1, low[:, 0], -high[:, 0])


@dataclass(frozen=True)
class Proof:
    """The boxes that were tried last, and whether they prove the network right.

    `centers` (N, S) are states in the middle of the boxes, `carries` (N,) the carry that goes from there into the next
    column, and a box holds the states s with |metric (s - center)| <= room in every entry. `moved` sets of states were
    looked at, the farthest `longest_way` inputs from its box. On all of them the logit is at least `margin` on the
    right side of 0.
    """

    holds: bool
    centers: Tensor
    carries: Tensor
    metric: Tensor
    room: float
    moved: int
    longest_way: int
    margin: float


@torch.inference_mode()
def prove(network: Network) -> Proof:
    """Look for boxes that prove a network of one layer and one direction; `holds` says whether they do.

    The same network gives the same answer: the number of sets ends the search, not the clock.
    """
    adder = Adder(network)
    metric, work = _metric(adder), ALL_WORK
    for room in ROOMS:
        boxes = _Boxes(adder, metric, room)
        proof = boxes.closed(min(WORK, work))
        work -= proof.moved + boxes.compared * COMPARISON
        if proof.holds or work <= 0:
            break
    return proof


class _Boxes:
    """Boxes of one size, as many as it takes until every set of states lies in one."""

    def __init__(self, adder: Adder, metric: Tensor, room: float) -> None:
        self.adder, self.metric, self.room = adder, metric, room
        self.inverse = torch.linalg.inv(metric)
        S = adder.state_size
        self.places = torch.zeros(1, S, dtype=torch.float64)  # the centres times the metric; the start is the first
        self.carries = torch.zeros(1, dtype=torch.int64)
        self.compared = 0  # pairs of a set and a box
        self.ways: dict[int, list[tuple[Affine, Tensor]]] = {}  # sets that are under way, by how long

    def closed(self, work: int) -> Proof:
        """Move boxes and sets until none is left, more than `work` were moved, or one may say a wrong bit."""
        moved, longest, margin = 0, 0, torch.inf
        for way, before, carries in self._sets():
            symbols = torch.arange(4).repeat(len(carries))
            sets = self.adder.step(before.repeated(4), symbols)
            columns = ONES[symbols] + carries.repeat_interleave(4)
            margin = min(margin, self.adder.margins(sets, columns % 2).min().item())
            moved, longest = moved + len(symbols), max(longest, way)
            if not margin > 0 or moved + self.compared * COMPARISON > work:
                return self._proof(False, moved, longest, margin)
            self._sort(sets, columns // 2, way)
        return self._proof(True, moved, longest, margin)

    def _sets(self) -> Iterator[tuple[int, Affine, Tensor]]:
        """All boxes, then the sets on the shortest way, again and again: how long the way is, the sets, the carries."""
        done = 0
        while True:
            if done < len(self.places):
                new = slice(done, done + BATCH)
                done = min(done + BATCH, len(self.places))
                yield 1, self._sets_of(self.places[new]), self.carries[new]
            elif way := min((way for way, sets in self.ways.items() if sets), default=0):
                sets, carries = self.ways[way].pop()
                yield way + 1, sets, carries
            else:
                return

    def _sets_of(self, places: Tensor) -> Affine:
        """The boxes at these places as sets of states."""
        centers = places @ self.inverse.T
        boxes = Affine.boxes(centers, self.room * self.inverse.T.expand(len(places), -1, -1))
        return Affine(boxes.center, boxes.terms, ROUNDING * (1 + boxes.largest))

    def _sort(self, sets: Affine, carries: Tensor, way: int) -> None:
        """Settle the sets that can be, whole or cut into pieces, and keep the others under way."""
        terms = torch.cat([*sets.terms.values(), torch.diag_embed(sets.slack)], dim=1)
        places, spans = sets.center @ self.metric.T, terms @ self.metric.T
        left = torch.arange(len(places))
        cuts_needed = (spans.abs().sum(1) / self.room).log2().ceil().clamp(min=0).sum(1)  # at least
        for cuts in range(CUTS + 1):
            tried = cuts_needed[left] <= cuts
            settled = self._settle(places[left[tried]], spans[left[tried]], carries[left[tried]], cuts)
            left = torch.cat([left[~tried], left[tried][~settled]])
        for part in left.split(BATCH) if len(left) else ():
            fewer = Affine.boxes(sets.center[part], _fewer(terms[part]))
            self.ways.setdefault(way, []).append((fewer, carries[part]))

    def _settle(self, places: Tensor, spans: Tensor, carries: Tensor, cuts: int) -> Tensor:
        """Which sets (N,) are settled: all their 2 ** cuts pieces lie in boxes, where small pieces get a new one.

        A set is no more than its pieces together, so it goes where they go. `places` and `spans` are its centre and its
        terms times the metric.
        """
        places, spans = _cut(places, spans, cuts)
        carries = carries.repeat_interleave(2**cuts)
        radii = spans.abs().sum(1) + ROUNDING * (1 + places.abs())
        inside = self._inside(places, radii, carries)
        settled = (inside | (radii.amax(1) <= SHRUNK * self.room)).view(-1, 2**cuts).all(1)
        new = settled.repeat_interleave(2**cuts) & ~inside
        self._add(places[new], radii[new], carries[new])
        return settled

    def _inside(self, places: Tensor, radii: Tensor, carries: Tensor) -> Tensor:
        """Which sets (N,) lie inside a box of their carry."""
        self.compared += len(places) * len(self.places)
        far = torch.cdist(places.float(), self.places.float(), p=torch.inf)  # a first look, at half the cost
        sets, boxes = ((far <= self.room) & (carries[:, None] == self.carries)).nonzero(as_tuple=True)
        found = ((places[sets] - self.places[boxes]).abs() + radii[sets] <= self.room).all(-1)
        inside = torch.zeros(len(places), dtype=torch.bool)
        inside[sets[found]] = True
        return inside

    def _add(self, places: Tensor, radii: Tensor, carries: Tensor) -> None:
        """A box around each of the small sets, but for those that lie in the box of one before."""
        while len(places):
            self.places = torch.cat([self.places, places[:1]])
            self.carries = torch.cat([self.carries, carries[:1]])
            reached = ((places - places[0]).abs() + radii <= self.room).all(-1)
            out = ~(reached & (carries == carries[0]))
            out[0] = False
            places, radii, carries = places[out], radii[out], carries[out]

    def _proof(self, holds: bool, moved: int, longest: int, margin: float) -> Proof:
        centers = self.places @ self.inverse.T
        return Proof(holds, centers, self.carries, self.metric, self.room, moved, longest, margin)


def _cut(places: Tensor, spans: Tensor, cuts: int) -> tuple[Tensor, Tensor]:
    """Halve every set `cuts` times where it is widest, in the term that most makes it so: (N * 2 ** cuts, ...)."""
    for _ in range(cuts):
        widths, every = spans.abs(), torch.arange(len(spans))
        widest = widths.sum(1).argmax(1)
        largest = widths[every, :, widest].argmax(1)
        half = spans[every, largest] / 2
        places = torch.stack([places - half, places + half], dim=1).flatten(0, 1)
        spans = spans.clone()
        spans[every, largest] = half
        spans = spans.repeat_interleave(2, 0)
    return places, spans


def _fewer(terms: Tensor) -> Tensor:
    """The terms (N, K, S) of sets, or fewer whose sets hold these: the smallest ones become a box (Girard, 2005)."""
    S = terms.shape[-1]
    if terms.shape[1] <= TERMS * S:
        return terms
    order = terms.norm(dim=-1).argsort(dim=1, descending=True)
    terms = terms.gather(1, order[..., None].expand(-1, -1, S))
    keep = (TERMS - 2) * S
    return torch.cat([terms[:, :keep], torch.diag_embed(terms[:, keep:].abs().sum(1))], dim=1)


def _metric(adder: Adder, count: int = 500, time: int = 40, ahead: int = 10, every: int = 4) -> Tensor:
    """(S, S): coordinates in which states that are far apart go different ways, and others soon meet.

    From the derivatives of the next `ahead` states, on sampled streams: the more a small change of a state grows, the
    larger it is in these coordinates. They decide how soon a proof is found, not whether it is one.
    """
    symbols, S = mixed(count, time, seed=3), adder.state_size
    state = torch.zeros(count, S, dtype=torch.float64)
    apart = torch.zeros(S, S, dtype=torch.float64)
    changes: list[Tensor] = []  # of the state, for a small change along each axis some steps ago: (count, S, S)
    for t, symbol in enumerate(symbols.unbind(1)):
        if t % every == 0:
            changes.append(torch.eye(S, dtype=torch.float64).expand(count, S, S))
            changes = changes[-ahead // every :]
        state, changes = _along(adder, state, changes, symbol)
        for change in changes:
            square = change @ change.mT
            size = square.diagonal(dim1=1, dim2=2).sum(-1)
            apart += (square * size[:, None, None]).mean(0)
    apart = apart / apart.diagonal().sum() * S + 0.02 * torch.eye(S, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(apart)
    return (vectors * (values / values.max()).sqrt().clamp(min=ROUNDNESS)).mT


def _along(adder: Adder, state: Tensor, changes: list[Tensor], symbol: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The states (N, S) after a symbol each, and what has become of small changes (N, S, S) to them."""
    small = 1e-6
    before = Affine.boxes(state, small * torch.eye(state.shape[1], dtype=torch.float64).expand(len(state), -1, -1))
    after = adder.step(before, symbol)
    (number,) = before.terms
    derivative = after.terms[number] / small  # row i: how the state changes with entry i
    return after.center, [change @ derivative for change in changes]
