"""The recipes of the shipped models, on a budget of seconds."""

from dataclasses import replace
from pathlib import Path

import torch

from models import load
from models.store import WEIGHTS
from training.fit import build, fit
from training.pretrain import Recipe, pretrain, write_readme
from training.tasks import TASKS

SMALL = replace(TASKS["addition"].defaults, cell="gru", hidden_size=3, epochs=1).with_data(num_batches=20)


def test_a_polished_network_is_trained_twice_and_its_curves_go_on(tmp_path: Path) -> None:
    polish = replace(SMALL, learning_rate=1e-3, schedule="one_cycle", epochs=2, seed=1)
    recipe = Recipe("addition-tiny", SMALL, "bit_accuracy", 0.0, None, polish=polish)
    seen = [progress for _, progress in pretrain(recipe, tmp_path)]
    steps = [progress.step for progress in seen]
    assert steps == sorted(set(steps))
    assert (seen[-1].step, seen[-1].epoch) == (seen[-1].steps, 3)

    network = build(SMALL)
    for settings in (SMALL, polish):
        assert list(fit(network, TASKS["addition"].load_data(settings), settings))
    shipped = load(tmp_path / "addition-tiny.safetensors")
    assert all(torch.equal(mine, its) for mine, its in zip(shipped.parameters(), network.parameters(), strict=True))
    assert shipped.card["polish"] == polish.to_dict()
    assert len(shipped.card["curves"]) == len(seen)


def test_the_best_seed_on_validation_data_is_kept(tmp_path: Path) -> None:
    recipe = Recipe("addition-tiny", SMALL, "bit_accuracy", 0.0, None, seeds=3)
    last = dict(pretrain(recipe, tmp_path))
    card = load(tmp_path / "addition-tiny.safetensors").card
    assert card["seed"] == max(last, key=lambda seed: last[seed].merit())
    assert card["seeds_tried"] == 3
    assert "polish" not in card


def test_the_readme_beside_the_weights_is_what_their_cards_say_and_rounds_no_miss_away(tmp_path: Path) -> None:
    for weights in WEIGHTS.glob("*.safetensors"):
        (tmp_path / weights.name).symlink_to(weights)
    write_readme(tmp_path)
    written = (tmp_path / "README.md").read_text()
    assert written == (WEIGHTS / "README.md").read_text()
    assert "9,958 of 10,000 (the aim, 99.6 %, is missed)" in written
    assert "1,976 of 1,996 (the aim, 99 %, is missed)" in written
