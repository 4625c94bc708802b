"""A training step of the three digits networks, side by side with the plain loop of a tutorial (and Keras on JAX).

`python benchmarks/training.py` times all in turns in one process and prints ratios; `--accuracy` also trains ours and
the plain loop to the end and compares their test accuracy; `--write` puts the table into benchmarks/README.md.
The plain loop: torch.nn in fp32, Adam, and a DataLoader over torchvision's MNIST with ToTensor() on every image.
Keras is timed where `keras` and `jax` are installed.
"""

import argparse
import importlib.util
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.readme import machine, write_section
from models import Network
from training.fit import build, fit, precision
from training.pretrain import recipes
from training.task import Data, Examples, Settings
from training.tasks import TASKS, digits

NETWORKS = ("digits-rnn", "digits-gru", "digits-bilstm")
Turn = Callable[[], object]  # takes the agreed number of optimiser steps


class Tutorial(nn.Module):
    """The network as a tutorial writes it: a recurrent module and a linear layer, in fp32."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        cell = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[settings.cell]
        self.rnn = cell(
            28, settings.hidden_size, settings.num_layers, batch_first=True, bidirectional=settings.bidirectional
        )
        self.linear = nn.Linear(settings.hidden_size * (2 if settings.bidirectional else 1), 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, 28, 28) -> (batch, 10), read at the final state of each direction as ours is."""
        _, state = self.rnn(x)
        h = state[0] if isinstance(state, tuple) else state
        return self.linear(torch.cat([h[-2], h[-1]], 1) if self.rnn.bidirectional else h[-1])


def ours(settings: Settings, data: Data, steps: int) -> Turn:
    """A turn of the lab's own loop; its validation, once a turn, looks at one image only."""
    ((x, y),) = data.validation.groups
    some = Data(data.train, Examples(((x[:1], y[:1]),)), data.test)
    endless = replace(settings, epochs=1000)
    progress = fit(build(endless), some, endless, validate_every=steps)
    return lambda: next(progress)


def plain_batches(batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Shuffled batches as a tutorial loads them."""
    from torchvision import transforms  # noqa: PLC0415
    from torchvision.datasets import MNIST  # noqa: PLC0415

    images = MNIST(digits.folder(), train=True, transform=transforms.ToTensor())
    return torch.utils.data.DataLoader(
        torch.utils.data.Subset(images, range(digits.TRAIN)), batch_size=batch_size, shuffle=True
    )


def plain(settings: Settings, steps: int) -> Turn:
    """A turn of the plain loop."""
    torch.manual_seed(settings.seed)
    network = Tutorial(settings)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    batches = itertools.chain.from_iterable(itertools.repeat(plain_batches(settings.batch_size)))

    def turn() -> None:
        for x, y in itertools.islice(batches, steps):
            plain_step(network, optimizer, x, y)

    return turn


def plain_step(network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    """Forward, backward, Adam."""
    optimizer.zero_grad()
    F.cross_entropy(network(x.squeeze(1)), y).backward()
    optimizer.step()


def keras(settings: Settings, data: Data, steps: int) -> Turn:
    """A turn of the same network in Keras on JAX, with its batches in memory."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras  # noqa: PLC0415
    from keras import layers  # noqa: PLC0415

    kind = {"rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}[settings.cell]
    model = keras.Sequential()
    for number in range(settings.num_layers):
        layer = kind(settings.hidden_size, return_sequences=number < settings.num_layers - 1)
        model.add(layers.Bidirectional(layer) if settings.bidirectional else layer)
    model.add(layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(settings.learning_rate), loss=loss)
    ((x, y),) = data.train.groups
    starts = itertools.cycle(range(0, len(x), settings.batch_size))

    def turn() -> None:
        for start in itertools.islice(starts, steps):
            stop = start + settings.batch_size
            model.train_on_batch(x[start:stop].numpy(), y[start:stop].numpy())

    return turn


def milliseconds(turn: Turn, steps: int) -> float:
    """The mean time of one step."""
    began = time.perf_counter()
    turn()
    return (time.perf_counter() - began) / steps * 1000


def compare(name: str, data: Data, rounds: int, steps: int) -> dict[str, list[float]]:
    """Milliseconds per step of each loop, one value per round; the loops take turns."""
    settings = recipes()[name].settings
    loops = {"ours": ours(settings, data, steps), "plain": plain(settings, steps)}
    if importlib.util.find_spec("keras") and importlib.util.find_spec("jax"):
        loops["keras"] = keras(settings, data, steps)
    for turn in loops.values():
        turn()
    times: dict[str, list[float]] = {loop: [] for loop in loops}
    for _, (loop, turn) in itertools.product(range(rounds), loops.items()):
        times[loop].append(milliseconds(turn, steps))
    return times


def accuracies(name: str, data: Data) -> tuple[float, float]:
    """Test accuracy after the recipe's epochs: the lab's loop as it ships, and the plain loop."""
    settings = recipes()[name].settings
    network = build(settings)
    list(fit(network, data, settings, validate_every=10**9))
    torch.manual_seed(settings.seed)
    tutorial = Tutorial(settings)
    optimizer = torch.optim.Adam(tutorial.parameters(), lr=settings.learning_rate)
    for _ in range(settings.epochs):
        for x, y in plain_batches(settings.batch_size):
            plain_step(tutorial, optimizer, x, y)
    return accuracy(network, data), accuracy(tutorial, data)


@torch.inference_mode()
def accuracy(network: Network | Tutorial, data: Data) -> float:
    """The fraction of MNIST's test images that are read rightly."""
    ((x, y),) = data.test.groups
    right = [network(part).argmax(-1) == truth for part, truth in zip(x.split(1000), y.split(1000), strict=True)]
    return torch.cat(right).double().mean().item()


def row(name: str, times: dict[str, list[float]], reached: tuple[float, float] | None) -> str:
    """A line of the table: medians, and the median of the ratios round by round."""

    def ratio(other: str) -> str:
        if other not in times:
            return "not installed"
        return f"{statistics.median(a / b for a, b in zip(times['ours'], times[other], strict=True)):.2f}"

    medians = [f"{statistics.median(times[loop]):.1f}" if loop in times else "" for loop in ("ours", "plain", "keras")]
    measured = [f"{value:.2%}" for value in reached] if reached else ["", ""]
    precise = precision(build(recipes()[name].settings), "cpu")
    return (
        f"| {name} | {precise} | {' | '.join(medians)} | {ratio('plain')} | {ratio('keras')} | {' | '.join(measured)} |"
    )


HEAD = """| network | arithmetic | ours, ms | plain, ms | Keras, ms | / plain | / Keras | accuracy, ours | plain |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Time, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="how often the loops take turns (default: 7)")
    parser.add_argument("--steps", type=int, default=20, help="optimiser steps per turn (default: 20)")
    parser.add_argument("--accuracy", action="store_true", help="also train both loops to the end: many minutes")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    chosen = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)  # the same for all loops, and what PyTorch would take by itself
    data = TASKS["digits"].load_data(TASKS["digits"].defaults)
    rows = []
    for name in NETWORKS:
        times = compare(name, data, chosen.rounds, chosen.steps)
        rows.append(row(name, times, accuracies(name, data) if chosen.accuracy else None))
        print(rows[-1], flush=True)
    text = f"{machine()}; medians of {chosen.rounds} turns of {chosen.steps} steps, batch 100.\n\n{HEAD}" + "\n".join(
        rows
    )
    if chosen.write:
        command = "python benchmarks/training.py --accuracy --write"
        write_section("training", "A training step of the digits networks", command, text)


if __name__ == "__main__":
    main()
