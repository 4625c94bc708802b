"""Recall: name the digit at an index of a sequence of one-hot digits (the report's section 2.1.2).

The report's networks are made for one fixed index, which they are never told. Ours with the query "any" are told: after
the last digit they read one more element of the same alphabet, the index asked for, and must then name the digit there.
So their inputs are (batch, digits + 1, 10), as `encode([*sequence, index])` gives them, and the index is 0 to 9.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from models.trace import probabilities
from training.metrics import evaluate
from training.task import Data, Examples, Option, Settings, Task, held_back

CLASSES = 10
EXAMINED = 2000  # sequences per length, in the exam of a network that is told the index
UNSEEN = 1_000_000  # added to the seed of what such an exam generates
SHORTEST, LONGEST = 3, 10
MOST_DIGITS = 30  # that a person may type
QUERIES = {
    "fixed": "always for the digit at one index, which the network is never told",
    "any": "for any digit at the indices 0 to 9; the index is one more element after the last digit",
}


def encode(sequence: list[int]) -> Tensor:
    """The digits of one sequence as one-hot rows: (time, 10) float32. Raises ValueError for what is no digit."""
    if not all(0 <= digit < CLASSES for digit in sequence):
        raise ValueError("Only the digits 0 to 9 can stand in a sequence.")
    return one_hot(torch.tensor(sequence, dtype=torch.int64))


def one_hot(digits: Tensor) -> Tensor:
    """Digits (...) int64 as (..., 10) float32: a fifth of the time of PyTorch's own, which makes integers first."""
    return F.embedding(digits, torch.eye(CLASSES))


def parse(text: str) -> list[int]:
    """The digits of a text, with or without commas and blanks between them.

    Raises ValueError, in one sentence, when there are none, too many, or anything else among them.
    """
    digits = "".join(text.replace(",", " ").split())
    others = sorted({character for character in digits if character not in "0123456789"})
    if others:
        named = ", ".join(f"“{repr(other)[1:-1]}”" for other in others[:5])  # repr shows what has no shape of its own
        raise ValueError(f"Only the digits 0 to 9 can stand in a sequence, not {named}.")
    if not digits:
        raise ValueError("Type at least one digit, such as 7 0 5 3.")
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"A sequence may have up to {MOST_DIGITS} digits, and this one has {len(digits)}.")
    return [int(digit) for digit in digits]


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
    _check_lengths(shortest, longest)
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(max(shortest, position + 1), longest + 1, (num_batches,), generator=generator).tolist()
    batches = [torch.randint(CLASSES, (elements_in_batch, length), generator=generator) for length in lengths]
    return [(digits, digits[:, position]) for digits in batches]


def generate_queries(
    elements_in_batch: int = 50,
    num_batches: int = 1000,
    seed: int = 0,
    shortest: int = SHORTEST,
    longest: int = LONGEST,
) -> list[tuple[Tensor, Tensor]]:
    """Random batches, each of one length drawn uniformly from `shortest` to `longest`, asked for random indices.

    Returns pairs of elements (elements_in_batch, length + 1), the digits and then the index asked for, and targets
    (elements_in_batch,), all int64. Every index that the sequence has and one element can name is as likely.
    """
    _check_lengths(shortest, longest)
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (num_batches,), generator=generator).tolist()
    batches = []
    for length in lengths:
        digits = torch.randint(CLASSES, (elements_in_batch, length), generator=generator)
        asked = torch.randint(min(length, CLASSES), (elements_in_batch, 1), generator=generator)
        batches.append((torch.cat([digits, asked], dim=1), digits.gather(1, asked)[:, 0]))
    return batches


def query(data: dict[str, int | str]) -> str:
    """One of QUERIES, from the task's own settings; networks from before there was a choice have a fixed index."""
    return str(data.get("query", "fixed"))


