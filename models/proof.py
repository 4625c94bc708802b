"""A proof that an adder is right for operands of every length.

Induction over the time steps, on finitely many boxes of states (Cousot and Cousot, "Abstract interpretation", 1977).
The first box surrounds the start. All states of a box are moved by each of the four inputs at once, and so is what
comes of them, until it lies in some box of the same kind; where it has shrunk and lies in none, it gets a new box
around it. What is too long for that is cut into pieces, which may lie in different boxes. Nowhere on the way may
the read-out say a wrong sum bit. When no box is left over, every state that any stream of inputs leads to lies on such
a way, so no operands of any length, with leading zeros or without, are added wrongly. Where the sets become so wide
that a sum bit may be wrong, smaller boxes are tried; nothing follows from that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models.affine import Affine, rounding_of_sum
from models.network import Network
from models.streams import BITS, ONES, mixed
from models.trace import STEPS

# Half the width of the boxes where the network tells states apart best, and how many sets are moved at most: of the
# largest boxes, no adder that has been proved with them took more than 3,000.
ROOMS = ((0.08, 3_500), (0.03, 20_000), (0.015, 8_000))
COMPARISON = 1 / 4000  # of the time that it takes to move a set: to compare one with a box
KINDS = 9  # of boxes: by the last symbol and the carry, 2 * symbol + carry; the last kind is the start's
START = KINDS - 1
SHRUNK = 0.7  # of a box: sets as small as that get a box of their own
BATCH = 256  # sets that are moved together
CUTS = 3  # how often a set is halved at most
TERMS = 5  # per unit, above which a set is described by fewer
ROUNDNESS = 0.7  # the least weight of a direction in which states soon meet; that of the others is up to 1
ROUNDING = 1e-12  # of sums in float64, relative to the numbers in them
LARGEST = 1e30  # sum of the weights of a unit: far from where float32, in which the network runs, has no numbers
LEAST = 1e-30  # margin of a logit: numbers near the smallest of float32 are rounded by more than their share


class Adder:
    """The equations of an adder of one layer and one direction, in float64: of states, or of sets of them.

    The state of an LSTM is its h, then its c.
    """

    def __init__(self, network: Network) -> None:
        parameters = (each.detach().double() for each in network.parameters_of(0))
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = parameters
        self.weight, self.bias = (each.detach().double() for each in (network.linear.weight, network.linear.bias))
        self.cell = network.cell
        self.state_size = network.hidden_size * (2 if network.cell == "lstm" else 1)

    def is_bounded(self) -> bool:
        """Whether no sum within the network can leave the range of float32: states and inputs are never above 1."""
        sums = ((self.weight_ih, self.bias_ih), (self.weight_hh, self.bias_hh), (self.weight, self.bias))
        return all((weight.abs().sum(1) + bias.abs()).max() < LARGEST for weight, bias in sums)

    def step(self, states: Affine, symbols: Tensor) -> Affine:
        """The sets of states after a symbol (N,) each."""
        h, c = states.chunk(2) if self.cell == "lstm" else (states, states)
        x = Affine(BITS[symbols].double())
        from_input, from_state = x.linear(self.weight_ih, self.bias_ih), h.linear(self.weight_hh, self.bias_hh)
        # A processor may add up the terms of both in one sum, in any order.
        sizes = x.sizes(self.weight_ih, self.bias_ih) + h.sizes(self.weight_hh, self.bias_hh)
        count = self.weight_ih.shape[1] + self.weight_hh.shape[1] + 2
        after = STEPS[self.cell](from_input.loosened(rounding_of_sum(count, sizes)), from_state, h, c)
        return Affine.concatenate([after["hidden"], after["cell"]]) if self.cell == "lstm" else after["hidden"]

    def margins(self, states: Affine, right: Tensor) -> Tensor:
        """How far a set's logits (N,) are at least on the right side of 0, where the sum bits should be `right`."""
        h = states.chunk(2)[0] if self.cell == "lstm" else states
        low, high = h.linear(self.weight, self.bias).bounds()
        return torch.where(right == 1, low[:, 0], -high[:, 0])


