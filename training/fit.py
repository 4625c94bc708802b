"""The one training loop: a generator of progress. To stop training is to stop iterating."""

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.network import Network
from models.store import WeightsError, read, write
from training.adam import Adam
from training.metrics import LOSSES, evaluate
from training.noise import amount, noisy_logits
from training.task import Data, Examples, Settings
from training.tasks import TASKS

SCHEDULES = {
    "constant": "the learning rate stays as it is",
    "linear": "the learning rate falls in a straight line to 0 at the last step",
    "one_cycle": "the learning rate rises during the first tenth of all steps, then falls along a cosine to 0",
    "two_cycles": "one cycle of three fifths of all steps, then another one up to half the learning rate",
}
WARM_UP = 0.1  # of the steps of a cycle
FIRST_CYCLE = 0.6  # of all steps, in the schedule "two_cycles"
# Validation in the midst of training looks at this many examples, so that it stays cheap; at the end it looks at all.
VALIDATED = 2000
MOST_PROGRESS = 1000  # of a run: pages read all of it again while it goes on
# Below this many hidden units the casts cost more than bfloat16 arithmetic saves.
SMALLEST_FOR_BFLOAT16 = 64


class DivergedError(ArithmeticError):
    """The loss ceased to be a finite number; the message says when, and what to do."""


@dataclass(frozen=True)
class Progress:
    """Where a training run stands after optimiser step `step` of `steps`, with the losses and validation metrics.

    `train_loss` is the mean over the steps since the last progress; `validation_loss` and the task's `metrics` are
    those of the first 2,000 validation examples, at the last step of all; `seconds` have passed since training began
    or was resumed.
    """

    step: int
    steps: int
    epoch: int
    train_loss: float
    validation_loss: float
    metrics: dict[str, float]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a line of JSON."""
        return asdict(self)

    @classmethod
    def read(cls, values: Any) -> "Progress | None":
        """The progress of which `to_dict` gave these values; None for any that make no sense: files may be damaged.

        All numbers are finite and in their ranges, and there is at least one metric, each a fraction.
        """
        if not isinstance(values, dict) or values.keys() != {field.name for field in fields(cls)}:
            return None
        metrics = values["metrics"]
        if not isinstance(metrics, dict) or not metrics or not all(isinstance(name, str) for name in metrics):
            return None
        numbers = [*metrics.values(), *(number for name, number in values.items() if name != "metrics")]
        if not all(type(number) in (int, float) and abs(number) <= sys.float_info.max for number in numbers):
            return None  # neither infinite nor a whole number too large for a float
        counts = [values[name] for name in ("step", "steps", "epoch")]
        in_order = 1 <= values["step"] <= values["steps"] and values["epoch"] >= 1 and values["seconds"] >= 0
        whole = all(type(count) is int for count in counts)
        return cls(**values) if whole and in_order and all(0 <= share <= 1 for share in metrics.values()) else None

    def merit(self) -> tuple[float, float]:
        """What is better on validation data is larger: the task's first metric, then a smaller loss."""
        return next(iter(self.metrics.values())), -self.validation_loss


def build(settings: Settings) -> Network:
    """An untrained network as the settings say; the same seed gives the same initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = network_of(settings)
    _raise_forget_bias(network, settings.forget_bias)
    return network


def network_of(settings: Settings) -> Network:
    """A network of the size and kind that the settings name, with weights as PyTorch makes them."""
    task = TASKS[settings.task]
    return Network(
        task.input_size,
        task.output_size,
        cell=settings.cell,
        hidden_size=settings.hidden_size,
        num_layers=settings.num_layers,
        bidirectional=settings.bidirectional,
        readout=settings.readout,
    )


@torch.no_grad()
def _raise_forget_bias(network: Network, amount: float) -> None:
    """Open the LSTM's forget gates at the start, so that it begins by keeping its memory.

    Gers, Schmidhuber, Cummins, "Learning to forget" (2000); Jozefowicz, Zaremba, Sutskever (2015).
    """
    for name, bias in network.recurrent.named_parameters():
        if network.cell == "lstm" and name.startswith("bias_ih"):
            bias[network.hidden_size : 2 * network.hidden_size] += amount


def fit(
    network: Network,
    data: Data,
    settings: Settings,
    *,
    validate_every: int | None = None,
    checkpoint: Path | None = None,
) -> Iterator[Progress]:
    """Train `network` in place, and yield progress every `validate_every` steps (None: see `interval`).

    Adam, with L2 regularisation as its weight decay. With a `checkpoint` file the whole state is written there after
    every progress, when the next is asked for; where the file exists, training goes on from it, to the same weights as
    without the break. Training is repeatable: batches depend on the seed and the epoch only. Raises DivergedError when
    the loss does.
    """
    steps_per_epoch = data.train.num_batches(settings.batch_size)
    steps = steps_per_epoch * settings.epochs
    validate_every = validate_every or interval(steps_per_epoch, steps)
    device = best_device()
    network.to(device).train()
    # Adam's fused kernel does one pass over all parameters; it knows no MPS.
    optimizer = Adam(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=device.type != "mps"
    )
    step = _resume(checkpoint, network, optimizer, settings) if checkpoint and checkpoint.exists() else 0
    began, losses = time.monotonic(), []
    for x, y in _batches(data, settings, step, steps_per_epoch):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step, steps)
        seen = TASKS[settings.task].augment(x, settings, step).to(device)
        losses.append(_train_step(network, optimizer, seen, y.to(device), settings, step, steps))
        step += 1
        if step % validate_every == 0 or step == steps:
            yield _progress(network, data, settings, step, steps, losses, time.monotonic() - began)
            # Not before whoever trains has kept that progress: a break between the two repeats it, and loses nothing.
            if checkpoint:
                _save(checkpoint, network, optimizer, settings, step)
            losses = []
    network.to("cpu").eval()


def interval(steps_per_epoch: int, steps: int) -> int:
    """How many steps lie between two progresses: a tenth of an epoch, or more where that made too many of them."""
    return max(1, steps_per_epoch // 10, -(-steps // MOST_PROGRESS))


def best_device() -> torch.device:
    """CUDA or MPS where there is one, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def precision(network: Network, device: str) -> str:
    """The arithmetic of the forward pass: bfloat16 where the device has it and the network is large enough to gain."""
    pays = network.hidden_size >= SMALLEST_FOR_BFLOAT16 and _has_bfloat16(device)
    return "bfloat16" if pays else "float32"


