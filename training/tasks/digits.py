"""Digits: MNIST images read row by row, 28 time steps of 28 pixels (the report's section 2.1.1)."""

import os
import sys
from functools import cache
from pathlib import Path

import scipy  # which loads scipy.optimize, in half a second, when it is first used
import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from training.metrics import AT_ONCE, LOSSES, evaluate, evaluating
from training.task import Data, DataError, Examples, Option, Settings, Task
from training.tasks import pen, sklearn_digits
from training.tasks.distort import distort
from training.tasks.download import SUMS, fetch
from training.tasks.prepare import prepare  # noqa: F401 (others call it digits.prepare)
from training.tasks.scribbles import HELD_BACK, TRAINED, Kind, scribbles

SIDE = 28
CLASSES = 10
TRAIN, TEST = 50_000, 10_000  # of MNIST's images
FILES = tuple(SUMS)
DATASETS = {
    "mnist": "MNIST: 50,000 images to train on, 10,000 to validate, 10,000 to test",
    "mnist+pen": "MNIST's, and those of pen strokes drawn anew, and scribbles that are no digit",
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

    Downloads them, with a progress bar in a terminal, where they are not on this machine. Raises DataError when that
    fails, and for files that are there but damaged.
    """
    from torchvision.datasets import MNIST  # noqa: PLC0415 (it takes more than a second to import)

    try:
        fetch(raw_folder(), bar=sys.stderr.isatty())  # nobody may read what a run in the background writes
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(missing(error)) from error
    try:
        dataset = MNIST(folder(), train=train)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:  # torchvision asserts what a file must be
        raise DataError(
            f"MNIST's files in {raw_folder()} are damaged ({type(error).__name__}): delete them, and they are "
            "downloaded again, or choose the dataset sklearn."
        ) from error
    return dataset.data.float() / 255, dataset.targets


def missing(error: Exception) -> str:
    """Why MNIST is not to be had, and what to do, in one sentence."""
    return (
        f"MNIST is not on this machine and could not be downloaded ({type(error).__name__}): put the four files "
        f"{', '.join(FILES)} into {raw_folder()}, set RNN_LAB_DATA to the folder that holds MNIST/raw, or choose the "
        "dataset sklearn."
    )


AUGMENTATIONS = {
    "none": "every epoch sees the same images",
    "distort": "every epoch sees them turned, slanted, scaled, shifted, bent, thicker or thinner",
}
PEN_DIGITS, PEN_TEST_DIGITS = 5746, 998  # of the writers to train on, and to test
DRAWN, DRAWN_IN_EXAM = 6, 2  # how often every pen digit is drawn for training, and to test
SCRIBBLES = 6000
NO_DIGIT = -1  # the label of a scribble
BINS = 15  # of the expected calibration error
DOUBT = 0.5  # an answer that is less probable than this is refused: it is more likely wrong than right


def dataset(settings: Settings) -> str:
    """One of DATASETS; networks from before there was a choice were trained on MNIST."""
    return str(settings.data.get("dataset", "mnist"))


def load_data(settings: Settings) -> Data:
    """The first 50,000 training images to train on, the last 10,000 to validate, the 10,000 test images to test."""
    if dataset(settings) == "sklearn":
        x, y = sklearn_digits.prepared()
        return Data(*(Examples(((x[part], y[part]),)) for part in sklearn_digits.split()))
    x, y = mnist(train=True)
    train, validation = (x[:TRAIN], y[:TRAIN]), (x[TRAIN:], y[TRAIN:])
    if dataset(settings) == "mnist+pen":
        drawn = _drawn("train", DRAWN)
        train = tuple(torch.cat(parts) for parts in zip(train, drawn, _scribbles(TRAINED, SCRIBBLES), strict=True))
        return Data(Examples((train,)), Examples((validation, _drawn("validation", 1))), _test(settings))
    return Data(Examples((train,)), Examples((validation,)), _test(settings))


@cache
def _drawn(part: str, times: int) -> tuple[Tensor, Tensor]:
    """Pen digits of the writers of this part, each drawn `times` times."""
    return pen.drawings(pen.load(folder()), part, times, seed=0)


def _scribbles(kinds: tuple[Kind, ...], count: int) -> tuple[Tensor, Tensor]:
    return scribbles(kinds, count, seed=0), torch.full((count,), NO_DIGIT)


def _test(settings: Settings) -> Examples:
    if dataset(settings) == "sklearn":
        return load_data(settings).test
    return Examples((mnist(train=False),))


def correct(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether the most probable class is the target: {"accuracy": (batch,) bool}."""
    return {"accuracy": logits.argmax(-1) == y}


def exam(network: Network, settings: Settings) -> dict[str, float]:
    """Loss and accuracy on the test images.

    For a network that was taught drawings, too: the accuracy on those of writers it never saw; the expected calibration
    error on the test images (Guo et al. 2017, 15 bins); and the shares of the test images, and of scribbles of kinds it
    never saw, that are less probable than the card's `refusal_threshold`.
    """
    if dataset(settings) != "mnist+pen":
        return evaluate(network, _test(settings), settings.loss, correct)
    (x, y), (drawn, labels) = mnist(train=False), _drawn("test", DRAWN_IN_EXAM)
    on_test, on_drawn, on_scribbles = (logits(network, each) for each in (x, drawn, scribbles(HELD_BACK, 1000, seed=1)))
    seen = {"refused_digits": on_test, "refused_drawings": on_drawn, "refused_scribbles": on_scribbles}
    refused = {
        name: (each.softmax(-1).amax(-1) < network.card["refusal_threshold"]).double().mean().item()
        for name, each in seen.items()
    }
    return {
        "loss": LOSSES[settings.loss](on_test, y).item(),
        "accuracy": _accuracy(on_test, y),
        "drawn_accuracy": _accuracy(on_drawn, labels),
        "calibration_error": calibration_error(on_test.softmax(-1), y),
    } | refused


def _accuracy(outputs: Tensor, y: Tensor) -> float:
    return correct(outputs, y)["accuracy"].double().mean().item()


def logits(network: Network, x: Tensor) -> Tensor:
    """The network's logits (N, 10) for images (N, 28, 28), in eval mode, in parts, for which there is memory."""
    with evaluating(network):
        return torch.cat([network(part) for part in x.split(AT_ONCE)])


def calibration_error(probabilities: Tensor, y: Tensor) -> float:
    """The expected calibration error: by how much accuracy and confidence differ, on average over BINS bins."""
    confidence, said = probabilities.max(-1)
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    excess = torch.zeros(BINS).index_add_(0, bins, confidence - (said == y).float())
    return (excess.abs().sum() / len(y)).item()


def calibrate(network: Network, settings: Settings) -> dict[str, float]:
    """Make the network as sure as it is right (temperature scaling, Guo et al. 2017), on validation data.

    Only for a network that was taught scribbles, too. The temperature is divided out of the read-out's weights, so the
    network stays a plain one. Returns it, and the probability below which an answer is to be refused.
    """
    if dataset(settings) != "mnist+pen":
        return {}
    (x, y), (drawn, labels) = load_data(settings).validation.groups
    outputs, targets = logits(network, torch.cat([x, drawn])).double(), torch.cat([y, labels])
    with torch.inference_mode():
        loss = scipy.optimize.minimize_scalar(lambda t: F.cross_entropy(outputs / t, targets).item(), bounds=(0.1, 10))
        for parameter in network.linear.parameters():
            parameter.div_(loss.x)
    return {"temperature": float(loss.x), "refusal_threshold": DOUBT}


def augment(x: Tensor, settings: Settings, step: int) -> Tensor:
    """Distorts the images where the settings say so."""
    if settings.data.get("augmentation", "none") == "none":
        return x
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
    return distort(x, generator)


def size(settings: Settings) -> tuple[int, int]:
    """The images to train on, of 28 rows."""
    counts = {"mnist": TRAIN, "mnist+pen": TRAIN + DRAWN * PEN_DIGITS + SCRIBBLES, "sklearn": sklearn_digits.TRAIN}
    return counts[dataset(settings)], SIDE


def source(settings: Settings) -> str:
    """Where the images come from."""
    return DATASETS[dataset(settings)]


# The code of a script that makes `train` and `test`, lists of groups (x, y), as `load_data` does.
SCRIPT = '''

def load(train):
    """MNIST's images (N, 28, 28) in [0, 1], 28 time steps of 28 pixels, and labels (N,)."""
    folder = os.environ.get("RNN_LAB_DATA", "data")
    data = torchvision.datasets.MNIST(folder, train, download=True)
    return data.data.float() / 255, data.targets


x, y = load(train=True)
train = [(x[:50_000], y[:50_000])]  # the other 10,000 are for validation
test = [load(train=False)]
'''


def script(settings: Settings) -> str:
    """SCRIPT; ValueError where the settings ask for what it does not do."""
    if dataset(settings) != "mnist":
        raise ValueError("A script with nothing but torch and torchvision can get no other digits than MNIST's.")
    if settings.data.get("augmentation", "none") != "none":
        raise ValueError("A script that distorts its images would be longer than anyone reads: see training/tasks.")
    return SCRIPT


def explained_datasets() -> str:
    """All of DATASETS, each behind its name, which its text does not repeat."""
    texts = {
        name: text.removeprefix("MNIST: ").removeprefix("scikit-learn's digits, ") for name, text in DATASETS.items()
    }
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


TASK = Task(
    name="digits",
    source=source,
    input_size=SIDE,
    output_size=CLASSES,
    losses=("cross_entropy", "label_smoothing"),
    readouts=("final", "last", "pooled"),
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
        data={"dataset": "mnist", "augmentation": "none"},
    ),
    options=(
        Option("dataset", explained_datasets(), choices=tuple(DATASETS)),
        Option(
            "augmentation",
            "; ".join(f"{name}: {text}" for name, text in AUGMENTATIONS.items()),
            choices=tuple(AUGMENTATIONS),
        ),
    ),
    load_data=load_data,
    correct=correct,
    exam=exam,
    size=size,
    script=script,
    augment=augment,
    calibrate=calibrate,
)
