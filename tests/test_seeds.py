"""A run of many seeds: from its start to its network, with pauses, stops and seeds that diverge, and on the page."""

import itertools
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from models import load
from models.store import WEIGHTS
from training import runs
from training.commands import main
from training.engine import Engine
from training.estimate import seconds
from training.fit import DivergedError, build, fit
from training.runs import RunError
from training.seeds import LAST_SEED, MOST_SEEDS, best_seed, check_seeds, median, of_seed
from training.stacked import StackedNetwork, StackedProgress, build_stacked, fit_stacked
from training.task import Settings, Task
from training.tasks import TASKS
from training.worker import execute
from ui.background import engine as server_engine
from ui.seeds import summary

SEEDS = range(5, 8)
QUICK = replace(TASKS["addition"].defaults, hidden_size=3, epochs=2, seed=5).with_data(num_batches=20)
LONG = replace(QUICK, epochs=1000)


def progress(losses: list[float], accuracies: list[float]) -> StackedProgress:
    return StackedProgress(10, 20, 1, losses, losses, {"bit_accuracy": accuracies}, 1.0)


def alone(settings: Settings) -> dict[str, torch.Tensor]:
    network = build(settings)
    list(fit(network, TASKS[settings.task].load_data(settings), settings))
    return network.state_dict()


