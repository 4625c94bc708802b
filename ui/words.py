"""Numbers and settings as people read them, on all pages."""

import re
from typing import Any

# Names of settings, and values that are words, which people write in another way than the command line.
_WORDS = {
    "num_layers": "layers",
    "query": "index asked for",
    "length": "bits of each number",
    "shortest": "shortest sequence",
    "longest": "longest sequence",
    "num_batches": "generated batches",  # of data: an optimiser step has a batch size of its own
    "elements_in_batch": "sequences per generated batch",
    "seed": "random seed",
    "seeds": "number of seeds",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "bce": "binary cross-entropy",
    "mse": "mean squared error",
    "cross_entropy": "cross-entropy",
    "mnist": "MNIST",
    "mnist+pen": "MNIST and pen strokes",
    "sklearn": "scikit-learn's digits",
    "distort": "distorted",
    "fixed": "always the same",
    "final": "final states",
    "last": "last output",
    "every": "every output",
    "pooled": "pooled outputs",
}


def in_words(value: Any) -> str:
    """A setting's name or value: "rnn" is "RNN", "label_smoothing" is "label smoothing", True is "yes"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _WORDS.get(value) or str(value).replace("_", " ")


def cell_name(cell: str, bidirectional: bool) -> str:
    """A kind of network where there is little room: "RNN", "BiLSTM"."""
    return f"{'Bi' if bidirectional else ''}{cell.upper()}"


def metric_in_words(metric: str) -> str:
    """A metric's name as people say it: "all_pairs_sum_accuracy" is "whole-sum accuracy on all pairs"."""
    if metric == "lowest_accuracy":
        return "accuracy at the worst index and length"
    name = metric.removeprefix("all_pairs_").replace("sum_", "whole-sum ").replace("_", " ")
    return f"{name} on all pairs" if metric.startswith("all_pairs_") else name


def escaped(text: str) -> str:
    """Text that someone typed, or that came with a link, for a place where Markdown is read: it says what it is."""
    return re.sub(r"([\\`*_\[\]<>$~]|:(?=\w))", r"\\\1", text)


def percent(probability: float) -> str:
    """A probability as people read it; 100.0 % is left to what is certain."""
    return spaced("over 99.9%" if 0.9995 <= probability < 1 else f"{probability:.1%}")


def spaced(text: str) -> str:
    """The text with a space before each per cent sign, at which no line breaks."""
    return text.replace("%", "\N{NO-BREAK SPACE}%")


def article(digit: int) -> str:
    """The digit with its article: "a 7", "an 8"."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


def verdict(answer: int, truth: int) -> str:
    """Whether a digit is right, by sign, word and colour."""
    if answer == truth:
        return ":green[:material/check_circle: right]"
    return f":red[:material/cancel: wrong, it is {article(truth)}]"


def duration(seconds: float) -> str:
    """A span of time as people say it: "12 s", "3 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
