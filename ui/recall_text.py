"""What the Recall page says about a reading, worked out from the belief. Arrays in, sentences out."""

from typing import Any

import numpy as np

from training.tasks import recall
from ui.words import article, percent, spaced

SURE = 0.99  # the accuracy from which on it is said to name a digit
RIGHT = 0.995  # the accuracy from which on a network stays right
ERRORS = 3  # standard errors within which an accuracy can't be told from that of a guess
HALF = 0.5  # a network that gives no other digit as much is in doubt; with more it names that one


def notes(sequence: list[int], forwards: np.ndarray, backwards: np.ndarray | None) -> list[str]:
    """For each time step what the network believes there, in both directions where there are two."""
    return [
        f"{digit} is heard. {_best(forwards[t], 'Had the sequence ended here')}"
        + ("" if backwards is None else f" {_best(backwards[t], 'Had it begun here')}")
        for t, digit in enumerate(sequence)
    ]


def notice(sequence: list[int], index: int, belief: np.ndarray) -> str:
    """One sentence on when the network knew the digit at `index`, and whether it kept it.

    `belief` (T, 10) is what it believed after each digit; digits are counted from 1 here, as people do.
    """
    truth, answers = sequence[index], belief.argmax(axis=1)
    heard = answers[index:] == truth
    rest = len(heard) - 1
    if not heard.any():
        return f"It never knew: after no digit from the {_th(index + 1)} on did it believe in {article(truth)}."
    if heard.all():
        kept = "" if not rest else f" and kept it for {_times(rest)}"
        return f"It knew as soon as it heard the {_th(index + 1)} digit{kept}."
    if heard[-1]:
        return _came_to_know(index, belief, heard)
    lost = index + int(heard.argmin())
    if heard[0] and not (answers[lost:] == truth).any():
        then = article(int(answers[lost]))
        return f"It knew for a while, and lost it when it heard the {_th(lost + 1)} digit: it then believed in {then}."
    some = _share(int(heard.sum()), index, len(heard))
    return f"{some} it named the right one, and after the last it named {article(int(answers[-1]))}."


def _came_to_know(index: int, belief: np.ndarray, heard: np.ndarray) -> str:
    """What came before it named the right digit in the end: doubt, or other digits.

    `heard` says for each digit from `index` on whether the right one was named after it; not for all.
    """
    wrong = index + np.flatnonzero(~heard)
    since, peak = _th(int(wrong[-1]) + 2), belief[wrong].max()
    if peak < HALF:
        return f"It was in doubt for a while, and settled on the right digit after the {since}."
    others = "another digit" if len(wrong) == 1 else "other digits"
    named = f"it named {others}, at up to {int(100 * peak)}\N{NO-BREAK SPACE}%"
    return f"{_share(len(wrong), index, len(heard))} {named}; from the {since} on it names the right one."


def _share(some: int, index: int, steps: int) -> str:
    """After how many of the digits from `index` on."""
    return f"After {'one' if some == 1 else some} of the {steps} digits from the {_th(index + 1)} on"


def trained_lengths(data: dict[str, Any]) -> tuple[int, int]:
    """The shortest and the longest sequence that a network with these settings was trained on.

    Where the index is fixed every sequence holds it.
    """
    shortest, longest = data["shortest"], data["longest"]
    return (shortest if recall.query(data) == "any" else max(shortest, data["index"] + 1)), longest


def span(trained: tuple[int, int]) -> str:
    """The trained lengths in words: "3 to 10", or "10" where there is one only."""
    shortest, longest = trained
    return f"{shortest} to {longest}" if shortest < longest else f"{longest}"


def outside(length: int, trained: tuple[int, int]) -> str | None:
    """A sentence where a sequence has a length that the network was never trained on, else None."""
    shortest, longest = trained
    if shortest <= length <= longest:
        return None
    extent = "short" if length < shortest else "long"
    return f"This network was trained on sequences of {span(trained)} digits, none as {extent} as this one."


def shaded(trained: tuple[int, int]) -> str:
    """What is shaded in a chart against the length."""
    shortest, longest = trained
    return f"the trained lengths, {span(trained)}" if shortest < longest else f"{longest}, the only trained length"


def beyond(rows: list[dict[str, float]], trained: tuple[int, int], samples: int) -> str:
    """One sentence on what becomes of the accuracy at lengths that the network was not trained on.

    `rows` of length and accuracy ascend in length; each accuracy is measured on as many samples.
    """
    shortest, longest = trained
    untrained = [row for row in rows if row["length"] > longest]
    if not untrained:
        return f"It was trained on every length up to the {longest} digits that fit this page."
    worst = min(untrained, key=lambda row: row["accuracy"])
    if worst["accuracy"] >= RIGHT:
        return f"It stays right far beyond the {longest} digits it was trained on."
    start = f"Trained on {longest} digits only" if shortest == longest else f"Trained on up to {longest} digits"
    chance = 1 / recall.CLASSES
    guessing = chance + ERRORS * (chance * (1 - chance) / samples) ** 0.5
    better = [row["length"] for row in rows if row["accuracy"] > guessing]
    guessed = [int(row["length"]) for row in untrained if row["length"] > max(better, default=0)]
    if not guessed:
        return f"{start}, its accuracy falls to {percent(worst['accuracy'])} at {worst['length']} digits."
    where = f"from {guessed[0]} digits on" if len(guessed) > 1 else f"with {guessed[0]} digits"
    return f"{start}, it does no better than chance ({spaced(f'{chance:.0%}')}, within the sampling error) {where}."


def kept(sequence: list[int], recollections: np.ndarray) -> np.ndarray:
    """(indices, T): for each index the probability of the digit there, had the network been asked after each digit.

    `recollections` (10, T, 10) is what a network that is told the index would have answered.
    """
    named = min(len(sequence), len(recollections))
    return np.stack([recollections[index, :, sequence[index]] for index in range(named)])


def reach(rows: list[dict[str, float]]) -> str:
    """One sentence on how many digits a network that is told the index can keep.

    `rows` of index, length and accuracy hold every index of every length, in ascending order of lengths.
    """
    shares: dict[float, list[float]] = {}
    for row in rows:
        shares.setdefault(row["length"], []).append(row["accuracy"])
    right = [length for length, found in shares.items() if min(found) >= SURE]
    longest = max(shares)
    end = f"with {longest} digits {percent(float(np.mean(shares[longest])))} of its answers are right."
    if not right:
        return f"At no length does it name the digit at every index; {end}"
    first = last = right[0]
    while last + 1 in right:
        last += 1
    lengths = f"{first} to {last}" if first < last else f"{last}"
    return f"It names the digit at every index of sequences of {lengths} digits; {end}"


def _best(row: np.ndarray, condition: str) -> str:
    best = int(row.argmax())
    return f"{condition}, it would say {best} ({percent(row[best])})."


def _th(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if number <= len(words):
        return words[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _times(steps: int) -> str:
    return "one more digit" if steps == 1 else f"{steps} more digits"
