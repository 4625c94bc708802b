"""The Runs page under AppTest: filters, comparison, names, deletion, and runs that vanish."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from models import load, names
from tests import live
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


def test_a_comparison_with_what_was_set_by_hand_says_so() -> None:
    app = opened(compare=["addition-ideal-h2", "addition-bce-h2"])
    assert "| cell | **RNN** | **LSTM** |" in texts(app)
    assert "seed" not in texts(app)
    assert "The weights of addition-ideal-h2 were set by hand" in app.caption[0].value


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


def renamed(app: AppTest, run: Run, name: str) -> AppTest:
    app.text_input(key=f"runs_name_{run.id}").set_value(name)
    app.button(key="runs_rename").click()
    return checked(app)


def test_a_comparison_begins_with_what_came_out() -> None:
    said = texts(opened(compare=["digits-gru", "digits-best"])).replace("\N{NO-BREAK SPACE}", " ")
    metrics = [load(name).card["metrics"]["accuracy"] for name in ("digits-gru", "digits-best")]
    assert "| test accuracy | {:.2%} | {:.2%} |".format(*metrics).replace("%", " %") in said
    assert "| epochs | **5** | **60**, then **15** |" in said
    assert "whole sums" not in said


def test_a_curve_is_called_by_the_metric_that_all_have() -> None:
    adders, both = (opened(compare=["addition-bce-h2", other]) for other in ("addition-mse-h2", "digits-gru"))
    assert "validation bit accuracy" in adders.get("vega_lite_chart")[2].proto.spec
    assert "validation accuracy" in both.get("vega_lite_chart")[2].proto.spec


def test_a_link_to_too_many_or_to_a_stranger_says_so() -> None:
    assert [toast.value for toast in opened(compare=["digits-gru", "a*b"]).toast] == [
        "The link asks for a\\*b, not on offer here."
    ]
    many = opened(compare=names()[:9])
    assert [toast.value for toast in many.toast] == [
        "The link asks for more than can be compared: these are the first 8."
    ]
    assert many.session_state["compare"] == names()[:8]


def test_a_run_can_be_renamed_and_keeps_its_place(trained: Run) -> None:
    app = opened(compare=["my adder"])
    renamed(app, trained, "better name")
    assert table(app)[0] == "better name"
    assert [toast.value for toast in app.toast] == [":material/check_circle: It is called **better name** now."]
    assert app.session_state["runs_renaming"] is False


def test_what_is_wrong_with_a_name_is_said_until_the_next_one(trained: Run) -> None:
    app = opened(compare=["my adder"])
    renamed(app, trained, "digits-gru")
    for _ in range(2):  # as a run in training draws it anew every two seconds
        assert "called digits-gru already" in texts(checked(app))
    assert table(app)[0] == "my adder"
    assert "already" not in texts(renamed(app, trained, "better name"))


def test_what_went_wrong_is_said_until_the_next_attempt(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(compare=["my adder"])
    with monkeypatch.context() as patch:
        patch.setattr(Run, "is_locked", lambda run: True)
        app.button(key="runs_delete").click()
        checked(app)
    assert "my adder is being trained: stop it before you delete it." in texts(checked(app))
    app.button(key="runs_delete").click()
    assert "being trained" not in texts(checked(app))


@pytest.mark.browser
def test_what_is_chosen_is_marked_in_the_table_and_nothing_else(page: Page, server_url: str) -> None:
    first = names("addition")
    # Others may have trained on this server: the shipped ones only.
    shown = "runs_task=addition&runs_task=digits&runs_status=shipped"
    page.goto(f"{server_url}/runs?{shown}&compare={first[0]}&compare=recall-any")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    marked = page.get_by_test_id("stDataFrame").locator('[role="row"][aria-selected="true"]')
    expect(marked).to_have_count(1)  # a link chooses, and recall's models are not shown

    box = page.get_by_test_id("stDataFrame").bounding_box()
    for number in range(1, len(first) + 1):  # a row for each, and one of Digits
        page.mouse.click(box["x"] + 18, box["y"] + 38 + 35 * number + 17)
        expect(marked).to_have_count(number + 1 if number < len(first) else number)
    expect(page.get_by_text("At most 8 can be compared: unmark one first.")).to_be_visible()
    for name in (*first, "recall-any"):
        expect(page).to_have_url(re.compile(f"compare={name}(&|$)"))

    page.get_by_role("button", name=f"Remove {first[-1]}").click()
    expect(marked).to_have_count(len(first) - 1)

    page.get_by_role("combobox", name="Chosen").fill("digits-gru")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("compare=digits-gru(&|$)"))
    assert "compare=digits-gru-l2" not in page.url


@pytest.mark.browser
def test_the_popover_closes_with_the_name_it_gave_and_the_page_keeps_its_looks(page: Page, server: live.Server) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_LAB_RUNS", str(server.runs))
        run = runs.create(QUICK, "a first name")
        run.set_state("paused")
    page.goto(f"{server.url}/runs?compare=a+first+name")
    page.get_by_role("button", name="Rename").click()
    box, popover = page.get_by_role("textbox", name="New name"), page.get_by_test_id("stPopoverBody")
    box.fill("digits-gru")
    box.press("Enter")
    expect(popover.get_by_text("called digits-gru already")).to_be_visible()
    box.fill("a second name")
    box.press("Enter")
    expect(page.get_by_text("It is called a second name now.")).to_be_visible()
    expect(popover).to_be_hidden()
    expect(page.get_by_role("button", name="digits", exact=True)).to_have_css("min-height", "40px")
    run.delete()


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
def test_a_run_that_is_resumed_is_followed_to_its_end(page: Page, server: live.Server) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_LAB_RUNS", str(server.runs))
        run = runs.create(replace(QUICK.with_data(num_batches=2000), epochs=60), "resumed")
        run.set_state("paused")
    page.goto(f"{server.url}/runs?compare=resumed")
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    expect(page.get_by_text("resumed is training:")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=30_000)
    run.delete()


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
