"""States with many units, seen in a plane."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Plane:
    """A plane through the states' mean: `centre` (H,), `axes` (2, H), and the share of their variance along each."""

    centre: np.ndarray
    axes: np.ndarray
    explained: tuple[float, float]

    def project(self, states: np.ndarray) -> np.ndarray:
        """Where the states (N, H) lie in the plane: (N, 2)."""
        return (states - self.centre) @ self.axes.T

    def lift(self, points: np.ndarray) -> np.ndarray:
        """The states (N, H) in the plane at the points (N, 2)."""
        return points @ self.axes + self.centre


def plane(states: np.ndarray) -> Plane:
    """Two units as they are; of more the first two principal components of the states (T, H).

    Raises ValueError for a single unit, which has no plane.
    """
    H = states.shape[1]
    if H < 2:
        raise ValueError("A single unit moves along a line: there is no plane to show.")
    if H == 2:
        return Plane(np.zeros(2), np.eye(2), _shares(states.var(axis=0)))
    centre = states.mean(axis=0)
    _, sizes, axes = np.linalg.svd(states - centre, full_matrices=True)
    variances = np.zeros(H)
    variances[: len(sizes)] = sizes**2
    return Plane(centre, axes[:2], _shares(variances))


def _shares(variances: np.ndarray) -> tuple[float, float]:
    total = variances.sum() or 1.0
    return float(variances[0] / total), float(variances[1] / total)
