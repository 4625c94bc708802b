"""The shipped models: all there, as their cards say, and as good as they must be."""

import json
from collections.abc import Iterator

import pytest

from models import load, names
from training.commands import main
from training.pretrain import recipes
from training.report import FOLDER
from training.task import Settings
from training.tasks import TASKS, digits, pen

NAMES = list(recipes())
SHORT_OF_TARGET = {"digits-best"}  # as weights/README.md says


def test_every_recipe_is_shipped_and_nothing_else() -> None:
    assert sorted(names()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_holds_the_recipes_settings(name: str) -> None:
    card, recipe = load(name).card, recipes()[name]
    expected = recipe.settings.to_dict() | {"seed": card["seed"]}
    # A card from before the task had one of its settings has that setting's default.
    settings = Settings.of(card | {"data": TASKS[card["task"]].defaults.data | card["data"]})
    assert settings.to_dict() == expected
    assert recipe.settings.seed <= card["seed"] < recipe.settings.seed + recipe.seeds == card["seeds_tried"]
    assert card["parameters"] == load(name).num_parameters()
    assert card.get("polish") == (recipe.polish and recipe.polish.to_dict())
    if recipe.by_hand:
        assert card["by_hand"] and card["curves"] == []
    else:
        assert card["curves"][-1]["step"] == card["curves"][-1]["steps"]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("digits")])
def test_it_reaches_its_figure_on_the_test_data(name: str) -> None:
    network, recipe = load(name), recipes()[name]
    metrics = TASKS[recipe.settings.task].exam(network, Settings.of(network.card))
    assert metrics[recipe.metric] >= recipe.target
    assert metrics == pytest.approx(network.card["metrics"], abs=2e-4)


DIGITS = [name for name in NAMES if name.startswith("digits")]
SAMPLES = json.loads((FOLDER / "samples.json").read_text())
MISREAD = {each["model"]: {number for number, *_ in each["wrong"]} for each in SAMPLES["models"]}


@pytest.mark.parametrize("name", DIGITS)
def test_a_reader_misreads_as_few_test_images_as_it_must(name: str) -> None:
    """As `python -m training report --only samples` has found, which reads them all."""
    accuracy, recipe = load(name).card["metrics"]["accuracy"], recipes()[name]
    assert accuracy == pytest.approx(1 - len(MISREAD[name]) / 10_000)
    assert (accuracy >= recipe.target) == (name not in SHORT_OF_TARGET)
    assert accuracy >= recipe.target - 5e-4


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
@pytest.mark.parametrize("name", DIGITS)
def test_a_reader_misreads_the_very_images_that_are_named(name: str) -> None:
    """Looked at on a tenth of them."""
    x, y = digits.mnist(train=False)
    wrong = digits.logits(load(name), x[:1000]).argmax(-1) != y[:1000]
    assert set(wrong.nonzero()[:, 0].tolist()) == {number for number in MISREAD[name] if number < 1000}


@pytest.fixture
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A tenth of the test images, the drawings and the scribbles of the exam."""
    (x, y), whole, scribbles = digits.mnist(train=False), pen.PenDigits.part, digits.scribbles
    monkeypatch.setattr(digits, "mnist", lambda train: (x[:1000], y[:1000]))
    monkeypatch.setattr(pen.PenDigits, "part", lambda self, name: whole(self, name)[::10])
    monkeypatch.setattr(digits, "scribbles", lambda kinds, count, seed: scribbles(kinds, count // 10, seed))
    digits._drawn.cache_clear()
    yield
    digits._drawn.cache_clear()


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
@pytest.mark.usefixtures("few_drawings")
def test_the_best_readers_other_figures_are_near_those_of_its_card_on_a_tenth_of_the_drawings() -> None:
    network = load("digits-best")
    metrics = digits.exam(network, Settings.of(network.card))
    expected = network.card["metrics"]
    for name, tolerance in (("drawn_accuracy", 0.02), ("refused_drawings", 0.03), ("refused_scribbles", 0.1)):
        assert metrics[name] == pytest.approx(expected[name], abs=tolerance)
    assert metrics["calibration_error"] < 0.01
    assert metrics["refused_digits"] <= 0.01


def test_list_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "--json"])
    cards = json.loads(capsys.readouterr().out)
    assert list(cards) == names()
    main(["list", "recall"])
    assert capsys.readouterr().out.count("recall-") == len(names("recall"))
