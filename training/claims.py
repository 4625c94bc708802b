"""The lab report's conclusions, each judged by what `training.report` measured. Results in, sentences out.

A claim that one setting beats another is put to a paired t-test over seeds (`training.statistics.paired`), at 5 %, two
sided. A claim that a setting solves a task is put to a count of the seeds that do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from training import reported
from training.statistics import Mean, Paired, mean, paired

HOLDS, FAILS, DEPENDS = "holds", "does not hold", "depends on the seed"
# A setting solves a task when at least this share of its seeds do; it does not when at most the rest do.
MOST = 0.95
PERFECT = 1.0
Results = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """`text` is the report's conclusion; `verdict` one of the three; `because` says in a sentence what was found."""

    text: str
    verdict: str
    because: str
    test: str


T_TEST = "paired t-test over seeds, two sided, at 5 %"
COUNT = f"share of the seeds; “most” means at least {MOST:.0%}".replace("%", " %")


def of_all(comparisons: Iterable[Paired]) -> str:
    """Holds when the first is better in every comparison, does not when the second is in any; else it depends."""
    better = [comparison.better for comparison in comparisons]
    if any(each < 0 for each in better):
        return FAILS
    return HOLDS if all(each > 0 for each in better) else DEPENDS


def of_share(share: float) -> str:
    """Holds when most seeds do what is claimed, does not when hardly any does."""
    return HOLDS if share >= MOST else FAILS if share <= 1 - MOST else DEPENDS


def share(values: list[float], reached: float = PERFECT) -> float:
    """The share of the seeds that reach a value."""
    return sum(value >= reached for value in values) / len(values)


def percent(number: float, digits: int = 1) -> str:
    """A fraction in per cent."""
    return f"{100 * number:.{digits}f}\N{NO-BREAK SPACE}%"


def interval(measured: Mean) -> str:
    """ "98.7 % [98.6, 98.8], n = 5"."""
    return f"{percent(measured.mean)} [{100 * measured.low:.1f}, {100 * measured.high:.1f}], n = {measured.n}"


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
    others = {name: paired(gru, _digits(results, name, 0.0)) for name in ("RNN", "BiLSTM")}
    because = "; ".join(against("GRU", name, comparison) for name, comparison in others.items())
    return Claim("The unregularised GRU is the best of the three", of_all(others.values()), because + ".", T_TEST)


def unregularised_is_better(results: Results) -> Claim:
    """Section 3.1: for all three networks."""
    networks = ("RNN", "GRU", "BiLSTM")
    found = {name: paired(_digits(results, name, 0.0), _digits(results, name, 1e-3)) for name in networks}
    because = "; ".join(against(f"{name} without", "with weight decay", each) for name, each in found.items())
    return Claim(
        "Networks without regularisation read better than with it", of_all(found.values()), because + ".", T_TEST
    )


def recall_needs_ten(results: Results) -> Claim:
    """Section 3.2.4: only 10 hidden units reach 100 %."""
    shares = {size: share(find(results["rows"], hidden_size=size, readout="final")["test"]) for size in (2, 5, 10)}
    needed = 1 - shares[5] if shares[10] >= MOST else 0.0
    because = "; ".join(f"with {size} hidden units {percent(part, 0)} of the seeds do" for size, part in shares.items())
    return Claim(
        "Ten hidden units are needed to recall without a mistake",
        of_share(needed),
        f"Reading every test sequence correctly: {because}.",
        COUNT,
    )


def final_states_recall(results: Results) -> Claim:
    """Ours: which of the two read-outs the report used decides about its 47.0 %."""
    by = {name: find(results["rows"], hidden_size=2, readout=name)["test"] for name in ("final", "last")}
    comparison = paired(by["final"], by["last"])
    because = (
        f"With 2 hidden units: {interval(mean(by['final']))} when both directions are read where they end, "
        f"{interval(mean(by['last']))} when both are read at the last digit, where the backward one has seen one digit"
    )
    text = "A bidirectional network recalls better when each direction is read where it ends (not in the report)"
    return Claim(text, of_all([comparison]), f"{because}; {against('final', 'last', comparison)}.", T_TEST)


CELLS, SIZES = ("rnn", "gru", "lstm"), (2, 5, 10)
NAMES = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


def _adders(results: Results, measure: Callable[[Row], list[float]], **wanted: Any) -> list[float]:
    return measure(find(results["rows"], **wanted))


def _bits(row: Row) -> list[float]:
    return row["test"]


