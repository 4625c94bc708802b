"""The one network of the lab: a recurrent layer stack from `torch.nn` and a linear read-out."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
READOUTS: dict[str, str] = {
    "final": "the final hidden state of each direction",
    "last": "the output at the last time step",
    "every": "the output at every time step",
    "pooled": "the largest and the mean output over all time steps",
}


class Network(nn.Module):
    """A vanilla tanh RNN, GRU or LSTM with a linear read-out of its last layer.

    `readout` says where the answer is read. For one direction "final" and "last" are the same. For two they differ:
    at the last time step the backward direction has read one element only, whereas its final state has read them all.

    `card` describes where the weights come from (task, settings, seed, metrics, ...); it is empty until trained.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        cell: str = "rnn",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        readout: str = "final",
    ) -> None:
        if cell not in CELLS:
            raise ValueError(f"The cell must be one of {', '.join(CELLS)}, not {cell!r}.")
        if readout not in READOUTS:
            raise ValueError(f"The readout must be one of {', '.join(READOUTS)}, not {readout!r}.")
        super().__init__()
        self.input_size, self.output_size, self.cell = input_size, output_size, cell
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.bidirectional, self.readout = bidirectional, readout
        self.card: dict[str, Any] = {}
        self.recurrent = CELLS[cell](input_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional)
        features = hidden_size * self.num_directions * (2 if readout == "pooled" else 1)
        self.linear = nn.Linear(features, output_size)

    @property
    def num_directions(self) -> int:
        """1, or 2 for a bidirectional network."""
        return 2 if self.bidirectional else 1

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits for a batch of sequences.

        `x` is (batch, time, input_size); `lengths` (batch,) int64 on the CPU, between 1 and time, says how many time
        steps of each sequence to read (all of them when None). Returns (batch, output_size), or with
        readout "every" (batch, time, output_size); an `output_size` of 1 is squeezed away.
        """
        if lengths is None:
            output, _ = self.recurrent(x)
        else:
            packed, _ = self.recurrent(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            output, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        return self.answer(output, lengths)

    def answer(self, output: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What `forward` returns, read out of the last layer's outputs (batch, time, directions * hidden_size)."""
        logits = self.linear(self._features(output, lengths))
        return logits.squeeze(-1) if self.output_size == 1 else logits

    def _features(self, output: Tensor, lengths: Tensor | None) -> Tensor:
        """What the linear layer reads: (batch, directions * hidden_size), twice that when pooled, or every time step's.

        Final states are taken from the output, where the backward direction ends at time step 0: PyTorch's own `h_n`
        holds the same numbers, but a training step through it takes a tenth longer.
        """
        if self.readout == "every":
            return output
        if self.readout == "pooled":
            return _pool(output, lengths)
        last = output[:, -1] if lengths is None else output[torch.arange(len(lengths)), lengths - 1]
        if self.readout == "last" or not self.bidirectional:
            return last
        return torch.cat([last[:, : self.hidden_size], output[:, 0, self.hidden_size :]], dim=1)

    def parameters_of(self, layer: int, backward: int = 0) -> list[Tensor]:
        """PyTorch's weight_ih, weight_hh, bias_ih and bias_hh of one layer, in the one direction or the other."""
        return self.recurrent.all_weights[layer * self.num_directions + backward]

    def num_parameters(self) -> int:
        """How many numbers training adjusts."""
        return sum(parameter.numel() for parameter in self.parameters())


def _pool(output: Tensor, lengths: Tensor | None) -> Tensor:
    """The maximum and the mean over the time steps that were read: (batch, 2 * features)."""
    if lengths is None:
        return torch.cat([output.amax(1), output.mean(1)], dim=1)
    unread = torch.arange(output.shape[1])[None, :, None] >= lengths[:, None, None]
    largest = output.masked_fill(unread, -torch.inf).amax(1)
    mean = output.masked_fill(unread, 0).sum(1) / lengths[:, None]
    return torch.cat([largest, mean], dim=1)
