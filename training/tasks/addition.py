"""Addition: two binary numbers in, one bit of each per time step, the sum out (the report's section 2.1.3).

Bits run least significant bit first: time step 0 holds the ones. Every pair is padded by one bit, for the last carry.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from models import streams
from models.network import Network
from training.metrics import evaluate
from training.task import Data, Examples, Option, Settings, Task, held_back

MAX_BITS = 64  # of an operand that a person types
KINDS = {2: ("binary number", "01101"), 10: ("decimal number", "13")}


def parse(text: str, base: int = 2) -> list[int]:
    """The bits, least significant first, of a number written in base 2 or 10 as people write it.

    Leading zeros of a binary number are kept, for each is a time step; a decimal number has as many bits as it needs,
    and 0 has one. Spaces or underscores may group the digits, commas the thousands of a decimal number. Raises
    ValueError, with one sentence for the person who typed it, for anything but a number from 0 up of at most 64 bits.
    """
    digits = _digits(text, base)
    if base == 2:
        if len(digits) > MAX_BITS:
            raise ValueError(f"This number has {len(digits)} bits, and {MAX_BITS} are the most.")
        return [int(digit) for digit in reversed(digits)]
    # Cut, because Python refuses to read thousands of digits; 64 bits have 20.
    number = int(digits.lstrip("0")[:MAX_BITS] or "0")
    if number >= 2**MAX_BITS:
        raise ValueError(f"This number is too large: {2**MAX_BITS - 1:,} is the largest of {MAX_BITS} bits.")
    return [number >> t & 1 for t in range(max(1, number.bit_length()))]


def _digits(text: str, base: int) -> str:
    """The digits of `text` without what groups them; ValueError where it holds anything else."""
    kind, example = KINDS[base]
    digits = "".join(text.split()).replace("_", "")
    if base == 10 and re.fullmatch("[0-9]{1,3}(,[0-9]{3})+", digits):
        digits = digits.replace(",", "")
    if not digits:
        raise ValueError(f"Type a {kind}, such as {example}.")
    if re.fullmatch("[-−][0-9]+", digits):
        raise ValueError("Type a number from 0 up: the networks know no minus sign.")
    wrong = next((digit for digit in digits if digit not in "0123456789"[:base]), "")
    if wrong and base == 2 and re.fullmatch("[0-9]+", digits):
        raise ValueError(f"A binary number has only the digits 0 and 1, not {wrong}; for decimals choose “decimal”.")
    if wrong:
        raise ValueError(f"A {kind} has only the digits {'0 and 1' if base == 2 else '0 to 9'}, not “{wrong}”.")
    return digits


def encode(a: int, b: int, length: int) -> Tensor:
    """The operands as (length + 1, 2) float32 bits, least significant first; `length` is their width in bits.

    Raises ValueError for an operand that is negative or does not fit into `length` bits.
    """
    if not (0 <= a < 2**length and 0 <= b < 2**length):
        raise ValueError(f"Both numbers must lie between 0 and {2**length - 1} to fit into {length} bits.")
    return torch.tensor([[a >> t & 1, b >> t & 1] for t in range(length + 1)], dtype=torch.float32)


def decode(bits: Tensor | Sequence[int]) -> int:
    """The number that the bits (time,), least significant first, stand for."""
    return sum(int(bit) << t for t, bit in enumerate(bits))


def add(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Sum bits and carries of operands (..., length), whole numbers of any type, least significant bit first.

    Returns (sums, carries), both (..., length + 1): `carries[..., t]` goes into time step t, so the first is 0, and
    the last sum bit is the carry out of the last pair.
    """
    symbols = 2 * _pad(a) + _pad(b)
    sums, carries = streams.columns(symbols.reshape(-1, symbols.shape[-1]))
    return sums.reshape(symbols.shape), carries[:, :-1].reshape(symbols.shape)


def examples(a: Tensor, b: Tensor) -> Examples:
    """Operands (batch, length) as x (batch, length + 1, 2) and y (batch, length + 1), both float32."""
    sums, _ = add(a, b)
    return Examples(((torch.stack([_pad(a), _pad(b)], dim=-1).float(), sums.float()),))


def generate(length: int = 5, elements_in_batch: int = 100, num_batches: int = 500, seed: int = 0) -> Examples:
    """`elements_in_batch * num_batches` random pairs of `length` bits. The same seed gives the same data."""
    return examples(*_random_operands(length, elements_in_batch * num_batches, seed))


def all_pairs(length: int) -> Examples:
    """Every pair of numbers of `length` bits: 4 ** length examples."""
    numbers = torch.arange(2**length)
    pairs = torch.cartesian_prod(numbers, numbers)
    return examples(*(column[:, None] >> torch.arange(length) & 1 for column in pairs.T))


