"""Many seeds at once: S small networks of the same settings, trained together.

One training run of a small network says little, and most of its time goes into calling PyTorch rather than into
arithmetic. So the parameters of S networks are stacked along a leading dimension and every operation serves them all.
Nothing is shared: each seed has its own weights, data and order of batches, and gets what `training.fit.fit` gives it
alone, to rounding. Shapes are written (S, B, T, features).
"""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.network import Network
from models.store import WeightsError, read, write
from training.adam import Adam
from training.fit import VALIDATED, batch_order, build, interval, learning_rate, whole
from training.metrics import LOSSES
from training.packing import Packing, even_packing, packing
from training.stacked_cells import STEPS, Recurrence, combined, states
from training.task import Data, Examples, Settings
from training.tasks import TASKS, addition

MOMENTS = ("exp_avg", "exp_avg_sq")  # what Adam keeps of every parameter
CHUNK = 100  # sequences of each seed that are evaluated at a time: few enough to stay in the processor's cache


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

        `x` is (S, B, T, features), or (B, T, features) for all seeds the same; `lengths` (S,) says how many time steps
        each seed's sequences have, where the readout is not "every". Returns (S, B, output_size), or with readout
        "every" (S, B, T, output_size); an `output_size` of 1 is squeezed away.
        """
        S = len(self.networks)
        x = x.expand(S, *x.shape) if x.dim() == 3 else x
        packed = even_packing(S, x.shape[2]) if lengths is None else packing(lengths)
        sequence = packed.pack(x)
        for layer in range(self.like.num_layers):
            output = self._layer(sequence, layer, packed)
            sequence = self._joined(output, packed) if layer + 1 < self.like.num_layers else sequence
        logits = self._every(output, packed) if self.like.readout == "every" else self._once(output, packed)
        return logits.squeeze(-1) if self.like.output_size == 1 else logits

    def _layer(self, rows: Tensor, layer: int, packed: Packing) -> Tensor:
        """One layer's hidden states (rows, directions, H, B), each direction's in the order in which it reads."""
        directions = self.like.num_directions
        if directions == 2:
            # both directions of a seed are a network each, side by side
            rows = torch.stack([rows, rows.index_select(0, packed.turned)], dim=1).flatten(0, 1)
        weight = self._weight(layer).index_select(0, packed.order).flatten(0, 1)
        hidden = Recurrence.apply(weight, rows, self.like.cell, [directions * n for n in packed.active])
        return hidden.unflatten(0, (-1, directions))

    def _weight(self, layer: int) -> Tensor:
        """All parameters of one layer as `combined` puts them together: (S, directions, rows, columns)."""
        suffixes = [f"l{layer}", f"l{layer}_reverse"][: self.like.num_directions]
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [
            combined(self.like.cell, *(self.parameters[f"recurrent.{name}_{suffix}"] for name in names))
            for suffix in suffixes
        ]
        return torch.stack(weights, dim=1)

    def _joined(self, output: Tensor, packed: Packing) -> Tensor:
        """The hidden states (rows, directions * H, B) of both directions at the same time steps."""
        if self.like.num_directions == 1:
            return output[:, 0]
        return torch.cat([output[:, 0], output[packed.turned, 1]], dim=1)

    def _every(self, output: Tensor, packed: Packing) -> Tensor:
        """The answers (S, B, T, output_size) at every time step; all seeds' sequences have one length."""
        features = self._joined(output, packed).unflatten(0, (len(packed.active), -1))
        return self._linear(features).permute(1, 3, 0, 2)

    def _once(self, output: Tensor, packed: Packing) -> Tensor:
        """The answers (S, B, output_size) from final states, or, with readout "last", from the last time step."""
        features = output.index_select(0, packed.last)
        if self.like.readout == "last" and self.like.num_directions == 2:
            # there the backward direction has only begun
            features = torch.stack([features[:, 0], output[: len(features), 1]], dim=1)
        return self._linear(features.flatten(1, 2).index_select(0, packed.back)).mT

    def _linear(self, features: Tensor) -> Tensor:
        """The read-out of features (..., S, features, B): (..., S, output_size, B)."""
        return self.parameters["linear.weight"] @ features + self.parameters["linear.bias"][..., None]

    def prefix_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """For adders of one layer and one direction: the answers at every time step, and one time step later.

        `x` is (B, T, features). Returns two (S, B, T): the logits at time step t, and those after one more input of
        zeros, which is where the last carry of operands that end at t comes out.
        """
        S, T = len(self.networks), x.shape[1]
        weight = self._weight(0)[:, 0]
        rows = x.permute(1, 2, 0)[:, None].expand(-1, S, -1, -1).flatten(0, 1)
        hidden, cells, _, _ = states(self.like.cell, weight, rows, [S] * T)
        hidden = hidden.unflatten(0, (T, S))
        nothing = x.new_zeros(S, x.shape[2] + 1, len(x))
        nothing[:, -1] = 1
        step, _ = STEPS[self.like.cell]
        later = torch.empty_like(hidden)
        for h, c, new in zip(hidden, cells, later, strict=True):
            step(torch.bmm(weight, torch.cat([h, nothing], dim=1)), h, c, new)
        now, later = (self._linear(each)[:, :, 0].permute(1, 2, 0) for each in (hidden, later))
        return now, later


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

    @classmethod
    def read(cls, values: Any) -> "StackedProgress | None":
        """The progress of which `to_dict` gave these values; None for any that make no sense: files may be damaged."""
        if not isinstance(values, dict) or values.keys() != {field.name for field in fields(cls)}:
            return None
        metrics = values["metrics"]
        if not isinstance(metrics, dict) or not metrics:
            return None
        of_seeds = [values["train_loss"], values["validation_loss"], *metrics.values()]
        if not all(isinstance(each, list) and each and len(each) == len(of_seeds[0]) for each in of_seeds):
            return None
        counts = [values[name] for name in ("step", "steps", "epoch")]
        numbers = [*counts, values["seconds"], *itertools.chain(*of_seeds)]
        whole = all(type(count) is int for count in counts)
        sound = all(type(number) is float or (type(number) is int and abs(number) < 2**63) for number in numbers)
        return cls(**values) if whole and sound and 1 <= values["step"] <= values["steps"] else None


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
    validate_every = validate_every or interval(steps_per_epoch, steps)
    optimizer = Adam(network.parameters.values(), weight_decay=settings.weight_decay, fused=True)
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
                yield _progress(metrics, settings, step, steps, losses, time.monotonic() - began)
                if checkpoint:
                    _save(checkpoint, network, optimizer, settings, seeds, step)
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
    with whole(path):
        tensors, metadata = read(path, finite=False)  # a seed that has diverged holds up no other
        step, belongs = int(metadata["step"]), metadata["settings"]
    if belongs != _belongs(settings, seeds):
        raise WeightsError(f"{path.name} is a checkpoint of other settings; delete it to start from the beginning.")
    with whole(path):
        for name, parameter in network.parameters.items():
            parameter.copy_(tensors[f"network.{name}"])
            moments = {moment: tensors[f"{moment}.{name}"] for moment in MOMENTS}
            optimizer.state[parameter] = {"step": torch.tensor(float(step))} | moments
    return step


