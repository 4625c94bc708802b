"""Recall: name the digit at a fixed index of a sequence of one-hot digits (the report's section 2.1.2)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from training.metrics import evaluate
from training.task import Data, Examples, Option, Settings, Task

CLASSES = 10
SHORTEST, LONGEST = 3, 10
MOST_DIGITS = 30  # that a person may type


def encode(sequence: list[int]) -> Tensor:
    """The digits of one sequence as one-hot rows: (time, 10) float32."""
    return F.one_hot(torch.tensor(sequence, dtype=torch.int64), CLASSES).float()


def parse(text: str) -> list[int]:
    """The digits of a text, with or without commas and blanks between them.

    Raises ValueError, in one sentence, when there are none, too many, or anything else among them.
    """
    digits = "".join(text.replace(",", " ").split())
    others = sorted({character for character in digits if character not in "0123456789"})
    if others:
        raise ValueError(f"Only the digits 0 to 9 can stand in a sequence, not {', '.join(others[:5])}.")
    if not digits:
        raise ValueError("Type at least one digit, such as 7 0 5 3.")
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"A sequence may have up to {MOST_DIGITS} digits, and this one has {len(digits)}.")
    return [int(digit) for digit in digits]


def target(sequence: list[int], index: int) -> int:
    """The digit that the network must name: the one at the 0-based `index`."""
    return sequence[index]


def generate(
    position: int,
    elements_in_batch: int = 50,
    num_batches: int = 1000,
    seed: int = 0,
    shortest: int = SHORTEST,
    longest: int = LONGEST,
) -> list[tuple[Tensor, Tensor]]:
    """Random batches, each of one length drawn uniformly from `shortest` to `longest`.

    Returns pairs of digits (elements_in_batch, length) and targets (elements_in_batch,), both int64. Where the
    position lies beyond the shortest length, the lengths start at position + 1. The same seed gives the same data.
    """
    if not 0 <= position < longest:
        raise ValueError(f"The index must lie between 0 and {longest - 1}, the last of the longest sequence.")
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(max(shortest, position + 1), longest + 1, (num_batches,), generator=generator).tolist()
    batches = [torch.randint(CLASSES, (elements_in_batch, length), generator=generator) for length in lengths]
    return [(digits, digits[:, position]) for digits in batches]


def load_data(settings: Settings) -> Data:
    """80 % of the generated batches to train on, 20 % to test; as many again as the test to validate on."""
    num_batches = settings.data["num_batches"]
    test = num_batches // 5
    batches = generate(
        settings.data["index"],
        settings.data["elements_in_batch"],
        num_batches + test,
        settings.seed,
        settings.data["shortest"],
        settings.data["longest"],
    )
    train, tested, validation = (
        batches[: num_batches - test],
        batches[num_batches - test : num_batches],
        batches[num_batches:],
    )
    return Data(examples(train), examples(validation), examples(tested))


def accuracy_by_length(
    network: Network, index: int, lengths: range, count: int = 500, seed: int = 0
) -> list[dict[str, float]]:
    """The accuracy on `count` random sequences of each length, all of which must hold the index."""
    rows = []
    for length in lengths:
        tested = examples(generate(index, count, 1, seed + length, length, length))
        rows.append({"length": length, "accuracy": evaluate(network, tested, "cross_entropy", correct)["accuracy"]})
    return rows


def examples(batches: list[tuple[Tensor, Tensor]]) -> Examples:
    """The batches of `generate` joined into one group per length, one-hot."""
    groups = []
    for length in sorted({digits.shape[1] for digits, _ in batches}):
        digits, targets = zip(*(batch for batch in batches if batch[0].shape[1] == length), strict=True)
        groups.append((F.one_hot(torch.cat(digits), CLASSES).float(), torch.cat(targets)))
    return Examples(tuple(groups))


def correct(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether the most probable class is the target: {"accuracy": (batch,) bool}."""
    return {"accuracy": logits.argmax(-1) == y}


def exam(network: Network, settings: Settings) -> dict[str, float]:
    """Loss and accuracy on the test part."""
    return evaluate(network, load_data(settings).test, settings.loss, correct)


def check(settings: Settings) -> None:
    """Raise ValueError when no sequence would hold the index."""
    index, shortest, longest = (settings.data[name] for name in ("index", "shortest", "longest"))
    if index >= longest:
        raise ValueError(f"The index must be below the longest length ({longest}); the first digit has index 0.")
    if shortest > longest:
        raise ValueError(f"The shortest length ({shortest}) must not be above the longest ({longest}).")


def size(settings: Settings) -> tuple[int, int]:
    """80 % of the generated sequences, and the longest length."""
    return settings.data["num_batches"] * settings.data["elements_in_batch"] * 4 // 5, settings.data["longest"]


def source(settings: Settings) -> str:
    """Where the data come from."""
    return "generated: random digits, 80 % of the sequences to train on, 20 % to test"


TASK = Task(
    name="recall",
    source=source,
    input_size=CLASSES,
    output_size=CLASSES,
    losses=("cross_entropy",),
    readouts=("final", "last"),
    largest_hidden_size=64,
    defaults=Settings(
        task="recall",
        cell="lstm",
        hidden_size=10,
        num_layers=1,
        bidirectional=True,
        readout="final",
        loss="cross_entropy",
        learning_rate=5e-3,
        batch_size=50,
        epochs=3,
        data={"index": 1, "shortest": SHORTEST, "longest": LONGEST, "elements_in_batch": 50, "num_batches": 1000},
    ),
    options=(
        Option("index", "which digit the network must name; 0 is the first", 0, 29),
        Option("shortest", "the length of the shortest sequences", 1, 30),
        Option("longest", "the length of the longest sequences", 1, 30),
        Option("elements_in_batch", "how many sequences of one length are generated together", 1, 10_000),
        Option("num_batches", "how many such batches: 80 % to train on, 20 % to test", 5, 100_000),
    ),
    load_data=load_data,
    correct=correct,
    exam=exam,
    check=check,
    size=size,
)
