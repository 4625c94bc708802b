"""Digits: MNIST images read row by row, 28 time steps of 28 pixels (the report's section 2.1.1)."""

import os
from pathlib import Path

from torch import Tensor

from models.network import Network
from training.metrics import evaluate
from training.task import Data, DataError, Examples, Option, Settings, Task
from training.tasks import sklearn_digits
from training.tasks.download import SUMS, fetch
from training.tasks.prepare import prepare

SIDE = 28
CLASSES = 10
TRAIN = 50_000
FILES = tuple(SUMS)
DATASETS = {
    "mnist": "MNIST: 50,000 images to train on, 10,000 to validate, 10,000 to test",
    "sklearn": "scikit-learn's digits, 8x8 brought to 28x28: 1,283 to train on, 257 to validate, 257 to test",
}


def folder() -> Path:
    """Where data lies: the environment variable RNN_LAB_DATA, or `data/` in the project's root."""
    return Path(os.environ.get("RNN_LAB_DATA") or Path(__file__).parents[2] / "data")


def raw_folder() -> Path:
    """Where MNIST's four files lie."""
    return folder() / "MNIST" / "raw"


def available() -> bool:
    """Whether MNIST's four files are on this machine."""
    return all((raw_folder() / name).is_file() for name in FILES)


def mnist(train: bool) -> tuple[Tensor, Tensor]:
    """MNIST's 60,000 training images or its 10,000 test images: (N, 28, 28) float32 in [0, 1] and (N,) int64.

    Downloads them, with a progress bar, where they are not on this machine. Raises DataError when that fails.
    """
    from torchvision.datasets import MNIST  # noqa: PLC0415 (it takes more than a second to import)

    try:
        fetch(raw_folder(), bar=True)
        dataset = MNIST(folder(), train=train)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(missing(error)) from error
    return dataset.data.float() / 255, dataset.targets


def missing(error: Exception) -> str:
    """Why MNIST is not to be had, and what to do, in one sentence."""
    return (
        f"MNIST is not on this machine and could not be downloaded ({type(error).__name__}): put the four files "
        f"{', '.join(FILES)} into {raw_folder()}, set RNN_LAB_DATA to the folder that holds MNIST/raw, or choose the "
        "dataset sklearn."
    )


def dataset(settings: Settings) -> str:
    """One of DATASETS; networks from before there was a choice were trained on MNIST."""
    return str(settings.data.get("dataset", "mnist"))


def load_data(settings: Settings) -> Data:
    """The first 50,000 training images to train on, the last 10,000 to validate, the 10,000 test images to test."""
    if dataset(settings) == "sklearn":
        x, y = sklearn_digits.prepared()
        return Data(*(Examples(((x[part], y[part]),)) for part in sklearn_digits.split()))
    x, y = mnist(train=True)
    return Data(
        Examples(((x[:TRAIN], y[:TRAIN]),)),
        Examples(((x[TRAIN:], y[TRAIN:]),)),
        _test(settings),
    )


def _test(settings: Settings) -> Examples:
    if dataset(settings) == "sklearn":
        return load_data(settings).test
    return Examples((mnist(train=False),))


def correct(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether the most probable class is the target: {"accuracy": (batch,) bool}."""
    return {"accuracy": logits.argmax(-1) == y}


def exam(network: Network, settings: Settings) -> dict[str, float]:
    """Loss and accuracy on the test images."""
    return evaluate(network, _test(settings), settings.loss, correct)


def check(settings: Settings) -> None:
    """Any values in range go together."""


def size(settings: Settings) -> tuple[int, int]:
    """The images to train on, of 28 rows."""
    return sklearn_digits.TRAIN if dataset(settings) == "sklearn" else TRAIN, SIDE


def source(settings: Settings) -> str:
    """Where the images come from."""
    return DATASETS[dataset(settings)]


TASK = Task(
    name="digits",
    source=source,
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
        data={"dataset": "mnist"},
    ),
    options=(
        Option("dataset", "; ".join(f"{name}: {text}" for name, text in DATASETS.items()), choices=tuple(DATASETS)),
    ),
    load_data=load_data,
    correct=correct,
    exam=exam,
    check=check,
    size=size,
)

__all__ = ["TASK", "available", "mnist", "prepare"]
