"""The lab report's conclusions, each judged by what `training.report` measured. Results in, sentences out.

A claim that one setting beats another is put to a paired t-test over seeds (`training.statistics.paired_together`), at
5 %, two sided, corrected for the number of comparisons. A claim that a setting solves a task is put to a count of the
seeds that do. `RULE` says how verdicts follow from them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from models.network import CELLS
from training import reported
from training.statistics import SIGNIFICANT, Mean, Paired, mean, paired_together

HOLDS, FAILS, DEPENDS = "holds", "does not hold", "depends on the seed"
# A setting solves a task when at least this share of its seeds do; it does not when at most the rest do.
MOST = 0.95
PERFECT = 1.0
# With fewer seeds than these, that none favours a claim happens by chance more often than SIGNIFICANT: 1 in 2^4 is 6 %.
ENOUGH = 5
Results = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A conclusion, as a sentence without its full stop, and how it was judged.

    `verdict` is one of the three; `because` says in a sentence what was found. Where the report does not draw it, but
    we do, it is not `reported`.
    """

    text: str
    verdict: str
    because: str
    test: str
    reported: bool = True


def percent(number: float, digits: int = 1) -> str:
    """A fraction in per cent; no mere rounding makes 100 % of it: 0.9999 is "over 99.9 %"."""
    rounded = f"{100 * number:.{digits}f}"
    if number < PERFECT and float(rounded) == 100:
        rounded = f"over {100 - 10**-digits:.{digits}f}"
    return f"{rounded}\N{NO-BREAK SPACE}%"


T_TEST = "paired t-test over seeds, two sided, at 5 %, with Holm's correction for a claim's comparisons"
COUNT = f"share of the seeds; “most” means at least {percent(MOST, 0)}"
RULE = f"""A claim that one setting *beats* another holds where a paired t-test over seeds says so beyond chance, and
does not hold where it says the reverse. Where the test finds no difference, the seeds are counted. If at most
{percent(1 - MOST, 0)} of them (of {ENOUGH} or more) favour the claim, there is nothing to see, and it does not hold.
Otherwise seeds differ in direction, or are too few to tell: which setting is better depends on the seed. A claim that a
setting *solves* a task holds if at least {percent(MOST, 0)} of its seeds do, and does not if at most
{percent(1 - MOST, 0)} do.

A claim about several settings holds if it holds in each of them, and does not if it fails in any. It takes several
tests, one of which may find something by mere chance: *Holm's correction* raises their p-values so that this happens to
at most {percent(SIGNIFICANT, 0)} of such claims."""


def of_comparison(comparison: Paired) -> str:
    """Whether the first setting beats the second: as the test says, or, where it says neither, as the seeds do.

    To find no difference is not to find that there is none: that takes enough seeds, of which hardly any favours it.
    """
    if comparison.better:
        return HOLDS if comparison.better > 0 else FAILS
    hardly_any = of_share(comparison.wins / comparison.n) == FAILS
    return FAILS if hardly_any and comparison.n >= ENOUGH else DEPENDS


def of_all(verdicts: Iterable[str]) -> str:
    """A claim about several settings holds when it holds in each, does not when it fails in any; else it depends."""
    every = set(verdicts)
    return FAILS if FAILS in every else HOLDS if every == {HOLDS} else DEPENDS


def of_share(share: float) -> str:
    """Holds when most seeds do what is claimed, does not when hardly any does."""
    return HOLDS if share >= MOST else FAILS if share <= 1 - MOST else DEPENDS


def share(values: list[float]) -> float:
    """The share of the seeds that are perfect."""
    return sum(value >= PERFECT for value in values) / len(values)


def ends(measured: Mean) -> tuple[float, float]:
    """Where the interval of a share's mean ends: Student's knows of no bounds, a share has two."""
    return max(measured.low, 0.0), min(measured.high, 1.0)


def interval(measured: Mean) -> str:
    """ "98.7 % [98.6, 98.8], n = 5"."""
    low, high = (percent(end).removesuffix("\N{NO-BREAK SPACE}%") for end in ends(measured))
    return f"{percent(measured.mean)} [{low}, {high}], n = {measured.n}"


def against(first: str, second: str, comparison: Paired) -> str:
    """One comparison in words: the difference, its p-value, and how many seeds go which way."""
    points = 100 * comparison.difference
    p = "p < 0.001" if comparison.p < 0.001 else f"p = {comparison.p:.3f}"
    return (
        f"{first} against {second}: {points:+.2f} points, {p}, better in {comparison.wins} of {comparison.n} seeds"
        + (f", worse in {comparison.losses}" if comparison.losses else "")
    )


def find(rows: list[Row], **wanted: Any) -> Row:
    """The one row with these values. Raises KeyError where there is none."""
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    raise KeyError(f"no result with {wanted}")


