"""The network against PyTorch's own modules."""

import itertools

import pytest
import torch
from torch import nn

from models import CELLS, Network

MODULES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SHAPES = list(itertools.product(CELLS, (1, 2), (False, True)))


def bare(network: Network) -> nn.RNNBase:
    """PyTorch's own module with the network's recurrent weights."""
    module = MODULES[network.cell](
        network.input_size,
        network.hidden_size,
        network.num_layers,
        batch_first=True,
        bidirectional=network.bidirectional,
    )
    module.load_state_dict(network.recurrent.state_dict())
    return module


def features(network: Network, module: nn.RNNBase, x: torch.Tensor) -> torch.Tensor:
    output, state = module(x)
    h = state[0] if isinstance(state, tuple) else state
    if network.readout == "every":
        return output
    if network.readout == "last":
        return output[:, -1]
    return torch.cat([h[-2], h[-1]], dim=1) if network.bidirectional else h[-1]


@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), SHAPES)
@pytest.mark.parametrize("readout", ["final", "last", "every"])
def test_logits_and_gradients_equal_those_of_the_bare_module(
    cell: str, num_layers: int, bidirectional: bool, readout: str
) -> None:
    torch.manual_seed(0)
    network = Network(
        3, 4, cell=cell, hidden_size=5, num_layers=num_layers, bidirectional=bidirectional, readout=readout
    )
    module, x = bare(network), torch.randn(6, 7, 3)
    expected = features(network, module, x) @ network.linear.weight.T + network.linear.bias
    torch.testing.assert_close(network(x), expected)

    network(x).square().sum().backward()
    weights = network.linear.weight.detach(), network.linear.bias.detach()
    (features(network, module, x) @ weights[0].T + weights[1]).square().sum().backward()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(getattr(network.recurrent, name).grad, parameter.grad)


@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), SHAPES)
@pytest.mark.parametrize("readout", ["final", "last"])
def test_lengths_give_the_answers_of_the_cut_sequences(
    cell: str, num_layers: int, bidirectional: bool, readout: str
) -> None:
    torch.manual_seed(1)
    network = Network(
        3, 4, cell=cell, hidden_size=5, num_layers=num_layers, bidirectional=bidirectional, readout=readout
    )
    x, lengths = torch.randn(4, 6, 3), torch.tensor([6, 1, 3, 5])
    together = network(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(together[row], network(x[row : row + 1, :length])[0])


def test_a_single_output_is_squeezed_away() -> None:
    assert Network(2, 1, cell="lstm", hidden_size=3, readout="every")(torch.zeros(5, 6, 2)).shape == (5, 6)


def test_last_and_final_differ_only_for_two_directions() -> None:
    x = torch.randn(2, 5, 3)
    for bidirectional in (False, True):
        torch.manual_seed(0)
        final = Network(3, 4, cell="gru", hidden_size=5, bidirectional=bidirectional, readout="final")
        torch.manual_seed(0)
        last = Network(3, 4, cell="gru", hidden_size=5, bidirectional=bidirectional, readout="last")
        assert torch.allclose(final(x), last(x)) is not bidirectional


@pytest.mark.parametrize("wrong", [{"cell": "transformer"}, {"readout": "first"}])
def test_an_unknown_cell_or_readout_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        Network(3, 4, **wrong)


def test_num_parameters_is_pytorchs_count() -> None:
    network = Network(28, 10, cell="gru", hidden_size=256, num_layers=2)
    gru, linear = nn.GRU(28, 256, 2), nn.Linear(256, 10)
    assert network.num_parameters() == sum(p.numel() for m in (gru, linear) for p in m.parameters()) == 616_970


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_pooled_read_out_sees_the_steps_that_were_read_and_no_others(bidirectional: bool) -> None:
    network = Network(3, 4, cell="gru", hidden_size=5, bidirectional=bidirectional, readout="pooled").eval()
    x, lengths = torch.randn(6, 7, 3), torch.tensor([1, 2, 3, 5, 6, 7])
    with torch.no_grad():
        together = network(x, lengths)
        for row, length in enumerate(lengths.tolist()):
            torch.testing.assert_close(together[row], network(x[row : row + 1, :length])[0])
        output, _ = network.recurrent(x)
        features = torch.cat([output.max(dim=1).values, output.mean(dim=1)], dim=1)
        torch.testing.assert_close(network(x), network.linear(features))
