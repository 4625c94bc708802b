"""The tab Train under AppTest: settings, presets, limits, and a run from its start to its network on the page."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from models import load, save
from tests import pages
from tests.pages import texts
from training import runs
from training.options import options, value
from training.pretrain import recipes
from training.runs import Run
from training.task import Settings
from training.tasks import TASKS, addition, digits, recall
from training.worker import execute
from ui.background import FOLLOWED, engine
from ui.mnist import download

RECALL = replace(TASKS["recall"].defaults.with_data(num_batches=20), epochs=1)
QUICK = replace(TASKS["addition"].defaults.with_data(num_batches=20), epochs=1, hidden_size=3)


@pytest.fixture(autouse=True)
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No run outlives its test."""
    engine.clear()
    yield
    monkeypatch.setattr("training.engine.PATIENCE", 0.1)
    engine().shut_down()
    engine.clear()


@pytest.fixture
def mnist_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tab Train of the digits as it is where MNIST lies on the machine, on any machine."""
    monkeypatch.setattr("ui.mnist.mnist_at_hand", lambda: True)


def opened(task: str, **parameters: str) -> AppTest:
    """The task's page at its tab Train."""
    return pages.opened(task, **{f"{task}_tab": "Train"}, **parameters)


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception


def end(app: AppTest, settings: Settings) -> Run:
    """A run with these settings, which the session has followed, ends."""
    run = runs.create(settings)
    execute(run)
    app.session_state[FOLLOWED] = {str(run.folder): settings.task}
    app.run()
    assert not app.exception
    return run


