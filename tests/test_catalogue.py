"""Shipped models and runs in one list: differences, curves, and weights that come from outside."""

import csv
import errno
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import Network, WeightsError, load, names, save
from models.store import WEIGHTS
from training import catalogue, runs
from training.catalogue import CALIBRATION, curves_csv, differing, entry, smoothed, upload
from training.runs import RunError
from training.task import DataError
from training.tasks import TASKS
from training.worker import execute

QUICK = replace(TASKS["addition"].defaults.with_data(num_batches=20), epochs=1, hidden_size=4)


def shipped(name: str) -> catalogue.Entry:
    return next(each for each in catalogue.shipped() if each.id == name)


def weights(path: Path, **changes: object) -> bytes:
    """A weights file as the lab writes it, but for a few things on its card."""
    network = load("addition-bce-h2")
    network.card = network.card | changes
    save(network, path)
    return path.read_bytes()


def recarded(content: bytes, **changes: object) -> bytes:
    """The weights file with things on its card that the lab would not write."""
    header = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + header])
    about["__metadata__"]["card"] = json.dumps(json.loads(about["__metadata__"]["card"]) | changes)
    text = json.dumps(about).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + header :]


def test_every_shipped_model_is_listed_with_its_figures() -> None:
    every = list(catalogue.shipped())
    assert [each.id for each in every] == names()
    assert all(each.metrics for each in every)
    assert all(each.curves and each.seconds > 0 for each in every if not load(each.id).card.get("by_hand"))


def test_a_runs_entry_follows_its_folder() -> None:
    run = runs.create(QUICK)
    assert (entry(run).name, entry(run).metrics, entry(run).seconds) == ("lstm-1x4-bce-num-batches20", {}, None)
    execute(run)
    assert entry(run).metrics == load(run.weights).card["metrics"]
    assert len(entry(run).curves) == 16
    run.rename("my adder")
    assert entry(runs.Run(run.folder)).name == "my adder"


def test_only_the_settings_that_differ_are_named() -> None:
    assert differing([shipped("digits-gru"), shipped("digits-gru-l2")]) == {"weight_decay": [0.0, 1e-3]}
    mixed = differing([shipped("digits-gru"), shipped("recall-i1-h10")])
    assert mixed["task"] == ["digits", "recall"]
    assert mixed["index"] == [None, 1]
    assert differing([shipped("digits-gru")] * 2) == {}
    assert "index" not in differing([shipped("recall-i2-h10"), shipped("recall-any")])  # which has none
    assert "forget_bias" not in differing([shipped("digits-gru"), shipped("digits-bilstm")])
    many = replace(shipped("digits-gru"), seeds=8)
    assert differing([shipped("digits-gru"), many]) == {"seeds": [1, 8]}


def test_what_was_trained_twice_has_two_values_of_a_setting() -> None:
    best = differing([shipped("digits-gru"), shipped("digits-best")])
    assert (best["epochs"], best["learning_rate"], best["hidden_size"]) == (
        [5, (60, 15)],
        [1e-3, (2e-3, 5e-4)],
        [256, 192],
    )
    assert shipped("digits-best").epochs == 60 + 15


def test_two_indices_differ_in_the_index_only() -> None:
    assert differing([shipped("recall-i2-h10"), shipped("recall-i3-h10")]) == {
        "index": [2, 3],
        "seed": [shipped("recall-i2-h10").settings.seed, shipped("recall-i3-h10").settings.seed],
    }


def test_what_was_set_by_hand_differs_in_its_shape_only() -> None:
    ideal, small, large = (shipped(f"addition-{name}") for name in ("ideal-h2", "bce-h2", "mse-h10"))
    assert differing([ideal, small]) == {"cell": ["rnn", "lstm"]}
    assert differing([ideal, small, large]) == {
        "cell": ["rnn", "lstm", "lstm"],
        "hidden_size": [2, 2, 10],
        "loss": [None, "bce", "mse"],
        "seed": [None, small.settings.seed, large.settings.seed],
    }


def test_an_upload_stays_set_by_hand() -> None:
    content = (WEIGHTS / "addition-ideal-h2.safetensors").read_bytes()
    run = upload(content, "mine.safetensors")
    assert entry(run).by_hand
    assert entry(run).epochs is None


def test_the_epochs_are_those_that_were_trained() -> None:
    run = runs.create(replace(QUICK, epochs=400))
    assert entry(run).epochs == 0
    for progress in shipped("addition-bce-h5").curves[:5]:
        run.append(replace(progress, epoch=3))
    assert entry(run).epochs == 3
    assert shipped("digits-gru").epochs == shipped("digits-gru").settings.epochs


