"""Sets of hidden states in affine arithmetic: a cell's own equations, applied to all states of a set at once.

A set is a centre plus a sum of terms, each a vector times a number between -1 and 1 that is the same wherever the term
occurs (a zonotope). Sums and linear maps are exact; a product and tanh are bounded by a linear function plus one new
term per unit (Stolfi and de Figueiredo, "Self-validated numerical methods and applications", 1997; Singh et al., "Fast
and effective robustness certification", 2018). The result holds every state that the operation can give.

Everything is rounded outwards, for two roundings at once: these sets are kept in float64, and the network that they
bound rounds to float32. To every linear map, sum and product of n terms is added what n + 4 roundings to float32 can do
in any order, twice over; to tanh and the logistic function 2^-20, sixteen times the spacing of float32 numbers below 1.
float64's own roundings are 2^29 times smaller than that. So a statement about the sets holds for the float32 network on
processors that keep to IEEE arithmetic; it does not for one that is run in bfloat16.
"""

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

FLOAT32 = 2 * 2.0**-24  # twice the largest relative error of one rounding
ACTIVATION = 2.0**-20  # the most that a float32 tanh or logistic function is off

_numbers = itertools.count()


def rounding_of_sum(count: int, sizes: Tensor) -> Tensor:
    """What rounding to float32 can do to a sum of `count` terms whose absolute values come to `sizes` at most."""
    return (count + 4) * FLOAT32 * sizes


