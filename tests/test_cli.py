"""The command line: `python -m training`."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models import load, save
from models.store import read, write
from training.commands import main
from training.pretrain import Recipe
from training.task import DataError

COMMANDS = sys.modules["training.commands"]
ROOT = Path(__file__).parents[1]
HUGE = ["--length", "30", "--num-batches", "100000", "--elements-in-batch", "10000"]
QUICK = ["--num-batches", "10", "--epochs", "1", "--hidden-size", "3"]


def ends_with_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Traceback" not in error
    return error


def test_train_writes_a_network_with_its_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.safetensors"
    main(["train", "addition", *QUICK, "--loss", "mse", "--seed", "4", "--out", str(out), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    card = load(out).card
    assert lines[-1]["metrics"] == card["metrics"]
    assert [line["step"] for line in lines[:-1]] == [curve["step"] for curve in card["curves"]]
    assert (card["task"], card["loss"], card["seed"], card["hidden_size"]) == ("addition", "mse", 4, 3)
    assert card["data"]["num_batches"] == 10
    assert set(card["metrics"]) >= {"loss", "bit_accuracy", "sum_accuracy", "all_pairs_bit_accuracy"}


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "training", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_pytorch_loads_ends_it_without_a_word() -> None:
    loading = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "training", "list"], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    seen = ""
    while "torch" not in seen:  # a line for every module, as soon as it is loaded
        seen = loading.stderr.readline()
        assert seen
    time.sleep(0.1)
    loading.send_signal(signal.SIGINT)
    _, errors = loading.communicate(timeout=60)
    assert loading.returncode == -signal.SIGINT
    assert "Traceback" not in errors


def test_evaluate_measures_what_stands_on_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.safetensors"
    main(["train", "recall", *QUICK, "--index", "2", "--out", str(out)])
    capsys.readouterr()
    main(["evaluate", str(out), "--json"])
    assert json.loads(capsys.readouterr().out)["metrics"] == load(out).card["metrics"]


def test_evaluate_tells_what_it_measured_although_one_model_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    monkeypatch.setattr("training.tasks.digits.fetch", lambda folder, bar: None)
    wanted = ["addition-bce-h2", "nothing-of-this-name", "digits-best", "addition-mse-h2"]
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *wanted, "--json"])
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["model"] for line in printed.out.splitlines()] == ["addition-bce-h2", "addition-mse-h2"]
    nothing, best = printed.err.splitlines()
    assert nothing.startswith("nothing-of-this-name: ")
    assert best.startswith("digits-best: ")


def test_pretrain_makes_the_others_although_one_model_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []

    def make(recipe: Recipe) -> Iterator:
        if recipe.name == "digits-best":
            raise DataError("There are no pen strokes.")
        made.append(recipe.name)
        return iter(())

    monkeypatch.setattr("training.commands.pretrain", make)
    monkeypatch.setattr("training.commands.write_readme", lambda: made.append("README"))
    with pytest.raises(SystemExit) as ended:
        main(["pretrain", "digits-best", "addition-ideal-h2"])
    assert ended.value.code == 1
    assert made == ["addition-ideal-h2", "README"]
    assert "digits-best: There are no pen strokes.\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "poetry"}, "its card names none of the tasks"),
        ({"task": None}, "its card names none of the tasks"),
        ({"task": "recall"}, "a network for recall has 10 inputs and 10 outputs"),
        ({"loss": "cross_entropy"}, "a setting that this lab does not know"),
        ({"data": {"length": 30, "num_batches": 100_000, "elements_in_batch": 10_000}}, "GB of memory"),
    ],
)
def test_a_file_whose_card_does_not_fit_is_one_line(
    changes: dict, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = load("addition-bce-h2")
    network.card = network.card | changes
    save(network, tmp_path / "odd.safetensors")
    line = ends_with_one_line(["evaluate", str(tmp_path / "odd.safetensors")], capsys)
    assert "odd.safetensors" in line
    assert message in line


def test_a_checkpointed_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "addition", *QUICK, "--checkpoint", str(tmp_path / "c"), "--out", str(tmp_path / "a")]
    main(arguments)
    first = load(tmp_path / "a").card
    main(arguments)  # nothing is left to be trained
    again = load(tmp_path / "a").card
    assert (again["curves"], again["metrics"]) == (first["curves"], first["metrics"])
    (tmp_path / "c.progress.jsonl").unlink()
    assert "finished run" in ends_with_one_line(arguments, capsys)


def test_a_refused_training_leaves_the_checkpoint_and_its_curves_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "addition", *QUICK, "--checkpoint", str(tmp_path / "c"), "--out", str(tmp_path / "a")]
    main(arguments)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert "other settings" in ends_with_one_line([*arguments, "--seeds", "2"], capsys)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("seeds", [[], ["--seeds", "2"]])
def test_a_training_that_was_interrupted_has_all_its_curves(
    seeds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one whose result could not be written is not lost."""
    out, checkpoint = tmp_path / "a", ["--checkpoint", str(tmp_path / "c")]
    arguments = ["train", "addition", *QUICK, *seeds]
    main([*arguments, "--out", str(tmp_path / "whole")])
    said, lines = COMMANDS._say, []

    def interrupt(text: str) -> None:
        lines.append(text)
        if len(lines) == 3:
            raise KeyboardInterrupt
        said(text)

    monkeypatch.setattr(COMMANDS, "_say", interrupt)
    assert "stopped" in ends_with_one_line([*arguments, "--out", str(out), *checkpoint], capsys)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))

    with monkeypatch.context() as patched:
        patched.setattr(COMMANDS, "save", full)
        line = ends_with_one_line([*arguments, "--out", str(out), *checkpoint], capsys)
    assert line == f"python -m training: {out}: No space left on device.\n"
    main([*arguments, "--out", str(out), *checkpoint])
    wanted, found = (load(path) for path in (tmp_path / "whole", out))
    assert all(map(torch.equal, wanted.state_dict().values(), found.state_dict().values()))
    steps = [[(each["step"], each["metrics"]) for each in network.card["curves"]] for network in (wanted, found)]
    assert steps[0] == steps[1]
    seconds = [each["seconds"] for each in found.card["curves"]]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("seeds", [[], ["--seeds", "2"]])