def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return device == "cpu" and torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _batches(data: Data, settings: Settings, step: int, steps_per_epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All batches from optimiser step `step` to the end of the last epoch."""
    for epoch in range(step // steps_per_epoch, settings.epochs):
        done = max(0, step - epoch * steps_per_epoch)
        for group, part in batch_order(data.train, settings, epoch)[done:]:
            x, y = data.train.groups[group]
            yield x[part], y[part]


def batch_order(train: Examples, settings: Settings, epoch: int) -> list[tuple[int, Tensor]]:
    """The batches of an epoch, by group and examples: they depend on the seed and the epoch only."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
    return train.order(settings.batch_size, generator)


def _train_step(
    network: Network,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    settings: Settings,
    step: int,
    steps: int,
) -> Tensor:
    """Optimiser step `step` of `steps`; returns the loss before it."""
    device = x.device.type
    noise = amount(settings, step, steps)
    with torch.autocast(device, torch.bfloat16, enabled=precision(network, device) == "bfloat16"):
        if noise:
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
            logits = noisy_logits(network, x, noise, generator)
        else:
            logits = network(x)
    loss = LOSSES[settings.loss](logits.float(), y)
    optimizer.zero_grad()
    loss.backward()
    if settings.gradient_clipping:
        _clip_gradient(network, settings.gradient_clipping)
    optimizer.step()
    return loss.detach()


def _clip_gradient(network: Network, largest: float) -> None:
    """Scale the gradient down to the norm `largest`; one that is small enough, as most are, costs no second pass."""
    gradients = [parameter.grad for parameter in network.parameters()]
    norm = nn.utils.get_total_norm(gradients)
    if not norm <= largest:  # nor is a NaN
        nn.utils.clip_grads_with_norm_(network.parameters(), largest, norm)


def learning_rate(settings: Settings, step: int, steps: int) -> float:
    """The learning rate at optimiser step `step` (0-based) of `steps`."""
    return settings.learning_rate * _factor(settings.schedule, step / steps)


def _factor(schedule: str, done: float) -> float:
    """What the learning rate is multiplied by when the share `done` of all steps is done."""
    if schedule == "one_cycle":
        return _cycle(done)
    if schedule == "two_cycles":  # a warm restart (Loshchilov and Hutter, "SGDR", 2017)
        first = done < FIRST_CYCLE
        return _cycle(done / FIRST_CYCLE) if first else _cycle((done - FIRST_CYCLE) / (1 - FIRST_CYCLE)) / 2
    return 1 - done if schedule == "linear" else 1.0


def _cycle(done: float) -> float:
    """Up, then down along a cosine (Smith and Topin, "Super-convergence", 2018)."""
    rise, fall = done / WARM_UP, (done - WARM_UP) / (1 - WARM_UP)
    return max(0.01, rise) if rise < 1 else (1 + math.cos(math.pi * fall)) / 2


def _progress(
    network: Network, data: Data, settings: Settings, step: int, steps: int, losses: list[Tensor], seconds: float
) -> Progress:
    train_loss = torch.stack(losses).mean().item()
    if not math.isfinite(train_loss):
        raise DivergedError(
            f"The loss ceased to be a number before step {step}: lower the learning rate or clip the gradient."
        )
    validated = data.validation if step == steps else data.validation.first(VALIDATED)
    metrics = evaluate(network, validated, settings.loss, TASKS[settings.task].correct)
    epoch = -(-step * settings.epochs // steps)
    return Progress(step, steps, epoch, train_loss, metrics.pop("loss"), metrics, seconds)


def _save(path: Path, network: Network, optimizer: torch.optim.Optimizer, settings: Settings, step: int) -> None:
    """The whole state of training as one safetensors file."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    write(path, tensors, {"step": str(step), "settings": json.dumps(settings.to_dict())})


def checkpoint_step(path: Path) -> int:
    """The optimiser step after which the checkpoint was written; 0 where there is none."""
    if not path.exists():
        return 0
    with whole(path):
        return int(read(path, finite=False)[1]["step"])


@contextmanager
def whole(checkpoint: Path) -> Iterator[None]:
    """Within it, what a damaged checkpoint leads to is a WeightsError that says so, and what to do."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"The checkpoint {checkpoint} is damaged: delete it, and training begins from the start."
        ) from error


def _resume(path: Path, network: Network, optimizer: torch.optim.Optimizer, settings: Settings) -> int:
    """Load the state from `path`; returns its step. Raises WeightsError when it belongs to other settings."""
    with whole(path):
        tensors, metadata = read(path)
        step, belongs = int(metadata["step"]), metadata["settings"]
    if belongs != json.dumps(settings.to_dict()):
        raise WeightsError(f"{path.name} is a checkpoint of other settings; delete it to start from the beginning.")
    with whole(path):
        network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
        for name, parameter in network.named_parameters():
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step), device=parameter.device),
                "exp_avg": tensors[f"exp_avg.{name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"exp_avg_sq.{name}"].to(parameter.device),
            }
    return step
