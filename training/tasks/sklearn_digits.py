"""The 1,797 real handwritten digits that come inside scikit-learn, for where MNIST is not to be had.

They are 8x8 images (UCI Optical Recognition of Handwritten Digits), brought to 28x28 as a drawing is.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from training.tasks.prepare import prepare

SOURCE = "scikit-learn, 8x8, not MNIST"
# 5 : 1 : 1, as the report splits MNIST's 70,000 images
TRAIN, VALIDATION = 1283, 257
SPLIT_SEED = 0  # of the one shuffle before the split


@cache
def raw() -> tuple[np.ndarray, np.ndarray]:
    """The images as they are, (1797, 8, 8) uint8, ink bright, and labels (1797,)."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 (it takes more than a second to import)

    bundled = load_digits()
    return np.round(bundled.images * (255 / 16)).astype(np.uint8), bundled.target


def in_mnist_form(image: np.ndarray) -> np.ndarray:
    """One of the images, (8, 8) uint8, in MNIST's form: (28, 28) float32 in [0, 1], ink = 1.

    Many fill their frame to its edge; with a blank border `prepare` can tell their ink from the ground.
    """
    return prepare(np.pad(image, 1))


@cache
def prepared() -> tuple[Tensor, Tensor]:
    """The images in MNIST's form, (1797, 28, 28) float32 in [0, 1], ink = 1, and labels (1797,) int64."""
    images, labels = raw()
    return torch.from_numpy(np.stack([in_mnist_form(image) for image in images])), torch.from_numpy(labels).long()


def split() -> tuple[Tensor, Tensor, Tensor]:
    """The numbers of the images to train on, to validate and to test; the same in every run."""
    order = torch.randperm(len(raw()[1]), generator=torch.Generator().manual_seed(SPLIT_SEED))
    return order[:TRAIN], order[TRAIN : TRAIN + VALIDATION], order[TRAIN + VALIDATION :]
