"""What a task is: its data, its settings, its metrics. The three tasks stand in `training.tasks.TASKS`."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from models.network import Network


class DataError(RuntimeError):
    """Data that a task needs is not to be had; the message says what to do in one sentence."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a training run computes. `data` holds the task's own settings."""

    task: str
    cell: str
    hidden_size: int
    num_layers: int
    bidirectional: bool
    readout: str
    loss: str
    learning_rate: float
    batch_size: int
    epochs: int
    weight_decay: float = 0.0
    schedule: str = "constant"
    gradient_clipping: float = 0.0
    forget_bias: float = 0.0
    seed: int = 0
    data: dict[str, int | float | str] = field(default_factory=dict)

    def with_data(self, **values: int | float | str) -> "Settings":
        """A copy with some of the task's own settings changed."""
        return replace(self, data=self.data | values)

    @classmethod
    def of(cls, card: dict[str, Any]) -> "Settings":
        """The settings that stand on a network's card, or in what `to_dict` gave; what is missing has its default."""
        return cls(**{item.name: card[item.name] for item in fields(cls) if item.name in card})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand on a card or in a run's folder."""
        return asdict(self)


@dataclass(frozen=True)
class Examples:
    """Inputs and targets, grouped so that every group has sequences of one length.

    `groups` holds pairs x (batch, time, features) and y (batch, ...).
    """

    groups: tuple[tuple[Tensor, Tensor], ...]

    def __len__(self) -> int:
        return sum(len(x) for x, _ in self.groups)

    def first(self, count: int) -> "Examples":
        """About the first `count` examples, from every group its share; all of them where there are no more."""
        share = min(1.0, count / len(self))
        return Examples(
            tuple((x[: max(1, round(share * len(x)))], y[: max(1, round(share * len(y)))]) for x, y in self.groups)
        )

    def num_batches(self, batch_size: int) -> int:
        """How many batches `batches` gives."""
        return sum(-(-len(x) // batch_size) for x, _ in self.groups)

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one sequence length each; with a generator in random order, else in the stored one."""
        for group, part in self.order(batch_size, generator):
            x, y = self.groups[group]
            yield x[part], y[part]

    def order(self, batch_size: int, generator: torch.Generator | None = None) -> list[tuple[int, Tensor]]:
        """The batches of `batches` by number: the group, and which of its examples."""
        order = [
            (group, part)
            for group, (x, _) in enumerate(self.groups)
            for part in (torch.randperm(len(x), generator=generator) if generator else torch.arange(len(x))).split(
                batch_size
            )
        ]
        shuffled = torch.randperm(len(order), generator=generator).tolist() if generator else range(len(order))
        return [order[number] for number in shuffled]


@dataclass(frozen=True)
class Data:
    """The three parts of a task's data."""

    train: Examples
    validation: Examples
    test: Examples


def held_back(num_batches: int) -> int:
    """How many of the generated batches are for the test: the report's 20 % (sections 2.1.2 and 2.1.3)."""
    return num_batches // 5


@dataclass(frozen=True)
class Option:
    """One setting that a person may change: a number from `low` to `high`, one of `choices`, or else yes or no.

    `name` is a field of Settings, or a key of its `data`. `needs` names another option and the value that it must have
    for this one to mean anything.
    """

    name: str
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    needs: tuple[str, str] | None = None

    def is_idle(self, values: Mapping[str, Any]) -> bool:
        """Whether it means nothing where the options have these values."""
        return self.needs is not None and values[self.needs[0]] != self.needs[1]

    def check(self, value: Any) -> None:
        """Raise ValueError, in one sentence, for a value out of range or of another kind."""
        label = self.name.replace("_", " ")
        if self.choices and value not in self.choices:
            raise ValueError(f"The {label} must be one of {', '.join(self.choices)}, not {value}.")
        if self.low is None:
            if not self.choices and type(value) is not bool:
                raise ValueError(f"The setting {label} must be yes or no.")
            return
        kind, numbers = ("a whole number", (int,)) if isinstance(self.low, int) else ("a number", (int, float))
        if type(value) not in numbers:
            raise ValueError(f"The {label} must be {kind}.")
        if not self.low <= value <= self.high:
            at = "so large a number" if abs(value) > sys.float_info.max else f"{value:g}"
            raise ValueError(f"The {label} must lie between {self.low:g} and {self.high:g}, not at {at}.")


@dataclass(frozen=True)
class Task:
    """A task's interface. `correct` says of each answer whether it is right, under the metrics' names.

    `source` says in a phrase where the data of some settings come from.
    `defaults` are the report's settings and `options` the task's own, which stand in `Settings.data`.
    The first metric is the one that a run is judged by. `exam` gives the metrics of a trained network on the test
    data, and what else the task measures (addition: all pairs of operands). `check` raises ValueError, in one
    sentence, for values of the task's own settings that do not go together. `size` gives the number of sequences
    to train on and the time steps of the longest. `script` gives the code that makes `train` and `test` in a script of
    plain PyTorch (see `training.script`), and raises ValueError, in one sentence, where there can be none. `augment`
    changes a batch of inputs before optimiser step `step`, the same way for the same settings and step. `calibrate` is
    called with a network that has just been trained, before its exam: it may adjust the network, and returns what it
    adds to the card.
    """

    name: str
    source: Callable[[Settings], str]
    input_size: int
    output_size: int
    losses: tuple[str, ...]
    readouts: tuple[str, ...]
    largest_hidden_size: int
    defaults: Settings
    options: tuple[Option, ...]
    load_data: Callable[[Settings], Data]
    correct: Callable[[Tensor, Tensor], dict[str, Tensor]]
    exam: Callable[[Network, Settings], dict[str, float]]
    size: Callable[[Settings], tuple[int, int]]
    script: Callable[[Settings], str]
    check: Callable[[Settings], None] = lambda settings: None
    augment: Callable[[Tensor, Settings, int], Tensor] = lambda x, settings, step: x
    calibrate: Callable[[Network, Settings], dict[str, Any]] = lambda network, settings: {}
