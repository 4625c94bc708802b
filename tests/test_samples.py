"""The samples on the Digits page: MNIST's test images, or scikit-learn's digits where MNIST is not at hand."""

from pathlib import Path

import numpy as np
import pytest

from training.task import DataError
from training.tasks import TASKS, digits, samples, sklearn_digits


def idx(path: Path, array: np.ndarray) -> None:
    """Write an IDX file, MNIST's own format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """12 test images of noise where MNIST would lie; returns them."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(256, size=(12, 28, 28))
    for name, array in zip(digits.FILES, (images, np.arange(12), images, np.arange(12) % 10), strict=True):
        idx(raw / name, array)
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    return images


@pytest.fixture
def without_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))


def test_mnist_is_shown_untouched(small_mnist: np.ndarray) -> None:
    assert samples.count() == 12
    for number in (0, 1, 11):
        sample = samples.sample(number)
        assert (sample.label, sample.source) == (number % 10, "MNIST")
        assert sample.image.dtype == np.float32
        np.testing.assert_array_equal(sample.image, small_mnist[number].astype(np.float32) / 255)


@pytest.mark.parametrize("number", [-1, 12, 10**9])
def test_a_number_that_does_not_exist_is_refused(small_mnist: np.ndarray, number: int) -> None:
    with pytest.raises(ValueError, match="numbered from 0 to 11"):
        samples.sample(number)


def test_labels_that_are_cut_off_are_told(small_mnist: np.ndarray) -> None:
    path = digits.folder() / "MNIST" / "raw" / samples.LABELS
    path.write_bytes(path.read_bytes()[:-1])
    assert samples.sample(10).label == 0
    with pytest.raises(DataError, match="not whole"):
        samples.sample(11)


def test_images_that_are_missing_from_their_file_are_told(small_mnist: np.ndarray) -> None:
    (digits.folder() / "MNIST" / "raw" / samples.IMAGES).write_bytes(b"")
    with pytest.raises(DataError, match="not whole"):
        samples.count()


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
def test_images_that_are_cut_off_are_told(small_mnist: np.ndarray) -> None:
    path = digits.raw_folder() / samples.IMAGES
    path.write_bytes(path.read_bytes()[: -2 * 28 * 28])
    with pytest.raises(DataError, match="not whole"):
        samples.count()


@pytest.mark.usefixtures("without_mnist")
def test_without_mnist_there_is_nothing_to_validate_on() -> None:
    with pytest.raises(DataError, match="train-images-idx3-ubyte can't be read"):
        samples.validation(TASKS["digits"].defaults, 3)


def test_they_are_the_images_that_torchvision_reads() -> None:
    images, labels = digits.mnist(train=False)
    assert samples.count() == len(images)
    for number in (0, 4711, 9999):
        sample = samples.sample(number)
        np.testing.assert_array_equal(sample.image, images[number].numpy())
        assert sample.label == labels[number]


@pytest.mark.usefixtures("without_mnist")
def test_without_mnist_scikit_learns_digits_are_prepared_and_named() -> None:
    from sklearn.datasets import load_digits

    bundled = load_digits()
    assert samples.count() == len(bundled.target) == 1797
    for number in (0, 500, 1796):
        sample = samples.sample(number)
        assert (sample.label, sample.source) == (bundled.target[number], "scikit-learn, 8x8, not MNIST")
        assert sample.image.shape == (28, 28)
        assert sample.image.dtype == np.float32
        assert 0 <= sample.image.min() < 0.1 < 0.5 < sample.image.max() <= 1
    with pytest.raises(ValueError, match="from 0 to 1796"):
        samples.sample(1797)


def test_every_one_of_scikit_learns_digits_keeps_its_ink() -> None:
    images, labels = sklearn_digits.prepared()
    assert (images.shape, labels.shape) == ((1797, 28, 28), (1797,))
    assert images.amax((1, 2)).min() > 0.9
    shares = images.mean((1, 2))  # MNIST's lie between 2 % and 40 %
    assert 0.05 < shares.min() <= shares.max() < 0.25


@pytest.mark.usefixtures("without_mnist")
def test_the_page_shows_the_images_that_one_trains_on() -> None:
    images, labels = sklearn_digits.prepared()
    for number in (0, 505, 1796):  # 505 fills the top and the bottom row of its frame
        sample = samples.sample(number)
        np.testing.assert_array_equal(sample.image, images[number].numpy())
        assert sample.label == labels[number]
