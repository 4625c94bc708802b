"""Networks on disk: safetensors files, data and never code, whose header carries the card.

The recurrent tensors keep PyTorch's own names (`weight_ih_l0`, ...), so that a bare `torch.nn.GRU` can load them.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from models.files import write_whole
from models.network import Network

WEIGHTS = Path(__file__).parent.parent / "weights"
SHAPE = ("input_size", "output_size", "cell", "hidden_size", "num_layers", "bidirectional", "readout")
MAX_PARAMETERS = 100_000_000


class WeightsError(ValueError):
    """A weights file that can't be used; the message says why in one sentence."""


def save(network: Network, path: Path | str) -> None:
    """Write the network with its card to `path`, all of it or nothing."""
    card = network.card | {name: getattr(network, name) for name in SHAPE}
    write(path, _tensors(network), {"card": json.dumps(card)})


def write(path: Path | str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file atomically: a reader sees the former file or the whole new one."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, to_bytes(stored, metadata))


def read(path: Path | str, finite: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises WeightsError when the file is missing, is not safetensors, or holds anything but float32 numbers, which
    must be finite unless `finite` is false.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is not a readable safetensors file: {error}.") from error
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise WeightsError(f"{path.name}: the tensor {name} must hold float32 numbers, not {tensor.dtype}.")
        if finite and not torch.isfinite(tensor).all():
            raise WeightsError(f"{path.name}: the tensor {name} holds numbers that are not finite.")
    return tensors, metadata


def load(name_or_path: str | Path) -> Network:
    """A network in eval mode: a shipped one by name (`"digits-gru"`), or any weights file by path.

    Raises WeightsError with one sentence for anything that is not a network this lab has written.
    """
    path = _find(name_or_path)
    tensors, metadata = read(path)
    about = _card(metadata, path)
    network = _build(about, path)
    expected = {name: tensor.shape for name, tensor in _tensors(network).items()}
    if expected != {name: tensor.shape for name, tensor in tensors.items()}:
        raise WeightsError(f"{path.name}: the tensors do not fit the network that its card describes.")
    network.load_state_dict({_inside(name): tensor for name, tensor in tensors.items()}, assign=True)
    network.card = about
    return network.eval()


def card(name_or_path: str | Path) -> dict[str, Any]:
    """What a weights file says of itself, without reading its tensors. Raises WeightsError like `load`."""
    path = _find(name_or_path)
    try:
        with safe_open(path, framework="pt") as file:
            return _card(file.metadata() or {}, path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is not a readable safetensors file: {error}.") from error


def names(task: str | None = None) -> list[str]:
    """The names of the shipped models, of one task or of all, in natural order (h2 before h10)."""
    found = [path.stem for path in WEIGHTS.glob("*.safetensors")]
    return sorted((name for name in found if task in (None, name.split("-")[0])), key=_natural)


def _find(name_or_path: str | Path) -> Path:
    if str(name_or_path) in names():
        return WEIGHTS / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise WeightsError(
        f"There is no shipped model and no weights file called {str(name_or_path)!r}; "
        f"the shipped ones are: {', '.join(names())}."
    )


def _card(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    try:
        card = json.loads(metadata["card"])
    except (KeyError, ValueError, RecursionError) as error:  # the last: thousands of brackets
        raise WeightsError(f"{path.name} carries no card, so it was not written by RNN Lab.") from error
    missing = [name for name in SHAPE if not isinstance(card, dict) or name not in card]
    if missing:
        raise WeightsError(f"{path.name}: the card does not say {', '.join(missing)}.")
    return card


def _build(card: dict[str, Any], path: Path) -> Network:
    """A network of the shape on the card, without numbers: it takes no memory until it has those of a file."""
    sizes = [card[name] for name in ("input_size", "output_size", "hidden_size", "num_layers")]
    if not all(type(size) is int and size > 0 for size in sizes) or type(card["bidirectional"]) is not bool:
        raise WeightsError(f"{path.name}: the sizes on the card must be whole numbers above 0.")
    if (max(sizes) ** 2) * card["num_layers"] > MAX_PARAMETERS:
        raise WeightsError(f"{path.name}: the network on the card is larger than this lab loads.")
    try:
        with torch.device("meta"):
            return Network(**{name: card[name] for name in SHAPE})
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path.name}: {error}") from error


def _tensors(network: Network) -> dict[str, Tensor]:
    """The tensors under the names they have on disk: PyTorch's own, without our module's prefix."""
    return {name.removeprefix("recurrent."): tensor for name, tensor in network.state_dict().items()}


def _inside(name: str) -> str:
    """The name that a tensor on disk has inside the network."""
    return name if name.startswith("linear.") else f"recurrent.{name}"


def _natural(name: str) -> list[tuple[int, int | str]]:
    """A sort key that puts `-i2` before `-i10` and `h5` before `h10`."""
    parts = name.replace("-i", "-i-").replace("-h", "-h-").split("-")
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]