def test_a_run_keeps_the_seed_that_is_best_on_validation_data_and_says_which() -> None:
    run = runs.create(QUICK, seeds=3)
    execute(run)
    last, card = run.seeds_progress()[-1], load(run.weights).card
    best = best_seed(last)
    assert (run.state(), run.seeds, card["seed"], card["seeds_tried"]) == ("finished", SEEDS, SEEDS[best], 3)
    assert run.progress() == [median(each) for each in run.seeds_progress()]
    assert card["curves"] == [of_seed(each, best).to_dict() for each in run.seeds_progress()]
    for name, tensor in alone(replace(QUICK, seed=card["seed"])).items():
        torch.testing.assert_close(load(run.weights).state_dict()[name], tensor, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("taken", [1, 3])
@pytest.mark.parametrize("changes", [{}, {"schedule": "linear", "weight_decay": 1e-3, "gradient_clipping": 0.1}])
def test_a_break_changes_nothing(tmp_path: Path, taken: int, changes: dict[str, object]) -> None:
    settings, checkpoint = replace(QUICK, **changes), tmp_path / "checkpoint.safetensors"
    whole, broken, resumed = (build_stacked(settings, SEEDS) for _ in range(3))
    expected = list(fit_stacked(whole, settings, SEEDS, validate_every=5))
    for _ in itertools.islice(fit_stacked(broken, settings, SEEDS, validate_every=5, checkpoint=checkpoint), taken):
        pass
    rest = list(fit_stacked(resumed, settings, SEEDS, validate_every=5, checkpoint=checkpoint))
    assert [each.step for each in rest] == [each.step for each in expected][taken - 1 :]
    assert rest[-1].validation_loss == expected[-1].validation_loss
    assert all(torch.equal(resumed.parameters[name], value) for name, value in whole.parameters.items())
    with pytest.raises(ValueError, match="other settings"):
        next(fit_stacked(build_stacked(settings, range(3)), settings, range(3), checkpoint=checkpoint))


def test_a_run_with_a_seed_that_has_diverged_goes_on_after_a_break(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    network = build_stacked(QUICK, SEEDS)
    with torch.no_grad():
        network.parameters["linear.bias"][1] = torch.nan
    list(itertools.islice(fit_stacked(network, QUICK, SEEDS, checkpoint=checkpoint), 2))
    *_, last = fit_stacked(StackedNetwork(network.unstack()), QUICK, SEEDS, checkpoint=checkpoint)
    assert [math.isfinite(loss) for loss in last.validation_loss] == [True, False, True]
    assert "The loss of 1 of the 3 seeds is no number any more." in summary(list(SEEDS), last)


def test_the_median_and_the_best_leave_out_seeds_that_have_diverged() -> None:
    some = progress([0.5, math.nan, 0.1, 0.2], [0.7, 1.0, 0.9, 0.9])
    assert best_seed(some) == 2
    assert (median(some).validation_loss, median(some).metrics) == (0.2, {"bit_accuracy": 0.9})
    with pytest.raises(DivergedError, match=r"before step 10.*\.$"):
        median(progress([math.nan], [0.5]))


def test_the_sentence_names_best_median_and_worst() -> None:
    text = summary([5, 6, 7], progress([0.5, 0.1, 0.3], [0.7, 0.95, 0.8]))
    assert "best **95.00%** (seed 6), median **80.00%**, worst **70.00%** (seed 5)" in text


@pytest.mark.parametrize("task", ["recall", "addition"])
def test_the_reports_settings_take_as_many_seeds_as_the_slider_has(task: str) -> None:
    defaults = TASKS[task].defaults
    check_seeds(defaults, MOST_SEEDS)
    assert seconds(defaults, 1) < seconds(defaults, MOST_SEEDS) < MOST_SEEDS * seconds(defaults, 1)


@pytest.mark.parametrize(
    ("changes", "seeds", "sentence"),
    [
        ({}, 65, "From 1 to 64 seeds"),
        ({"batch_size": 30}, 2, "divides 1,600"),
        ({"seed": LAST_SEED}, 2, "lower seed"),
        ({"hidden_size": 64}, 2, "fewer than 64 hidden units"),
    ],
)
def test_what_cannot_be_trained_at_once_is_said_in_one_sentence(
    changes: dict[str, object], seeds: int, sentence: str
) -> None:
    check_seeds(replace(QUICK, **changes), 1)
    with pytest.raises(ValueError, match=rf"{sentence}[^.]*\.$|{sentence}"):
        check_seeds(replace(QUICK, **changes), seeds)


ADDITION, RECALL = (TASKS[name] for name in ("addition", "recall"))


@given(
    task=st.sampled_from([ADDITION, RECALL]),
    batch_size=st.integers(1, 40),
    elements=st.integers(1, 12),
    num_batches=st.integers(5, 25),
    noise=st.sampled_from([0.0, 0.3]),
)
def test_what_fits_is_let_through_and_can_be_trained_at_once(
    task: Task, batch_size: int, elements: int, num_batches: int, noise: float
) -> None:
    data = {"elements_in_batch": elements, "num_batches": num_batches}
    data |= {"state_noise": noise} if task is ADDITION else {}
    wanted = replace(task.defaults, hidden_size=2, epochs=1, batch_size=batch_size).with_data(**data)
    together = elements if task is RECALL else task.size(wanted)[0]  # recall's sequences have several lengths
    if noise * (task is ADDITION) or together % batch_size:
        with pytest.raises(ValueError, match=r"\.$"):
            check_seeds(wanted, 2)
        return
    check_seeds(wanted, 2)
    next(fit_stacked(build_stacked(wanted, [0, 1]), wanted, [0, 1]))


@pytest.mark.parametrize("changes", [{"data": QUICK.data | {"state_noise": 0.3}}, {"readout": "pooled"}])
def test_what_training_would_refuse_is_refused_before_it_in_the_same_sentence(changes: dict[str, Any]) -> None:
    wanted = replace(QUICK, **changes)
    with pytest.raises(ValueError, match=r"only .*\.$") as before:
        check_seeds(wanted, 3)
    with pytest.raises(ValueError, match=r"only .*\.$") as within:
        next(fit_stacked(build_stacked(QUICK, SEEDS), wanted, SEEDS))
    assert str(before.value) == str(within.value)


def wait_for(condition: object, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_run_in_the_background_pauses_and_stops_with_its_best_seed() -> None:
    engine, run = Engine(workers=1), runs.create(LONG, seeds=3)
    engine.submit(run)
    wait_for(lambda: len(run.seeds_progress()) > 1 and run.best.exists())
    engine.pause(run)
    wait_for(lambda: engine.state(run) == "paused")
    engine.stop(run)
    wait_for(lambda: engine.state(run) == "stopped")
    steps = [each.step for each in run.seeds_progress()]
    medians = [each.step for each in run.progress()]
    assert steps == sorted(set(steps))
    assert medians == steps[: len(medians)]  # an order may come between the two lines
    assert load(run.weights).card["seed"] in SEEDS
    assert load(run.weights).card["seeds_tried"] == 3


def test_a_run_that_has_lost_what_its_seeds_reached_says_so_and_keeps_its_best_network() -> None:
    run = runs.create(QUICK, "lossy", seeds=3)
    execute(run)
    for file in (run.weights, run.log_of_seeds.path):
        file.unlink()
    run.set_state("paused")
    with pytest.raises(
        RunError, match=r"^The seeds.jsonl of lossy was lost [^\n]*: stop the run [^\n]* train it anew\.$"
    ):
        execute(run)
    execute(run, keep_best=True)
    assert load(run.weights).card["seed"] in SEEDS


@pytest.mark.parametrize(("seeds", "foreign"), [(3, "addition-bce-h2"), (3, "recall-any"), (1, "recall-any")])
def test_a_best_network_that_is_none_of_the_runs_is_not_kept(seeds: int, foreign: str) -> None:
    run = runs.create(replace(QUICK, hidden_size=2, seed=50), "mine", seeds=seeds)
    shutil.copy(WEIGHTS / f"{foreign}.safetensors", run.best)
    with pytest.raises(RunError, match=r"^The best.safetensors of mine is damaged: delete it, and resume the run\.$"):
        execute(run, keep_best=True)
    assert not run.weights.exists()


def test_the_command_line_trains_many_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "best.safetensors"
    main(f"train addition --seeds 3 --hidden-size 3 --num-batches 20 --epochs 1 --out {out}".split())
    assert "medians at step 16 of 16" in capsys.readouterr().out
    assert load(out).card["seed"] in range(3)
    assert load(out).card["seeds_tried"] == 3
    with pytest.raises(SystemExit):
        main(f"train recall --seeds 3 --batch-size 30 --out {out}".split())
    assert "all batches are full" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(f"train addition --seeds 3 --state-noise 0.3 --out {out}".split())
    assert "without state noise" in capsys.readouterr().err


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No run outlives its test."""
    server_engine.clear()
    yield
    monkeypatch.setattr("training.engine.PATIENCE", 0.1)
    server_engine().shut_down()
    server_engine.clear()


@pytest.mark.usefixtures("own_engine")
def test_the_page_trains_many_seeds_and_shows_their_spread() -> None:
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60)
    app.switch_page("pages/addition.py")
    options = {"seeds": "3", "hidden_size": "3", "num_batches": "20", "epochs": "1"}
    app.query_params["addition_tab"] = "Train"
    for key, new in options.items():
        app.query_params[f"train_addition_{key}"] = new
    app.run()
    assert any("**3** networks of" in element.value for element in app.markdown)
    next(button for button in app.button if button.label == "Train").click()
    app.run()
    (run,) = runs.all_runs()
    wait_for(lambda: run.state() == "finished")
    app.run()
    app.run()
    assert not app.exception
    assert run.seeds == range(3)
    assert any("median **" in element.value for element in app.markdown)
    assert any("one line for each of the 3 seeds" in element.value for element in app.caption)


@pytest.mark.usefixtures("own_engine")
def test_the_page_says_at_once_what_many_seeds_cannot_be_trained_with() -> None:
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60)
    app.switch_page("pages/addition.py")
    app.query_params["addition_tab"] = "Train"
    app.query_params["train_addition_seeds"] = "8"
    app.query_params["train_addition_state_noise"] = "0.3"
    app.run()
    assert ["without state noise" in error.value for error in app.error] == [True]
    assert "Train" not in [button.label for button in app.button]
