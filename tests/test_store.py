"""Weights on disk: round trips, and every kind of broken file refused with one sentence."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from models import Network, WeightsError, load, names, save
from models.store import _build, write


def saved(path: Path, **shape: object) -> Network:
    torch.manual_seed(0)
    network = Network(3, 4, **({"cell": "gru", "hidden_size": 5} | shape)).eval()
    network.card = {"task": "recall", "seed": 7, "metrics": {"accuracy": 0.5}}
    save(network, path)
    return network


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_round_trip(tmp_path: Path, cell: str, bidirectional: bool) -> None:
    network = saved(tmp_path / "a.safetensors", cell=cell, bidirectional=bidirectional, num_layers=2)
    again = load(tmp_path / "a.safetensors")
    x = torch.randn(2, 6, 3)
    assert torch.equal(network(x), again(x))
    assert again.card["seed"] == 7
    assert again.card["metrics"] == {"accuracy": 0.5}
    assert again.card["cell"] == cell
    assert not again.training


def test_a_bare_gru_loads_the_recurrent_tensors_in_three_lines(tmp_path: Path) -> None:
    network = saved(tmp_path / "a.safetensors", num_layers=2)
    tensors = load_file(tmp_path / "a.safetensors")
    gru = torch.nn.GRU(3, 5, num_layers=2, batch_first=True)
    gru.load_state_dict({name: tensors[name] for name in gru.state_dict()})
    x = torch.randn(2, 6, 3)
    assert torch.equal(gru(x)[0], network.recurrent(x)[0])


def test_saving_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "a.safetensors")
    saved(tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_failed_save_keeps_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    saved(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        saved(path, hidden_size=6)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["a.safetensors"]


def refused(path: Path, match: str) -> None:
    with pytest.raises(WeightsError, match=match) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_refused() -> None:
    refused(Path("digits-transformer"), "There is no shipped model")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x80\x04K\x01.", b"\xff" * 64, (8).to_bytes(8, "little") + b"{}      "]
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    refused(path, "a.safetensors")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_still_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.safetensors"
    saved(path)
    content = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    position = data.draw(st.integers(0, header - 1))
    content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert isinstance(load(path), Network)
    except WeightsError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_cut_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "a.safetensors"
    saved(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    refused(path, "not a readable safetensors file")


def rewritten(path: Path, card: dict | None = None, **tensors: torch.Tensor) -> None:
    """The file with another card or other tensors."""
    network = saved(path)
    known = load(path).card if card is None else card
    stored = load_file(path) | tensors
    assert network.card["task"] == "recall"
    save_file(stored, path, metadata={"card": json.dumps(known)})


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    rewritten(tmp_path / "a.safetensors", weight_hh_l0=torch.zeros(15, 4))
    refused(tmp_path / "a.safetensors", "do not fit")
    rewritten(tmp_path / "a.safetensors", weight_more=torch.zeros(1))
    refused(tmp_path / "a.safetensors", "do not fit")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, number: float) -> None:
    rewritten(tmp_path / "a.safetensors", bias_hh_l0=torch.full((15,), number))
    refused(tmp_path / "a.safetensors", "not finite")


def test_other_number_formats_are_refused(tmp_path: Path) -> None:
    rewritten(tmp_path / "a.safetensors", bias_hh_l0=torch.zeros(15, dtype=torch.float64))
    refused(tmp_path / "a.safetensors", "float32")


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 6},
        {"hidden_size": -1},
        {"hidden_size": "5"},
        {"hidden_size": 10**9},
        {"num_layers": 10**7},
        {"cell": "transformer"},
        {"cell": ["gru"]},
        {"readout": "first"},
        {"bidirectional": "yes"},
    ],
)
def test_a_card_that_lies_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "a.safetensors"
    saved(path)
    rewritten(path, card=load(path).card | change)
    refused(path, "a.safetensors")


@pytest.mark.parametrize("card", ["", "[]", "3", "null", "{}", "{", "[" * 100_000])
def test_a_card_that_is_no_card_is_refused(tmp_path: Path, card: str) -> None:
    path = tmp_path / "a.safetensors"
    saved(path)
    write(path, load_file(path), {"card": card})
    refused(path, "card")


def test_a_path_is_that_file_and_no_other(tmp_path: Path) -> None:
    saved(tmp_path / "net", hidden_size=3)
    saved(tmp_path / "net.safetensors", hidden_size=4)
    assert load(str(tmp_path / "net")).hidden_size == 3


def test_names_are_in_natural_order() -> None:
    recall = [name for name in names("recall") if name.startswith("recall-i")]
    assert recall == sorted(recall, key=lambda name: [int(part[1:]) for part in name.split("-")[1:]])
    assert set(names("recall") + names("digits") + names("addition")) == set(names())


def test_a_card_that_asks_for_gigabytes_is_refused_before_they_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    saved(path)
    huge = {"input_size": 10_000, "hidden_size": 10_000, "cell": "lstm", "bidirectional": True}
    lie = load(path).card | huge
    assert all(parameter.is_meta for parameter in _build(lie, path).parameters())
    rewritten(path, card=lie)
    refused(path, "do not fit")
