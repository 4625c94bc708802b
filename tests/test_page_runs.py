"""The Runs page under AppTest: filters, comparison, names, deletion, and runs that vanish."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from models import names
from training import runs
from training.runs import Run
from training.tasks import TASKS
from training.worker import execute
from ui.background import engine

ROOT = Path(__file__).parents[1]
QUICK = replace(TASKS["addition"].defaults.with_data(num_batches=20), epochs=1, hidden_size=4)


@pytest.fixture
def trained() -> Run:
    run = runs.create(QUICK, "my adder")
    execute(run)
    return run


def opened(**parameters: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/runs.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return checked(app)


def checked(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def table(app: AppTest) -> list[str]:
    return app.dataframe[0].value["name"].tolist()


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.error])


def test_without_runs_it_shows_the_shipped_models_and_says_how_to_train() -> None:
    app = opened()
    assert table(app) == names()
    assert "Nothing has been trained here yet" in texts(app)


def test_what_was_set_by_hand_has_no_settings_of_a_training() -> None:
    rows = opened().dataframe[0].value.set_index("name")
    assert rows.loc["addition-ideal-h2", ["loss", "epochs", "learning rate", "weight decay", "seed"]].isna().all()
    assert rows.loc["addition-bce-h2", ["loss", "epochs", "learning rate", "weight decay", "seed"]].notna().all()


def test_runs_stand_first_with_their_accuracy(trained: Run) -> None:
    app = opened()
    assert table(app) == ["my adder", *names()]
    row = app.dataframe[0].value.iloc[0]
    assert (row["status"], row["hidden"], row["loss"]) == ("finished", 4, "binary cross-entropy")
    assert 0 < row["test accuracy"] < 1


def test_the_filters_work_together(trained: Run) -> None:
    app = opened()
    app.multiselect(key="runs_status").set_value(["finished"])
    assert table(checked(app)) == ["my adder"]
    app.multiselect(key="runs_status").set_value([])
    app.text_input(key="runs_search").set_value("BILSTM").run()
    assert set(table(app)) == {"digits-bilstm", "digits-bilstm-l2"} | {name for name in names() if "recall-i" in name}
    app.text_input(key="runs_search").set_value("no such thing").run()
    assert not app.dataframe
    assert "Nothing fits these filters" in texts(app)


def test_two_chosen_models_are_compared() -> None:
    app = opened()
    app.multiselect(key="compare").set_value(["digits-gru", "digits-gru-l2"])
    checked(app)
    assert "| weight decay | **0** | **0.001** |" in texts(app)
    assert "hidden size" not in texts(app)
    assert len(app.get("vega_lite_chart")) == 3


def test_a_run_can_be_renamed_and_keeps_its_place(trained: Run) -> None:
    app = opened()
    app.multiselect(key="compare").set_value([trained.id])
    checked(app)
    app.text_input(key=f"runs_name_{trained.id}").set_value("better name")
    app.button(key="runs_rename").click()
    checked(app)
    assert table(app)[0] == "better name"
    app.text_input(key=f"runs_name_{trained.id}").set_value("digits-gru")
    app.button(key="runs_rename").click()
    assert "called digits-gru already" in texts(checked(app))


def test_a_run_is_deleted_only_when_that_is_confirmed(trained: Run) -> None:
    app = opened()
    app.multiselect(key="compare").set_value([trained.id, "digits-gru"])
    checked(app)
    assert "Delete my adder with weights and curves, for good?" in texts(app)
    assert trained.folder.exists()
    app.button(key="runs_delete").click()
    checked(app)
    assert not trained.folder.exists()
    assert app.multiselect(key="compare").value == ["digits-gru"]
    assert table(app) == names()


def test_a_run_whose_folder_vanishes_leaves_the_table(trained: Run) -> None:
    app = opened()
    app.multiselect(key="compare").set_value([trained.id])
    checked(app)
    shutil.rmtree(trained.folder)
    assert table(checked(app)) == names()


def test_a_damaged_run_says_so_and_leaves_the_others_alone(trained: Run) -> None:
    other = runs.create(QUICK, "another")
    other.set_state("paused")
    (trained.folder / "progress.jsonl").write_text("nonsense\n")
    (trained.folder / "status.json").write_text("{}")
    trained.weights.write_bytes(b"garbage")
    app = opened()
    assert table(app) == ["another", "my adder", *names()]
    assert app.dataframe[0].value["status"].tolist()[:2] == ["paused", "failed"]
    app.multiselect(key="compare").set_value([trained.id])
    assert "The network of my adder can't be read: weights.safetensors is not" in texts(checked(app))
    app.button(key="runs_delete").click()
    assert table(checked(app)) == ["another", *names()]


def test_a_network_that_cannot_be_read_is_one_sentence_on_its_page(trained: Run) -> None:
    trained.weights.write_bytes(b"garbage")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/addition.py")
    app.query_params["addition_model"] = "my adder"
    checked(app)
    assert "my adder can't be shown: weights.safetensors is not a readable safetensors file" in texts(app)
    assert any('role="status"' in element.value for element in app.html)


def test_a_run_that_does_not_say_what_it_trains_is_left_out(trained: Run) -> None:
    (trained.folder / "run.json").write_text("{")
    assert table(opened()) == names()


def test_a_run_that_was_interrupted_can_be_resumed() -> None:
    run = runs.create(QUICK, "left behind")
    run.set_state("running")
    app = opened()
    assert app.dataframe[0].value.iloc[0]["status"] == "interrupted"
    app.multiselect(key="compare").set_value([run.id])
    checked(app)
    assert "Resume" in [button.label for button in app.button]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "where"), [("digits-rnn-l2", "Digits"), ("recall-i4-h10", "Recall"), ("addition-mse-h2", "Addition")]
)
def test_a_model_is_taken_along_to_its_page(page: Page, server_url: str, name: str, where: str) -> None:
    page.goto(f"{server_url}/runs?compare={name}")
    page.get_by_role("link", name=f"Use on {where}").click()
    expect(page.get_by_role("combobox", name="Model")).to_have_value(name)


def test_a_long_queue_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.engine.cores", lambda: 1)
    monkeypatch.setattr("training.engine.PATIENCE", 0.1)
    engine.clear()
    try:
        for _ in range(4):
            engine().submit(runs.create(replace(QUICK, epochs=500)))
        app = opened()
        assert "3 runs wait for a free core." in [element.value for element in app.caption]
    finally:
        engine().shut_down()
        engine.clear()
