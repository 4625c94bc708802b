"""The digits task: its split, and what happens where MNIST is not to be had."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import load
from training import runs
from training.task import DataError
from training.tasks import TASKS, digits, sklearn_digits
from training.worker import execute
from ui.digits_text import on_what


def idx(path: Path, array: np.ndarray) -> None:
    """Write an IDX file, MNIST's own format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """60 training and 10 test images of noise where MNIST would lie; returns the training images."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    train, test = random.integers(256, size=(60, 28, 28)), random.integers(256, size=(10, 28, 28))
    for name, array in zip(digits.FILES, (train, np.arange(60) % 10, test, np.arange(10)), strict=True):
        idx(raw / name, array)
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    monkeypatch.setattr(digits, "TRAIN", 50)
    return train


def test_the_first_images_train_and_the_last_validate(small_mnist: np.ndarray) -> None:
    data = digits.load_data(TASKS["digits"].defaults)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [50, 10, 10]
    images = torch.cat([data.train.groups[0][0], data.validation.groups[0][0]])
    np.testing.assert_allclose(images.numpy(), small_mnist / 255, atol=1e-7)
    assert images.dtype == torch.float32
    assert data.validation.groups[0][1].tolist() == list(range(10))


def test_without_mnist_one_sentence_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    assert not digits.available()

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("training.tasks.digits.fetch", offline)
    with pytest.raises(DataError, match="put the four files") as caught:
        digits.mnist(train=True)
    assert str(tmp_path) in str(caught.value)


def test_damaged_files_are_called_damaged_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    digits.raw_folder().mkdir(parents=True)
    for name in digits.FILES:
        (digits.raw_folder() / name).write_bytes(b"not MNIST")
    with pytest.raises(DataError, match=r"^MNIST's files in .* are damaged .*: delete them, .*\.$"):
        digits.mnist(train=True)


def test_scikit_learns_digits_have_mnists_form_and_a_fixed_split() -> None:
    settings = TASKS["digits"].defaults.with_data(dataset="sklearn")
    data, again = digits.load_data(settings), digits.load_data(settings)
    parts = [part.groups[0] for part in (data.train, data.validation, data.test)]
    assert [len(x) for x, _ in parts] == [1283, 257, 257]
    assert all(x.shape[1:] == (28, 28) and x.dtype == torch.float32 for x, _ in parts)
    assert all(x.min() >= 0 and 0.9 < x.max() <= 1 and x.mean() < 0.3 for x, _ in parts)  # bright ink on black paper
    assert torch.equal(data.test.groups[0][1], again.test.groups[0][1])
    numbers = torch.cat(sklearn_digits.split())
    assert torch.equal(numbers.sort().values, torch.arange(1797))


def test_training_on_scikit_learns_digits_works_without_mnist_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    settings = replace(
        TASKS["digits"].defaults, cell="gru", hidden_size=32, num_layers=1, epochs=5, batch_size=20
    ).with_data(dataset="sklearn")
    run = runs.create(settings)
    assert run.name == "gru-1x32-sklearn"
    execute(run)
    card = load(run.weights).card
    assert card["metrics"]["accuracy"] > 0.7
    assert "scikit-learn" in card["source"]
    assert "MNIST" not in card["source"]
    assert on_what(card) == " on scikit-learn's digits"


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
def test_the_real_mnist_is_whole() -> None:
    data = digits.load_data(TASKS["digits"].defaults)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [50_000, 10_000, 10_000]
    assert data.train.groups[0][1][:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.groups[0][1][:5].tolist() == [7, 2, 1, 0, 4]
