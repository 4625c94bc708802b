"""One recurrent layer of S networks at once, with backpropagation through time written out.

Autograd would give the same gradients, in more than twice the time: it keeps a graph node for each small operation, and
multiplies for the weights' gradient at every time step instead of once. Everything here is features first, batch last:
few units would make short rows, and elementwise work slow. Shapes are written (S, features, B).

All that feeds a unit is one matrix product, `weight` times the former hidden state, the input and a one, stacked. Every
tanh is 2 sigmoid(2a) - 1 with the 2 inside the weights: on a CPU PyTorch's tanh takes ten times as long as its sigmoid.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

Saved = tuple[Tensor, ...]


def combined(cell: str, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """PyTorch's parameters of a layer, each with a leading S, as one weight (S, rows, H + features + 1)."""
    if cell != "gru":
        weight = torch.cat([weight_hh, weight_ih, (bias_ih + bias_hh)[..., None]], dim=-1)
        return weight * _doubled(weight.shape[1], "2" if cell == "rnn" else "1121")
    # the candidate's two halves stay apart, because the reset gate multiplies only that from the state
    from_state = torch.cat([weight_hh, torch.zeros_like(weight_ih), bias_hh[..., None]], dim=-1)
    from_input = torch.cat([torch.zeros_like(weight_hh), weight_ih, bias_ih[..., None]], dim=-1)
    gates, candidate = (from_state + from_input).split([2 * weight_hh.shape[-1], weight_hh.shape[-1]], dim=1)
    halves = [part[:, -candidate.shape[1] :] for part in (from_input, from_state)]
    weight = torch.cat([gates, *halves], dim=1)
    return weight * _doubled(weight.shape[1], "1122")


@cache
@torch.inference_mode(mode=False)  # kept from an evaluation, it could not be used in training
def _doubled(rows: int, factors: str) -> Tensor:
    """Each block of rows times its factor, (rows, 1)."""
    return torch.tensor([float(digit) for digit in factors]).repeat_interleave(rows // len(factors))[:, None]


def _through_sigmoid(gradient: Tensor, outputs: Tensor) -> None:
    """Turn the gradient of a sigmoid's outputs into that of its inputs, in place."""
    torch.ops.aten.sigmoid_backward.grad_input(gradient, outputs, grad_input=gradient)


def rnn_step(a: Tensor, h: Tensor, c: Tensor, new: Tensor) -> tuple[Tensor, Saved]:
    """Fill `new`, the next hidden state, from what `weight` gives, a (S, rows, B), and the former states.

    Returns the next cell state and what the way back needs.
    """
    torch.sigmoid(a, out=new).mul_(2).sub_(1)
    return c, (new,)


def rnn_back(saved: Saved, dh: Tensor, dc: Tensor, da: Tensor) -> tuple[Tensor | None, Tensor]:
    """Fill `da`, the gradient of a, from those of the next states; returns those of h, beside `weight`, and of c."""
    (h,) = saved
    torch.mul(dh, 1 - h * h, out=da).div_(2)
    return None, dc


def gru_step(a: Tensor, h: Tensor, c: Tensor, new: Tensor) -> tuple[Tensor, Saved]:
    """As `rnn_step`: h' = n + z (h - n)."""
    H = h.shape[1]
    gates, from_input, from_state = a[:, : 2 * H].sigmoid(), a[:, 2 * H : 3 * H], a[:, 3 * H :]
    r, z = gates.chunk(2, dim=1)
    n = torch.addcmul(from_input, r, from_state).sigmoid_().mul_(2).sub_(1)
    difference = h - n
    torch.addcmul(n, z, difference, out=new)
    return c, (gates, n, from_state, difference)


def gru_back(saved: Saved, dh: Tensor, dc: Tensor, da: Tensor) -> tuple[Tensor | None, Tensor]:
    """As `rnn_back`."""
    gates, n, from_state, difference = saved
    r, z = gates.chunk(2, dim=1)
    H = n.shape[1]
    dgates, d_input, d_state = da[:, : 2 * H], da[:, 2 * H : 3 * H], da[:, 3 * H :]
    dh_z = dh * z
    torch.mul(dh - dh_z, 1 - n * n, out=d_input).div_(2)
    torch.mul(d_input, r, out=d_state)
    torch.mul(d_input, from_state, out=dgates[:, :H])
    torch.mul(dh, difference, out=dgates[:, H:])
    _through_sigmoid(dgates, gates)
    return dh_z, dc


def lstm_step(a: Tensor, h: Tensor, c: Tensor, new: Tensor) -> tuple[Tensor, Saved]:
    """As `rnn_step`: c' = f c + i g and h' = o tanh(c')."""
    gates = a.sigmoid()
    i, f, s, o = gates.chunk(4, dim=1)
    g = s * 2 - 1
    cell = torch.addcmul(f * c, i, g)
    squashed = (cell * 2).sigmoid_().mul_(2).sub_(1)
    torch.mul(o, squashed, out=new)
    return cell, (gates, g, c, squashed)


def lstm_back(saved: Saved, dh: Tensor, dc: Tensor, da: Tensor) -> tuple[Tensor | None, Tensor]:
    """As `rnn_back`."""
    gates, g, c, squashed = saved
    i, f, _, o = gates.chunk(4, dim=1)
    di, df, ds, do = da.chunk(4, dim=1)
    dc = torch.addcmul(dc, dh * o, 1 - squashed * squashed)
    torch.mul(dc, g, out=di)
    torch.mul(dc, c, out=df)
    torch.mul(dc, i, out=ds).mul_(2)
    torch.mul(dh, squashed, out=do)
    _through_sigmoid(da, gates)
    return None, dc * f


STEPS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "rnn": (rnn_step, rnn_back),
    "gru": (gru_step, gru_back),
    "lstm": (lstm_step, lstm_back),
}