def load_data(settings: Settings) -> Data:
    """80 % of the generated batches to train on, 20 % to test; as many again as the test to validate on."""
    num_batches = settings.data["num_batches"]
    test = held_back(num_batches)
    sizes = (settings.data["elements_in_batch"], num_batches + test, settings.seed)
    lengths = (settings.data["shortest"], settings.data["longest"])
    if query(settings.data) == "any":
        batches = generate_queries(*sizes, *lengths)
    else:
        batches = generate(settings.data["index"], *sizes, *lengths)
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


def accuracy_by_index(network: Network, lengths: range, count: int = 200, seed: int = 0) -> list[dict[str, float]]:
    """The accuracy of a network that is told the index, for every index and length that go together.

    Rows of index, length and accuracy; at each length the same `count` random sequences are asked for every index.
    """
    rows = []
    for length in lengths:
        generator = torch.Generator().manual_seed(seed + length)
        digits = torch.randint(CLASSES, (count, length), generator=generator)
        for index in range(min(length, CLASSES)):
            elements = torch.cat([digits, torch.full((count, 1), index)], dim=1)
            tested = examples([(elements, digits[:, index])])
            accuracy = evaluate(network, tested, "cross_entropy", correct)["accuracy"]
            rows.append({"index": index, "length": length, "accuracy": accuracy})
    return rows


@torch.inference_mode()
def recollections(network: Network, sequence: list[int]) -> np.ndarray:
    """(10, T, 10): for each index and each t, the probability of each digit had the network been asked after t.

    For a network that is told the index: it really reads each beginning of the sequence, followed by each question.
    """
    T = len(sequence)
    elements = F.pad(torch.tensor(sequence), (0, 1)).repeat(CLASSES, T, 1)
    elements[:, torch.arange(T), torch.arange(1, T + 1)] = torch.arange(CLASSES)[:, None]
    lengths = torch.arange(2, T + 2).repeat(CLASSES)
    logits = network(one_hot(elements.flatten(0, 1)), lengths)
    return probabilities(logits, network).unflatten(0, (CLASSES, T)).numpy()


@torch.inference_mode()
def effects(network: Network, sequence: list[int]) -> np.ndarray:
    """(T, units): how far each unit of the state after the last digit moves when the digit at t is another one.

    The mean of the distances for the nine other digits; the state is that of the last layer, reading forwards: the cell
    state of an LSTM, else the hidden state. A unit that keeps nothing of a digit does not move.
    """
    T = len(sequence)
    others = torch.tensor(sequence).repeat(T, CLASSES, 1)
    others[torch.arange(T), :, torch.arange(T)] = torch.arange(CLASSES)
    elements = torch.cat([torch.tensor(sequence)[None], others.flatten(0, 1)])
    _, state = network.recurrent(one_hot(elements))
    last = (state[1] if network.cell == "lstm" else state)[-network.num_directions]
    distances = (last[1:] - last[0]).abs().unflatten(0, (T, CLASSES))
    return (distances.sum(1) / (CLASSES - 1)).numpy()


def examples(batches: list[tuple[Tensor, Tensor]]) -> Examples:
    """The batches of `generate` joined into one group per length, one-hot."""
    groups = []
    for length in sorted({digits.shape[1] for digits, _ in batches}):
        digits, targets = zip(*(batch for batch in batches if batch[0].shape[1] == length), strict=True)
        groups.append((one_hot(torch.cat(digits)), torch.cat(targets)))
    return Examples(tuple(groups))


