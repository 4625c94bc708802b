"""What numbers from several seeds say: a mean with its interval, and a comparison seed by seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # which loads scipy.stats, in most of a second, when it is first used

CONFIDENCE = 0.95
SIGNIFICANT = 1 - CONFIDENCE
EQUAL = 1e-12  # differences within it are those of rounding


@dataclass(frozen=True)
class Mean:
    """The mean of `n` numbers, with the interval [low, high] in which the true one lies with 95 % confidence."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Paired:
    """How two settings compare over the same seeds: `difference` is the mean of first - second.

    `p` is the two-sided p-value of the paired t-test (Student 1908), corrected where several are made for one claim
    (`paired_together`); `wins` of the `n` seeds favour the first setting,
    `losses` the second, the others neither.
    """

    difference: float
    p: float
    wins: int
    losses: int
    n: int

    @property
    def better(self) -> int:
        """1 where the first is better beyond chance, -1 where the second is, 0 where neither is."""
        return int(math.copysign(1, self.difference)) if self.p < SIGNIFICANT else 0


def mean(values: Sequence[float]) -> Mean:
    """Mean and 95 % interval by Student's t distribution; of a single number, or of equal ones, a point.

    Raises ValueError where there is no number.
    """
    if not values:
        raise ValueError("There are no numbers to take the mean of.")
    n, centre = len(values), float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    # scipy.stats.t.interval gives the same, in a hundred times the time: the Report page asks for some forty of them.
    reach = error * float(scipy.special.stdtrit(n - 1, (1 + CONFIDENCE) / 2)) if error else 0.0
    return Mean(centre, centre - reach, centre + reach, n)


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Compare two settings whose i-th numbers come from the same seed.

    Where all differences are equal, but for rounding, a t-test is not defined. Then their signs are tested: n equal
    ones happen by chance once in 2^(n - 1) times, so that a few prove nothing; p is 1 if they are 0. Raises ValueError
    for empty lists, and for lists of different lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"A paired comparison needs as many numbers of both, not {len(first)} and {len(second)}.")
    if not len(first):
        raise ValueError("There are no numbers to compare.")
    differences = np.subtract(first, second)
    if np.ptp(differences) <= EQUAL:
        p = 2.0 ** (1 - len(differences)) if abs(differences[0]) > EQUAL else 1.0
    else:
        p = float(scipy.stats.ttest_rel(first, second).pvalue)
    wins, losses = int((differences > EQUAL).sum()), int((differences < -EQUAL).sum())
    return Paired(float(differences.mean()), p, wins, losses, len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of tests made together, corrected by Holm's method (1979), in the order given.

    Whoever calls significant what is below 5 % after it makes even one false finding in at most 5 % of such families.
    The smallest of m is multiplied by m, the next by m - 1, and so on; none comes out below a smaller one, or above 1.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def paired_together(pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> dict[str, Paired]:
    """`paired` for every pair of settings of one claim, with p-values corrected for their number."""
    found = {name: paired(first, second) for name, (first, second) in pairs.items()}
    corrected = holm([each.p for each in found.values()])
    return {name: replace(each, p=p) for (name, each), p in zip(found.items(), corrected, strict=True)}