@pytest.mark.parametrize("damage", ["no step", "odd step", "no moments", "no file of ours"])
def test_a_damaged_checkpoint_is_one_sentence(
    damage: str, seeds: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "c"
    arguments = ["train", "addition", *QUICK, *seeds, "--checkpoint", str(checkpoint), "--out", str(tmp_path / "a")]
    main(arguments)
    tensors, metadata = read(checkpoint)
    if damage == "no moments":
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("exp_avg_sq")}
    write(checkpoint, tensors, metadata | {"step": "abc"} if damage == "odd step" else metadata)
    if damage == "no step":
        write(checkpoint, tensors, {"settings": metadata["settings"]})
    if damage == "no file of ours":
        checkpoint.write_bytes(b"something else")
    assert f"The checkpoint {checkpoint} is damaged: delete it" in ends_with_one_line(arguments, capsys)


def test_who_reads_a_few_lines_gets_the_whole_training(tmp_path: Path) -> None:
    out = tmp_path / "a"
    command = f"{sys.executable} -m training train addition {' '.join(QUICK)} --out {out} | head -1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("step 1 of 8")
    assert not ended.stderr
    assert load(out).card["metrics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["fly"], "invalid choice"),
        (["train", "digits", "--cell", "transformer", "--out", "x"], "invalid choice"),
        (["train", "addition", "--hidden-size", "65", "--out", "x"], "between 1 and 64"),
        (["train", "addition", "--epochs", "many", "--out", "x"], "invalid int"),
        (["train", "recall", "--index", "12", "--out", "x"], "below the longest"),
        (["train", "addition", "--learning-rate", "nan", "--out", "x"], "learning rate"),
        (["train", "addition"], "--out"),
        (["evaluate"], "--all"),
        (["evaluate", "digits-transformer"], "no shipped model"),
        (["pretrain", "digits-transformer"], "no recipe"),
        (["sweep", "addition", "--seeds", "0", "--folder", "x"], "from 1 to 100,000"),
        (["sweep", "addition", "--hidden-size", "2", "99", "--folder", "x"], "between 1 and 64"),
        (["sweep", "addition"], "--folder"),
        (["train", "addition", *HUGE, "--out", "x"], "GB of memory"),
        (["sweep", "addition", *HUGE, "--folder", "x"], "GB of memory"),
        (["sweep", "addition", "--hidden-size", "2", "5", "--seeds", "60000", "--folder", "x"], "100,000 are the most"),
        (["sweep", "addition", "--seeds", "9" * 30, "--folder", "x"], "from 1 to 100,000"),
        (["report", "--only", "recall", "--seeds", "9" * 30, "--folder", "x"], "from 1 to 100,000"),
        (["report", "--only", "recall", "--seeds", "9" * 5000, "--folder", "x"], "from 1 to 100,000"),
        (["evaluate", "digits-rnn", "--all"], "not both"),
        (["pretrain", "digits-rnn", "--verdicts"], "name no model"),
        (["run", "no/such/folder"], "holds no run"),
    ],
)
def test_bad_input_ends_with_status_1_and_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in ends_with_one_line(arguments, capsys)