def correct(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether the most probable class is the target: {"accuracy": (batch,) bool}."""
    return {"accuracy": logits.argmax(-1) == y}


def exam(network: Network, settings: Settings) -> dict[str, float]:
    """Loss and accuracy on the test part.

    For a network that is told the index also the lowest accuracy over all indices and trained lengths, on EXAMINED
    sequences of each length from another seed than the training's.
    """
    metrics = evaluate(network, load_data(settings).test, settings.loss, correct)
    if query(settings.data) == "fixed":
        return metrics
    lengths = range(settings.data["shortest"], settings.data["longest"] + 1)
    rows = accuracy_by_index(network, lengths, EXAMINED, seed=settings.seed + UNSEEN)
    return metrics | {"lowest_accuracy": min(row["accuracy"] for row in rows)}


def check(settings: Settings) -> None:
    """Raise ValueError when no sequence would hold the index."""
    index, shortest, longest = (settings.data[name] for name in ("index", "shortest", "longest"))
    if query(settings.data) == "fixed" and index >= longest:
        raise ValueError(f"The index must be below the longest length ({longest}); the first digit has index 0.")
    _check_lengths(shortest, longest)


def _check_lengths(shortest: int, longest: int) -> None:
    if shortest > longest:
        raise ValueError(f"The shortest length ({shortest}) must not be above the longest ({longest}).")


def size(settings: Settings) -> tuple[int, int]:
    """The sequences to train on, as `load_data` counts them, and the elements of the longest."""
    num_batches = settings.data["num_batches"]
    elements = settings.data["longest"] + (query(settings.data) == "any")
    return settings.data["elements_in_batch"] * (num_batches - held_back(num_batches)), elements


def source(settings: Settings) -> str:
    """Where the data come from."""
    return "generated: random digits, 80 % of the sequences to train on, 20 % to test"


# The code of a script that makes `train` and `test`, lists of groups (x, y), as `load_data` does: `generate` draws the
# numbers of the function with the same name here, or of `generate_queries`.
FIXED_INDEX = '''

def generate():
    """Random digits in batches of one length each, and of every sequence the digit at INDEX."""
    generator = torch.Generator().manual_seed(SEED)
    count = NUM_BATCHES + NUM_BATCHES // 5  # the last fifth is for validation
    between = (max(SHORTEST, INDEX + 1), LONGEST + 1)
    lengths = torch.randint(*between, (count,), generator=generator)
    for length in lengths.tolist():
        digits = torch.randint(10, (ELEMENTS_IN_BATCH, length), generator=generator)
        yield F.one_hot(digits, 10).float(), digits[:, INDEX]
'''
ANY_INDEX = '''

def generate():
    """Batches of one length each: random digits and the index asked for; the digit there."""
    generator = torch.Generator().manual_seed(SEED)
    count = NUM_BATCHES + NUM_BATCHES // 5  # the last fifth is for validation
    lengths = torch.randint(SHORTEST, LONGEST + 1, (count,), generator=generator)
    for length in lengths.tolist():
        digits = torch.randint(10, (ELEMENTS_IN_BATCH, length), generator=generator)
        size = (ELEMENTS_IN_BATCH, 1)
        asked = torch.randint(min(length, 10), size, generator=generator)
        elements = torch.cat([digits, asked], dim=1)
        yield F.one_hot(elements, 10).float(), digits.gather(1, asked)[:, 0]
'''
BY_LENGTH = '''

def by_length(batches):
    """All sequences of one length in one group, the shortest first."""
    for length in sorted({x.shape[1] for x, y in batches}):
        group = [(x, y) for x, y in batches if x.shape[1] == length]
        yield torch.cat([x for x, y in group]), torch.cat([y for x, y in group])


batches = list(generate())
tested = NUM_BATCHES // 5
train = list(by_length(batches[: NUM_BATCHES - tested]))
test = list(by_length(batches[NUM_BATCHES - tested : NUM_BATCHES]))
'''


def script(settings: Settings) -> str:
    """The code of a script that makes the data of these settings."""
    return (ANY_INDEX if query(settings.data) == "any" else FIXED_INDEX) + BY_LENGTH


TASK = Task(
    name="recall",
    source=source,
    input_size=CLASSES,
    output_size=CLASSES,
    losses=("cross_entropy",),
    readouts=("final", "last"),
    largest_hidden_size=256,
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
        data={
            "query": "fixed",
            "index": 1,
            "shortest": SHORTEST,
            "longest": LONGEST,
            "elements_in_batch": 50,
            "num_batches": 1000,
        },
    ),
    options=(
        Option("query", "; ".join(f"{name}: {text}" for name, text in QUERIES.items()), choices=tuple(QUERIES)),
        Option(
            "index",
            "which digit the network must name, where it is always the same; 0 is the first",
            0,
            29,
            needs=("query", "fixed"),
        ),
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
    script=script,
)