def wait_for(condition: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def wait_until(app: AppTest, sentence: str, seconds: float = 180) -> None:
    """Look again, as the page does by itself, until it says so."""
    end = time.monotonic() + seconds
    while sentence not in texts(app):
        assert time.monotonic() < end, texts(app)
        time.sleep(0.3)
        app.run()
        assert not app.exception
    app.run()  # the run may have ended while the page was half drawn


@pytest.mark.usefixtures("mnist_at_hand")
@pytest.mark.parametrize("task", TASKS)
def test_it_begins_with_the_reports_settings_and_says_what_they_cost(task: str) -> None:
    app = opened(task)
    defaults = TASKS[task].defaults
    for option in options(TASKS[task]):
        if len(option.choices) != 1:
            assert app.session_state[f"train_{task}_{option.name}"] == value(defaults, option)
    assert "parameters, about" in texts(app)


@pytest.mark.usefixtures("mnist_at_hand")
@pytest.mark.parametrize("name", ["digits-bilstm-l2", "recall-i7-h10", "recall-any", "addition-mse-h2"])
def test_a_preset_sets_everything(name: str) -> None:
    settings = replace(recipes()[name].settings, seed=load(name).card["seed"])
    task = TASKS[settings.task]
    app = opened(task.name, **{f"train_{task.name}_seeds": "8"})
    menu = next(item for item in app.get("menu_button") if item.proto.label == "Presets")
    menu.set_value(name).run()
    assert not app.exception
    for option in options(task):
        assert app.session_state[f"train_{task.name}_{option.name}"] == value(settings, option)
    if task.name != "digits":
        assert app.session_state[f"train_{task.name}_seeds"] == 1


@pytest.mark.parametrize("task", ["recall", "addition"])
def test_labels_are_words_of_which_no_two_can_be_confused(task: str) -> None:
    app = opened(task)
    widgets = {each.key: each for each in [*app.slider, *app.number_input, *app.get("button_group")] if each.key}
    trained = {key: each for key, each in widgets.items() if key.startswith(f"train_{task}")}
    labels = [each.label for each in trained.values()]
    assert {"Batch size", "Sequences per generated batch", "Generated batches", "Random seed"} <= set(labels)
    assert len(set(labels)) == len(labels)


def test_what_an_option_does_is_said_of_the_choices_that_one_sees() -> None:
    query = opened("recall").segmented_control(key="train_recall_query")
    assert query.options == ["always the same", "any"]
    assert query.help.startswith("Always the same: always for the digit at one index")


def test_a_setting_that_means_nothing_can_not_be_set() -> None:
    app = opened("recall", train_recall_index="4")
    index, forget_bias = (app.slider(key=f"train_recall_{name}") for name in ("index", "forget_bias"))
    assert not index.disabled
    assert not forget_bias.disabled
    app.segmented_control(key="train_recall_query").set_value("any")
    app.segmented_control(key="train_recall_cell").set_value("gru").run()
    assert not app.exception
    index, forget_bias = (app.slider(key=f"train_recall_{name}") for name in ("index", "forget_bias"))
    assert index.disabled
    assert index.value == 4
    assert forget_bias.disabled


def test_what_was_set_by_hand_is_no_preset() -> None:
    menu = next(item for item in opened("addition").get("menu_button") if item.proto.label == "Presets")
    assert "addition-bce-h2" in menu.options
    assert "addition-ideal-h2" not in menu.options


def test_values_that_do_not_go_together_are_one_sentence_and_no_button() -> None:
    app = opened("recall")
    app.slider(key="train_recall_index").set_value(20).run()
    assert "The index must be below the longest length (10)" in texts(app)
    assert "Train" not in [button.label for button in app.button]


@pytest.mark.usefixtures("mnist_at_hand")
def test_a_run_too_large_for_the_machine_is_refused() -> None:
    app = opened("digits", train_digits_epochs="1000", train_digits_hidden_size="512")
    assert "This run would take about" in texts(app)
    assert "Train" not in [button.label for button in app.button]


def test_a_link_carries_the_settings() -> None:
    app = opened("addition", train_addition_cell="GRU", train_addition_hidden_size="7")
    assert app.session_state["train_addition_cell"] == "gru"
    assert app.session_state["train_addition_hidden_size"] == 7


@pytest.mark.usefixtures("mnist_at_hand")
@pytest.mark.parametrize(("task", "end"), [("digits", 512), ("recall", 64), ("addition", 64)])
def test_sliders_end_where_a_task_needs_no_more(task: str, end: int) -> None:
    app = opened(task)
    assert app.slider(key=f"train_{task}_hidden_size").max == end
    assert app.slider(key=f"train_{task}_gradient_clipping").max == 10
    assert app.number_input(key=f"train_{task}_learning_rate").value == TASKS[task].defaults.learning_rate


def test_state_noise_is_a_slider() -> None:
    app = opened("addition", train_addition_state_noise="0.3")
    noise = app.slider(key="train_addition_state_noise")
    assert (noise.min, noise.max, noise.step, noise.value) == (0, 1, 0.01, 0.3)
    noise.set_value(0.25).run()
    assert not app.exception
    assert app.session_state["train_addition_state_noise"] == 0.25


@pytest.mark.parametrize(("option", "beyond", "within"), [("hidden_size", 128, 20), ("gradient_clipping", 50.0, 0.5)])
def test_a_link_may_go_beyond_a_sliders_end_and_nothing_is_lost_on_the_way_back(
    option: str, beyond: float, within: float
) -> None:
    key = f"train_recall_{option}"
    app = opened("recall", **{key: str(beyond)})
    assert app.number_input(key=key).value == beyond
    for _ in range(2):
        app.number_input(key=key).set_value(within).run()
        assert not app.exception
        assert app.session_state[key] == within


@pytest.mark.parametrize("given", ["many", "-5", "nan", "1e999", "9999999", "9" * 400])
def test_a_link_with_no_such_size_gives_the_reports(given: str) -> None:
    assert opened("recall", train_recall_hidden_size=given).session_state["train_recall_hidden_size"] == 10


@pytest.mark.parametrize("given", ["inf", "-1e999"])
def test_a_link_with_infinitely_many_epochs_gives_the_reports(given: str) -> None:
    assert opened("addition", train_addition_epochs=given).session_state["train_addition_epochs"] == 5


def test_a_run_on_mnist_is_shown_where_mnist_is_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.create(replace(TASKS["digits"].defaults, hidden_size=4, num_layers=1), "reader")
    save(load("digits-rnn"), run.best)
    run.set_state("paused")
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    app = opened("digits", digits_run=run.name)
    assert "train-images-idx3-ubyte can't be read (No such file or directory)." in texts(app)


def test_what_is_trained_is_chosen_and_nothing_typed_is_lost() -> None:
    app = opened("addition", a="110", b="011", train_addition_num_batches="20", train_addition_epochs="1")
    press(app, "Train")
    (run,) = runs.all_runs("addition")
    assert app.selectbox(key="addition_run").value == run.id
    wait_until(app, f"**{run.name}** is trained. On the test data: bit accuracy")
    assert app.selectbox(key="addition_model").value == run.id
    assert "whole-sum accuracy" in texts(app)
    assert app.text_input(key="a").value == "110"
    assert len(app.get("vega_lite_chart")) == 2


def test_runs_of_one_name_are_told_apart() -> None:
    first, second = (runs.create(replace(QUICK, seed=seed)) for seed in (1, 2))
    (second.folder / "run.json").write_text(
        (first.folder / "run.json").read_text()
    )  # as older versions could name them
    for run in (first, second):
        run.set_state("paused")
    app = opened("addition")
    picker = app.selectbox(key="addition_run")
    assert picker.options == [f"{first.name} ({run.id})" for run in (second, first)]
    for run in (first, second):
        assert app.selectbox(key="addition_run").set_value(run.id).run().session_state["addition_run"] == run.id


def test_a_request_that_was_on_its_way_does_not_undo_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.background.ON_ITS_WAY", 1e9)  # however slow the machine
    app = opened("addition")
    run = end(app, QUICK)
    picker = app.selectbox(key="addition_model")
    assert picker.value == run.id
    picker.set_value("addition-bce-h10").run()  # as what the browser sent before it saw the page change says
    assert app.selectbox(key="addition_model").value == run.id
    picker.set_value("addition-mse-h5").run()
    assert app.selectbox(key="addition_model").value == "addition-mse-h5"
    monkeypatch.setattr("ui.background.ON_ITS_WAY", 0.0)
    app.selectbox(key="addition_model").set_value("addition-bce-h10").run()
    assert app.selectbox(key="addition_model").value == "addition-bce-h10"


def test_a_request_that_was_on_its_way_does_not_hide_the_run_just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.background.ON_ITS_WAY", 1e9)  # however slow the machine
    app = opened("addition", train_addition_epochs="500")
    press(app, "Train")
    (run,) = runs.all_runs("addition")
    app.selectbox(key="addition_run").set_value(None).run()  # as what the browser sent before it saw the run says
    assert app.selectbox(key="addition_run").value == run.id
    monkeypatch.setattr("ui.background.ON_ITS_WAY", 0.0)
    app.selectbox(key="addition_run").set_value(None).run()
    assert app.selectbox(key="addition_run").value is None


@pytest.mark.parametrize("settings", [QUICK, RECALL])
def test_a_run_that_is_deleted_as_soon_as_it_ends_is_chosen_no_more(settings: Settings) -> None:
    app = opened(settings.task)
    before = app.selectbox(key=f"{settings.task}_model").value
    run = end(app, settings)
    run.delete()
    for _ in range(2):
        app.selectbox(key=f"{settings.task}_model").set_value(before).run()
        assert not app.exception
        assert app.selectbox(key=f"{settings.task}_model").value == before


def test_recall_goes_to_the_index_of_what_was_trained() -> None:
    app = opened("recall")
    end(app, replace(RECALL.with_data(index=4), hidden_size=3))
    assert app.segmented_control(key="index").value == 4
    assert app.selectbox(key="recall_model").value == runs.all_runs("recall")[0].id


def test_what_is_told_the_index_is_offered_for_the_one_on_the_screen() -> None:
    app = opened("recall")
    app.segmented_control(key="index").set_value(5).run()
    end(app, RECALL.with_data(query="any"))
    assert app.segmented_control(key="index").value == 5
    assert app.selectbox(key="recall_model").value == runs.all_runs("recall")[0].id


def test_while_it_trains_one_sees_what_it_makes_of_the_sequence_on_the_screen() -> None:
    run = runs.create(RECALL.with_data(index=3))
    execute(run)
    app = opened("recall", recall_run=run.name, sequence="1 6 0 4 8", index="1")
    assert "of the sequence above and of the report's, asked for index 3:" in texts(app)
    (table,) = [text.value for text in app.markdown if text.value.startswith("| sequence | answer |")]
    lines = table.splitlines()[2:]
    assert len(lines) == 9
    for line in lines:
        digits = [int(digit) for digit in re.findall(r"\d", line.split("|")[1])]
        answer = int(load(run.weights)(recall.encode(digits)[None]).argmax())
        assert f"**{digits[3]}**" in line.split("|")[1]
        assert f"{':green[✓]' if answer == digits[3] else ':red[✗]'} **{answer}** at " in line


def test_what_is_told_the_index_is_watched_at_the_one_on_the_screen() -> None:
    run = runs.create(RECALL.with_data(query="any"))
    execute(run)
    app = opened("recall", recall_run=run.name, index="2")
    assert "asked for index 2:" in texts(app)
    (line, *_) = next(text.value for text in app.markdown if text.value.startswith("| seq")).splitlines()[2:]
    answer = int(load(run.weights)(recall.encode([7, 0, 5, 3, 9, 9, 4, 5, 2])[None]).argmax())
    assert f"**{answer}** at " in line


def test_how_it_works_knows_which_half_hears_the_index_first() -> None:
    run = runs.create(RECALL.with_data(query="any"))
    execute(run)
    said = texts(pages.opened("recall", recall_model=run.name, recall_tab="How it works"))
    assert "hears the index first" in said
    assert "Until then it cannot know" not in said
    assert "on every\nend of it" not in said


def test_an_index_that_no_sequence_at_hand_has_is_said() -> None:
    run = runs.create(RECALL.with_data(index=20, longest=21))
    execute(run)
    assert "Type a sequence with a digit at index 20 to see" in texts(opened("recall", recall_run=run.name))


def test_while_it_trains_one_sees_what_it_makes_of_the_sum_on_the_screen() -> None:
    run = runs.create(QUICK)
    execute(run)
    app = opened("addition", addition_run=run.name, a="11", b="1")
    said = load(run.weights)(addition.encode(3, 1, 2)[None])[0] > 0
    outcome = "right" if said.tolist() == [False, False, True] else "wrong at"
    assert f"What the trained network makes of the sum above: {outcome}" in texts(app)
    assert "This is the network after the last step." in texts(app)
    run.weights.unlink()
    run.set_state("paused")
    assert "What the best network so far makes of the sum above: " in texts(opened("addition", addition_run=run.name))


def test_pause_resume_stop_and_discard() -> None:
    app = opened("addition", train_addition_epochs="500")
    press(app, "Train")
    (run,) = runs.all_runs("addition")
    wait_for(run.best.exists)
    app.run()
    press(app, "Pause")
    wait_until(app, f"**{run.name}** is paused in epoch")
    assert f"is paused in epoch {run.progress()[-1].epoch} of 500." in texts(app)
    press(app, "Resume")
    press(app, "Stop")
    wait_until(app, f"**{run.name}** was stopped in epoch")
    assert f"was stopped in epoch {run.progress()[-1].epoch} of 500. On the test data" in texts(app)
    assert app.selectbox(key="addition_model").value == run.id
    assert f"Delete {run.name} with weights and curves, for good?" in texts(app)
    press(app, "Delete for good")
    assert not run.folder.exists()
    assert app.selectbox(key="addition_model").value == "addition-bce-h10"


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    app = opened("addition")
    monkeypatch.setattr("training.runs.write_whole", full)
    press(app, "Train")
    assert "could not be written to disk" in texts(app)


def test_a_disk_that_cannot_be_written_is_one_sentence_and_the_settings_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RNN_LAB_RUNS", str(tmp_path / "file" / "runs"))  # what no one may write to, root neither
    app = opened("addition", a="110", train_addition_hidden_size="7", train_addition_loss="mean+squared+error")
    press(app, "Train")
    (error,) = app.error
    assert "could not be written to disk" in error.value
    assert "\n" not in error.value
    assert app.session_state["train_addition_hidden_size"] == 7
    assert app.text_input(key="a").value == "110"
    monkeypatch.setenv("RNN_LAB_RUNS", str(tmp_path / "runs"))
    press(app, "Train")
    assert not app.error
    assert runs.all_runs("addition")[0].settings.hidden_size == 7


@pytest.mark.parametrize("state", ["running", "paused", "finished"])
def test_a_run_whose_folder_is_deleted_while_one_looks_at_it(state: str, tmp_path: Path) -> None:
    if state == "running":
        app = opened("addition", train_addition_epochs="500")
        press(app, "Train")
        (run,) = runs.all_runs("addition")
        wait_for(run.best.exists)
    else:
        run = runs.create(QUICK)
        execute(run)
        run.set_state(state)
        app = opened("addition", addition_run=run.name)
    app.run()
    assert app.selectbox(key="addition_run").value == run.id
    run.folder.rename(tmp_path / "elsewhere")  # at once, while its files are being written
    for _ in range(2):
        app.run()
        assert not app.exception
    assert app.selectbox(key="addition_run").value is None
    assert app.selectbox(key="addition_model").value == "addition-bce-h10"
    assert run.name not in texts(app)


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
def test_without_pen_strokes_a_run_on_them_says_which_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MNIST").symlink_to(digits.raw_folder().parent)
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    app = opened("digits", train_digits_dataset="MNIST and pen strokes")
    press(app, "Train")
    wait_until(app, "UCI's pen strokes, which the dataset mnist+pen needs, are not at")
    assert "Traceback" not in texts(app)


def test_without_mnist_one_can_train_on_scikit_learns_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("training.tasks.download.MIRROR", "http://localhost:1/")
    download.clear()
    app = opened("digits", train_digits_epochs="1", train_digits_hidden_size="8")
    download().thread.join(30)
    app.run()
    assert any("MNIST is not on this machine and could not be downloaded" in each.value for each in app.warning)
    assert "1,797 handwritten digits that come with scikit-learn" in texts(app)
    assert app.session_state["train_digits_dataset"] == "sklearn"
    press(app, "Train")
    wait_until(app, "**gru-2x8-sklearn** is trained. On the test data: accuracy")
    assert "on scikit-learn's digits" in texts(app)
    download.clear()
