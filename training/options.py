"""The settings a person may change, with their ranges and what they do: for the command line and for the app."""

from dataclasses import fields, replace
from typing import Any

from models.network import CELLS, READOUTS
from training.fit import SCHEDULES
from training.task import Option, Settings, Task
from training.tasks import TASKS

LAST_SEED = 2**31 - 1
EVERY_SCHEDULE = "; ".join(f"{name}: {meaning}" for name, meaning in SCHEDULES.items())


def options(task: Task) -> tuple[Option, ...]:
    """All settings of `task`: those of the network, of its training, then the task's own."""
    readouts = "; ".join(f"{name}: {READOUTS[name]}" for name in task.readouts)
    return (
        Option("cell", "the recurrent cell: a vanilla tanh RNN, a GRU or an LSTM", choices=tuple(CELLS)),
        Option("hidden_size", "how many hidden units each layer has per direction", 1, task.largest_hidden_size),
        Option("num_layers", "how many recurrent layers stand on top of each other", 1, 3),
        Option("bidirectional", "read the sequence from both ends"),
        Option("readout", f"where the answer is read ({readouts})", choices=task.readouts),
        Option("loss", "what training makes small", choices=task.losses),
        Option("learning_rate", "how far one optimiser step goes (Adam)", 1e-6, 1.0),
        Option("batch_size", "how many sequences one optimiser step sees", 1, 10_000),
        Option("epochs", "how often training goes through all its data", 1, 1000),
        Option("weight_decay", "L2 regularisation: how strongly the weights are pulled to 0", 0.0, 1.0),
        Option("schedule", f"how the learning rate changes ({EVERY_SCHEDULE})", choices=tuple(SCHEDULES)),
        Option("gradient_clipping", "the largest norm the gradient may have; 0 for no limit", 0.0, 1000.0),
        Option(
            "forget_bias",
            "added to an LSTM's forget gates at the start; above 0 it begins by keeping",
            0.0,
            10.0,
            needs=("cell", "lstm"),
        ),
        Option("seed", "decides the initial weights, the order of the batches and generated data", 0, LAST_SEED),
        *task.options,
    )


def value(settings: Settings, option: Option) -> Any:
    """The value that `option` has in `settings`; the default, where they are from before there was such an option."""
    data = TASKS[settings.task].defaults.data | settings.data
    return data[option.name] if option.name in data else getattr(settings, option.name)


def idle(settings: Settings) -> set[str]:
    """The names of the options that mean nothing in these settings."""
    every = options(TASKS[settings.task])
    values = {option.name: value(settings, option) for option in every}
    return {option.name for option in every if option.is_idle(values)}


def change(settings: Settings, values: dict[str, Any]) -> Settings:
    """A copy of the settings with other values of some options, checked.

    Raises ValueError, in one sentence, for a value out of its range, one that the task has no setting for, or values
    that do not go together.
    """
    own = {field.name for field in fields(Settings)}
    changed = replace(settings, **{name: new for name, new in values.items() if name in own})
    changed = changed.with_data(**{name: new for name, new in values.items() if name not in own})
    task = TASKS[settings.task]
    if unknown := changed.data.keys() - {option.name for option in task.options}:
        raise ValueError(f"The task {task.name} has no setting {min(unknown, key=str)!r}.")
    for option in options(task):
        option.check(value(changed, option))
    task.check(changed)
    return changed