def states(
    cell: str, weight: Tensor, x: Tensor, active: Sequence[int]
) -> tuple[Tensor, list[Tensor], Tensor, list[Saved]]:
    """The layer from a state of zeros, over packed inputs x (rows, features, B); see `training.packing`.

    Of time step t there are `active[t]` rows, those of the networks that still read. Returns the hidden states
    (rows, H, B); the cell states of each time step; what `weight` was multiplied with; and what the way back needs of
    each time step.
    """
    H = weight.shape[-1] - x.shape[1] - 1
    inputs = weight.new_empty(len(x), weight.shape[-1], x.shape[2])
    inputs[:, H:-1], inputs[:, -1], inputs[: active[0], :H] = x, 1, 0
    hidden = weight.new_empty(len(x), H, x.shape[2])
    c = weight.new_zeros(active[0], H, x.shape[2])
    cells, saved, steps, new = [], [], inputs.split(list(active)), hidden.split(list(active))
    for t, at in enumerate(steps):
        n = len(at)
        c, needed = STEPS[cell][0](torch.bmm(weight[:n], at), at[:, :H], c[:n], new[t])
        if t + 1 < len(steps):
            steps[t + 1][:, :H] = new[t][: active[t + 1]]
        cells.append(c)
        saved.append(needed)
    return hidden, cells, inputs, saved


class Recurrence(torch.autograd.Function):
    """`states` with its gradient: Recurrence.apply(weight, x, cell, active) are the hidden states (rows, H, B)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, cell: str, active: Sequence[int]) -> Tensor:
        """The hidden states."""
        hidden, _, inputs, saved = states(cell, weight, x, active)
        ctx.save_for_backward(weight, inputs)
        ctx.cell, ctx.active, ctx.saved = cell, list(active), saved
        return hidden

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        """Backpropagation through time: the gradients of `weight` and x."""
        weight, inputs = ctx.saved_tensors
        _, H, B = d_hidden.shape
        da = inputs.new_empty(len(inputs), weight.shape[1], B)
        dx = torch.empty_like(inputs[:, H:-1]) if ctx.needs_input_grad[1] else None
        dh, dc = d_hidden.new_zeros(0, H, B), d_hidden.new_zeros(0, H, B)
        back, transposed = STEPS[ctx.cell][1], weight.mT.contiguous()
        da_steps, d_hidden_steps = da.split(ctx.active), d_hidden.split(ctx.active)
        dx_steps = dx.split(ctx.active) if dx is not None else None
        for t in reversed(range(len(ctx.active))):
            n = ctx.active[t]
            beside, dc = back(ctx.saved[t], d_hidden_steps[t] + _grown(dh, n), _grown(dc, n), da_steps[t])
            d_inputs = torch.bmm(transposed[:n], da_steps[t])
            dh = d_inputs[:, :H] if beside is None else d_inputs[:, :H] + beside
            if dx_steps is not None:
                dx_steps[t].copy_(d_inputs[:, H:-1])
        numbers = torch.arange(len(weight))
        network = torch.cat([numbers[:n] for n in ctx.active])
        d_weight = torch.zeros_like(weight).index_add_(0, network, torch.bmm(da, inputs.mT))
        return d_weight, dx, None, None


def _grown(gradient: Tensor, n: int) -> Tensor:
    """The gradient (m, H, B) with rows of zeros up to n: those of networks for which this is the last time step."""
    missing = n - len(gradient)
    return torch.cat([gradient, gradient.new_zeros(missing, *gradient.shape[1:])]) if missing else gradient
