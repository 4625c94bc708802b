"""What the Addition page says about a sum, worked out bit by bit. Arrays in, sentences out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.search import Search
from training.tasks import addition
from ui.words import percent

MOST_RUNS = 4  # of neighbouring bits that are wrong, named one by one


@dataclass(frozen=True)
class Sum:
    """One addition as it should be and as a network gives it: arrays (T,), ones first, T = bits of the operands + 1.

    `carries[t]` goes into bit t, `true` is the sum, `said` what the network says, `probabilities` that it says 1.
    """

    a: np.ndarray
    b: np.ndarray
    carries: np.ndarray
    true: np.ndarray
    said: np.ndarray
    probabilities: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """The places of the bits that the network gets wrong, lowest first."""
        return np.flatnonzero(self.said != self.true)

    @property
    def confidence(self) -> np.ndarray:
        """The probability (T,) of the bit that the network says, 0.5 or more."""
        return np.maximum(self.probabilities, 1 - self.probabilities)


def worked(x: np.ndarray, logits: np.ndarray, probabilities: np.ndarray) -> Sum:
    """The sum of the operands that a network has read as `x` (T, 2), with the network's answers (T,) to it."""
    a, b = x.astype(int).T
    true, carries = addition.add(torch.from_numpy(a[:-1]), torch.from_numpy(b[:-1]))
    return Sum(a, b, carries.numpy(), true.numpy(), (logits > 0).astype(int), probabilities)


def written(bits: Iterable[int]) -> str:
    """Bits as people write them, the highest first."""
    return "".join(str(int(bit)) for bit in bits)[::-1]


def short(probability: float) -> str:
    """A probability where there is little room; 1.00 and .00 are left to what is certain, as in `ui.words.percent`."""
    if 0.995 <= probability < 1:
        return ">.99"
    return "<.01" if 0 < probability < 0.005 else f"{probability:.2f}".lstrip("0")


def longest_carry(total: Sum) -> tuple[int, int] | None:
    """Where the longest carry is born and the last bit that it reaches, None where nothing is carried.

    A carry is born where 1 + 1 is added, goes on through bits with a single 1, and goes into one last bit.
    """
    alike = total.a == total.b  # such a bit takes a carry in and lets none out, or lets out one of its own
    journeys: list[tuple[int, int]] = []
    for birth in np.flatnonzero(alike & (total.a == 1)):
        end = birth + 1 + int(alike[birth + 1 :].argmax())
        journeys.append((int(birth), end))
    return max(journeys, key=lambda journey: journey[1] - journey[0], default=None)


def notice(total: Sum) -> str:
    """One sentence: how far a carry had to travel, whether the network kept it, and which bit it is least sure of."""
    least = int(total.confidence.argmin())
    doubt = f"it is least sure of bit {least}, at {percent(total.confidence[least])}"
    carry = longest_carry(total)
    if carry is None:
        kept = (
            f"yet the network gets {_bits(total.wrong)} wrong"
            if len(total.wrong)
            else "and the network adds it correctly"
        )
        return f"Nothing has to be carried in this sum, {kept}; {doubt}."
    birth, end = carry
    distance = "1 place" if end == birth + 1 else f"{end - birth} places"
    journey = f"The longest carry travels {distance}, from bit {birth} to bit {end}"
    if total.carries[birth] or total.a[end]:  # it is a part of a longer run of ones in the row of carries
        journey = f"Each 1 + 1 begins a new carry: the longest travels {distance}, from bit {birth} to bit {end}"
    lost = total.wrong[(total.wrong > birth) & (total.wrong <= end)]
    if len(lost):
        return f"{journey}, and the network goes wrong on the way, at bit {lost[0]}; {doubt}."
    if len(total.wrong):
        return f"{journey}; the network keeps that one and errs elsewhere, at bit {total.wrong[0]}; {doubt}."
    return f"{journey}, and the network keeps it all the way; {doubt}."


def verdict(total: Sum) -> str:
    """Whether the network's sum is right, and where it is not: "wrong at bit 8"."""
    return f"wrong at {_bits(total.wrong)}" if len(total.wrong) else "right"


def notes(total: Sum) -> list[str]:
    """For each bit: the column as a person adds it, and what the network makes of it."""
    columns = [*(_column(total, t) for t in range(len(total.a) - 1)), _final_column(total)]
    return [
        f"{column} The network says {total.said[t]} with {percent(total.confidence[t])} probability: "
        f"{'right' if total.said[t] == total.true[t] else 'wrong'}."
        for t, column in enumerate(columns)
    ]


def _column(total: Sum, t: int) -> str:
    a, b, carry = total.a[t], total.b[t], total.carries[t]
    arriving = " with carry 1 in" if carry else ""
    return f"{a} + {b}{arriving} makes {a + b + carry}: write {total.true[t]}, carry {total.carries[t + 1]}."


def _final_column(total: Sum) -> str:
    if total.true[-1]:
        return "Both numbers have ended, and the carry 1 is left: write 1."
    return "Both numbers have ended, and nothing is carried: write 0."


def search_result(search: Search) -> str:
    """What the search for an error found, and exactly what it tried."""
    exhaustive = f"all {4**search.exhaustive_length:,} pairs of {search.exhaustive_length} bits"
    kinds = "carry chains and repeated patterns" if search.states else "carry chains, repeated patterns and mixtures"
    beyond = f"{search.streams:,} longer ones: {kinds} of up to {search.longest:,} bits"
    beyond += f", and what leads to {search.states:,} different states" if search.states else ""
    if search.pair is None:
        return f"No error in {exhaustive} and in {beyond}. That is no proof: the tab Proof has what can be proved."
    length = len(search.pair[0])
    if length <= search.exhaustive_length:
        return f"Found by trying all pairs: none of fewer than {length} bits is added wrongly."
    found = f"Found a pair of {length} bits, and no shorter one, in {exhaustive} and {beyond}."
    too_long = f" It is longer than the {addition.MAX_BITS} bits that fit on the screen."
    return found + (too_long if length > addition.MAX_BITS else "")


def first_errors(rows: Mapping[str, Sequence[Mapping[str, float]]], kind: str) -> str:
    """One sentence: from which length on each model, by name, makes errors on operands of that kind.

    `rows` holds what `lengths.accuracy_by_length` gives, of one longest length.
    """
    longest = max(row["length"] for of in rows.values() for row in of)
    firsts: dict[int | None, list[str]] = {}
    for name, of in rows.items():
        first = next((int(row["length"]) for row in of if row["sum_accuracy"] < 1), None)
        firsts.setdefault(first, []).append(name)
    perfect = firsts.pop(None, [])
    erring = [f"at {first} bits ({_list(firsts[first])})" for first in sorted(firsts)]
    parts = [f"{_list(perfect)} make{'' if len(perfect) > 1 else 's'} no error"] if perfect else []
    parts += [f"the first error{'s are' if len(erring) > 1 else ' is'} {_list(erring)}"] if erring else []
    return f"On {kind} of up to {longest} bits, {'; '.join(parts)}."


def _bits(places: np.ndarray) -> str:
    """Bits by their places: "bit 3", "bits 3 and 5", "bits 8 to 64", "bits 0, 2, 4, 6 and 12 more"."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    named = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:MOST_RUNS]]
    if more := sum(map(len, runs[MOST_RUNS:])):
        named.append(f"{more} more")
    return f"bit{'s' if len(places) > 1 else ''} {_list(named)}"


def _list(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
