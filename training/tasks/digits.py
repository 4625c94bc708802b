"""Digits: MNIST images read row by row, 28 time steps of 28 pixels (the report's section 2.1.1)."""

import os
from pathlib import Path

from torch import Tensor

from models.network import Network
from training.metrics import evaluate
from training.task import Data, DataError, Examples, Settings, Task
from training.tasks.prepare import prepare

SIDE = 28
CLASSES = 10
TRAIN = 50_000
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def folder() -> Path:
    """Where data lies: the environment variable RNN_LAB_DATA, or `data/` in the project's root."""
    return Path(os.environ.get("RNN_LAB_DATA") or Path(__file__).parents[2] / "data")


def available() -> bool:
    """Whether MNIST's four files are on this machine."""
    return all((folder() / "MNIST" / "raw" / name).is_file() for name in FILES)


def mnist(train: bool) -> tuple[Tensor, Tensor]:
    """MNIST's 60,000 training images or its 10,000 test images: (N, 28, 28) float32 in [0, 1] and (N,) int64.

    Downloads them, with a progress bar, where they are not on this machine. Raises DataError when that fails.
    """
    from torchvision.datasets import MNIST  # noqa: PLC0415 (it takes more than a second to import)

    try:
        dataset = MNIST(folder(), train=train, download=not available())
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"MNIST is not on this machine and could not be downloaded; put the four files {', '.join(FILES)} "
            f"into {folder() / 'MNIST' / 'raw'}, or set RNN_LAB_DATA to the folder that holds MNIST/raw."
        ) from error
    return dataset.data.float() / 255, dataset.targets


def load_data(settings: Settings) -> Data:
    """The first 50,000 training images to train on, the last 10,000 to validate, the 10,000 test images to test."""
    x, y = mnist(train=True)
    return Data(
        Examples(((x[:TRAIN], y[:TRAIN]),)),
        Examples(((x[TRAIN:], y[TRAIN:]),)),
        Examples((mnist(train=False),)),
    )


def correct(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether the most probable class is the target: {"accuracy": (batch,) bool}."""
    return {"accuracy": logits.argmax(-1) == y}


def exam(network: Network, settings: Settings) -> dict[str, float]:
    """Loss and accuracy on MNIST's 10,000 test images."""
    return evaluate(network, Examples((mnist(train=False),)), settings.loss, correct)


def check(settings: Settings) -> None:
    """Digits has no settings of its own."""


def size(settings: Settings) -> tuple[int, int]:
    """50,000 images of 28 rows."""
    return TRAIN, SIDE


TASK = Task(
    name="digits",
    source="MNIST: 50,000 images to train on, 10,000 to validate, 10,000 to test",
    input_size=SIDE,
    output_size=CLASSES,
    losses=("cross_entropy",),
    readouts=("final", "last"),
    largest_hidden_size=512,
    defaults=Settings(
        task="digits",
        cell="gru",
        hidden_size=256,
        num_layers=2,
        bidirectional=False,
        readout="final",
        loss="cross_entropy",
        learning_rate=1e-3,
        batch_size=100,
        epochs=5,
    ),
    options=(),
    load_data=load_data,
    correct=correct,
    exam=exam,
    check=check,
    size=size,
)

__all__ = ["TASK", "available", "mnist", "prepare"]