def grid_choice(results: Results) -> Claim:
    """Section 3.1: the grid search's choice, here by validation accuracy, for each seed by itself."""
    same, parts, total = [], [], 0
    for network, choice in reported.GRID_CHOICE.items():
        rows = [row for row in results["rows"] if row["network"] == network]
        seeds = range(len(rows[0]["validation"]))
        picks = [max(rows, key=lambda row, seed=seed: row["validation"][seed]) for seed in seeds]
        chosen = [(pick["num_layers"], pick["hidden_size"]) for pick in picks]
        same.append(chosen.count(choice))
        total += len(chosen)
        said = " and ".join(f"{layers} x {hidden}" for layers, hidden in dict.fromkeys(chosen))
        parts.append(f"{network}: {said}")
    return Claim(
        "The best settings are 2 x 128 for the RNN, 2 x 256 for the GRU and 2 x 128 for the BiLSTM",
        of_share(min(same) / len(picks)),  # the claim stands or falls with the network for which it is least true
        f"Chosen by validation accuracy, seed by seed, the best are {'; '.join(parts)} (layers x hidden units). "
        f"{sum(same)} of {total} choices are the report's.",
        COUNT,
    )


def _digits(results: Results, network: str, decay: float) -> list[float]:
    return find(results["rows"], network=network, weight_decay=decay)["test"]


def gru_is_best(results: Results) -> Claim:
    """Section 3.1, Observations."""
    gru = _digits(results, "GRU", 0.0)
    others = paired_together({name: (gru, _digits(results, name, 0.0)) for name in ("RNN", "BiLSTM")})
    because = "; ".join(against("GRU", name, comparison) for name, comparison in others.items())
    verdict = of_all(map(of_comparison, others.values()))
    return Claim("The unregularised GRU is the best of the three", verdict, because + ".", T_TEST)


def unregularised_is_better(results: Results) -> Claim:
    """Section 3.1: for all three networks."""
    networks = ("RNN", "GRU", "BiLSTM")
    found = paired_together({name: (_digits(results, name, 0.0), _digits(results, name, 1e-3)) for name in networks})
    because = "; ".join(against(f"{name} without", "with weight decay", each) for name, each in found.items())
    verdict = of_all(map(of_comparison, found.values()))
    return Claim("Networks without regularisation read better than with it", verdict, because + ".", T_TEST)


def recall_needs_ten(results: Results) -> Claim:
    """Section 3.2.4: only 10 hidden units reach 100 %."""
    shares = {size: share(find(results["rows"], hidden_size=size, readout="final")["test"]) for size in (2, 5, 10)}
    verdict = of_all([of_share(shares[10]), of_share(1 - max(shares[2], shares[5]))])  # ten suffice, and less do not
    because = "; ".join(f"with {size} hidden units {percent(part, 0)} of the seeds do" for size, part in shares.items())
    return Claim(
        "Ten hidden units are needed to recall without a mistake",
        verdict,
        f"Reading every test sequence correctly: {because}.",
        COUNT,
    )


def final_states_recall(results: Results) -> Claim:
    """Ours: which of the two read-outs the report used decides about its 47.0 %."""
    by = {name: find(results["rows"], hidden_size=2, readout=name)["test"] for name in ("final", "last")}
    comparison = paired_together({"final": (by["final"], by["last"])})["final"]
    because = (
        f"With 2 hidden units: {interval(mean(by['final']))} when both directions are read where they end, "
        f"{interval(mean(by['last']))} when both are read at the last digit, where the backward one has seen one digit"
    )
    text = "A bidirectional network recalls better when each direction is read where it ends"
    because += f"; {against('final', 'last', comparison)}."
    return Claim(text, of_comparison(comparison), because, T_TEST, reported=False)


SIZES = (2, 5, 10)


def _adders(results: Results, measure: Callable[[Row], list[float]], **wanted: Any) -> list[float]:
    return measure(find(results["rows"], **wanted))


def _bits(row: Row) -> list[float]:
    return row["test"]


