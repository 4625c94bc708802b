"""A run of many seeds: which settings it takes, how it is summed up, and which of its networks is kept."""

import math
import statistics
from collections.abc import Callable

from training.fit import SMALLEST_FOR_BFLOAT16, DivergedError, Progress
from training.options import LAST_SEED
from training.stacked import StackedProgress, check_stackable
from training.task import Settings, Task
from training.tasks import TASKS

MOST_SEEDS = 64


def is_small(task: Task) -> bool:
    """Whether the task's networks are so small that many of them are trained at once for little more than one."""
    return task.defaults.hidden_size < SMALLEST_FOR_BFLOAT16


def check_seeds(settings: Settings, seeds: int) -> None:
    """Raise ValueError, in one sentence, where these settings can't be trained from so many seeds at once."""
    if not 1 <= seeds <= MOST_SEEDS:
        raise ValueError(f"From 1 to {MOST_SEEDS} seeds can be trained at once, not {seeds}.")
    if seeds == 1:
        return
    if settings.hidden_size >= SMALLEST_FOR_BFLOAT16:
        raise ValueError(
            f"Many seeds are trained at once only with fewer than {SMALLEST_FOR_BFLOAT16} hidden units: choose fewer, "
            "or one seed."
        )
    check_stackable(settings)
    if settings.seed + seeds - 1 > LAST_SEED:
        raise ValueError(f"The last of these seeds would be above {LAST_SEED:,}: choose a lower seed.")
    sequences, _ = TASKS[settings.task].size(settings)
    one_length = settings.data.get("shortest") == settings.data.get("longest")
    together = sequences if one_length else settings.data["elements_in_batch"]
    if together % settings.batch_size:
        raise ValueError(
            f"Many seeds can be trained at once only where all batches are full: choose a batch size that divides "
            f"{together:,}, or one seed."
        )


def living(progress: StackedProgress) -> list[int]:
    """The places of the seeds that have not diverged."""
    return [number for number, loss in enumerate(progress.validation_loss) if math.isfinite(loss)]


def of_seed(progress: StackedProgress, number: int) -> Progress:
    """The progress of one of the seeds, by its 0-based place among them."""
    return _summed_up(progress, lambda values: values[number])


def median(progress: StackedProgress) -> Progress:
    """The medians over the seeds that have not diverged, each measure by itself. Raises DivergedError if all have."""
    if not living(progress):
        raise DivergedError(
            f"The loss of every seed ceased to be a number before step {progress.step}: "
            "lower the learning rate or clip the gradient."
        )
    alive = living(progress)
    return _summed_up(progress, lambda values: statistics.median(values[number] for number in alive))


def best_seed(progress: StackedProgress) -> int:
    """The place among the seeds of the one that is best on the validation data."""
    return max(living(progress), key=lambda number: of_seed(progress, number).merit())


def _summed_up(progress: StackedProgress, value: Callable[[list[float]], float]) -> Progress:
    return Progress(
        progress.step,
        progress.steps,
        progress.epoch,
        value(progress.train_loss),
        value(progress.validation_loss),
        {name: value(values) for name, values in progress.metrics.items()},
        progress.seconds,
    )
