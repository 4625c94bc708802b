"""Adam without the compiler, which PyTorch's own loads when it is first used: that takes nearly as long as PyTorch."""

from inspect import unwrap

import torch
from torch.optim import Optimizer


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`, whose methods are called as they are, not by way of a switch for `torch.compile`.

    There is no `differentiable=True`.
    """

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))