def mse_beats_bce(results: Results) -> Claim:
    """Section 3.3.4: at every hidden size."""
    found = paired_together(
        {
            f"{cell.upper()} of {size}": (
                _adders(results, _bits, cell=cell, hidden_size=size, loss="mse"),
                _adders(results, _bits, cell=cell, hidden_size=size, loss="bce"),
            )
            for cell in CELLS
            for size in SIZES
        }
    )
    verdicts = {name: of_comparison(each) for name, each in found.items()}
    worse = [name for name, each in found.items() if each.better < 0]
    better, fails, depends = (
        [name for name, each in verdicts.items() if each == verdict and name not in worse]
        for verdict in (HOLDS, FAILS, DEPENDS)
    )
    because = (
        f"Of {len(found)} comparisons (three cells, three sizes) MSE is better beyond chance in "
        f"{len(better)}{_listed(better)}, BCE in {len(worse)}{_listed(worse)}. In {len(fails)}{_listed(fails)} hardly "
        f"any seed is better with MSE, and in {len(depends)}{_listed(depends)} seeds differ in direction. "
        f"{against('MSE', 'BCE', found['LSTM of 2'])} (LSTM of 2)."
    )
    text = "MSE gives better bit accuracy than BCE at every hidden size"
    return Claim(text, of_all(verdicts.values()), because, T_TEST)


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def ten_is_perfect(results: Results) -> Claim:
    """Section 3.3.4: both losses reach 100 % with 10 hidden units."""
    shares = {
        f"{cell.upper()}, {loss.upper()}": share(_adders(results, _bits, cell=cell, hidden_size=10, loss=loss))
        for cell in CELLS
        for loss in ("bce", "mse")
    }
    because = "; ".join(f"{name}: {percent(part, 0)}" for name, part in shares.items())
    text = "With ten hidden units and either loss every bit of the test sums is right"
    return Claim(text, of_share(min(shares.values())), f"Share of seeds without a wrong bit: {because}.", COUNT)


def bce_needs_more(results: Results) -> Claim:
    """Section 3.3.5: BCE needs a larger hidden size than MSE. With which cell it does not say, so with each."""
    smallest = {loss: {cell: _smallest(results, cell, loss) for cell in CELLS} for loss in ("bce", "mse")}
    verdict = of_all(_larger(smallest["bce"][cell], smallest["mse"][cell]) for cell in CELLS)
    said = "; ".join(
        f"{cell.upper()}: BCE {_size(smallest['bce'][cell])}, MSE {_size(smallest['mse'][cell])}" for cell in CELLS
    )
    because = f"The smallest of the three sizes with which most seeds add the test sums without a wrong bit: {said}."
    return Claim("BCE needs a larger hidden size than MSE", verdict, because, COUNT)


def _smallest(results: Results, cell: str, loss: str) -> float:
    sizes = (size for size in SIZES if share(_adders(results, _bits, cell=cell, hidden_size=size, loss=loss)) >= MOST)
    return next(sizes, float("inf"))


def _larger(size: float, other: float) -> str:
    """Whether a size is larger than another; of two of which none was large enough nobody knows."""
    return DEPENDS if size == other == float("inf") else HOLDS if size > other else FAILS


def _size(size: float) -> str:
    return "none" if size == float("inf") else str(size)


def small_mse_generalises(results: Results) -> Claim:
    """Section 3.3.5: MSE with 2 hidden units adds every length, with 5 and 10 it is overfitted to 5 bits."""
    kind = "random numbers"

    def longest(row: Row) -> list[float]:
        return row["longest"][kind]

    pairs, shares, generalises = {}, [], []
    for cell in CELLS:
        small, *large = (_adders(results, longest, cell=cell, hidden_size=size, loss="mse") for size in SIZES)
        pairs |= {f"{cell} {size}": (small, each) for size, each in zip(SIZES[1:], large, strict=True)}
        generalises.append(of_share(share(small)))
        counts = ", ".join(
            f"{percent(share(v), 0)} with {size}" for size, v in zip(SIZES, (small, *large), strict=True)
        )
        shares.append(f"{cell.upper()}: {counts}")
    because = (
        f"Share of the seeds that add random numbers of {results['longest']} bits without a mistake, by hidden units: "
        f"{'; '.join(shares)}."
    )
    found = paired_together(pairs).values()
    if all(each.better < 0 for each in found):
        because += " At lengths never trained on the larger networks do better than the smallest, not worse."
    text = "MSE with 2 hidden units adds numbers of every length; with 5 and 10 it is overfitted to 5 bits"
    verdict = of_all([*generalises, *map(of_comparison, found)])
    return Claim(text, verdict, because, f"{T_TEST}, on whole-sum accuracy; and, with 2 hidden units, the {COUNT}")


def perfect_is_correct(results: Results) -> Claim:
    """Ours: an adder that is right on all random numbers adds everything."""
    longest, rows = results["longest"], [row["longest"] for row in results["rows"]]
    both = [pair for row in rows for pair in zip(row["random numbers"], row["carry chains"], strict=True)]
    on_chains = [chains for random, chains in both if random >= PERFECT]
    text = "An adder that is right on random numbers of 64 bits is right on all"
    if not on_chains:
        nobody = f"No network adds every random pair of {longest} bits, so there is none to judge by."
        return Claim(text, DEPENDS, nobody, COUNT, reported=False)
    right = share(on_chains)
    because = (
        f"Of {len(on_chains)} networks that add every random pair of {longest} bits, "
        f"at least {round((1 - right) * len(on_chains))} ({percent(1 - right, 0)}) are wrong all the same: they fail "
        "on a carry chain of that length. Other pairs find more of them; the page Addition looks for those."
    )
    return Claim(text, of_share(right), because, COUNT, reported=False)
