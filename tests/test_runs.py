"""Runs on disk and in the background: states, orders, crashes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import load
from training import runs
from training.engine import Engine
from training.fit import DivergedError, Progress, build, fit
from training.metrics import LOSSES
from training.runs import DAMAGED, Run, RunError
from training.stacked import StackedProgress
from training.task import Settings
from training.tasks import TASKS
from training.worker import NICENESS, _train, execute

ROOT = Path(__file__).parents[1]
QUICK = replace(TASKS["addition"].defaults.with_data(num_batches=20), epochs=2, hidden_size=4)
LONG = replace(TASKS["addition"].defaults, epochs=1000, hidden_size=4)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = Engine(workers=1)
    yield engine
    monkeypatch.setattr("training.engine.PATIENCE", 0.1)  # what still trains, trains for nobody
    engine.shut_down()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def trained_without_break(settings: Settings) -> dict[str, torch.Tensor]:
    network = build(settings)
    list(fit(network, TASKS[settings.task].load_data(settings), settings))
    return network.state_dict()


def assert_same(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())


def test_a_run_by_hand_leaves_weights_curves_and_a_card() -> None:
    run = runs.create(QUICK, "my first")
    assert (run.state(), run.name, run.settings) == ("queued", "my first", QUICK)
    execute(run)
    assert run.state() == "finished"
    network = load(run.weights)
    assert_same(network.state_dict(), trained_without_break(QUICK))
    assert [curve["step"] for curve in network.card["curves"]] == [progress.step for progress in run.progress()]
    assert network.card["metrics"]["bit_accuracy"] > 0.5
    assert [found.id for found in runs.all_runs()] == [run.id]
    assert runs.all_runs("recall") == []


def test_pause_and_resume_give_the_same_weights(engine: Engine) -> None:
    settings = replace(QUICK, epochs=12)
    run = runs.create(settings, "paused")
    engine.submit(run)
    wait_for(lambda: len(run.progress()) >= 2)
    engine.pause(run)
    wait_for(lambda: engine.state(run) != "running")
    if engine.state(run) == "paused":
        engine.submit(run)
    wait_for(lambda: engine.state(run) == "finished")
    assert_same(load(run.weights).state_dict(), trained_without_break(settings))
    steps = [progress.step for progress in run.progress()]
    assert steps == sorted(set(steps))
    assert steps[-1] == run.progress()[-1].steps


@pytest.fixture
def deaf() -> Iterator[None]:
    """Interrupts are ignored, as in a server that was started in the background of a script: children inherit that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("deaf")
def test_a_child_gives_way_to_the_server_and_stops_with_the_best_so_far(engine: Engine) -> None:
    run = runs.create(LONG, "stopped")
    engine.submit(run)
    wait_for(lambda: len(run.progress()) >= 3)
    (child,) = engine._children.values()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == min(own + NICENESS, 19)
    engine.stop(run)
    wait_for(lambda: engine.state(run) == "stopped")
    best = max(progress.metrics["bit_accuracy"] for progress in run.progress())
    assert load(run.weights).card["metrics"]["bit_accuracy"] == pytest.approx(best, abs=0.05)


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_network_is_kept_before_its_progress_is_told(monkeypatch: pytest.MonkeyPatch, seeds: int) -> None:
    run = runs.create(QUICK, seeds=seeds)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "append", interrupt)
    monkeypatch.setattr(Run, "append_seeds", interrupt)
    execute(run)
    assert run.state() == "paused"
    assert run.progress() == run.seeds_progress() == []
    assert run.best.exists()


def test_a_resumed_run_that_waits_is_stopped_with_its_best_while_others_train(engine: Engine) -> None:
    run, other = runs.create(QUICK, "has a best network"), runs.create(LONG, "trains on")
    execute(run)
    run.weights.unlink()
    run.set_state("paused")
    for each in (other, run):
        engine.submit(each)
    engine.stop(run)
    wait_for(lambda: engine.state(run) == "stopped")
    assert run.weights.exists()
    assert engine.state(other) == "running"


