"""Many seeds at once: S small networks of the same settings, trained together.

One training run of a small network says little, and most of its time goes into calling PyTorch rather than into
arithmetic. So the parameters of S networks are stacked along a leading dimension and every operation serves them all.
Nothing is shared: each seed has its own weights, data and order of batches, and gets what `training.fit.fit` gives it
alone, to rounding. Shapes are written (S, B, T, features).
"""

import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.network import Network
from models.store import WeightsError, read, write
from training.fit import VALIDATED, batch_order, build, learning_rate
from training.metrics import LOSSES
from training.stacked_cells import STEPS, Recurrence, combined, states
from training.task import Data, Examples, Settings
from training.tasks import TASKS, addition

MOMENTS = ("exp_avg", "exp_avg_sq")  # what Adam keeps of every parameter
CHUNK = 200  # sequences of each seed that are evaluated at a time: few enough to stay in the processor's cache


class StackedNetwork:
    """S networks of one shape, as PyTorch's parameters with a leading dimension S."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = list(networks)
        self.like = networks[0]
        states = [network.state_dict() for network in networks]
        self.parameters = {name: torch.stack([state[name] for state in states]).requires_grad_() for name in states[0]}

    def unstack(self) -> list[Network]:
        """The S networks as they stand now, in eval mode."""
        for number, network in enumerate(self.networks):
            state = {name: parameter[number].detach().clone() for name, parameter in self.parameters.items()}
            network.load_state_dict(state)
            network.eval()
        return self.networks

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits as of `Network.forward`, with a leading S.

        `x` is (S, B, T, features), or (B, T, features) for all seeds the same; `lengths` (S, B) says how many time
        steps of each sequence to read. Returns (S, B, output_size), or with readout "every" (S, B, T, output_size); an
        `output_size` of 1 is squeezed away.
        """
        S = len(self.networks)
        x = x.expand(S, *x.shape) if x.dim() == 3 else x
        backwards = _backwards(x, lengths) if self.like.bidirectional else None
        sequence = x
        for layer in range(self.like.num_layers):
            sequence = self._layer(sequence, layer, backwards)
        logits = self._linear(self._features(sequence, lengths))
        return logits.squeeze(-1) if self.like.output_size == 1 else logits

    def _layer(self, x: Tensor, layer: int, backwards: Tensor | None) -> Tensor:
        """The outputs (S, B, T, directions * H) of one layer for its inputs (S, B, T, features)."""
        if backwards is None:
            return self._run(x, [f"l{layer}"])
        # both directions are S networks each, and read at the same time: the second one its sequences turned around
        both = self._run(torch.cat([x, _turned(x, backwards)]), [f"l{layer}", f"l{layer}_reverse"])
        forward, backward = both.chunk(2)
        return torch.cat([forward, _turned(backward, backwards)], dim=-1)

    def _run(self, x: Tensor, suffixes: list[str]) -> Tensor:
        """The hidden states (N, B, T, H) of N = S * len(suffixes) networks, for inputs (N, B, T, features)."""
        hidden = Recurrence.apply(self._weight(suffixes), _features_first(x), self.like.cell)
        return hidden.permute(1, 3, 0, 2)

    def _weight(self, suffixes: list[str]) -> Tensor:
        """All parameters of one layer, the directions one after the other, as `combined` puts them together."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return combined(
            self.like.cell,
            *(torch.cat([self.parameters[f"recurrent.{name}_{suffix}"] for suffix in suffixes]) for name in names),
        )

    def prefix_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """For adders of one layer and one direction: the answers at every time step, and one time step later.

        `x` is (B, T, features). Returns two (S, B, T): the logits at time step t, and those after one more input of
        zeros, which is where the last carry of operands that end at t comes out.
        """
        weight, x = self._weight(["l0"]), _features_first(x.expand(len(self.networks), *x.shape))
        hidden, cells, _, _ = states(self.like.cell, weight, x)
        nothing = torch.zeros_like(x[0])
        nothing[:, -1] = 1
        step, _ = STEPS[self.like.cell]
        later = [
            step(torch.bmm(weight, torch.cat([h, nothing], dim=1)), h, c)[0] for h, c in zip(hidden, cells, strict=True)
        ]
        now, later = (self._linear(each.permute(1, 3, 0, 2))[..., 0] for each in (hidden, torch.stack(later)))
        return now, later

    def _features(self, output: Tensor, lengths: Tensor | None) -> Tensor:
        """What the linear layer reads, as in `Network`."""
        if self.like.readout == "every":
            return output
        last = output[:, :, -1] if lengths is None else _at(output, lengths - 1)
        if self.like.readout == "last" or not self.like.bidirectional:
            return last
        H = self.like.hidden_size
        return torch.cat([last[..., :H], output[:, :, 0, H:]], dim=-1)

    def _linear(self, features: Tensor) -> Tensor:
        weight, bias = self.parameters["linear.weight"], self.parameters["linear.bias"]
        if features.dim() == 3:
            return torch.baddbmm(bias[:, None], features, weight.mT)
        # every time step, as it lies in memory: (T, S, features, B)
        logits = weight @ features.permute(2, 0, 3, 1) + bias[..., None]
        return logits.permute(1, 3, 0, 2)


def _features_first(x: Tensor) -> Tensor:
    """Inputs (S, B, T, features) as `states` takes them: (T, S, features + 1, B), the last feature one."""
    return torch.cat([x.permute(2, 0, 3, 1), x.new_ones(x.shape[2], x.shape[0], 1, x.shape[1])], dim=2)


def _backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    """For each sequence (S, B, T) the time steps in reverse; what lies beyond its length stays where it is."""
    S, B, T, _ = x.shape
    t = torch.arange(T, device=x.device)
    lengths = torch.full((S, B), T, device=x.device) if lengths is None else lengths
    return torch.where(t < lengths[..., None], lengths[..., None] - 1 - t, t)


def _turned(x: Tensor, backwards: Tensor) -> Tensor:
    return x.gather(2, backwards[..., None].expand_as(x))


def _at(output: Tensor, t: Tensor) -> Tensor:
    """The output (S, B, features) at time step t (S, B) of each sequence."""
    index = t[:, :, None, None].expand(-1, -1, 1, output.shape[-1])
    return output.gather(2, index)[:, :, 0]


@dataclass(frozen=True)
class StackedProgress:
    """Where S trainings stand after optimiser step `step` of `steps`; see `training.fit.Progress`.

    `train_loss`, `validation_loss` and every metric are lists of S numbers, in the order of the seeds. The loss of a
    seed that has diverged is no number any more; the others go on.
    """

    step: int
    steps: int
    epoch: int
    train_loss: list[float]
    validation_loss: list[float]
    metrics: dict[str, list[float]]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a line of JSON."""
        return asdict(self)


