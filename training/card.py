"""The card of a trained network: where its weights come from and what they are worth."""

import platform
from importlib.metadata import version
from typing import Any

from models.network import Network
from training.fit import Progress, best_device, precision
from training.task import Settings
from training.tasks import TASKS

LIBRARIES = ("torch", "torchvision", "numpy")


def certify(network: Network, settings: Settings, curves: list[Progress], command: str) -> None:
    """Calibrate a network that has just been trained, where its task does that, and give it its card."""
    network.card = TASKS[settings.task].calibrate(network, settings)
    network.card |= card(network, settings, curves, command)


def card(network: Network, settings: Settings, curves: list[Progress], command: str) -> dict[str, Any]:
    """Settings, test metrics, learning curves and versions of a network that has just been trained."""
    task = TASKS[settings.task]
    return settings.to_dict() | {
        "parameters": network.num_parameters(),
        "metrics": task.exam(network, settings),
        "source": task.source(settings),
        "curves": [progress.to_dict() for progress in curves],
        "device": best_device().type,
        "precision": precision(network, best_device().type),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "command": command,
    }