@pytest.mark.parametrize("created", [None, 5, "yesterday"])
def test_a_run_that_does_not_say_when_it_was_made_is_one_still(created: object) -> None:
    run = runs.create(QUICK)
    (run.folder / "run.json").write_text(json.dumps(run.facts | {"created": created}))
    (again,) = runs.all_runs()
    assert entry(again).created is None


def test_a_setting_that_is_younger_than_a_model_has_its_default_there() -> None:
    old = shipped("addition-bce-h5")
    assert "state_noise" not in old.settings.data
    new = replace(old, settings=old.settings.with_data(state_noise=0.0))
    assert differing([old, new]) == {}


def test_the_csv_holds_every_point_of_every_curve() -> None:
    chosen = [shipped("digits-rnn"), shipped("addition-bce-h5")]
    rows = list(csv.DictReader(io.StringIO(curves_csv(chosen))))
    assert len(rows) == sum(len(each.curves) for each in chosen)
    assert float(rows[0]["training_loss"]) == chosen[0].curves[0].train_loss
    assert float(rows[-1]["validation_bit_accuracy"]) == chosen[1].curves[-1].metrics["bit_accuracy"]
    assert rows[0]["validation_bit_accuracy"] == ""


@given(st.lists(st.floats(-100, 100), min_size=1), st.floats(0, 0.99))
def test_smoothing_stays_within_the_values(values: list[float], amount: float) -> None:
    result = smoothed(values, amount)
    assert len(result) == len(values)
    assert all(min(values) - 1e-9 <= value <= max(values) + 1e-9 for value in result)
    assert smoothed(values, 0.0) == values


def test_smoothing_is_the_exponential_moving_average() -> None:
    assert smoothed([1.0, 2.0, 4.0], 0.5) == pytest.approx([1.0, 5 / 3, 3.0])


def test_an_upload_is_measured_anew_and_can_be_chosen(tmp_path: Path) -> None:
    lies = {"bit_accuracy": 2.0, "<script>": 1.0}
    run = upload(
        weights(tmp_path / "from a friend.safetensors", metrics=lies, command="rm -rf"), "from a friend.safetensors"
    )
    assert (run.name, run.state(), run.settings.task) == ("from a friend", "finished", "addition")
    card = load(run.weights).card
    assert card["metrics"] == load("addition-bce-h2").card["metrics"]
    assert card["command"] == "uploaded"
    assert run.id in runs.trained("addition")
    assert len(run.progress()) == len(load("addition-bce-h2").card["curves"])


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "poetry"},
        {"task": ["addition"]},
        {"task": "digits"},
        {"hidden_size": 3},
        {"learning_rate": "fast"},
        {"epochs": -1},
        {"loss": "cross_entropy"},
        {"data": {"length": 10**9}},
        {"epochs": 10**400},
        {"seed": True},
        {"refusal_threshold": 1.5},
        {"refusal_threshold": "low"},
        {"refusal_threshold": float("nan")},
        {"temperature": None},
        {"data": {"num_batches": 100_000, "elements_in_batch": 10_000, "length": 30}},
    ],
)
def test_an_upload_whose_card_does_not_fit_is_refused_in_one_sentence(changes: dict, tmp_path: Path) -> None:
    content = weights(tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError) as caught:
        upload(recarded(content, **changes), "odd.safetensors")
    assert "odd.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert runs.all_runs() == []


def test_an_uploads_shape_is_that_of_its_network_whatever_its_task_is_said_to_have(tmp_path: Path) -> None:
    content, data = weights(tmp_path / "odd.safetensors"), load("addition-bce-h2").card["data"]
    run = upload(recarded(content, data=data | {"cell": "gru", "hidden_size": 7, "num_layers": 3}), "odd.safetensors")
    assert (run.settings.cell, run.settings.hidden_size, run.settings.num_layers) == ("lstm", 2, 1)
    assert run.settings.data == TASKS["addition"].defaults.data | data


