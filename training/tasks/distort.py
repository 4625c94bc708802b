"""Distortions that leave a digit what it is: every epoch sees new handwriting (Simard, Steinkraus, Platt 2003)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Ranges, drawn from uniformly for every image.
TURN = 12  # degrees, either way
SLANT = 0.2  # columns per row, either way
SCALE = 0.15  # larger or smaller, in each direction by itself
SHIFT = 2.0  # pixels, either way
ELASTIC = 1.3  # pixels: standard deviation of the displacement at each of GRID x GRID places
GRID = 5
THICKER = 0.6  # how much of the way to a stroke one pixel wider on each side, or thinner


def distort(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images (B, H, W) in [0, 1], ink = 1, each one turned, slanted, scaled, shifted, bent, and thicker or thinner."""
    places = _affine(x, generator) + _elastic(x, generator)
    moved = F.grid_sample(x[:, None], places, align_corners=False)
    return _thickness(moved, generator)[:, 0]


def _uniform(count: int, limit: float, generator: torch.Generator) -> Tensor:
    return (2 * torch.rand(count, generator=generator) - 1) * limit


def _affine(x: Tensor, generator: torch.Generator) -> Tensor:
    """Where each pixel is taken from, (B, H, W, 2) from -1 to 1."""
    B, H, _ = x.shape
    angle, slant = _uniform(B, math.radians(TURN), generator), _uniform(B, SLANT, generator)
    wide, high = (torch.exp(_uniform(B, SCALE, generator)) for _ in range(2))
    right, down = (_uniform(B, 2 * SHIFT / H, generator) for _ in range(2))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([cosine * wide, slant - sine * high, right], dim=-1),
        torch.stack([sine * wide, cosine * high, down], dim=-1),
    ]
    return F.affine_grid(torch.stack(rows, dim=1), [B, 1, *x.shape[1:]], align_corners=False)


def _elastic(x: Tensor, generator: torch.Generator) -> Tensor:
    """A smooth random displacement, (B, H, W, 2): random at a few places, interpolated between them."""
    B, H, W = x.shape
    amount = torch.rand(B, 1, 1, 1, generator=generator) * ELASTIC * 2 / H
    coarse = torch.randn(B, 2, GRID, GRID, generator=generator) * amount
    return F.interpolate(coarse, size=(H, W), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


def _thickness(x: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images (B, 1, H, W) with thicker strokes or thinner ones."""
    amount = _uniform(len(x), THICKER, generator)[:, None, None, None]
    amount = amount * (torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5)
    wider = F.max_pool2d(x, 3, 1, 1)
    thinner = -F.max_pool2d(-x, 3, 1, 1)
    return torch.where(amount > 0, x + amount * (wider - x), x - amount * (thinner - x)).clamp(0, 1)
