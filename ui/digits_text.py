"""What the Digits page says, worked out from the belief and the networks' cards. Arrays in, sentences out."""

from typing import Any

import numpy as np

from ui.equations import EQUATIONS, MEANINGS, symbols
from ui.words import article, cell_name, percent, spaced

SURE = 0.9  # a network that gives a class at least this probability is called sure of it
TRACE = 0.001  # a digit with less than this probability is not worth a word
EARLY = 3  # rows with ink after which being sure is worth remarking on


# {{ and }} are the braces of formulas.
HOW_IT_WORKS = r"""**Row by row.** To a [recurrent network](https://en.wikipedia.org/wiki/Recurrent_neural_network) an
image is a sequence: at time step $t$ it gets row $t$, which is {rows} numbers between 0 (paper) and 1 (ink).
{reading}

**The cell.** {meaning}

$$
{equations}
$$

{symbols}

**Answer and belief.** {answer} *Belief* asks the same question early: which
probabilities would the network give had the image ended after row $t$? It was trained on whole images only, so nobody
taught it what to say halfway. *Sure* means here: at least {sure}, and so until the end.

**In both directions.** {both} Had the image ended after row $t$, the half that reads upwards would have
begun there. So for its belief the lab runs it {rows} times: on the first row, on the first two, and so on.

**L2** (weight decay) adds a small multiple of each weight, here {weight_decay:g} times it, to its gradient, which pulls
all weights towards zero at every optimiser step. It is meant to keep a network from learning its training images by
heart; the pairs in the table show what it did here, where training lasted {epochs} epochs."""


ONE_WAY = """It sees every row once and never looks back. All that it takes along from row to row is {state}."""
TWO_WAYS = """This network does so twice: one half of it reads the rows from top to bottom, the other from bottom to
top. All that a half takes along from row to row is {state}."""
TWO_IN_ONE = """A bidirectional network is two in one: one half reads the rows from top to bottom, the other from bottom
to top, and the answer is read from the states of both."""

# Braces around a whole formula keep it on one line.
LAST_STATE = r"""A linear layer makes ten *logits* of {states}, one per digit, and *softmax* makes probabilities of
them: ${{p = \mathrm{{softmax}}(W {formula} + b)}}$."""
POOLED = r"""A linear layer makes ten *logits*, one per digit, of the largest and the mean value that each unit of the
last layer had over all rows, and *softmax* makes probabilities of them: ${{p = \mathrm{{softmax}}(W\,[\max_t h_t;
\tfrac{{1}}{{{rows}}} \sum_t h_t] + b)}}$. So what a unit saw early on counts even if its state has lost it since."""
CALIBRATED = r"""

**How sure?** In the end all logits were divided by one number, the *temperature* {temperature:.2f}, chosen on
validation data, so that the network is as sure as it is right (Guo et al., 2017). It was shown scribbles, too, of which
it learned that every digit is as likely as any other. Where the likeliest one is less probable than {threshold}, the
page says that this does not look like a digit."""


READ_OUT = {  # of a network that reads in both directions
    "final": "the last state of each half: each has seen the whole image then",
    "pooled": "all states of both halves",
    "last": "the states at the last row, where the half that reads upwards has seen that row only",
}


def notes(belief: np.ndarray) -> list[str]:
    """For each row of `belief` (rows, 10): its two most probable digits, the second where it is worth a word."""
    none = spaced("no other above 0.1%.")
    return [
        f"{best} at {percent(row[best])}, "
        + (f"in second place {second} at {percent(row[second])}." if row[second] >= TRACE else none)
        for row, best, second in _top(belief)
    ]


def opinions(beliefs: dict[str, np.ndarray]) -> list[str]:
    """For each row what every network, by its name, would answer; `beliefs` are each (rows, 10), as above."""
    answers = [belief.argmax(axis=1).tolist() for belief in beliefs.values()]
    rows = (zip(beliefs, row, strict=True) for row in zip(*answers, strict=True))
    return [", ".join(f"{name} {answer}" for name, answer in row) + "." for row in rows]


