"""What happened at each time step of one sequence, in plain NumPy."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network


@dataclass(frozen=True)
class Trace:
    """One sequence through one network. T time steps, L layers, D directions, H hidden units.

    `inputs` (T, features); `hidden` and `cell` (L, D, T, H), indexed by the time step of the input that was read, in
    both directions; `cell` is None but for the LSTM; `gates` maps PyTorch's gate names to (L, D, T, H);
    `probabilities` are the network's answer: (classes,), or (T,) for a network that answers at every time step;
    `belief` (T, classes) is the answer had the sequence ended after time step t, None where there is one every step.
    """

    inputs: np.ndarray
    hidden: np.ndarray
    cell: np.ndarray | None
    gates: dict[str, np.ndarray]
    logits: np.ndarray
    probabilities: np.ndarray
    belief: np.ndarray | None

    def read_by(self, layer: int) -> np.ndarray:
        """(T, features): the inputs, or what a higher layer reads: the states of the one below, in both directions."""
        return self.inputs if layer == 0 else np.concatenate(list(self.hidden[layer - 1]), axis=-1)


@torch.inference_mode()
def trace(network: Network, x: Tensor | np.ndarray) -> Trace:
    """Run `network` on one sequence `x` (time, features) and keep everything that happened.

    Raises ValueError for a sequence without a time step.
    """
    x = torch.as_tensor(x, dtype=torch.float32)
    if not len(x):
        raise ValueError("A sequence has one time step at least.")
    layers, sequence = [], x
    for layer in range(network.num_layers):
        directions = [run_direction(network, sequence, layer, backward) for backward in range(network.num_directions)]
        sequence = torch.cat([states["hidden"] for states in directions], dim=-1)
        layers.append(directions)
    stacked = {
        name: torch.stack([torch.stack([d[name] for d in layer]) for layer in layers]).numpy() for name in layers[0][0]
    }
    logits = network(x[None])[0]
    return Trace(
        inputs=x.numpy(),
        hidden=stacked.pop("hidden"),
        cell=stacked.pop("cell", None),
        gates=stacked,
        logits=logits.numpy(),
        probabilities=probabilities(logits, network).numpy(),
        belief=None if network.readout == "every" else belief(network, x),
    )


@torch.inference_mode()
def belief(network: Network, x: Tensor | np.ndarray) -> np.ndarray:
    """(T, classes): for each t, the class probabilities had the sequence `x` (T, features) ended after time step t.

    A network that reads in one direction holds these answers already: its read-out is applied to every output. A
    bidirectional one changes its mind about the past as well, and a pooled read-out looks at all of it, so these
    really read each prefix, all in one batch.
    """
    x = torch.as_tensor(x, dtype=torch.float32)
    if network.bidirectional or network.readout == "pooled":
        T = len(x)
        logits = network(x.expand(T, *x.shape), torch.arange(1, T + 1))
    else:
        output, _ = network.recurrent(x)
        logits = network.linear(output)
    return probabilities(logits, network).numpy()


@torch.inference_mode()
def belief_backwards(network: Network, x: Tensor | np.ndarray) -> np.ndarray:
    """(T, classes): for each t, the class probabilities had the sequence `x` (T, features) begun at time step t.

    The network really reads each suffix, all in one batch.
    """
    x = torch.as_tensor(x, dtype=torch.float32)
    T = len(x)
    suffixes = torch.stack([torch.cat([x[t:], x.new_zeros(t, x.shape[1])]) for t in range(T)])
    return probabilities(network(suffixes, T - torch.arange(T)), network).numpy()


def probabilities(logits: Tensor, network: Network) -> Tensor:
    """Softmax over the classes, or the sigmoid where the network has a single output."""
    return torch.sigmoid(logits) if network.output_size == 1 else torch.softmax(logits, dim=-1)


def run_direction(
    network: Network, x: Tensor, layer: int, backward: int, nudges: Tensor | None = None
) -> dict[str, Tensor]:
    """Hidden states, cell states and gates (T, H) of one layer in one direction, read from its input `x` (T, features).

    PyTorch's equations (documentation of torch.nn.RNN, GRU and LSTM), one time step after the other. `nudges` (T, H)
    are added to the hidden states as they arise: the gradient with respect to them is that with respect to the states.
    """
    weight_ih, weight_hh, bias_ih, bias_hh = network.parameters_of(layer, backward)
    from_input = F.linear(x, weight_ih, bias_ih)
    h = c = torch.zeros(network.hidden_size)
    steps: list[dict[str, Tensor]] = []
    for t in reversed(range(len(x))) if backward else range(len(x)):
        from_state = F.linear(h, weight_hh, bias_hh)
        states = STEPS[network.cell](from_input[t], from_state, h, c)
        if nudges is not None:
            states["hidden"] = states["hidden"] + nudges[t]
        h, c = states["hidden"], states.get("cell", c)
        steps.append(states)
    if backward:
        steps.reverse()
    return {name: torch.stack([states[name] for states in steps]) for name in steps[0]}


def rnn_step(from_input: Tensor, from_state: Tensor, h: Tensor, c: Tensor) -> dict[str, Tensor]:
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh)."""
    return {"hidden": torch.tanh(from_input + from_state)}


def gru_step(from_input: Tensor, from_state: Tensor, h: Tensor, c: Tensor) -> dict[str, Tensor]:
    """h' = (1 - z) n + z h, with the reset gate r, the update gate z and the candidate n."""
    r_input, z_input, n_input = from_input.chunk(3, dim=-1)
    r_state, z_state, n_state = from_state.chunk(3, dim=-1)
    r, z = torch.sigmoid(r_input + r_state), torch.sigmoid(z_input + z_state)
    n = torch.tanh(n_input + r * n_state)
    return {"hidden": (1 - z) * n + z * h, "reset": r, "update": z, "candidate": n}


def lstm_step(from_input: Tensor, from_state: Tensor, h: Tensor, c: Tensor) -> dict[str, Tensor]:
    """c' = f c + i g and h' = o tanh(c'), with the input, forget, candidate and output gates i, f, g, o."""
    i, f, g, o = (from_input + from_state).chunk(4, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * c + i * g
    return {"hidden": o * torch.tanh(c), "cell": c, "input": i, "forget": f, "candidate": g, "output": o}


STEPS = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}