@dataclass(frozen=True)
class Proof:
    """The boxes that were tried last, and whether they prove the network right.

    `centers` (N, S) are states in the middle of the boxes. The `kinds` (N,) of boxes are 2 * symbol + carry: the last
    symbol that was read on the way there, and the carry that goes into the next column; the first box, around the
    start, is of a kind of its own. A box holds the states s with |metric (s - center)| <= room in every entry, where
    `metrics` (KINDS, S, S) has a metric for each kind. `moved` sets of states were looked at, the farthest
    `longest_way` inputs from its box. On all of them the logit is at least `margin` on the right side of 0.
    """

    holds: bool
    centers: Tensor
    kinds: Tensor
    metrics: Tensor
    room: float
    moved: int
    longest_way: int
    margin: float

    @property
    def carries(self) -> Tensor:
        """The carry (N,) of each box."""
        return _carries(self.kinds)

    def hold(self, state: Tensor, carry: int) -> bool:
        """Whether a state (S,) with a carry lies in one of the boxes."""
        away = (self.metrics[self.kinds] @ (state - self.centers)[..., None])[..., 0].abs().amax(1)
        return bool(((away <= self.room) & (self.carries == carry)).any())


@torch.inference_mode()
def prove(network: Network) -> Proof:
    """Look for boxes that prove a network of one layer and one direction; `holds` says whether they do.

    The same network gives the same answer: the number of sets ends the search, not the clock.
    """
    adder = Adder(network)
    if not adder.is_bounded():
        plain = torch.eye(adder.state_size, dtype=torch.float64).repeat(KINDS, 1, 1)
        return _Boxes(adder, plain, ROOMS[0][0]).closed(work=0)
    metrics = _metrics(adder)
    for room, work in ROOMS:
        proof = _Boxes(adder, metrics, room).closed(work)
        if proof.holds:
            break
    return proof


def _carries(kinds: Tensor) -> Tensor:
    return kinds % 2