def mse_beats_bce(results: Results) -> Claim:
    """Section 3.3.4: at every hidden size."""
    found = {
        f"{NAMES[cell]} of {size}": paired(
            _adders(results, _bits, cell=cell, hidden_size=size, loss="mse"),
            _adders(results, _bits, cell=cell, hidden_size=size, loss="bce"),
        )
        for cell in CELLS
        for size in SIZES
    }
    better, worse = ([name for name, each in found.items() if each.better == sign] for sign in (1, -1))
    because = (
        f"Of nine comparisons (three cells, three sizes) MSE is better in {len(better)}{_listed(better)}, "
        f"BCE in {len(worse)}{_listed(worse)}, and {9 - len(better) - len(worse)} show no difference beyond chance. "
        f"{against('MSE', 'BCE', found['LSTM of 2'])} (LSTM of 2)."
    )
    return Claim("MSE gives better bit accuracy than BCE at every hidden size", of_all(found.values()), because, T_TEST)


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def ten_is_perfect(results: Results) -> Claim:
    """Section 3.3.4: both losses reach 100 % with 10 hidden units."""
    shares = {
        f"{NAMES[cell]}, {loss.upper()}": share(_adders(results, _bits, cell=cell, hidden_size=10, loss=loss))
        for cell in CELLS
        for loss in ("bce", "mse")
    }
    because = "; ".join(f"{name}: {percent(part, 0)}" for name, part in shares.items())
    text = "With ten hidden units and either loss every bit of the test sums is right"
    return Claim(text, of_share(min(shares.values())), f"Share of seeds without a wrong bit: {because}.", COUNT)


def bce_needs_more(results: Results) -> Claim:
    """Section 3.3.5: BCE needs a larger hidden size than MSE."""
    smallest = {loss: {cell: _smallest(results, cell, loss) for cell in CELLS} for loss in ("bce", "mse")}
    needs = [smallest["bce"][cell] > smallest["mse"][cell] for cell in CELLS]
    verdict = HOLDS if all(needs) else DEPENDS if any(needs) else FAILS
    said = "; ".join(
        f"{NAMES[cell]}: BCE {_size(smallest['bce'][cell])}, MSE {_size(smallest['mse'][cell])}" for cell in CELLS
    )
    because = f"The smallest of the three sizes with which most seeds add the test sums without a wrong bit: {said}."
    return Claim("BCE needs a larger hidden size than MSE", verdict, because, COUNT)


def _smallest(results: Results, cell: str, loss: str) -> float:
    sizes = (size for size in SIZES if share(_adders(results, _bits, cell=cell, hidden_size=size, loss=loss)) >= MOST)
    return next(sizes, float("inf"))


def _size(size: float) -> str:
    return "none" if size == float("inf") else str(size)


def small_mse_generalises(results: Results) -> Claim:
    """Section 3.3.5: MSE with 2 hidden units adds every length, with 5 and 10 it is overfitted to 5 bits."""
    kind = "random numbers"

    def longest(row: Row) -> list[float]:
        return row["longest"][kind]

    found, shares = [], []
    for cell in CELLS:
        small, *large = (_adders(results, longest, cell=cell, hidden_size=size, loss="mse") for size in SIZES)
        found += [paired(small, each) for each in large]
        counts = ", ".join(f"{size}: {percent(share(v), 0)}" for size, v in zip(SIZES, (small, *large), strict=True))
        shares.append(f"{NAMES[cell]} of {counts}")
    because = (
        f"Share of the seeds that add random numbers of {results['longest']} bits without a mistake: "
        f"{'; '.join(shares)}. At lengths never trained on the larger networks do better than the "
        "smallest, not worse."
    )
    if of_all(found) != FAILS:
        because = because.rpartition(" At lengths")[0]
    text = "MSE with 2 hidden units adds numbers of every length; with 5 and 10 it is overfitted to 5 bits"
    return Claim(text, of_all(found), because, T_TEST + " on whole-sum accuracy")


def perfect_is_correct(results: Results) -> Claim:
    """Ours: an adder that is right on all random numbers adds everything."""
    perfect = fooled = 0
    for row in results["rows"]:
        both = zip(row["longest"]["random numbers"], row["longest"]["carry chains"], strict=True)
        for random, chains in both:
            perfect += random >= PERFECT
            fooled += random >= PERFECT > chains
    because = (
        f"Of {perfect} networks that add every random pair of {results['longest']} bits, {fooled} "
        f"({percent(fooled / max(perfect, 1), 0)}) fail on a carry chain of that length."
    )
    verdict = of_share(1 - fooled / max(perfect, 1))
    return Claim(
        "An adder that is right on random numbers of 64 bits is right (not in the report)", verdict, because, COUNT
    )
