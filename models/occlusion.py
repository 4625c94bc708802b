"""What a network would answer had one thing in its input been otherwise."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.network import Network
from models.trace import probabilities


@torch.inference_mode()
def answers(network: Network, variants: Tensor | np.ndarray) -> np.ndarray:
    """The probabilities for each of the inputs (N, T, features): (N, classes), or (N, T) with an answer every step."""
    return probabilities(network(torch.as_tensor(variants, dtype=torch.float32)), network).numpy()


def blanked(x: np.ndarray, spans: Sequence[slice]) -> np.ndarray:
    """For each of N spans of time steps the input `x` (T, features) without what is read there: (N, T, features)."""
    variants = np.repeat(x[None], len(spans), axis=0)
    for variant, span in zip(variants, spans, strict=True):
        variant[span] = 0
    return variants


def replaced(x: np.ndarray) -> np.ndarray:
    """For every time step of the one-hot `x` (T, K) and every value the input with it there: (T, K, T, K)."""
    T, K = x.shape
    variants = np.broadcast_to(x, (T, K, T, K)).copy()
    for t in range(T):
        variants[t, :, t] = np.eye(K)
    return variants


def flipped(x: np.ndarray) -> np.ndarray:
    """For every time step of the bits `x` (T, F) and every feature the input with that bit turned: (T, F, T, F)."""
    T, F = x.shape
    variants = np.broadcast_to(x, (T, F, T, F)).copy()
    for t in range(T):
        for feature in range(F):
            variants[t, feature, t, feature] = 1 - x[t, feature]
    return variants