def test_an_upload_still_knows_when_it_sees_no_digit() -> None:
    content = (WEIGHTS / "digits-best.safetensors").read_bytes()
    run = upload(recarded(content, data={"dataset": "sklearn", "augmentation": "none"}), "copy.safetensors")
    mine, shipped = load(run.weights).card, load("digits-best").card
    assert {key: mine[key] for key in CALIBRATION} == {key: shipped[key] for key in CALIBRATION}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyError("refusal_threshold"), "odd.safetensors: its card does not say refusal_threshold."),
        (RuntimeError("no memory\nat line 3"), "odd.safetensors could not be measured: no memory."),
        (MemoryError(), "odd.safetensors could not be measured: MemoryError."),
        (DataError("There are no data."), "There are no data."),
    ],
)
def test_an_upload_that_cannot_be_measured_is_refused_in_one_sentence(
    error: Exception, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> dict[str, float]:
        raise error

    monkeypatch.setitem(TASKS, "addition", replace(TASKS["addition"], exam=fail))
    with pytest.raises((WeightsError, DataError)) as caught:
        upload(weights(tmp_path / "odd.safetensors"), "odd.safetensors")
    assert str(caught.value) == sentence
    assert runs.all_runs() == []


@pytest.mark.parametrize(
    "curves", [None, "many", [1, 2], [{"step": 1}], [{"metrics": {}}] * 3, [float("nan")], [{"metrics": {1: 2}}]]
)
def test_an_uploads_odd_curves_are_left_out(curves: object, tmp_path: Path) -> None:
    run = upload(weights(tmp_path / "odd.safetensors", curves=curves), "odd.safetensors")
    assert run.progress() == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 100])
def test_an_upload_that_is_no_safetensors_file_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsError, match=r"photo\.safetensors is not a readable safetensors file"):
        upload(content, "photo.safetensors")


def test_an_upload_whose_answers_are_no_numbers_is_refused(tmp_path: Path) -> None:
    network = load("addition-bce-h5")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.sign() * 3e38)
    save(network, tmp_path / "huge.safetensors")
    with pytest.raises(WeightsError, match="is no number"):
        upload((tmp_path / "huge.safetensors").read_bytes(), "huge.safetensors")
    assert runs.all_runs() == []


def test_an_upload_for_which_there_is_no_room_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("training.catalogue.save", full)
    with pytest.raises(OSError, match="No space left"):
        upload((WEIGHTS / "addition-bce-h5.safetensors").read_bytes(), "mine.safetensors")
    assert list(runs.folder().glob("*/run.json")) == []


def test_an_upload_for_other_inputs_is_refused(tmp_path: Path) -> None:
    network = Network(3, 1, cell="gru", hidden_size=4, readout="every")
    network.card = load("addition-bce-h2").card | {"input_size": 3, "cell": "gru", "hidden_size": 4}
    save(network, tmp_path / "three.safetensors")
    with pytest.raises(WeightsError, match="a network for addition has 2 inputs and 1 outputs"):
        upload((tmp_path / "three.safetensors").read_bytes(), "three.safetensors")


def test_a_name_from_outside_holds_no_markup(tmp_path: Path) -> None:
    run = upload(weights(tmp_path / "w.safetensors"), "[x](y) <b>*!* ü.safetensors")
    assert run.name == "x(y) b ü"


def test_two_things_never_have_one_name() -> None:
    first, second = runs.create(QUICK), runs.create(QUICK)
    assert second.name == f"{first.name}-2"
    assert runs.create(QUICK, "digits-gru").name == "digits-gru-2"
    with pytest.raises(RunError, match="called digits-gru already"):
        first.rename("digits-gru")
    with pytest.raises(RunError, match="A name has 1 to 80 characters"):
        first.rename("**bold**")


@pytest.mark.parametrize(
    "odd", [{"steps": 0}, {"step": 0}, {"seconds": -1.0}, {"metrics": {"bit_accuracy": 50}}, {"metrics": {}}]
)
def test_an_uploads_curves_that_make_no_sense_are_left_out(odd: dict[str, object], tmp_path: Path) -> None:
    curves = load("addition-bce-h2").card["curves"]
    run = upload(weights(tmp_path / "odd.safetensors", curves=[*curves[:-1], curves[-1] | odd]), "odd.safetensors")
    assert run.progress() == []


def test_an_upload_keeps_the_arithmetic_that_trained_it(tmp_path: Path) -> None:
    """The PyTorch script of a network depends on it; what else a file says of its machine is not believed."""
    content = weights(tmp_path / "a.safetensors", precision="bfloat16", device="<b>", versions={"torch": "0"})
    about = load(upload(content, "a.safetensors").weights).card
    assert about["precision"] == "bfloat16"
    assert about["device"] in ("cpu", "cuda", "mps")
    assert about["versions"]["torch"] != "0"
