"""The training loop: it learns, repeats itself, resumes exactly, and regularises as PyTorch's Adam does."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from models import Network, WeightsError
from training.adam import Adam
from training.fit import MOST_PROGRESS, DivergedError, Progress, build, fit, interval, learning_rate
from training.metrics import LOSSES, evaluating
from training.options import change
from training.task import Data, Examples, Settings
from training.tasks import TASKS, addition

SMALL = TASKS["addition"].defaults.with_data(num_batches=20, elements_in_batch=50)
SMALL = replace(SMALL, hidden_size=6, epochs=3, batch_size=50)


def trained(settings: Settings, **options: object) -> tuple[Network, list[Progress]]:
    network = build(settings)
    return network, list(fit(network, TASKS[settings.task].load_data(settings), settings, **options))


def assert_same_weights(first: Network, second: Network) -> None:
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"fused": True, "weight_decay": 0.1}])
def test_adam_is_pytorchs_adam_after_a_break_too(options: dict[str, object]) -> None:
    made = []
    for kind in (Adam, torch.optim.Adam):
        generator, weights = torch.Generator().manual_seed(0), torch.nn.Parameter(torch.ones(5))
        optimizer = kind([weights], 0.1, **options)
        for step in range(8):
            if step == 4:
                state, optimizer = optimizer.state_dict(), kind([weights], 0.5, **options)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            (weights**2 @ torch.randn(5, generator=generator)).backward()
            optimizer.step()
        made.append(weights)
    assert torch.equal(*made)


@pytest.mark.parametrize(("per_epoch", "epochs"), [(400, 5), (4, 5), (1, 999), (4, 400), (500, 1000), (1, 1001)])
def test_progress_comes_ten_times_an_epoch_but_never_too_often(per_epoch: int, epochs: int) -> None:
    between = interval(per_epoch, per_epoch * epochs)
    assert per_epoch * epochs / between <= MOST_PROGRESS
    assert between == max(1, per_epoch // 10) or per_epoch * epochs / (between - 1) > MOST_PROGRESS


def test_it_learns_addition_and_reports_its_progress() -> None:
    settings = replace(TASKS["addition"].defaults, epochs=1)
    network, progress = trained(settings)
    assert [p.step for p in progress] == list(range(40, 401, 40))
    assert progress[-1].steps == 400
    assert progress[0].epoch == progress[-1].epoch == 1
    assert progress[-1].train_loss < 0.1 < progress[0].train_loss
    assert progress[-1].metrics["bit_accuracy"] > 0.99
    ((x, y),) = addition.load_data(settings).validation.groups
    expected = F.binary_cross_entropy_with_logits(network(x), y).item()
    assert progress[-1].validation_loss == pytest.approx(expected, rel=1e-4)
    assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(progress))
    assert json.loads(json.dumps(progress[0].to_dict()))["metrics"] == progress[0].metrics


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    first, again, other = (trained(replace(SMALL, seed=seed))[0] for seed in (1, 1, 2))
    assert_same_weights(first, again)
    assert not torch.equal(first.linear.weight, other.linear.weight)


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    trained(SMALL)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("taken", [1, 2, 4])
@pytest.mark.parametrize(
    "changes", [{}, {"cell": "gru", "schedule": "linear", "gradient_clipping": 0.5, "weight_decay": 1e-3}]
)
def test_a_stopped_run_resumes_to_the_same_weights(tmp_path: Path, taken: int, changes: dict[str, object]) -> None:
    settings = replace(SMALL, **changes)
    whole, progress = trained(settings, validate_every=7)
    checkpoint = tmp_path / "checkpoint.safetensors"
    data, stopped = addition.load_data(settings), build(settings)
    for _ in itertools.islice(fit(stopped, data, settings, validate_every=7, checkpoint=checkpoint), taken):
        pass
    resumed = build(settings)
    rest = list(fit(resumed, data, settings, validate_every=7, checkpoint=checkpoint))
    assert_same_weights(whole, resumed)
    assert [p.step for p in rest] == [p.step for p in progress][taken - 1 :], "the last one was not asked beyond"
    assert rest[-1].validation_loss == progress[-1].validation_loss


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    trained(replace(SMALL, epochs=1), checkpoint=checkpoint)
    with pytest.raises(WeightsError, match="other settings"):
        trained(replace(SMALL, epochs=2), checkpoint=checkpoint)


def one_batch(settings: Settings) -> tuple[torch.Tensor, torch.Tensor]:
    ((x, y),) = addition.load_data(settings).train.groups
    return x[:50], y[:50]


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("weight_decay", [0.0, 1e-2])
def test_a_step_is_the_step_of_pytorchs_adam(loss: str, weight_decay: float) -> None:
    settings = replace(SMALL, loss=loss, weight_decay=weight_decay, epochs=1)
    examples = Examples((one_batch(settings),))
    network, reference = build(settings), build(settings)
    list(fit(network, Data(examples, examples, examples), settings))
    ((x, y),) = examples.groups
    optimizer = torch.optim.Adam(reference.parameters(), settings.learning_rate, weight_decay=weight_decay)
    LOSSES[loss](reference(x), y).backward()
    optimizer.step()
    for name, tensor in reference.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], tensor, atol=1e-6, rtol=1e-5)


def test_weight_decay_keeps_the_weights_smaller() -> None:
    norms = [
        sum(p.square().sum() for p in trained(replace(SMALL, weight_decay=decay))[0].parameters())
        for decay in (0.0, 1e-2)
    ]
    assert norms[1] < norms[0]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", {0: 1, 999: 1}),
        ("linear", {0: 1, 250: 0.75, 1000: 0}),
        ("one_cycle", {0: 0.01, 50: 0.5, 100: 1, 550: 0.5, 1000: 0}),
        ("two_cycles", {0: 0.01, 30: 0.5, 60: 1, 330: 0.5, 620: 0.25, 640: 0.5, 820: 0.25, 1000: 0}),
    ],
)
def test_the_learning_rate_follows_its_schedule(schedule: str, rates: dict[int, float]) -> None:
    settings = replace(SMALL, schedule=schedule, learning_rate=1.0)
    assert {step: learning_rate(settings, step, 1000) for step in rates} == pytest.approx(rates)


def test_the_losses_are_pytorchs() -> None:
    logits, y = torch.randn(4, 6), torch.randint(2, (4, 6)).float()
    torch.testing.assert_close(LOSSES["bce"](logits, y), F.binary_cross_entropy(torch.sigmoid(logits), y))
    torch.testing.assert_close(LOSSES["mse"](logits, y), ((torch.sigmoid(logits) - y) ** 2).mean())
    classes = torch.tensor([0, 5, 2, 1])
    torch.testing.assert_close(
        LOSSES["cross_entropy"](logits, classes), -torch.log_softmax(logits, -1)[range(4), classes].mean()
    )


def test_a_diverging_loss_is_one_sentence(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    settings = replace(SMALL, cell="rnn", loss="mse")
    network = build(settings)
    with torch.no_grad():
        network.linear.weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match="lower the learning rate"):
        list(fit(network, addition.load_data(settings), settings, checkpoint=checkpoint))
    assert not checkpoint.exists()


def test_validation_in_the_midst_looks_at_a_share_of_every_group() -> None:
    data = TASKS["recall"].load_data(TASKS["recall"].defaults).validation
    first = data.first(2000)
    assert len(data) == 10_000
    assert abs(len(first) - 2000) <= len(data.groups)
    assert len(first.groups) == len(data.groups)
    assert len(data.first(10**6)) == 10_000


def test_the_forget_bias_opens_the_forget_gates_and_nothing_else() -> None:
    plain, opened = build(SMALL), build(replace(SMALL, forget_bias=2.0))
    change = opened.recurrent.bias_ih_l0 - plain.recurrent.bias_ih_l0
    torch.testing.assert_close(change, torch.tensor([0.0] * 6 + [2.0] * 6 + [0.0] * 12))
    assert torch.equal(opened.recurrent.bias_hh_l0, plain.recurrent.bias_hh_l0)
    assert_same_weights(build(replace(SMALL, cell="gru")), build(replace(SMALL, cell="gru", forget_bias=2.0)))


def test_a_break_before_the_last_progress_is_kept_repeats_it(tmp_path: Path) -> None:
    """Whoever trains may be interrupted between two progresses: none of those on the curve may be missing."""
    settings = replace(TASKS["addition"].defaults.with_data(num_batches=20), epochs=1, hidden_size=4)
    data, network = TASKS["addition"].load_data(settings), build(settings)
    for progress in fit(network, data, settings, checkpoint=tmp_path / "c"):
        if progress.step == progress.steps:
            break
    again = [each.step for each in fit(build(settings), data, settings, checkpoint=tmp_path / "c")]
    assert again == [progress.steps]


def test_a_setting_that_a_task_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="The task addition has no setting 'A = 1'"):
        change(TASKS["addition"].defaults, {"A = 1": 2})


def test_a_network_that_is_evaluated_goes_on_in_the_mode_that_it_was_in() -> None:
    network = build(SMALL)
    for training in (True, False):
        network.train(training)
        with pytest.raises(ZeroDivisionError), evaluating(network):
            assert not network.training and torch.is_inference_mode_enabled()
            _ = 1 / 0
        assert network.training == training and not torch.is_inference_mode_enabled()
