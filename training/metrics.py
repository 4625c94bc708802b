"""Losses, and how good a network is on some examples."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from training.task import Examples


def squared_error(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """Mean squared error of the probabilities: the report's MSELoss after its sigmoid output layer (section 1)."""
    return F.mse_loss(torch.sigmoid(logits), y, reduction=reduction)


SMOOTHING = 0.05  # of the target's probability is spread over all classes


def label_smoothing(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy with smoothed labels (Szegedy et al. 2016); a label below 0 means "none": all classes alike."""
    if (y >= 0).all():
        return F.cross_entropy(logits, y, label_smoothing=SMOOTHING, reduction=reduction)
    classes = logits.shape[-1]
    smooth = (1 - SMOOTHING) * F.one_hot(y.clamp(min=0), classes) + SMOOTHING / classes
    target = torch.where(y[:, None] < 0, torch.full_like(logits, 1 / classes), smooth)
    return F.cross_entropy(logits, target, reduction=reduction)


# Each of (logits, y, reduction="mean"), as PyTorch's own.
LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "label_smoothing": label_smoothing,
    "bce": F.binary_cross_entropy_with_logits,
    "mse": squared_error,
}


AT_ONCE = 1000  # examples that are read in one call: for all of them there may be no memory


@contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """Within it the network is in eval mode and no gradients are kept; after it, it is in the mode that it was in."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(training)


def evaluate(
    network: Network, examples: Examples, loss: str, correct: Callable[[Tensor, Tensor], dict[str, Tensor]]
) -> dict[str, float]:
    """The mean loss and the task's metrics (fractions from 0 to 1) over all examples, in fp32."""
    device = next(network.parameters()).device
    total, right = 0.0, {}
    with evaluating(network):
        for inputs, targets in examples.batches(AT_ONCE):
            y = targets.to(device)
            logits = network(inputs.to(device))
            total += LOSSES[loss](logits, y).item() * len(y)
            for name, answers in correct(logits, y).items():
                right.setdefault(name, []).append(answers.flatten())
    return {"loss": total / len(examples)} | {
        name: torch.cat(answers).cpu().double().mean().item() for name, answers in right.items()
    }
