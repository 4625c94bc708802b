"""What the tab Look inside says, worked out from arrays."""

from collections.abc import Sequence

import numpy as np

from models.fixed_points import FixedPoint
from models.network import Network
from models.trace import Trace


def correlations(states: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """How each unit (T, H) goes along with the signal (T,): Pearson's correlation, 0 where one of both is constant."""
    deviations, wanted = states - states.mean(axis=0), signal - signal.mean()
    sizes = np.linalg.norm(deviations, axis=0) * np.linalg.norm(wanted)
    return np.divide(wanted @ deviations, sizes, out=np.zeros(states.shape[1]), where=sizes > 1e-12)


def sums(network: Network, trace: Trace, layer: int, backward: int, unit: int) -> list[str]:
    """For each time step the cell's last equation with the real numbers of one unit in it."""
    h = trace.hidden[layer, backward, :, unit]
    before = _before(h, backward)
    gates = {name: values[layer, backward, :, unit] for name, values in trace.gates.items()}
    if network.cell == "rnn":
        return [
            f"h = tanh({signed(a)}) = {signed(b)}; before it was {signed(c)}."
            for a, b, c in zip(_inside(network, trace, layer, backward, unit), h, before, strict=True)
        ]
    if network.cell == "gru":
        r, z, n = gates["reset"], gates["update"], gates["candidate"]
        return [
            f"r = {r[t]:.2f}, z = {z[t]:.2f}, n = {signed(n[t])}: h = (1 − {z[t]:.2f}) · {factor(n[t])} + "
            f"{z[t]:.2f} · {factor(before[t])} = {signed(h[t])}."
            for t in range(len(h))
        ]
    c = trace.cell[layer, backward, :, unit]
    kept = _before(c, backward)
    i, f, g, o = (gates[name] for name in ("input", "forget", "candidate", "output"))
    return [
        f"c = {f[t]:.2f} · {factor(kept[t])} + {i[t]:.2f} · {factor(g[t])} = {signed(c[t])}; h = {o[t]:.2f} · "
        f"tanh({signed(c[t])}) = {signed(h[t])}."
        for t in range(len(h))
    ]


def _before(states: np.ndarray, backward: int) -> np.ndarray:
    """The states (T, ...) that each time step begins with: those of the one before it, or 0."""
    start = np.zeros_like(states[:1])
    return np.concatenate([states[1:], start] if backward else [start, states[:-1]])


def _inside(network: Network, trace: Trace, layer: int, backward: int, unit: int) -> np.ndarray:
    """What a plain RNN's unit takes the tanh of at each time step (T,): W_ih x + b_ih + W_hh h + b_hh."""
    weight_ih, weight_hh, bias_ih, bias_hh = (
        each.detach().numpy()[unit] for each in network.parameters_of(layer, backward)
    )
    states = _before(trace.hidden[layer, backward], backward)
    return trace.read_by(layer) @ weight_ih + bias_ih + states @ weight_hh + bias_hh


def signed(number: float) -> str:
    """A number with two decimals and a real minus sign."""
    return f"{number:.2f}".replace("-", "−")


def factor(number: float) -> str:
    """The same within a product: a negative one in brackets."""
    text = signed(number)
    return f"({text})" if text.startswith("−") else text


def vanishing(norms: dict[str, np.ndarray]) -> str:
    """How far each network's gradient (T,) has fallen from its largest to its first time step, in a sentence."""
    parts = []
    for name, values in norms.items():
        largest = values.max()
        if largest == 0:
            parts.append(f"{name}: the answer does not depend on it")
        elif values[0] == 0:
            parts.append(f"{name}: the first step is out of reach")
        else:
            parts.append(f"{name}: {_weaker(largest / values[0])}")
    return f"The gradient with respect to h at the first step, compared with where it is strongest. {'; '.join(parts)}."


def _weaker(ratio: float) -> str:
    if ratio < 1.05:
        return "just as strong"
    return f"{f'{ratio:.1f}' if ratio < 10 else f'{ratio:,.0f}' if ratio < 1e6 else f'{ratio:.0e}'} times weaker"


def changes(names: list[str], unchanged: np.ndarray, answers: np.ndarray, right: Sequence[Sequence[int] | None]) -> str:
    """Which changes of the input change what is said, and whether that is right, of those of which it is known.

    `unchanged` (K,) and `answers` (N, K) as said after rounding, `right` N answers.
    """
    other = [name for name, answer in zip(names, answers, strict=True) if not np.array_equal(answer, unchanged)]
    return " ".join(filter(None, (_altered(names, other), _judged(names, answers, right))))


def _altered(names: list[str], other: list[str]) -> str:
    if not other:
        return f"None of these {len(names)} changes alters the answer."
    if len(other) == len(names) > 1:
        return f"Each of these {len(names)} changes alters the answer."
    return f"{len(other)} of {len(names)} changes alter the answer: {_listed(other)}."


def _judged(names: list[str], answers: np.ndarray, right: Sequence[Sequence[int] | None]) -> str:
    judged = [
        (name, np.array_equal(answer, true)) for name, answer, true in zip(names, answers, right, strict=True) if true
    ]
    wrong = [name for name, is_right in judged if not is_right]
    if not judged:
        return ""
    if not wrong:
        return f"All {len(judged)} changed inputs are answered correctly."
    return f"{len(wrong)} of {len(judged)} changed inputs are answered wrongly: {_listed(wrong)}."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (" and more" if len(names) > 6 else "")


def rests(points: list[FixedPoint]) -> str:
    """How many fixed points there are, and what they say about what the layer can remember."""
    if not points:
        return "**No fixed point** was found near these states: under this input the layer moves on."
    return f"**{len(points)} fixed {'point' if len(points) == 1 else 'points'} found.** {_stability(points)}"


def _stability(points: list[FixedPoint]) -> str:
    stable, neutral = (sum(point.kind == kind for point in points) for kind in ("stable", "neutral"))
    if neutral:
        which = "It is" if len(points) == 1 else f"{neutral} {'is' if neutral == 1 else 'are'}"
        which = "All of them are" if neutral == len(points) > 1 else which
        return (
            f"{which} neutral: a small change there neither dies out nor grows. So there are many more such states, "
            "and under this input the layer stays in whichever of them it is."
        )
    if stable == 0:
        which = "It is not" if len(points) == 1 else "None of them is"
        return f"{which} stable: under this input the layer keeps moving, in a cycle or more wildly."
    if stable == 1:
        which = "It" if len(points) == 1 else "One of them"
        return f"{which} is stable: left alone with this input, the layer ends there and forgets what it had read."
    return f"{stable} of them are stable: under this input the layer can stay in {stable} places, and so remember."