def check_stackable(settings: Settings) -> None:
    """Raise ValueError, in one sentence, for settings that can't be trained from many seeds whatever the data are."""
    if settings.data.get("state_noise"):
        raise ValueError("Many seeds can be trained together only without state noise: train one seed, or set it to 0.")
    if settings.readout == "pooled":
        raise ValueError(
            "Many seeds can be trained together only without the pooled readout: train one seed, or choose another."
        )


def _check(data: list[Data], settings: Settings) -> None:
    check_stackable(settings)
    if any(len(x) % settings.batch_size for each in data for x, _ in each.train.groups):
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
        self.ragged = bool((self.lengths != T).any())

    def order(self, settings: Settings, seeds: Sequence[int], epoch: int) -> Tensor:
        """The examples of all batches of an epoch, (steps, S, B): for each seed in the order that it has alone."""
        rows = [
            torch.stack(_numbers(examples, batch_order(examples, replace(settings, seed=seed), epoch)))
            for seed, examples in zip(seeds, self.examples, strict=True)
        ]
        return torch.stack(rows, dim=1)

    @cached_property
    def chunks(self) -> list[tuple[Tensor, Tensor]]:
        """All examples of all seeds, some at a time, those of a seed of one length.

        Pairs of their numbers (S, B), and which of these count: seeds have different numbers of each length.
        """
        orders = [_numbers(examples, examples.order(CHUNK)) for examples in self.examples]
        chunks = []
        for parts in itertools.zip_longest(*orders, fillvalue=torch.zeros(1, dtype=torch.int64)[:0]):
            width = max(len(part) for part in parts)
            filled = [_padded(part, width, int(part[0]) if len(part) else 0) for part in parts]
            sizes = torch.tensor([[len(part)] for part in parts])
            chunks.append((torch.stack(filled), torch.arange(width) < sizes))
        return chunks

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The examples with these numbers (S, B), a seed's of one length: x, y, and lengths (S,) where they differ."""
        rows = numbers + torch.arange(len(numbers))[:, None] * self.x.shape[1]

        def taken(values: Tensor) -> Tensor:  # whole rows at once: several times quicker than values[seeds, numbers]
            return values.flatten(0, 1).index_select(0, rows.flatten()).view(*numbers.shape, *values.shape[2:])

        return taken(self.x), taken(self.y), self.lengths.flatten()[rows[:, 0]] if self.ragged else None


