"""The card of a trained network: where its weights come from and what they are worth."""

import platform
from importlib.metadata import version
from typing import Any

from models.network import Network
from training.fit import Progress, best_device, precision
from training.task import Settings
from training.tasks import TASKS

LIBRARIES = ("torch", "torchvision", "numpy")


def certify(
    network: Network, settings: Settings, curves: list[Progress], command: str, device: str | None = None
) -> None:
    """Calibrate a network that has just been trained, where its task does that, and give it its card.

    `device` is what trained it; None: the best one of this machine, as `fit` takes it.
    """
    network.card = TASKS[settings.task].calibrate(network, settings)
    network.card |= card(network, settings, curves, command, device)


def card(
    network: Network, settings: Settings, curves: list[Progress], command: str, device: str | None = None
) -> dict[str, Any]:
    """Settings, test metrics, learning curves and versions of a network that has just been trained."""
    task, device = TASKS[settings.task], device or best_device().type
    return settings.to_dict() | {
        "parameters": network.num_parameters(),
        "metrics": task.exam(network, settings),
        "source": task.source(settings),
        "curves": [progress.to_dict() for progress in curves],
        "device": device,
        "precision": precision(network, device),
        "versions": versions(),
        "command": command,
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that decide a training's result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
