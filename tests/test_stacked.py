"""Many seeds at once: each gets what it gets alone."""

from dataclasses import replace

import pytest
import torch

from models.network import Network
from training.fit import build, fit
from training.metrics import evaluate
from training.packing import packing
from training.stacked import (
    StackedNetwork,
    accuracy_by_length_stacked,
    build_stacked,
    evaluate_stacked,
    fit_stacked,
)
from training.task import Settings
from training.tasks import TASKS, addition, lengths

SEEDS = [3, 0, 7]
RECALL = replace(TASKS["recall"].defaults, hidden_size=3, epochs=1).with_data(num_batches=30)
ADDITION = replace(TASKS["addition"].defaults, hidden_size=3, epochs=2).with_data(num_batches=20)
CELLS = ("rnn", "gru", "lstm")
ADDERS = [replace(ADDITION, cell=cell, loss=loss) for cell in CELLS for loss in ("bce", "mse")]
RECALLERS = [replace(RECALL, cell=cell, readout=readout) for cell in CELLS for readout in ("final", "last")]
CASES = {
    **{f"{each.task}, {each.cell}, {each.loss}, {each.readout}": each for each in ADDERS + RECALLERS},
    "one direction": replace(RECALL, bidirectional=False, cell="gru"),
    "two layers": replace(RECALL, num_layers=2),
    "clipped, decayed, falling": replace(ADDITION, gradient_clipping=0.05, weight_decay=0.01, schedule="linear"),
    "forget bias": replace(ADDITION, forget_bias=1.0, bidirectional=True),
    "one length": replace(RECALL, cell="gru").with_data(shortest=5, longest=5),
}


def alone(settings: Settings, seed: int) -> tuple[Network, list]:
    settings = replace(settings, seed=seed)
    network = build(settings)
    return network, list(fit(network, TASKS[settings.task].load_data(settings), settings))


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_each_seed_gets_what_it_gets_alone(settings: Settings) -> None:
    stacked = build_stacked(settings, SEEDS)
    curves = list(fit_stacked(stacked, settings, SEEDS))
    for number, (seed, network) in enumerate(zip(SEEDS, stacked.unstack(), strict=True)):
        expected, expected_curves = alone(settings, seed)
        for name, parameter in expected.state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], parameter, atol=2e-4, rtol=2e-4)
        assert [each.step for each in curves] == [each.step for each in expected_curves]
        for mine, theirs in zip(curves, expected_curves, strict=True):
            assert mine.train_loss[number] == pytest.approx(theirs.train_loss, abs=1e-4)
            assert mine.validation_loss[number] == pytest.approx(theirs.validation_loss, abs=1e-4)
            for name, value in theirs.metrics.items():
                assert mine.metrics[name][number] == pytest.approx(value, abs=2e-3)


def test_a_stack_answers_as_its_networks_do_for_one_input_or_one_each() -> None:
    networks = [build(replace(RECALL, seed=seed, num_layers=2)) for seed in SEEDS]
    stacked = StackedNetwork(networks)
    x, sizes = torch.randn(3, 5, 7, 10), torch.tensor([2, 7, 4])
    with torch.no_grad():
        shared, own = stacked(x[0]), stacked(x, sizes)
        for number, network in enumerate(networks):
            torch.testing.assert_close(shared[number], network(x[0]))
            torch.testing.assert_close(own[number], network(x[number], sizes[number].expand(5)))


def test_packing_keeps_the_steps_that_are_read_and_turns_each_sequence_around() -> None:
    x = torch.arange(3 * 3).view(3, 1, 3, 1).float()  # network s reads 3 s, 3 s + 1, 3 s + 2, as far as it is long
    packed = packing(torch.tensor([2, 3, 1]))
    assert packed.active == [3, 2, 1]
    rows = packed.pack(x)[:, 0, 0]
    assert rows.tolist() == [3, 0, 6, 4, 1, 5]
    assert rows[packed.turned].tolist() == [5, 1, 6, 4, 0, 3]
    assert rows[:3][packed.back].tolist() == [0, 3, 6]
    assert rows[packed.last][packed.back].tolist() == [1, 5, 6]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_training_may_follow_an_evaluation(cell: str) -> None:
    settings = replace(ADDITION, cell=cell, hidden_size=4, epochs=1)  # a size that no other test has prepared
    validation = [TASKS["addition"].load_data(replace(settings, seed=seed)).validation for seed in SEEDS]
    stacked = build_stacked(settings, SEEDS)
    before = evaluate_stacked(stacked, validation, settings)
    *_, last = fit_stacked(stacked, settings, SEEDS)
    assert all(after < loss for after, loss in zip(last.validation_loss, before["loss"], strict=True))


def test_unstacking_gives_back_what_was_stacked() -> None:
    networks = [build(replace(ADDITION, seed=seed)) for seed in SEEDS]
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    for network, state in zip(StackedNetwork(networks).unstack(), before, strict=True):
        assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


def test_one_seed_that_diverges_leaves_the_others_alone() -> None:
    stacked = build_stacked(ADDITION, SEEDS)
    with torch.no_grad():
        stacked.parameters["linear.bias"][1] = torch.nan
    *_, last = fit_stacked(stacked, ADDITION, SEEDS)
    _, curves = alone(ADDITION, SEEDS[2])
    assert last.train_loss[1] != last.train_loss[1]
    assert last.validation_loss[2] == pytest.approx(curves[-1].validation_loss, abs=1e-4)


def test_evaluation_is_that_of_each_network() -> None:
    networks = [build(replace(RECALL, seed=seed)).eval() for seed in SEEDS]
    tested = [TASKS["recall"].load_data(replace(RECALL, seed=seed)).test for seed in SEEDS]
    together = evaluate_stacked(StackedNetwork(networks), tested, RECALL)
    for number, (network, examples) in enumerate(zip(networks, tested, strict=True)):
        expected = evaluate(network, examples, RECALL.loss, TASKS["recall"].correct)
        assert {name: values[number] for name, values in together.items()} == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_accuracy_by_length_is_that_of_each_network(cell: str) -> None:
    networks = [build(replace(ADDITION, cell=cell, seed=seed)).eval() for seed in SEEDS]
    for network in networks:
        network.linear.weight.data.mul_(3)
    longest = 9
    for kind, pairs in (
        ("carry chains", addition.carry_chains(longest)),
        ("random numbers", addition.generate(addition.MAX_BITS, 50, 1, 0)),
    ):
        together = accuracy_by_length_stacked(StackedNetwork(networks), pairs, only_fitting=kind == "carry chains")
        for number, network in enumerate(networks):
            rows = lengths.accuracy_by_length(network, longest, kind, count=50, seed=0)
            for metric in ("bit_accuracy", "sum_accuracy"):
                mine = [values[number] for values in together[metric][:longest]]
                assert mine == pytest.approx([row[metric] for row in rows], abs=1e-9)


def test_batches_that_are_not_full_are_refused_in_one_sentence() -> None:
    settings = replace(ADDITION, batch_size=30)
    with pytest.raises(ValueError, match=r"choose a batch size .*\.$"):
        next(fit_stacked(build_stacked(settings, SEEDS), settings, SEEDS))