def test_a_folder_is_no_file_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = ["--out", str(tmp_path / "a.safetensors")]
    for arguments in (["--out", str(tmp_path)], [*file, "--checkpoint", str(tmp_path)]):
        assert "is a folder: name a file in it" in ends_with_one_line(["train", "addition", *QUICK, *arguments], capsys)


def test_the_checkpoint_and_the_network_are_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("a", "link"):
        files = ["--checkpoint", str(tmp_path / "a"), "--out", str(tmp_path / name)]
        line = ends_with_one_line(["train", "addition", *QUICK, *files], capsys)
        assert line.endswith("--out and --checkpoint name the same file: give each a file of its own.\n")
    assert not (tmp_path / "a").exists()


def test_a_pipe_is_no_file_to_write_and_stays_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    line = ends_with_one_line(["train", "addition", *QUICK, "--out", str(tmp_path / "pipe")], capsys)
    assert "is a device or a pipe: name an ordinary file" in line
    assert (tmp_path / "pipe").is_fifo()


def test_what_a_link_names_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "a")
    main(["train", "addition", *QUICK, "--out", str(tmp_path / "link")])
    assert (tmp_path / "link").is_symlink()
    assert load(tmp_path / "elsewhere" / "a").card["metrics"]


def test_the_card_has_a_command_that_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["train", "addition", *QUICK, "--out", str(tmp_path / "my adder")]
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    main(arguments)
    assert shlex.split(load(tmp_path / "my adder").card["command"]) == ["python", "-m", "training", *arguments]


@pytest.mark.parametrize("supervised", [[], ["--supervised"]])
def test_a_run_needs_no_niceness_where_there_is_none(
    supervised: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(os, "nice")  # as on Windows
    assert "holds no run" in ends_with_one_line(["run", "no/such/folder", *supervised], capsys)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_network_whose_answers_are_no_numbers_fails_its_evaluation(
    as_json: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = load("addition-bce-h5")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.sign() * 3e38)
    save(network, tmp_path / "huge.safetensors")
    line = ends_with_one_line(["evaluate", str(tmp_path / "huge.safetensors"), *as_json], capsys)
    assert line == f"{tmp_path}/huge.safetensors: what this network answers is no number, so it can't be used.\n"


@pytest.mark.parametrize("folder", ["", "models/"])
@pytest.mark.parametrize(
    ("sentence", "line"),
    [
        ("odd: its card does not say task.", "odd: its card does not say task."),
        ("odd could not be measured: no memory.", "odd could not be measured: no memory."),
        ("There are no data.", "odd: There are no data."),
        ("oddly, nothing works.", "odd: oddly, nothing works."),
    ],
)
def test_a_model_is_named_once_as_it_was_given(
    folder: str, sentence: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str) -> None:
        raise ValueError(sentence)

    monkeypatch.setattr(COMMANDS, "load", fail)
    assert ends_with_one_line(["evaluate", f"{folder}odd"], capsys) == f"{folder}{line}\n"


@pytest.mark.parametrize("facts", ["{}", '{"name": "x", "settings": {"task": "zzz"}}', "[]"])
def test_a_folder_without_a_run_is_one_line_and_stays_as_it_is(
    facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(facts)
    assert "holds no run" in ends_with_one_line(["run", str(tmp_path)], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["train", "addition", *QUICK, "--out", str(tmp_path / "file" / "a.safetensors")]
    assert f"{tmp_path / 'file' / 'a.safetensors'} can't be written" in ends_with_one_line(arguments, capsys)


@pytest.mark.parametrize(
    "command",
    [[], ["list"], ["train"], ["train", "digits"], ["evaluate"], ["pretrain"], ["sweep"], ["sweep", "recall"]],
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: python -m training" in capsys.readouterr().out
