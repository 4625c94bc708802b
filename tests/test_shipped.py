"""The shipped models: all there, as their cards say, and as good as they must be."""

import json

import pytest

from models import load, names
from training.__main__ import main
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
def test_a_reader_misreads_the_very_images_that_are_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at on a part of them; on as small a part of the drawings, its other figures are near those of the card."""
    part, (x, y), whole, scribbles = 1000, digits.mnist(train=False), pen.PenDigits.part, digits.scribbles
    monkeypatch.setattr(digits, "mnist", lambda train: (x[:part], y[:part]))
    monkeypatch.setattr(pen.PenDigits, "part", lambda self, name: whole(self, name)[::10])
    monkeypatch.setattr(digits, "scribbles", lambda kinds, count, seed: scribbles(kinds, count // 10, seed))
    digits._drawn.cache_clear()
    network = load(name)
    metrics = digits.exam(network, Settings.of(network.card))
    assert metrics["accuracy"] == pytest.approx(1 - len({n for n in MISREAD[name] if n < part}) / part)
    assert metrics == pytest.approx(network.card["metrics"], abs=0.1)
    digits._drawn.cache_clear()


def test_list_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "--json"])
    cards = json.loads(capsys.readouterr().out)
    assert list(cards) == names()
    main(["list", "recall"])
    assert capsys.readouterr().out.count("recall-") == len(names("recall"))
