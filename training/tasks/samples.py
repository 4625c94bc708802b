"""Real handwritten digits to look at one by one: MNIST's test images, or scikit-learn's where MNIST is not at hand.

Nothing is downloaded. An image of MNIST is read from its own place in the file, so the first is as quick as the rest.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.task import DataError, Settings
from training.tasks import digits, sklearn_digits

IMAGES, LABELS = digits.FILES[2:]
# Bytes before the first value of an IDX file, and where it says how many items it holds (yann.lecun.com/exdb/mnist).
IMAGE_HEADER, LABEL_HEADER, COUNT_AT = 16, 8, 4
PIXELS = digits.SIDE**2
MNIST_SOURCE = "MNIST"


@dataclass(frozen=True)
class Sample:
    """A digit that someone wrote: `image` (28, 28) float32 in [0, 1], ink = 1, what it is, and where it comes from."""

    image: np.ndarray
    label: int
    source: str


def count() -> int:
    """How many samples there are: their numbers run from 0 to one less. Raises DataError like `sample`."""
    if not digits.available():
        return len(sklearn_digits.raw()[1])
    images = int.from_bytes(_read(IMAGES, COUNT_AT, 4).tobytes(), "big")
    if _raw(IMAGES).stat().st_size != IMAGE_HEADER + images * PIXELS or not images:
        raise _not_whole(IMAGES)
    return images


def sample(number: int) -> Sample:
    """The test image with this number, MNIST's untouched, scikit-learn's (8x8) brought to 28x28.

    Raises ValueError where there is no such number, and DataError where MNIST's files are not whole.
    """
    if not 0 <= number < count():
        raise ValueError(f"There is no test image {number}: they are numbered from 0 to {count() - 1}.")
    if digits.available():
        pixels = _read(IMAGES, IMAGE_HEADER + number * PIXELS, PIXELS).reshape(digits.SIDE, digits.SIDE)
        label = int(_read(LABELS, LABEL_HEADER + number, 1)[0])
        return Sample(pixels.astype(np.float32) / 255, label, MNIST_SOURCE)
    images, labels = sklearn_digits.raw()
    return Sample(sklearn_digits.in_mnist_form(images[number]), int(labels[number]), sklearn_digits.SOURCE)


def validation(settings: Settings, count: int) -> list[Sample]:
    """The first `count` images on which a run with these settings is validated, and not trained.

    Raises DataError like `sample`, and where MNIST is not at hand.
    """
    if digits.dataset(settings) == "sklearn":
        (x, y), *_ = digits.load_data(settings).validation.groups
        return [Sample(x[n].numpy(), int(y[n]), sklearn_digits.SOURCE) for n in range(count)]
    images, labels = digits.FILES[:2]
    pixels = _read(images, IMAGE_HEADER + digits.TRAIN * PIXELS, count * PIXELS).reshape(
        count, digits.SIDE, digits.SIDE
    )
    truths = _read(labels, LABEL_HEADER + digits.TRAIN, count)
    return [Sample(p.astype(np.float32) / 255, int(y), MNIST_SOURCE) for p, y in zip(pixels, truths, strict=True)]


def _raw(name: str) -> Path:
    return digits.raw_folder() / name


def _read(name: str, start: int, size: int) -> np.ndarray:
    """So many bytes of one of MNIST's files. Raises DataError where it has no more, or can't be read."""
    try:
        with _raw(name).open("rb") as file:
            file.seek(start)
            content = file.read(size)
    except OSError as error:
        raise DataError(f"MNIST's file {_raw(name)} can't be read ({error.strerror}).") from error
    if len(content) < size:
        raise _not_whole(name)
    return np.frombuffer(content, np.uint8)


def _not_whole(name: str) -> DataError:
    return DataError(f"MNIST's file {_raw(name)} is not whole: delete it, or fetch it anew.")