def notice(image: np.ndarray, belief: np.ndarray) -> str:
    """One sentence on how the answer came about.

    `image` (rows, columns) has ink > 0, and `belief` (rows, 10) is what the network believed after each row. Rows are
    counted from 1. What it believed before the first ink says nothing about the drawing and is left out.
    """
    inked = np.flatnonzero(image.max(axis=1) > 0)
    if not len(inked):
        return "There is no ink, so this is what the network guesses having seen nothing."
    answers, final = belief.argmax(axis=1), int(belief[-1].argmax())
    doubts = np.flatnonzero((answers != final) | (belief[:, final] < SURE))
    sure = max(int(inked[0]), doubts[-1] + 1 if len(doubts) else 0)
    if sure == len(belief):
        when = "Not sure in the end" if (belief[inked[0] :] >= SURE).any() else "Never sure"
        return f"{when}: after the last row it reads {notes(belief)[-1]}"
    return f"Sure of {final} {_when(sure, inked)}{_before(answers, belief, int(inked[0]))}."


def _when(sure: int, inked: np.ndarray) -> str:
    """From which row on it was sure; `sure` counts from 0, the sentence from 1."""
    read = int((inked <= sure).sum())
    if sure > inked[-1]:
        return f"only from row {sure + 1} on, below the last ink"
    if read <= EARLY:
        return f"from row {sure + 1} on, having seen {'one row' if read == 1 else f'{read} rows'} of ink"
    return f"from row {sure + 1} on"


def _before(answers: np.ndarray, belief: np.ndarray, first: int) -> str:
    """What it read from the first row with ink, `first`, until it settled on the answer."""
    others = np.flatnonzero(answers[first:] != answers[-1]) + first
    if not len(others):
        return "; since the first ink it has read nothing else"
    last = int(others[-1])
    other = int(answers[last])
    start = first + max(np.flatnonzero(answers[first:last] != other) + 1, default=0)
    peak = int(100 * belief[start : last + 1, other].max())
    changes = int((np.diff(answers[first:]) != 0).sum())
    count = "" if changes == 1 else f", after {changes} changes of mind"
    most = "" if start == last else "up to "
    return f"{count}; {_rows(start, last, first)} it read {article(other)}, at {most}{peak}\N{NO-BREAK SPACE}%"


def _rows(start: int, last: int, first: int) -> str:
    """The rows from `start` to `last`, counted from 0; what began with the first ink needs no beginning."""
    if start == first:
        return f"until row {last + 1}"
    return f"in row {last + 1}" if start == last else f"in rows {start + 1} to {last + 1}"


def nickname(card: dict[str, Any]) -> str:
    """A network's name where there is little room: "BiLSTM L2"; "Best reader" for the one that was taught drawings."""
    if card.get("data", {}).get("dataset") == "mnist+pen":
        return "Best reader"
    cell = cell_name(card["cell"], card["bidirectional"])
    return f"{cell} L2" if card["weight_decay"] else cell


def how_it_works(card: dict[str, Any], decayed: dict[str, Any]) -> str:
    """How the network with this card reads, in Markdown with KaTeX; `decayed` is the card of one trained with L2."""
    text = HOW_IT_WORKS.format(
        reading=(TWO_WAYS if card["bidirectional"] else ONE_WAY).format(state=_state(card)),
        answer=_answer(card),
        both=f"The answer is read from {READ_OUT[card['readout']]}." if card["bidirectional"] else TWO_IN_ONE,
        rows=card["input_size"],
        meaning=MEANINGS[card["cell"]],
        equations=EQUATIONS[card["cell"]],
        symbols=symbols(card["cell"]),
        sure=spaced(f"{SURE:.0%}"),
        weight_decay=decayed["weight_decay"],
        epochs=decayed["epochs"],
    )
    return text + _calibrated(card)


