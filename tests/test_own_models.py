"""Networks trained here on their tasks' pages: called like shipped ones, damaged, of other settings."""

import json
from dataclasses import replace

import pytest

from tests.pages import opened, texts
from training import runs
from training.runs import Run
from training.task import Settings
from training.tasks import TASKS
from training.worker import execute

ADDER = replace(TASKS["addition"].defaults.with_data(num_batches=20), epochs=1, hidden_size=4)
READER = replace(TASKS["digits"].defaults.with_data(dataset="sklearn"), epochs=1, hidden_size=4, num_layers=1)


def trained(settings: Settings, name: str) -> Run:
    run = runs.create(settings, name)
    execute(run)
    return run


def test_a_reader_that_is_called_like_a_shipped_one_stands_beside_it() -> None:
    trained(READER, "GRU")
    app = opened("digits", digits_model="GRU", digits_tab="All models on this drawing")
    assert "| GRU | " in texts(app)
    assert "| GRU (trained here) | " in texts(app)


def test_its_gradients_are_its_own() -> None:
    trained(READER, "GRU")
    app = opened("digits", digits_model="GRU", digits_tab="Look inside", inside_digits_part="Gradient through time")
    assert "GRU (trained here): " in texts(app)
    assert "; GRU: " in texts(app)


def test_an_adder_that_is_called_like_a_shipped_one_stands_beside_it() -> None:
    trained(ADDER, "BCE h10")
    shown = {"addition_tab": "Accuracy against length", "addition_models": "all models", "longest": "8"}
    app = opened("addition", addition_model="BCE h10", **shown)
    assert {"BCE h10", "BCE h10 (trained here)"} <= set(app.dataframe[0].value["model"])


def test_how_it_works_speaks_of_the_shipped_adders() -> None:
    trained(ADDER.with_data(length=8), "long")
    app = opened("addition", addition_model="long", addition_tab="How it works")
    assert "were trained on pairs of 5 bits only" in texts(app)
    assert "on all 1,024 pairs of 5 bits" in texts(app)


def test_how_it_works_says_where_the_answer_is_read() -> None:
    trained(replace(READER, bidirectional=True, readout="last"), "last")
    app = opened("digits", digits_model="last", digits_tab="How it works")
    assert "the states at the last row, where the half that reads upwards has seen that row only" in texts(app)


def test_to_break_a_damaged_adder_is_to_break_the_one_that_is_shown_instead() -> None:
    run = trained(ADDER, "mine")
    run.weights.write_bytes(b"damaged")
    app = opened("addition", addition_model="mine")
    assert "mine can't be shown" in texts(app)
    next(button for button in app.button if button.label == "Try to break it").click().run()
    assert not app.exception
    assert app.session_state["addition_searched"][0] == "addition-bce-h10"


@pytest.mark.parametrize("settings", [{"data": {}}, {"data": {"index": "7"}}, {"hidden_size": "x"}, {"cell": 1}])
def test_a_run_with_damaged_settings_ends_no_page(settings: dict[str, object]) -> None:
    run = trained(replace(TASKS["recall"].defaults.with_data(num_batches=20), epochs=1, hidden_size=2), "mine")
    path = run.folder / "run.json"
    path.write_text(json.dumps(run.facts | {"settings": run.facts["settings"] | settings}))
    opened("recall")
    opened("runs")


def test_a_run_whose_name_is_none_ends_no_page() -> None:
    run = trained(ADDER, "mine")
    (run.folder / "run.json").write_text(json.dumps(run.facts | {"name": 5}))
    opened("addition")
    opened("runs")


@pytest.mark.parametrize(("task", "key"), [("digits", "digits_model"), ("recall", "recall_model")])
def test_a_link_to_a_model_that_is_not_here_says_so(task: str, key: str) -> None:
    app = opened(task, **{key: "someone's *own*"})
    (toast,) = app.toast
    assert toast.value == r"The link asks for the model someone's \*own\*, which is not on offer here."
    assert not opened(task).toast