def carry_chains(length: int) -> Examples:
    """Pairs whose carry runs as far as it can, where networks that look perfect fail.

    Every run of ones from bit i to bit j, plus a single one at bit i, in both orders of the operands, so that the
    carry is born at i and travels to j + 1: length * (length + 1) examples.
    """
    return examples(*streams.BITS[streams.carry_chains(length)].unbind(-1))


def load_data(settings: Settings) -> Data:
    """80 % of the generated pairs to train on, 20 % to test; as many again as the test to validate on."""
    length, num_batches = settings.data["length"], settings.data["num_batches"]
    size = settings.data["elements_in_batch"]
    test = held_back(num_batches)
    ((x, y),) = generate(length, size, num_batches + test, settings.seed).groups
    parts = [size * (num_batches - test), size * test, size * test]
    train, tested, validation = (Examples((part,)) for part in zip(x.split(parts), y.split(parts), strict=True))
    return Data(train, validation, tested)


def correct(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Which bits (batch, time) and which whole sums (batch,) are right; a sum bit is 1 when its logit is above 0."""
    right = (logits > 0) == (y > 0.5)
    return {"bit_accuracy": right, "sum_accuracy": right.all(-1)}


def exam(network: Network, settings: Settings) -> dict[str, float]:
    """The metrics on the test part, and on all pairs of the trained length where these are at most a million."""
    metrics = evaluate(network, load_data(settings).test, settings.loss, correct)
    if settings.data["length"] <= 10:
        every = evaluate(network, all_pairs(settings.data["length"]), settings.loss, correct)
        metrics |= {f"all_pairs_{name}": every[name] for name in ("bit_accuracy", "sum_accuracy")}
    return metrics


def _pad(bits: Tensor) -> Tensor:
    """One more bit, a zero, at the most significant end."""
    return torch.nn.functional.pad(bits, (0, 1))


def _random_operands(length: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(2, (2, count, length), generator=generator, dtype=torch.uint8)
    return a, b


def size(settings: Settings) -> tuple[int, int]:
    """The pairs to train on, as `load_data` counts them, and a time step more than bits."""
    num_batches = settings.data["num_batches"]
    return settings.data["elements_in_batch"] * (num_batches - held_back(num_batches)), settings.data["length"] + 1


def source(settings: Settings) -> str:
    """Where the data come from."""
    return "generated: random binary numbers, 80 % of the pairs to train on, 20 % to test"


# The code of a script that makes `train` and `test`, lists of groups (x, y), as `load_data` does.
SCRIPT = '''

def generate():
    """Pairs of random numbers, bit 0 first and a zero at the end, and their sums."""
    generator = torch.Generator().manual_seed(SEED)
    count = ELEMENTS_IN_BATCH * (NUM_BATCHES + NUM_BATCHES // 5)  # a fifth to validate
    a, b = F.pad(torch.randint(2, (2, count, LENGTH), generator=generator), (0, 1))
    carry, total = torch.zeros(count, dtype=torch.int64), torch.empty_like(a)
    for t in range(LENGTH + 1):
        column = a[:, t] + b[:, t] + carry
        total[:, t], carry = column % 2, column // 2
    return torch.stack([a, b], dim=-1).float(), total.float()


x, y = generate()
tested = ELEMENTS_IN_BATCH * (NUM_BATCHES // 5)
trained = ELEMENTS_IN_BATCH * NUM_BATCHES - tested
train = [(x[:trained], y[:trained])]
test = [(x[trained : trained + tested], y[trained : trained + tested])]
'''


def script(settings: Settings) -> str:
    """SCRIPT; ValueError where the settings ask for what it does not do."""
    if settings.data.get("state_noise"):
        raise ValueError("A script that disturbs its hidden states would be long: see training/noise.py.")
    return SCRIPT


TASK = Task(
    name="addition",
    source=source,
    input_size=2,
    output_size=1,
    losses=("bce", "mse"),
    readouts=("every",),
    largest_hidden_size=64,
    defaults=Settings(
        task="addition",
        cell="lstm",
        hidden_size=10,
        num_layers=1,
        bidirectional=False,
        readout="every",
        loss="bce",
        learning_rate=5e-3,
        batch_size=100,
        epochs=5,
        data={"length": 5, "elements_in_batch": 100, "num_batches": 500, "state_noise": 0.0},
    ),
    options=(
        Option("length", "how many bits the two numbers have in training", 1, 30),
        Option("elements_in_batch", "how many pairs are generated together", 1, 10_000),
        Option("num_batches", "how many such batches: 80 % to train on, 20 % to test", 5, 100_000),
        Option(
            "state_noise", "uniform noise of up to this on every hidden state, from a third of training on", 0.0, 1.0
        ),
    ),
    load_data=load_data,
    correct=correct,
    exam=exam,
    size=size,
    script=script,
)