def _numbers(examples: Examples, order: list[tuple[int, Tensor]]) -> list[Tensor]:
    """The examples of each batch, counted through all groups."""
    starts = torch.tensor([0] + [len(x) for x, _ in examples.groups]).cumsum(0)
    return [starts[group] + part for group, part in order]


def _filled(examples: Examples, longest: int, count: int) -> Tensor:
    """All of a seed's inputs (count, T, features), short sequences filled up with zeros."""
    wide = [torch.nn.functional.pad(_small(x), (0, 0, 0, longest - x.shape[1])) for x, _ in examples.groups]
    return _padded(torch.cat(wide), count)


def _small(x: Tensor) -> Tensor:
    """The same values as bytes where they fit."""
    values = x.byte()
    return values if torch.equal(values.float(), x) else x


def _padded(values: Tensor, count: int, filling: int = 0) -> Tensor:
    """`values` with its first dimension filled up to `count`."""
    missing = values.new_full((count - len(values), *values.shape[1:]), filling)
    return torch.cat([values, missing])


def _train_step(
    network: StackedNetwork, optimizer: torch.optim.Optimizer, train: _Sequences, numbers: Tensor, settings: Settings
) -> Tensor:
    """One optimiser step of every seed; returns their losses (S,) before it."""
    x, y, lengths = train.take(numbers)
    losses = _losses(network(x, lengths), y, settings).mean(dim=1)
    optimizer.zero_grad()
    losses.sum().backward()  # no seed's gradient depends on another's loss
    if settings.gradient_clipping:
        _clip_gradients(network, settings.gradient_clipping)
    optimizer.step()
    return losses.detach()


def _losses(logits: Tensor, y: Tensor, settings: Settings) -> Tensor:
    """The loss of every sequence, (S, B)."""
    if logits.dim() > y.dim():
        logits = logits.movedim(-1, 1)  # where PyTorch wants classes, and several times quicker
    return _of_sequences(LOSSES[settings.loss](logits, y, reduction="none"))


def _of_sequences(values: Tensor) -> Tensor:
    """The mean over time steps (S, B) of values (S, B, T); those of whole sequences as they are."""
    return values.mean(dim=2) if values.dim() == 3 else values


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
    sums: dict[str, Tensor] = {}
    for numbers, counts in sequences.chunks:
        x, y, lengths = sequences.take(numbers)
        logits = network(x, lengths).contiguous()
        values = {"loss": _losses(logits, y, settings)} | TASKS[settings.task].correct(logits, y)
        for name, value in values.items():
            sums[name] = sums.get(name, 0) + torch.where(counts, _of_sequences(value.double()), 0).sum(dim=1)
    totals = torch.tensor([len(each) for each in sequences.examples])
    return {name: (total / totals).tolist() for name, total in sums.items()}


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
        bits.append(bit)
        sums.append(whole)
        counted.append(fits)
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
