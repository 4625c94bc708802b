"""Noise on the hidden state: none is the ordinary network, and it comes when it should."""

from dataclasses import replace

import pytest
import torch

from models import CELLS, Network
from training.fit import build, fit
from training.noise import amount, noisy_logits
from training.script import script
from training.stacked import build_stacked, fit_stacked
from training.tasks import TASKS

TASK = TASKS["addition"]
SMALL = replace(TASK.defaults, cell="rnn", hidden_size=4, epochs=1).with_data(num_batches=20, state_noise=0.5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("num_layers", "bidirectional"), [(1, False), (2, True)])
def test_without_noise_it_is_the_network(cell: str, num_layers: int, bidirectional: bool) -> None:
    network = Network(
        2, 1, cell=cell, hidden_size=5, num_layers=num_layers, bidirectional=bidirectional, readout="every"
    )
    x = torch.randint(2, (7, 9, 2)).float()
    assert torch.allclose(noisy_logits(network, x, 0.0, torch.Generator()), network(x), atol=1e-6)
    assert not torch.allclose(noisy_logits(network, x, 0.5, torch.Generator()), network(x), atol=1e-3)


def test_it_comes_after_a_third_and_grows_for_another() -> None:
    sizes = [amount(SMALL, step, 300) for step in (0, 100, 150, 200, 299)]
    assert sizes == pytest.approx([0, 0, 0.25, 0.5, 0.5])
    assert amount(TASK.defaults, 299, 300) == 0


def test_training_with_noise_is_repeatable() -> None:
    weights = []
    for _ in range(2):
        network = build(SMALL)
        for _ in fit(network, TASK.load_data(SMALL), SMALL):
            pass
        weights.append(network.recurrent.weight_hh_l0.clone())
    assert torch.equal(*weights)


def test_what_cannot_do_it_says_so() -> None:
    with pytest.raises(ValueError, match="state noise"):
        next(fit_stacked(build_stacked(SMALL, [0, 1]), SMALL, [0, 1]))
    with pytest.raises(ValueError, match="noise"):
        script(SMALL.to_dict())