def _state(card: dict[str, Any]) -> str:
    """What a network with this card, or half of it where it reads both ways, takes along from row to row."""
    H, layers, lstm = card["hidden_size"], card["num_layers"], card["cell"] == "lstm"
    state = "its hidden state $h_t$ and its cell state $c_t$" if lstm else "its hidden state $h_t$"
    below = "both halves of the one below it" if card["bidirectional"] else "the one below it"
    many = f" in each of its {layers} layers, of which every layer reads {below}" if layers > 1 else ""
    return f"{state}: {H} numbers{' each' * lstm}{many}"


def _answer(card: dict[str, Any]) -> str:
    """What the answer of a network with this card is worked out from."""
    rows = card["input_size"]
    if card["readout"] == "pooled":
        return POOLED.format(rows=rows)
    if not card["bidirectional"]:
        return LAST_STATE.format(states="the last hidden state", formula=f"h_{{{rows}}}")
    final = card["readout"] == "final"
    formula = rf"[\overrightarrow{{h}}_{{{rows}}}; \overleftarrow{{h}}_{{{1 if final else rows}}}]"
    states = "the last hidden state of each half" if final else "the hidden states at the last row"
    return LAST_STATE.format(states=states, formula=formula)


def _calibrated(card: dict[str, Any]) -> str:
    """What was done about a network's confidence, where something was."""
    if "temperature" not in card:
        return ""
    threshold = spaced(f"{card['refusal_threshold']:.0%}")
    return CALIBRATED.format(temperature=card["temperature"], threshold=threshold)


def accuracy_table(cards: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of description -> card: accuracy on MNIST's test images, ours and the report's."""
    rows = [f"| {name} | {_accuracies(card)} |" for name, card in cards.items()]
    return "\n".join(["| network | test accuracy | lab report |", "|:--|--:|--:|", *rows])


def refused(card: dict[str, Any], probabilities: np.ndarray) -> np.ndarray:
    """Whether probabilities (..., classes) are too low for an answer of a network that may refuse: (...) bool."""
    return probabilities.max(axis=-1) < card.get("refusal_threshold", 0.0)


def comparison_table(cards: dict[str, dict[str, Any]], answers: list[np.ndarray], label: int | None) -> str:
    """A Markdown table of name -> card and probabilities (10,) for one image, right or wrong where that is known."""
    rows = ["| network | answer | test accuracy | lab report |", "|:--|:--|--:|--:|"]
    for (name, card), probabilities in zip(cards.items(), answers, strict=True):
        best = int(probabilities.argmax())
        sign = "" if label is None else " :green[✓]" if best == label else " :red[✗]"
        answer = f"**{best}** at {percent(probabilities[best])}{sign}"
        if refused(card, probabilities):
            answer = f"no digit ({best} at {percent(probabilities[best])})"
        rows.append(f"| {name} | {answer} | {_accuracies(card)} |")
    return "\n".join(rows)


def on_what(card: dict[str, Any]) -> str:
    """What the accuracy was measured on, where that is not MNIST: nobody is to compare the two."""
    return " on scikit-learn's digits" if card.get("data", {}).get("dataset") == "sklearn" else ""


def drawn_accuracy(card: dict[str, Any]) -> str:
    """How good a network is with drawings, where it was examined with them."""
    metrics = card["metrics"]
    if "drawn_accuracy" not in metrics:
        return ""
    return spaced(
        f"It reads {metrics['drawn_accuracy']:.2%} of drawings by people it never saw correctly, and refuses "
        f"{metrics['refused_digits']:.1%} of MNIST's test images and {metrics['refused_scribbles']:.0%} of scribbles."
    )


def _accuracies(card: dict[str, Any]) -> str:
    report = f"{card['report']:.1%}" if card.get("report") else ""
    return spaced(f"{card['metrics']['accuracy']:.2%}{on_what(card)} | {report}")


def _top(belief: np.ndarray) -> list[tuple[np.ndarray, int, int]]:
    orders = np.argsort(-belief, axis=1, kind="stable")
    return [(row, int(order[0]), int(order[1])) for row, order in zip(belief, orders, strict=True)]