def test_many_that_are_stopped_at_once_take_one_process_beyond_the_limit(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spawn(*_: object) -> subprocess.Popen[str]:
        return subprocess.Popen(["sleep", "600"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr("training.engine.PATIENCE", 0.1)
    monkeypatch.setattr(engine, "_spawn", spawn)
    engine.submit(runs.create(LONG, "trains"))
    for number in range(30):
        run = runs.create(QUICK, f"paused-{number}")
        run.set_state("paused")
        run.best.write_bytes(b"")
        engine.stop(run)
    assert len(engine._children) == 2
    assert engine.state(run) == "queued"
    engine.pause(run)
    assert (engine.state(run), engine.ahead(run)) == ("paused", None)


def test_a_run_whose_server_ended_while_it_waited_can_be_stopped(engine: Engine) -> None:
    run = runs.create(QUICK, "left waiting")
    assert engine.state(run) == "interrupted"
    engine.stop(run)
    assert engine.state(run) == "stopped"


def test_as_many_runs_train_as_this_process_may_use_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    engine = Engine()
    engine.shut_down()
    assert engine.workers == 3


def test_runs_wait_their_turn_and_can_leave_the_queue(engine: Engine) -> None:
    first, second, third = (runs.create(LONG, name) for name in "abc")
    for run in (first, second, third):
        engine.submit(run)
    assert [engine.ahead(run) for run in (first, second, third)] == [None, 0, 1]
    with pytest.raises(RunError, match="already on its way"):
        engine.submit(second)
    engine.stop(second)
    assert engine.state(second) == "stopped"
    assert engine.ahead(third) == 0
    wait_for(first.progress)
    engine.stop(first)
    wait_for(lambda: engine.state(third) == "running")
    assert not first.is_locked()


def test_a_full_queue_refuses_with_one_sentence(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.engine.LONGEST_QUEUE", 1)
    engine.submit(runs.create(LONG, "running"))
    engine.submit(runs.create(LONG, "waiting"))
    with pytest.raises(RunError, match="waiting already"):
        engine.submit(runs.create(LONG, "refused"))


def test_a_killed_worker_is_an_interrupted_run_that_resumes_to_the_same_weights(engine: Engine) -> None:
    settings = replace(QUICK, epochs=12)
    run = runs.create(settings, "killed")
    child = subprocess.Popen([sys.executable, "-m", "training", "run", str(run.folder)], cwd=ROOT)
    wait_for(lambda: len(run.progress()) >= 2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (run.state(), engine.state(run)) == ("interrupted", "interrupted")
    execute(run)
    assert_same(load(run.weights).state_dict(), trained_without_break(settings))


SERVER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from training.engine import Engine
from training.runs import Run
engine = Engine(workers=1)
for folder in sys.argv[1:]:
    engine.submit(Run(Path(folder)))
time.sleep(600)
"""


def test_nothing_runs_on_when_the_server_is_killed() -> None:
    run, waiting = runs.create(LONG, "orphan"), runs.create(LONG, "waiting")
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(run.folder), str(waiting.folder)], cwd=ROOT)
    wait_for(lambda: len(run.progress()) >= 1)
    server.send_signal(signal.SIGKILL)
    server.wait()
    wait_for(lambda: not run.is_locked(), seconds=10)
    after = Engine(workers=1)
    assert run.state() == "interrupted"
    assert after.state(waiting) == "interrupted"
    after.shut_down()


def test_a_damaged_checkpoint_is_one_sentence_and_the_run_begins_anew_without_it(engine: Engine) -> None:
    run = runs.create(QUICK, "damaged")
    run.checkpoint.write_bytes(b"not a checkpoint")
    engine.submit(run)
    wait_for(lambda: engine.state(run) == "failed")
    assert "checkpoint.safetensors is damaged: delete it" in engine.message(run)
    assert "\n" not in engine.message(run)
    run.checkpoint.unlink()
    engine.submit(run)
    assert engine.state(run) == "running"


def test_a_diverging_loss_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "bce", lambda logits, y: logits.sum() * float("nan"))
    run = runs.create(QUICK, "wild")
    with pytest.raises(DivergedError):
        execute(run)
    assert run.state() == "failed"
    assert re.fullmatch(r"The loss ceased to be a number before step \d+: [^\n.]*\.", run.message())


def test_a_full_disk_is_one_sentence_and_resumes_when_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.create(QUICK, "full")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("training.fit.write", full)
        with pytest.raises(RunError, match="No space left"):
            execute(run)
    assert run.state() == "failed"
    assert run.message().startswith("The run could not be written to disk (No space left on device)")
    execute(run)
    assert run.state() == "finished"
    assert_same(load(run.weights).state_dict(), trained_without_break(QUICK))
    steps = [progress.step for progress in run.progress()]
    assert steps == sorted(set(steps)), "no progress is told twice"


def test_a_run_that_has_left_its_network_is_not_trained_again() -> None:
    run = runs.create(QUICK, "ended")
    execute(run)
    before = run.weights.read_bytes(), run.progress()
    for keep_best in (False, True):
        with pytest.raises(RunError, match="ended has ended and left its network: train a new run"):
            execute(run, keep_best=keep_best)
    assert (run.weights.read_bytes(), run.progress(), run.state()) == (*before, "finished")


@pytest.mark.parametrize("facts", [{"seeds": 10**30}, {"settings": QUICK.to_dict() | {"epochs": 10**400}}])
def test_a_run_of_absurd_numbers_is_no_run(facts: dict[str, object]) -> None:
    run = runs.create(QUICK, "damaged by hand")
    file = run.folder / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))
    assert runs.all_runs() == []


def test_progress_of_absurd_numbers_is_left_out() -> None:
    run = runs.create(QUICK, "damaged by hand")
    progress = Progress(40, 80, 1, 0.5, 0.5, {"bit_accuracy": 0.7}, 1.0)
    run.append(progress)
    for name in ("seconds", "train_loss", "steps"):
        run.append(replace(progress, **{name: 10**400}))
    assert run.progress() == [progress]


def test_a_run_whose_process_is_starting_is_not_deleted(engine: Engine) -> None:
    run = runs.create(LONG, "starting")
    engine.submit(run)
    with pytest.raises(RunError, match="starting is being trained: stop it before you delete it"):
        engine.delete(run)
    assert run.folder.exists()


def test_a_run_that_waits_can_be_deleted(engine: Engine) -> None:
    first, second = runs.create(LONG, "first"), runs.create(QUICK, "second")
    engine.workers = 1
    for run in (first, second):
        engine.submit(run)
    engine.delete(second)
    assert engine.ahead(second) is None
    assert not second.folder.exists()


def test_to_stop_a_run_that_is_being_paused_stops_it(engine: Engine) -> None:
    run = runs.create(LONG, "paused, then stopped")
    engine.submit(run)
    wait_for(run.best.exists)
    engine.pause(run)
    engine.stop(run)
    wait_for(lambda: engine.state(run) == "stopped")
    assert run.weights.exists()


def test_a_disk_that_takes_nothing_is_one_sentence_and_leaves_nothing_behind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = runs.create(LONG, "paused before")
    paused.set_state("paused")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.runs.write_whole", full)
    one_sentence = r"^The run could not be written to disk \(No space left on device\): [^\n.]*\.$"
    for action in (engine.submit, engine.stop, lambda _: runs.create(QUICK, "new")):
        with pytest.raises(RunError, match=one_sentence):
            action(paused)
    assert [run.name for run in runs.all_runs()] == ["paused before"]
    assert [path.name for path in runs.folder().iterdir() if path.is_dir()] == [paused.id]
    assert engine.state(paused) == "paused"


def test_a_run_in_a_folder_that_cannot_be_written_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.create(QUICK, "on a read-only disk")
    run.set_state("running")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert run.state() == "interrupted"


def test_a_deleted_folder_ends_its_run_and_not_the_engine(engine: Engine) -> None:
    run = runs.create(LONG, "deleted")
    engine.submit(run)
    wait_for(run.progress)
    run.folder.rename(run.folder.parent.parent / "elsewhere")
    other = runs.create(QUICK, "next")
    engine.submit(other)
    wait_for(lambda: engine.state(other) == "running")
    with pytest.raises(RunError, match="not there any more"):
        Run(run.folder).state()


@pytest.mark.parametrize(
    ("ends", "kept"), [("sys.exit('It broke.')", "It broke."), ("print('odd', file=sys.stderr)", "")]
)
def test_only_the_last_words_of_failed_children_are_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, ends: str, kept: str
) -> None:
    """They are all that the engine keeps of runs that have ended, so they must not pile up."""

    def spawn(run: Run, *_: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", f"import sys; {ends}"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr("training.engine.REMEMBERED", 2)
    monkeypatch.setattr(engine, "_spawn", spawn)
    every = [runs.create(QUICK, name) for name in "abcd"]
    for run in every:  # one after the other: of several at once any may end first
        engine.submit(run)
        wait_for(lambda: not engine._queue and not engine._children)
    assert [engine.message(run) for run in every] == ["", "", kept, kept]
    assert len(engine._last_words) == (2 if kept else 0)


@pytest.mark.parametrize(
    ("says", "kept"),
    [(b"\xff\xfe\n", "\ufffd\ufffd"), (b"It goes on and on.\n" * 10_000 + b"It broke.\n\n", "It broke.")],
    ids=["no text", "more than a pipe holds"],
)
def test_whatever_a_child_says_its_place_is_free_after_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: bytes, kept: str
) -> None:
    child = tmp_path / "child.py"
    child.write_text(f"#!{sys.executable}\nimport os\n\nos.write(2, {says!r})\nos._exit(1)\n")
    child.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(child))
    every = [runs.create(QUICK, name) for name in "ab"]
    for run in every:
        engine.submit(run)
    wait_for(lambda: not engine._queue and not engine._children, seconds=20)
    assert [engine.message(run) for run in every] == [kept, kept]


def test_a_run_that_was_started_elsewhere_is_told_nothing(engine: Engine) -> None:
    run = runs.create(QUICK, "by hand")
    run.set_state("running")
    with run.lock():
        assert engine.state(run) == "running"
        for order, word in ((engine.pause, "pause"), (engine.stop, "stop")):
            with pytest.raises(RunError, match=f"by hand was started elsewhere.*: {word} it there"):
                order(run)


def test_a_look_at_a_deleted_run_does_not_bring_its_folder_back() -> None:
    run = runs.create(QUICK, "gone")
    run.delete()
    assert not run.is_locked()
    assert not run.folder.exists()


def test_two_who_look_at_once_do_not_take_each_other_for_the_one_who_trains() -> None:
    run = runs.create(QUICK, "idle")
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda _: run.is_locked(), range(400)))


def test_processes_that_look_at_once_do_not_take_each_other_for_the_one_who_trains() -> None:
    run = runs.create(QUICK, "idle")
    head = f"import time; from pathlib import Path; from training.runs import Run; run = Run(Path({str(run.folder)!r}))"
    looks = "print(sum(run.is_locked() or time.sleep(0.001) or 0 for _ in range(500)))"
    command = [sys.executable, "-c", f"{head}; {looks}"]
    every = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    assert [each.communicate()[0].strip() for each in every] == ["0", "0"]


def test_a_run_that_is_renamed_while_it_trains_has_its_new_name_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.create(QUICK, "old")
    monkeypatch.setattr("training.worker._train", lambda run: (Run(run.folder).rename("new"), _train(run)))
    execute(run)
    assert load(run.weights).card["name"] == "new"


def test_what_is_renamed_has_the_new_name_at_once() -> None:
    run = runs.create(QUICK, "old")
    run.rename("new")
    assert run.name == "new"


def test_a_run_without_a_network_is_not_ended_for_the_sake_of_its_best() -> None:
    run = runs.create(QUICK, "young")
    with pytest.raises(RunError, match="no network to keep yet"):
        execute(run, keep_best=True)
    assert run.state() == "queued"


@pytest.mark.parametrize(
    ("fails", "error", "reason"),
    [
        ("training.engine.Engine._spawn", BlockingIOError(11, "No more processes"), "No more processes"),
        ("threading.Thread.start", RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_a_process_that_cannot_be_started_is_a_failed_run_and_the_engine_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, fails: str, error: Exception, reason: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    first, second = runs.create(QUICK, "first"), runs.create(QUICK, "second")
    with monkeypatch.context() as patched:
        patched.setattr(fails, refuse)
        engine.submit(first)
    assert engine.state(first) == "failed"
    assert f"No process could be started for it ({reason})" in engine.message(first)
    engine.submit(second)
    wait_for(lambda: engine.state(second) == "finished")


def test_rename_and_delete() -> None:
    run = runs.create(QUICK, "old name")
    run.rename("new name")
    assert Run(run.folder).name == "new name"
    with pytest.raises(RunError, match="1 to 80"):
        run.rename("  ")
    with run.lock(), pytest.raises(RunError, match="stop it"):
        run.delete()
    run.delete()
    assert runs.all_runs() == []


def test_a_class_that_starts_training_at_once_gets_a_name_each() -> None:
    with ThreadPoolExecutor(8) as pool:
        every = list(pool.map(lambda _: runs.create(QUICK).name, range(8)))
    assert len(set(every)) == 8


def test_of_several_who_want_one_name_one_gets_it() -> None:
    every = [runs.create(QUICK) for _ in range(4)]

    def renamed(run: Run) -> bool:
        try:
            run.rename("mine")
        except RunError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(renamed, every)) == 1


def test_a_line_cut_off_by_a_crash_is_left_out() -> None:
    run = runs.create(QUICK, "cut")
    execute(run)
    whole = run.progress()
    path = run.folder / "progress.jsonl"
    path.write_text(path.read_text()[:-20])
    assert run.progress() == whole[:-1]


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", "{}", '{"step": 1}', "\ufffd", '{"metrics": 3}', pytest.param("[" * 100_000, id="deep")]
)
def test_a_damaged_line_of_progress_is_left_out(line: str) -> None:
    run = runs.create(QUICK, "damaged")
    execute(run)
    whole = run.progress()
    odd = [{"step": "one"}, {"step": 1.5}, {"metrics": {"bit_accuracy": None}}, {"train_loss": float("nan")}]
    with (run.folder / "progress.jsonl").open("a") as file:
        file.write("\n".join([line, *(json.dumps(whole[0].to_dict() | each) for each in odd)]) + "\n")
    run.append(whole[-1])
    assert run.progress() == [*whole, whole[-1]]


def test_the_progress_of_many_seeds_is_read_with_those_that_diverged_and_without_damaged_lines() -> None:
    run = runs.create(QUICK, "many", seeds=2)
    whole = StackedProgress(1, 2, 1, [0.5, float("nan")], [0.6, 0.7], {"bit_accuracy": [0.5, 0.6]}, 1.0)
    run.append_seeds(whole)
    odd = [{"metrics": {"bit_accuracy": [0.5]}}, {"train_loss": [None, 1.0]}, {"metrics": {}}, {"step": 3}]
    with (run.folder / "seeds.jsonl").open("a") as file:
        file.write("\n".join(json.dumps(whole.to_dict() | each) for each in odd) + "\n")
    (read,) = run.seeds_progress()
    assert repr(read) == repr(whole)  # NaN is not equal to itself


def test_a_folder_in_the_place_of_its_progress_is_no_progress() -> None:
    run = runs.create(QUICK, "odd")
    (run.folder / "progress.jsonl").mkdir()
    assert run.progress() == []


@pytest.mark.parametrize("seeds", ["x", 2.5, 0, -1, 10_000])
def test_a_run_of_no_number_of_seeds_is_left_out(seeds: object) -> None:
    run = runs.create(QUICK, "odd")
    facts = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(facts | {"seeds": seeds}))
    assert runs.all_runs() == []


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "", '{"state": "flying"}', '{"state": ["queued"]}', pytest.param("[" * 100_000, id="deep")],
)
def test_a_run_whose_status_is_damaged_has_failed_and_can_be_resumed(engine: Engine, content: str) -> None:
    run = runs.create(QUICK, "damaged")
    (run.folder / "status.json").write_text(content)
    assert (engine.state(run), engine.message(run)) == ("failed", DAMAGED)
    engine.submit(run)
    assert run.state() == "queued"


def test_a_trained_file_is_loaded_like_a_shipped_one() -> None:
    run = runs.create(QUICK, "mine")
    execute(run)
    assert load(run.weights).card["name"] == "mine"


def test_runs_of_one_second_are_listed_in_the_order_in_which_they_were_made() -> None:
    made = [runs.create(QUICK) for _ in range(8)]
    assert runs.all_runs() == made[::-1]