class _Boxes:
    """Boxes of one size, as many as it takes until every set of states lies in one."""

    def __init__(self, adder: Adder, metrics: Tensor, room: float) -> None:
        self.adder, self.metrics, self.room = adder, metrics, room
        self.inverses = torch.linalg.inv(metrics)
        S = adder.state_size
        self.places = torch.zeros(1, S, dtype=torch.float64)  # the centres in their kind's metric; the start is first
        self.kinds = torch.tensor([START])
        self.of_kind = [self.places[:0]] * START  # the same, apart; nothing comes back to the start's
        self.compared = 0  # pairs of a set and a box
        self.ways: dict[int, list[tuple[Tensor, ...]]] = {}  # sets under way, by how long: centres, terms, kinds

    def closed(self, work: int) -> Proof:
        """Move boxes and sets until none is left, more than `work` were moved, or one may say a wrong bit."""
        moved, longest, margin = 0, 0, torch.inf
        for way, before, kinds in self._sets():
            symbols = torch.arange(4).repeat(len(kinds))
            sets = self.adder.step(before.repeated(4), symbols)
            columns = ONES[symbols] + _carries(kinds).repeat_interleave(4)
            least = self.adder.margins(sets, columns % 2).min().item()
            moved, longest, margin = moved + len(symbols), max(longest, way), min(margin, least)
            if not least > LEAST or moved + self.compared * COMPARISON > work:
                return self._proof(False, moved, longest, margin)
            self._sort(sets, 2 * symbols + columns // 2, way)
        return self._proof(True, moved, longest, margin)

    def _sets(self) -> Iterator[tuple[int, Affine, Tensor]]:
        """All boxes, then the sets on the shortest way, again and again: how long the way is, the sets, their kinds."""
        done = 0
        while True:
            if done < len(self.places):
                new = slice(done, done + BATCH)
                done = min(done + BATCH, len(self.places))
                yield 1, self._sets_of(self.places[new], self.kinds[new]), self.kinds[new]
            elif way := min((way for way, parts in self.ways.items() if parts), default=0):
                yield way + 1, *self._taken(way)
            else:
                return

    def _taken(self, way: int) -> tuple[Affine, Tensor]:
        """Up to BATCH of the sets that are so many inputs under way, and their kinds."""
        parts = [self.ways[way].pop()]
        while self.ways[way] and sum(len(kinds) for *_, kinds in (*parts, self.ways[way][-1])) <= BATCH:
            parts.append(self.ways[way].pop())
        centers, terms, kinds = (torch.cat(each) for each in zip(*parts, strict=True))
        return Affine.boxes(centers, terms), kinds

    def _sets_of(self, places: Tensor, kinds: Tensor) -> Affine:
        """The boxes at these places as sets of states."""
        inverses = self.inverses[kinds]
        boxes = Affine.boxes(_each(inverses, places), self.room * inverses.mT)
        return Affine(boxes.center, boxes.terms, ROUNDING * (1 + boxes.largest))

    def _sort(self, sets: Affine, kinds: Tensor, way: int) -> None:
        """Settle the sets that can be, whole or cut into pieces, and keep the others under way."""
        terms = torch.cat([*sets.terms.values(), torch.diag_embed(sets.slack)], dim=1)
        metrics = self.metrics[kinds]
        places, spans = _each(metrics, sets.center), terms @ metrics.mT
        left = torch.arange(len(places))
        cuts_needed = (spans.abs().sum(1) / self.room).log2().ceil().clamp(min=0).sum(1)  # at least
        for cuts in range(CUTS + 1):
            tried = cuts_needed[left] <= cuts
            if not tried.any():
                continue
            settled = self._settle(places[left[tried]], spans[left[tried]], kinds[left[tried]], cuts)
            left = torch.cat([left[~tried], left[tried][~settled]])
        for part in left.split(BATCH) if len(left) else ():
            self.ways.setdefault(way, []).append((sets.center[part], _fewer(terms[part]), kinds[part]))

    def _settle(self, places: Tensor, spans: Tensor, kinds: Tensor, cuts: int) -> Tensor:
        """Which sets (N,) are settled: all their 2 ** cuts pieces lie in boxes, where small pieces get a new one.

        A set is no more than its pieces together, so it goes where they go. `places` and `spans` are its centre and its
        terms in the metric of its kind.
        """
        places, radii = _cut(places, spans, cuts)
        kinds = kinds.repeat_interleave(2**cuts)
        inside = self._inside(places, radii, kinds)
        settled = (inside | (radii.amax(1) <= SHRUNK * self.room)).view(-1, 2**cuts).all(1)
        new = settled.repeat_interleave(2**cuts) & ~inside
        self._add(places[new], radii[new], kinds[new])
        return settled

    def _inside(self, places: Tensor, radii: Tensor, kinds: Tensor) -> Tensor:
        """Which sets (N,) lie inside a box of their kind."""
        inside = torch.zeros(len(places), dtype=torch.bool)
        fit = radii.amax(1) <= self.room
        free = self.room - radii.amin(1, keepdim=True)  # no set is farther than that from the centre of its box
        for kind in kinds.unique().tolist():
            rows, boxes = ((kinds == kind) & fit).nonzero()[:, 0], self.of_kind[kind]
            self.compared += len(rows) * len(boxes)
            far = torch.cdist(places[rows].float(), boxes.float(), p=torch.inf)  # a first look, at half the cost
            sets, near = (far <= free[rows]).nonzero(as_tuple=True)
            sets = rows[sets]
            found = ((places[sets] - boxes[near]).abs() + radii[sets] <= self.room).all(-1)
            inside[sets[found]] = True
        return inside

    def _add(self, places: Tensor, radii: Tensor, kinds: Tensor) -> None:
        """A box around each of the small sets, but for those that lie in the box of one before."""
        new = []
        while len(places):
            new.append((places[0], kinds[0]))
            reached = ((places - places[0]).abs() + radii <= self.room).all(-1)
            out = ~(reached & (kinds == kinds[0]))
            out[0] = False
            places, radii, kinds = places[out], radii[out], kinds[out]
        if new:
            places, kinds = (torch.stack(each) for each in zip(*new, strict=True))
            self.places, self.kinds = torch.cat([self.places, places]), torch.cat([self.kinds, kinds])
            for kind in kinds.unique().tolist():
                self.of_kind[kind] = torch.cat([self.of_kind[kind], places[kinds == kind]])

    def _proof(self, holds: bool, moved: int, longest: int, margin: float) -> Proof:
        centers = _each(self.inverses[self.kinds], self.places)
        return Proof(holds, centers, self.kinds, self.metrics, self.room, moved, longest, margin)


def _each(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Each matrix (N, S, S) times its vector (N, S)."""
    return (matrices @ vectors[..., None])[..., 0]


def _cut(places: Tensor, spans: Tensor, cuts: int) -> tuple[Tensor, Tensor]:
    """Halve every set `cuts` times where it is widest, in the term that most makes it so.

    The centres of the pieces, and how far they reach from there: both (N * 2 ** cuts, S), set after set. All pieces of
    a set have the same terms, so these are halved once for all.
    """
    places, spans, every = places[:, None], spans.clone(), torch.arange(len(spans))
    radii = spans.abs().sum(1)
    for _ in range(cuts):
        largest = spans[every, :, radii.argmax(1)].abs().argmax(1)
        half = spans[every, largest] / 2
        spans[every, largest] = half
        radii = radii - half.abs()
        places = torch.stack([places - half[:, None], places + half[:, None]], dim=2).flatten(1, 2)
    return places.flatten(0, 1), (radii[:, None] + ROUNDING * (1 + places.abs())).flatten(0, 1)


def _fewer(terms: Tensor) -> Tensor:
    """The terms (N, K, S) of sets, or fewer whose sets hold these: the smallest ones become a box (Girard, 2005)."""
    S = terms.shape[-1]
    if terms.shape[1] <= TERMS * S:
        return terms
    order = terms.norm(dim=-1).argsort(dim=1, descending=True)
    terms = terms.gather(1, order[..., None].expand(-1, -1, S))
    keep = (TERMS - 2) * S
    return torch.cat([terms[:, :keep], torch.diag_embed(terms[:, keep:].abs().sum(1))], dim=1)


def _metrics(adder: Adder, count: int = 500, time: int = 40, ahead: int = 10, every: int = 4) -> Tensor:
    """(KINDS, S, S): coordinates in which states that are far apart go different ways, and others soon meet.

    From the derivatives of the next `ahead` states, on sampled streams: the more a small change of a state grows, the
    larger it is in these coordinates. They decide how soon a proof is found, not whether it is one.
    """
    symbols, S = mixed(count, time, seed=3), adder.state_size
    state, kinds = torch.zeros(count, S, dtype=torch.float64), torch.full((count,), START)
    apart = torch.zeros(KINDS, S, S, dtype=torch.float64)
    since: list[Tensor] = []  # the kinds of states some steps ago, and the changes of the state for a small one then
    changes: list[Tensor] = []  # along each axis: (count, S, S)
    for t, symbol in enumerate(symbols.unbind(1)):
        if t % every == 0:
            since = [*since, kinds][-ahead // every :]
            changes = [*changes, torch.eye(S, dtype=torch.float64).expand(count, S, S)][-ahead // every :]
        state, changes = _along(adder, state, changes, symbol)
        for then, change in zip(since, changes, strict=True):
            square = change @ change.mT
            apart.index_add_(0, then, square * square.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None])
        kinds = 2 * symbol + (ONES[symbol] + _carries(kinds)) // 2
    apart = apart / apart.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None].clamp(min=1e-30) * S
    values, vectors = torch.linalg.eigh(apart + 0.02 * torch.eye(S, dtype=torch.float64))
    return (vectors * (values / values.amax(1, keepdim=True)).sqrt().clamp(min=ROUNDNESS)[:, None]).mT


def _along(adder: Adder, state: Tensor, changes: list[Tensor], symbol: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The states (N, S) after a symbol each, and what has become of small changes (N, S, S) to them."""
    small = 1e-6
    before = Affine.boxes(state, small * torch.eye(state.shape[1], dtype=torch.float64).expand(len(state), -1, -1))
    after = adder.step(before, symbol)
    (number,) = before.terms
    derivative = after.terms[number] / small  # row i: how the state changes with entry i
    return after.center, [change @ derivative for change in changes]