class Affine:
    """N sets of vectors with H entries: `center` (N, H), `terms`, each (N, K, H), by their number, and `slack` (N, H).

    Two sets that share a term's number share the K numbers between -1 and 1 that it is multiplied with. Slack is what
    each entry can be off beyond that, independently of all else: the roundings.
    """

    def __init__(self, center: Tensor, terms: dict[int, Tensor] | None = None, slack: Tensor | None = None) -> None:
        self.center, self.terms = center, terms or {}
        self.slack = torch.zeros_like(center) if slack is None else slack

    @classmethod
    def boxes(cls, center: Tensor, axes: Tensor) -> "Affine":
        """The parallelepipeds around `center` (N, H) that the rows of `axes` (N, K, H) span."""
        return cls(center, {next(_numbers): axes})

    @classmethod
    def concatenate(cls, sets: Sequence["Affine"]) -> "Affine":
        """The vectors of several sets, one after the other, as one set."""
        sizes = {n: term.shape[1] for each in sets for n, term in each.terms.items()}
        parts = {n: [each.terms.get(n, each.center.new_zeros(len(each.center), size, each.center.shape[-1]))
                     for each in sets] for n, size in sizes.items()}  # fmt: skip
        center, slack = (torch.cat(rows, dim=-1) for rows in zip(*((s.center, s.slack) for s in sets), strict=True))
        return cls(center, {n: torch.cat(terms, dim=-1) for n, terms in parts.items()}, slack)

    @cached_property
    def radius(self) -> Tensor:
        """(N, H): how far from its centre each entry can be."""
        return sum((term.abs().sum(1) for term in self.terms.values()), self.slack)

    @property
    def largest(self) -> Tensor:
        """(N, H): the largest absolute value of each entry."""
        return self.center.abs() + self.radius

    def bounds(self) -> tuple[Tensor, Tensor]:
        """The least and the largest value (N, H) of each entry."""
        radius = self.radius
        return self.center - radius, self.center + radius

    def chunk(self, chunks: int, dim: int = -1) -> tuple["Affine", ...]:
        """As `torch.chunk`, along the entries."""
        parts = zip(self.center.chunk(chunks, dim), self.slack.chunk(chunks, dim), strict=True)
        terms = {n: term.chunk(chunks, dim) for n, term in self.terms.items()}
        return tuple(Affine(c, {n: term[i] for n, term in terms.items()}, s) for i, (c, s) in enumerate(parts))

    def repeated(self, times: int) -> "Affine":
        """Every set `times` times, one after the other."""
        terms = {n: term.repeat_interleave(times, 0) for n, term in self.terms.items()}
        return Affine(self.center.repeat_interleave(times, 0), terms, self.slack.repeat_interleave(times, 0))

    def sizes(self, weight: Tensor, bias: Tensor) -> Tensor:
        """(N, rows): what the absolute values of the terms that `linear` adds up come to at most."""
        return self.largest @ weight.abs().T + bias.abs()

    def linear(self, weight: Tensor, bias: Tensor) -> "Affine":
        """`torch.nn.functional.linear` of the set, with its roundings."""
        terms = {n: term @ weight.T for n, term in self.terms.items()}
        slack = self.slack @ weight.abs().T + rounding_of_sum(weight.shape[1], self.sizes(weight, bias))
        return Affine(self.center @ weight.T + bias, terms, slack)

    def loosened(self, by: Tensor) -> "Affine":
        """The set, every entry up to `by` (N, H) off."""
        return Affine(self.center, self.terms, self.slack + by)

    def __add__(self, other: "Affine") -> "Affine":
        terms = {n: _sum(self.terms.get(n), other.terms.get(n)) for n in self.terms | other.terms}
        rounding = 4 * FLOAT32 * (self.largest + other.largest)
        return Affine(self.center + other.center, terms, self.slack + other.slack + rounding)

    def __rsub__(self, other: float) -> "Affine":
        rounding = 4 * FLOAT32 * (abs(other) + self.largest)
        return Affine(other - self.center, {n: -term for n, term in self.terms.items()}, self.slack + rounding)

    def __mul__(self, other: "Affine") -> "Affine":
        """(a + A)(b + B) = ab + aB + bA + AB, where AB is at most the product of the radii."""
        a, b = self.center, other.center
        first = {n: term * b[:, None] for n, term in self.terms.items()}
        second = {n: term * a[:, None] for n, term in other.terms.items()}
        terms = {n: _sum(first.get(n), second.get(n)) for n in first | second}
        rounding = 4 * FLOAT32 * self.largest * other.largest
        slack = self.slack * b.abs() + other.slack * a.abs() + rounding
        return Affine(a * b, terms, slack)._bent(self.radius * other.radius)

    def tanh(self) -> "Affine":
        """tanh of every entry, between two lines as steep as its secant."""
        low, high = self.bounds()
        wide = high - low > 1e-9
        secant = (high.tanh() - low.tanh()) / torch.where(wide, high - low, 1.0)
        slope = torch.where(wide, secant, 1 - self.center.tanh() ** 2).clamp(0, 1)
        # tanh(x) - slope x is extreme at the ends, or between them where tanh'(x) = slope
        turn = (1 - slope).sqrt().clamp(max=1 - 1e-15).atanh()
        places = torch.stack([low, high, turn.clamp(low, high), (-turn).clamp(low, high)])
        gaps = places.tanh() - slope * places
        lowest, highest = gaps.amin(0), gaps.amax(0)
        return self._line(slope, (lowest + highest) / 2, ACTIVATION)._bent((highest - lowest) / 2)

    def sigmoid(self) -> "Affine":
        """The logistic function of every entry, which is (1 + tanh(x / 2)) / 2."""
        return self._line(0.5, 0.0, 0.0).tanh()._line(0.5, 0.5, ACTIVATION)

    def _line(self, slope: Tensor | float, shift: Tensor | float, rounding: float) -> "Affine":
        """`slope` times the set plus `shift`; a slope is never negative."""
        rows = slope[:, None] if isinstance(slope, Tensor) else slope
        terms = {n: term * rows for n, term in self.terms.items()}
        return Affine(self.center * slope + shift, terms, self.slack * slope + rounding)

    def _bent(self, by: Tensor) -> "Affine":
        """The set, every entry up to `by` (N, H) off: one new term per entry."""
        return Affine(self.center, self.terms | {next(_numbers): torch.diag_embed(by)}, self.slack)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> "Affine":
        """`torch.tanh` and `torch.sigmoid` work on sets, so the equations of `models.trace.STEPS` do."""
        return {torch.tanh: cls.tanh, torch.sigmoid: cls.sigmoid}[function](*args)


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor:
    """The sum of two terms, where a missing one is 0."""
    return first + second if first is not None and second is not None else first if second is None else second