def build_stacked(settings: Settings, seeds: Sequence[int]) -> StackedNetwork:
    """Untrained networks as the settings say, each as its seed makes it."""
    return StackedNetwork([build(replace(settings, seed=seed)) for seed in seeds])


def fit_stacked(
    network: StackedNetwork,
    settings: Settings,
    seeds: Sequence[int],
    *,
    validate_every: int | None = None,
    checkpoint: Path | None = None,
) -> Iterator[StackedProgress]:
    """Train all seeds in place, and yield progress as `training.fit.fit` does; `checkpoint` is as there.

    Raises ValueError, in one sentence, for settings under which the seeds do not march in step: every batch must be
    full, so the batch size must divide the number of sequences of each length.
    """
    data = [TASKS[settings.task].load_data(replace(settings, seed=seed)) for seed in seeds]
    _check(data, settings)
    train = _Sequences([each.train for each in data])
    live = _Sequences([each.validation.first(VALIDATED) for each in data])
    steps_per_epoch = data[0].train.num_batches(settings.batch_size)
    steps = steps_per_epoch * settings.epochs
    validate_every = validate_every or max(1, steps_per_epoch // 10)
    optimizer = torch.optim.Adam(network.parameters.values(), weight_decay=settings.weight_decay, fused=True)
    step = _resume(checkpoint, network, optimizer, settings, seeds) if checkpoint and checkpoint.exists() else 0
    began, losses = time.monotonic(), []
    for epoch in range(step // steps_per_epoch, settings.epochs):
        for numbers in train.order(settings, seeds, epoch)[step - epoch * steps_per_epoch :]:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, step, steps)
            losses.append(_train_step(network, optimizer, train, numbers, settings))
            step += 1
            if step % validate_every == 0 or step == steps:
                validation = live if step < steps else _Sequences([each.validation for each in data])
                metrics = _evaluate(network, validation, settings)
                progress = _progress(metrics, settings, step, steps, losses, time.monotonic() - began)
                if checkpoint:
                    _save(checkpoint, network, optimizer, settings, seeds, step)
                yield progress
                losses = []


def _belongs(settings: Settings, seeds: Sequence[int]) -> str:
    """What a checkpoint says it belongs to."""
    return json.dumps(settings.to_dict() | {"seeds": list(seeds)})


def _save(
    path: Path,
    network: StackedNetwork,
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    seeds: Sequence[int],
    step: int,
) -> None:
    """The whole state of training as one safetensors file."""
    tensors = {f"network.{name}": parameter for name, parameter in network.parameters.items()}
    for (name, parameter), moment in itertools.product(network.parameters.items(), MOMENTS):
        tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    write(path, tensors, {"step": str(step), "settings": _belongs(settings, seeds)})


@torch.no_grad()
def _resume(
    path: Path, network: StackedNetwork, optimizer: torch.optim.Optimizer, settings: Settings, seeds: Sequence[int]
) -> int:
    """Load the state from `path`; returns its step. Raises WeightsError when it belongs to other settings or seeds."""
    tensors, metadata = read(path, finite=False)  # a seed that has diverged holds up no other
    if metadata.get("settings") != _belongs(settings, seeds):
        raise WeightsError(f"{path.name} is a checkpoint of other settings; delete it to start from the beginning.")
    for name, parameter in network.parameters.items():
        parameter.copy_(tensors[f"network.{name}"])
        moments = {moment: tensors[f"{moment}.{name}"] for moment in MOMENTS}
        optimizer.state[parameter] = {"step": torch.tensor(float(metadata["step"]))} | moments
    return int(metadata["step"])


def _check(data: list[Data], settings: Settings) -> None:
    if settings.data.get("state_noise"):
        raise ValueError("Many seeds can be trained together only without state noise: train one seed, or set it to 0.")
    ragged = any(len(x) % settings.batch_size for each in data for x, _ in each.train.groups)
    if ragged or settings.readout == "pooled":
        raise ValueError(
            f"Many seeds can be trained together only where all batches are full, and those of {settings.batch_size} "
            "are not: choose a batch size that divides the number of sequences generated together, or train one seed."
        )


class _Sequences:
    """The examples of S seeds in one tensor each: x (S, N, T, features), y (S, N, ...), lengths (S, N).

    All groups of a seed lie one after the other, short sequences filled up. What is only zeros and ones, as these
    tasks' inputs are, takes a byte each.
    """

    def __init__(self, examples: list[Examples]) -> None:
        self.examples = examples
        T = max(x.shape[1] for each in examples for x, _ in each.groups)
        count = max(len(each) for each in examples)
        self.x = torch.stack([_filled(each, T, count) for each in examples])
        self.y = torch.stack([_padded(torch.cat([y for _, y in each.groups]), count) for each in examples])
        sizes = [torch.cat([torch.full((len(x),), x.shape[1]) for x, _ in each.groups]) for each in examples]
        self.lengths = torch.stack([_padded(size, count, 1) for size in sizes])
        self.real = torch.stack([torch.arange(count) < len(each) for each in examples])
        self.ragged = bool((self.lengths != T).any())

    def order(self, settings: Settings, seeds: Sequence[int], epoch: int) -> Tensor:
        """The examples of all batches of an epoch, (steps, S, B): for each seed in the order that it has alone."""
        rows = []
        for seed, examples in zip(seeds, self.examples, strict=True):
            starts = torch.tensor([0] + [len(x) for x, _ in examples.groups]).cumsum(0)
            order = batch_order(examples, replace(settings, seed=seed), epoch)
            rows.append(torch.stack([starts[group] + part for group, part in order]))
        return torch.stack(rows, dim=1)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The examples with these numbers (S, B): x, y, and lengths where they differ."""
        rows = (numbers + torch.arange(len(numbers))[:, None] * self.x.shape[1]).flatten()

        def taken(values: Tensor) -> Tensor:  # whole rows at once: several times quicker than values[seeds, numbers]
            return values.flatten(0, 1).index_select(0, rows).view(*numbers.shape, *values.shape[2:])

        return taken(self.x).float(), taken(self.y), taken(self.lengths) if self.ragged else None


def _filled(examples: Examples, longest: int, count: int) -> Tensor:
    """All of a seed's inputs (count, T, features), short sequences filled up with zeros."""
    wide = [torch.nn.functional.pad(x, (0, 0, 0, longest - x.shape[1])) for x, _ in examples.groups]
    x = _padded(torch.cat(wide), count)
    return x.byte() if torch.equal(x.byte().float(), x) else x


def _padded(values: Tensor, count: int, filling: int = 0) -> Tensor:
    """`values` with its first dimension filled up to `count`."""
    missing = values.new_full((count - len(values), *values.shape[1:]), filling)
    return torch.cat([values, missing])


def _train_step(
    network: StackedNetwork, optimizer: torch.optim.Optimizer, train: _Sequences, numbers: Tensor, settings: Settings
) -> Tensor:
    """One optimiser step of every seed; returns their losses (S,) before it."""
    x, y, lengths = train.take(numbers)
    losses = torch.vmap(LOSSES[settings.loss])(network(x, lengths), y)
    optimizer.zero_grad()
    losses.sum().backward()  # no seed's gradient depends on another's loss
    if settings.gradient_clipping:
        _clip_gradients(network, settings.gradient_clipping)
    optimizer.step()
    return losses.detach()


def _clip_gradients(network: StackedNetwork, largest: float) -> None:
    """Scale every seed's gradient down to the norm `largest`, as `torch.nn.utils.clip_grad_norm_` does."""
    gradients = [parameter.grad for parameter in network.parameters.values()]
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    factors = (largest / (norms + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))


def _progress(
    metrics: dict[str, list[float]], settings: Settings, step: int, steps: int, losses: list[Tensor], seconds: float
) -> StackedProgress:
    epoch = -(-step * settings.epochs // steps)
    train_loss = torch.stack(losses).mean(dim=0).tolist()
    return StackedProgress(step, steps, epoch, train_loss, metrics.pop("loss"), metrics, seconds)


def evaluate_stacked(network: StackedNetwork, examples: list[Examples], settings: Settings) -> dict[str, list[float]]:
    """What `training.metrics.evaluate` gives for every seed on its own examples: lists of S numbers."""
    return _evaluate(network, _Sequences(examples), settings)


@torch.inference_mode()
def _evaluate(network: StackedNetwork, sequences: _Sequences, settings: Settings) -> dict[str, list[float]]:
    S, count = sequences.real.shape
    sums: dict[str, Tensor] = {}
    loss = torch.vmap(torch.vmap(LOSSES[settings.loss]))
    for numbers in torch.arange(count).split(CHUNK):
        x, y, lengths = sequences.take(numbers.expand(S, -1))
        logits = network(x, lengths)
        values = {"loss": loss(logits, y)} | TASKS[settings.task].correct(logits, y)
        for name, value in values.items():
            mean = value.double().flatten(2).mean(-1) if value.dim() > 2 else value.double()
            real = torch.where(sequences.real[:, numbers], mean, 0)
            sums[name] = sums.get(name, 0) + real.sum(dim=1)
    totals = sequences.real.sum(dim=1)
    return {name: (total / totals).tolist() for name, total in sums.items()}


def finite(values: Sequence[float]) -> list[float]:
    """Those that are numbers: the seeds that have not diverged."""
    return [value for value in values if math.isfinite(value)]


@torch.inference_mode()
def accuracy_by_length_stacked(
    network: StackedNetwork, pairs: Examples, only_fitting: bool
) -> dict[str, list[list[float]]]:
    """Bit and whole-sum accuracy of adders on the lowest 1, 2, 3, ... bits of operands: lists (lengths) of lists (S).

    `pairs` are as of `training.tasks.addition.examples`. With `only_fitting` a pair counts only at the lengths into
    which all of its ones fit; else the lowest bits of every pair do.
    """
    ((x, y),) = pairs.groups
    bits, sums, counted = [], [], []
    for x_part, y_part in zip(x.split(CHUNK), y.split(CHUNK), strict=True):
        bit, whole, fits = _right_by_length(network, x_part, y_part, only_fitting)
        bits.append(bit), sums.append(whole), counted.append(fits)
    total = torch.stack(counted).sum(dim=0)
    return {
        name: (torch.stack(parts).sum(dim=0) / total).T.tolist()
        for name, parts in (("bit_accuracy", bits), ("sum_accuracy", sums))
    }


def _right_by_length(
    network: StackedNetwork, x: Tensor, y: Tensor, only_fitting: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over pairs: the share of right bits (S, T), whole sums that are right (S, T), and pairs that fit (T,)."""
    T = x.shape[1] - 1  # without the padding bit
    now, later = network.prefix_logits(x[:, :T])
    lengths = torch.arange(1, T + 1)
    used = (x[:, :T].amax(-1) * lengths).amax(-1)
    fits = (used[:, None] <= lengths).double() if only_fitting else torch.ones(len(x), T).double()
    _, carries = addition.add(*x[:, :T].long().unbind(-1))
    right = (now > 0) == (y[:, :T] > 0.5)
    right_last = (later > 0) == (carries[:, 1:] > 0)
    bits = (right.cumsum(-1) + right_last).double() / (lengths + 1)
    sums = right.cumprod(-1).bool() & right_last
    return (bits * fits).sum(dim=1), (sums * fits).sum(dim=1), fits.sum(dim=0)
