"""The shipped models: all there, as their cards say, and as good as they must be."""

import json

import pytest

from models import load, names
from training.__main__ import main
from training.pretrain import recipes
from training.task import Settings
from training.tasks import TASKS, digits

NAMES = list(recipes())
SHORT_OF_TARGET = {"digits-best"}  # as weights/README.md says
WITHOUT_DOWNLOAD = [name for name in NAMES if not name.startswith("digits") or digits.available()]


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


@pytest.mark.parametrize("name", WITHOUT_DOWNLOAD)
def test_it_reaches_its_figure_on_the_test_data(name: str) -> None:
    network, recipe = load(name), recipes()[name]
    metrics = TASKS[recipe.settings.task].exam(network, Settings.of(network.card))
    assert (metrics[recipe.metric] >= recipe.target) == (name not in SHORT_OF_TARGET)
    assert metrics[recipe.metric] >= recipe.target - 5e-4
    assert metrics == pytest.approx(network.card["metrics"], abs=2e-4)


def test_list_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "--json"])
    cards = json.loads(capsys.readouterr().out)
    assert list(cards) == names()
    main(["list", "recall"])
    assert capsys.readouterr().out.count("recall-") == len(names("recall"))
