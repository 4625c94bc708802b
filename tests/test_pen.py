"""Pen strokes drawn anew, scribbles, distortions: what the best reader of drawn digits is trained on."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.network import Network
from training.metrics import label_smoothing
from training.task import DataError
from training.tasks import TASKS, digits, pen, scribbles
from training.tasks.distort import distort
from training.tasks.strokes import SIDE, render

README = Path(__file__).parents[1] / "README.md"
SETTINGS = replace(TASKS["digits"].defaults).with_data(dataset="mnist+pen", augmentation="distort")


def written(writers: int = 10) -> pen.PenDigits:
    """Two strokes by each of some people."""
    strokes = [[np.array([[0.0, 0], [100, 300]]), np.array([[50.0, 20], [300, 20], [310, 90]])] for _ in range(writers)]
    return pen.PenDigits(strokes, np.arange(writers) % 10, np.arange(writers) + 1)


def test_nobody_is_in_two_parts() -> None:
    people = written(30)
    parts = {name: set(people.writers[people.part(name)].tolist()) for name in ("train", "validation", "test")}
    assert len(parts["train"]) + len(parts["validation"]) + len(parts["test"]) == 30
    assert set.union(*parts.values()) == set(people.writers.tolist())
    assert (len(parts["validation"]), len(parts["test"])) == (pen.VALIDATION_WRITERS, pen.TEST_WRITERS)


@given(st.integers(0, 2**32 - 1))
def test_a_drawing_stays_on_the_canvas_and_keeps_its_strokes(seed: int) -> None:
    (lines,) = written(1).strokes
    drawn = pen.draw(lines, np.random.default_rng(seed))
    assert [len(stroke.points) for stroke in drawn] == [2, 3]
    for stroke in drawn:
        assert pen.BRUSH[0] <= stroke.width <= pen.BRUSH[1]
        assert stroke.points.min() >= stroke.width / 2 - 1e-6
        assert stroke.points.max() <= SIDE - stroke.width / 2 + 1e-6


def test_drawings_are_prepared_and_repeatable() -> None:
    people = written()
    x, y = pen.drawings(people, "train", 2, seed=3)
    again, _ = pen.drawings(people, "train", 2, seed=3)
    assert x.shape == (2 * len(people.part("train")), 28, 28)
    assert y.tolist() == 2 * people.labels[people.part("train")].tolist()
    assert torch.equal(x, again)
    assert x.min() >= 0 and x.max() <= 1 and (x.flatten(1).sum(1) > 20).all()
    assert not torch.equal(x[0], x[len(x) // 2]), "the second drawing of a digit is another one"


def test_missing_strokes_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="choose the dataset mnist") as caught:
        pen.load(tmp_path)
    section = re.search("“(.+)”", str(caught.value))[1]
    assert f"\n## {section}\n" in README.read_text()
    (tmp_path / "pen").mkdir()
    for content in (b"no archive", b"PK\x03\x04 and no more"):
        (tmp_path / pen.FILE).write_bytes(content)
        with pytest.raises(DataError, match="choose the dataset mnist"):
            pen.load(tmp_path)


def test_the_real_strokes_are_as_the_task_says() -> None:
    if not (digits.folder() / pen.FILE).exists():
        pytest.skip("the pen strokes are not on this machine (set RNN_LAB_DATA)")
    people = pen.load(digits.folder())
    assert len(people.labels) == len(people.strokes) == 7494
    assert (len(people.part("train")), len(people.part("test"))) == (digits.PEN_DIGITS, digits.PEN_TEST_DIGITS)


@pytest.mark.parametrize("kind", scribbles.TRAINED + scribbles.HELD_BACK)
def test_every_kind_of_scribble_has_ink(kind: scribbles.Kind) -> None:
    images = scribbles.scribbles((kind,), 20, seed=0)
    assert (images.flatten(1).sum(1) > 5).all()
    assert images.min() >= 0 and images.max() <= 1


def test_a_network_is_examined_with_scribbles_that_it_never_saw() -> None:
    assert not set(scribbles.TRAINED) & set(scribbles.HELD_BACK)


def test_a_distortion_is_small_repeatable_and_another_for_every_image() -> None:
    image = torch.from_numpy(
        pen.prepare(render(pen.place([np.array([[0.0, 0], [60, 100]])], 20, np.random.default_rng(0))))
    )
    x = image.expand(64, 28, 28)
    distorted = distort(x, torch.Generator().manual_seed(1))
    assert torch.equal(distorted, distort(x, torch.Generator().manual_seed(1)))
    assert distorted.min() >= 0 and distorted.max() <= 1
    assert not torch.equal(distorted[0], distorted[1])
    ink = distorted.flatten(1).sum(1) / image.sum()
    assert ink.min() > 0.3 and ink.max() < 2.2
    blank = distort(torch.zeros(3, 28, 28), torch.Generator().manual_seed(1))
    assert blank.max() == 0


def test_training_sees_other_images_every_step_and_the_same_in_every_run() -> None:
    x = torch.rand(4, 28, 28)
    first = digits.augment(x, SETTINGS, step=0)
    assert torch.equal(first, digits.augment(x, SETTINGS, step=0))
    assert not torch.equal(first, digits.augment(x, SETTINGS, step=1))
    assert digits.augment(x, TASKS["digits"].defaults, step=0) is x


def test_label_smoothing_is_pytorchs_and_pushes_scribbles_to_no_answer() -> None:
    logits, y = torch.randn(5, 10), torch.tensor([3, 1, 4, 1, 5])
    expected = torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.05)
    torch.testing.assert_close(label_smoothing(logits, y), expected)
    none = torch.full((5,), digits.NO_DIGIT)
    assert label_smoothing(torch.zeros(5, 10), none) < label_smoothing(logits, none)


def test_the_calibration_error_of_known_answers() -> None:
    sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    assert digits.calibration_error(sure, torch.tensor([0, 0, 0, 1])) == pytest.approx(0.9 - 0.75)
    assert digits.calibration_error(torch.eye(4), torch.arange(4)) == 0
    mixed = torch.tensor([[1.0, 0.0], [0.6, 0.4]])
    assert digits.calibration_error(mixed, torch.tensor([0, 1])) == pytest.approx(0.3)


def test_calibration_finds_the_temperature_and_leaves_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(28, 10, hidden_size=8).eval()
    x = torch.rand(2000, 28, 28)
    with torch.no_grad():
        network.linear.weight.mul_(20)
        logits = network(x)
        y = torch.distributions.Categorical(logits=logits / 3).sample()  # three times too sure
    data = replace_validation((x[:1000], y[:1000]), (x[1000:], y[1000:]))
    monkeypatch.setattr(digits, "load_data", lambda settings: data)
    found = digits.calibrate(network, SETTINGS)
    assert found["temperature"] == pytest.approx(3, rel=0.15)
    torch.testing.assert_close(network(x).detach(), logits / found["temperature"])
    assert found["refusal_threshold"] == digits.DOUBT
    assert digits.calibrate(network, TASKS["digits"].defaults) == {}


def replace_validation(*groups: tuple[torch.Tensor, torch.Tensor]) -> object:
    """Data of which only the validation part is looked at."""
    from training.task import Data, Examples

    examples = Examples(groups)
    return Data(examples, examples, examples)
