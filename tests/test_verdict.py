"""Verdicts on adders: none that errs is ever called proved, however rarely it errs; right ones are."""

import itertools
import sys

import pytest
import torch
from torch import Tensor

from models import CELLS, Network, load, names, verdict
from models.affine import Affine
from models.proof import Adder, Proof, _cut, prove
from models.search import Search, is_wrong, number
from models.streams import columns, mixed
from models.trace import STEPS
from models.verdict import at_least

MODULE = sys.modules["models.verdict"]  # `models.verdict` is the function


def latch_adder(keeps: float, seed: int | None = None, rest: float = 0.0) -> Network:
    """A tanh network that adds with a latch for the carry, and loses a carry whose latch falls below 0.3.

    While a carry travels, the latch follows h' = tanh(keeps * h): it forgets slowly where `keeps` is 1 or less, and
    stays at about sqrt(3 (keeps - 1)) where it is more; `rest` pulls it down, so that it holds no carry at the start.
    Three other units count a + b + carry. With a seed, units stand in another order, with other signs, and all weights
    are up to 0.1 % off.
    """
    network = Network(2, 1, cell="rnn", hidden_size=4, readout="every").eval()
    weight_ih, weight_hh, bias = torch.zeros(4, 2), torch.zeros(4, 4), torch.zeros(4)
    weight_ih[0], weight_hh[0, 0], bias[0] = 3.0, keeps, -3.0 - rest
    for unit, threshold in enumerate((0, 1, 2), start=1):  # above it: a + b + carry > threshold
        weight_ih[unit], weight_hh[unit, 0], bias[unit] = 20.0, 10.0, -20.0 * threshold - 3.0
    weight = torch.tensor([0.0, 5.0, -5.0, 5.0])
    g = torch.Generator().manual_seed(seed or 0)
    order = torch.randperm(4, generator=g) if seed else torch.arange(4)
    sign = torch.randint(2, (4,), generator=g) * 2.0 - 1 if seed else torch.ones(4)
    with torch.no_grad():
        layer = network.recurrent
        layer.weight_ih_l0.copy_((weight_ih * sign[:, None])[order])
        layer.weight_hh_l0.copy_((weight_hh * sign[:, None] * sign)[order][:, order])
        layer.bias_ih_l0.copy_((bias * sign)[order])
        layer.bias_hh_l0.zero_()
        network.linear.weight.copy_((weight * sign)[order][None])
        network.linear.bias.zero_()
        if seed:
            for parameter in network.parameters():
                parameter.mul_(1 + 1e-3 * (2 * torch.rand(parameter.shape, generator=g) - 1))
    return network


def lost_after(network: Network, longest: int) -> int | None:
    """How many columns a carry travels before the network loses it."""
    chain = torch.cat([torch.tensor([3]), torch.ones(longest, dtype=torch.int64)])[None]
    with torch.inference_mode():
        said = network(torch.stack([chain >> 1, chain & 1], dim=-1).float()) > 0
    wrong = (said != columns(chain)[0].bool())[0].nonzero()
    return int(wrong[0]) if len(wrong) else None


def checked(network: Network) -> str:
    """The kind of the verdict, its operands run once more."""
    found = verdict(network)
    if found.kind == "fails":
        a, b = found.operands
        assert type(a) is int and type(b) is int
        assert is_wrong(network, a, b)
    else:
        assert found.operands is None
    assert (found.kind == "proved") == (found.proof is not None and found.proof.holds)
    assert found.reason.endswith(".")
    return found.kind


@pytest.mark.parametrize("keeps", [0.99, 1.01, 1.028])
def test_a_latch_that_decays_is_never_proved(keeps: float) -> None:
    network = latch_adder(keeps)
    assert lost_after(network, 2000) is not None
    assert not prove(network).holds
    assert checked(network) == "fails"


def test_a_latch_that_decays_after_two_hundred_columns_is_found_out() -> None:
    network = latch_adder(1.03173)
    assert 100 < lost_after(network, 2000) < 1000
    assert not prove(network).holds
    assert checked(network) == "fails"


@pytest.mark.parametrize("seed", range(1, 7))
def test_no_variant_of_it_is_proved(seed: int) -> None:
    network = latch_adder(1.0 + 0.005 * seed, seed=seed)
    lost = lost_after(network, 100_000)
    assert lost is None or not prove(network).holds


@pytest.mark.parametrize("keeps", [1.8, 2.0])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_latch_that_keeps_is_proved(keeps: float, seed: int | None) -> None:
    assert checked(latch_adder(keeps, seed, rest=0.3)) == "proved"


@pytest.mark.parametrize("name", names("addition"))
def test_the_shipped_adders(name: str) -> None:
    assert checked(load(name)) in ("proved", "fails")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_untrained_network_fails(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    assert checked(Network(2, 1, cell=cell, hidden_size=3, bidirectional=bidirectional, readout="every").eval()) == (
        "fails"
    )


def test_what_is_no_adder_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^Only a network .* adds numbers\.$"):
        verdict(Network(10, 10, cell="lstm", hidden_size=3))


def test_two_layers_are_searched_but_not_proved() -> None:
    network = Network(2, 1, cell="rnn", hidden_size=4, num_layers=2, readout="every").eval()
    inner = latch_adder(2.0, rest=0.3)
    with torch.no_grad():
        for name, parameter in inner.recurrent.named_parameters():
            getattr(network.recurrent, name).copy_(parameter)
        network.recurrent.weight_ih_l1.copy_(3 * torch.eye(4))
        for name in ("weight_hh_l1", "bias_ih_l1", "bias_hh_l1"):
            getattr(network.recurrent, name).zero_()
        for mine, its in zip(network.linear.parameters(), inner.linear.parameters(), strict=True):
            mine.copy_(its)
    found = verdict(network)
    assert (found.kind, found.proof) == ("undecided", None)
    assert "one layer" in found.reason


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
def test_a_set_of_states_holds_every_state_that_it_should(cell: str, size: float) -> None:
    torch.manual_seed(1)
    network = Network(2, 1, cell=cell, hidden_size=4, readout="every").eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    adder, states = Adder(network), 2 * torch.rand(6, Adder(network).state_size).double() - 1
    S = states.shape[1]
    axes = size * torch.randn(6, S, S).double()
    sets, symbols = Affine.boxes(states, axes), torch.tensor([0, 1, 2, 3, 1, 3])
    points = states[:, None] + torch.einsum("nkq,nqs->nks", 2 * torch.rand(6, 500, S).double() - 1, axes)
    for _ in range(3):
        points = stepped(network, points, symbols)
        sets = adder.step(sets, symbols)
        low, high = sets.bounds()
        assert ((points >= low[:, None]) & (points <= high[:, None])).all()
        h = points[..., : network.hidden_size].float()
        logits = network.linear(h)[..., 0].double()
        for right in (0, 1):
            margins = adder.margins(sets, torch.full((6,), right))
            assert (torch.where(torch.tensor(right == 1), logits, -logits) >= margins[:, None]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_a_set_of_states_holds_what_another_order_of_the_sums_gives(cell: str) -> None:
    """A processor may add what comes from the state to what comes from the input, number by number."""
    network = Network(2, 1, cell=cell, hidden_size=64, readout="every").eval()
    large, ulp = 2.0**18, 2.0**-5
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.recurrent.weight_ih_l0[:, 0] = large
        network.recurrent.bias_ih_l0[:] = -large
        network.recurrent.weight_hh_l0[:] = 0.49 * ulp
    adder = Adder(network)
    before = torch.zeros(1, adder.state_size).double()
    before[:, :64] = 0.9
    total = torch.tensor(large)
    for _ in range(64):
        total += torch.tensor(0.49 * ulp * 0.9)  # less than half of what total + 1 differs by: it stays as it was
    assert total == large
    a = torch.zeros(1, len(network.recurrent.bias_ih_l0)).double()  # what the sums come to, in this order
    h, c = (before, before) if cell != "lstm" else before.chunk(2, 1)
    after = STEPS[cell](a, torch.zeros_like(a), h, c)
    low, high = adder.step(Affine(before), torch.tensor([2])).bounds()
    state = torch.cat([after["hidden"], after["cell"]], 1) if cell == "lstm" else after["hidden"]
    assert ((low <= state) & (state <= high)).all()


def test_a_set_that_is_no_number_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Adder, "margins", lambda self, states, right: torch.full((len(right),), torch.nan))
    assert not prove(latch_adder(2.0, seed=3, rest=0.3)).holds


def stepped(network: Network, points: Tensor, symbols: Tensor) -> Tensor:
    """The states (N, K, S) after a symbol (N,) each, by PyTorch in float32."""
    N, K, _ = points.shape
    x = torch.stack([symbols >> 1, symbols & 1], dim=-1).float().repeat_interleave(K, 0)[:, None]
    states = tuple(part.contiguous() for part in points.float().view(1, N * K, -1).split(network.hidden_size, dim=-1))
    with torch.inference_mode():
        _, after = network.recurrent(x, states if network.cell == "lstm" else states[0])
    return torch.cat(after if isinstance(after, tuple) else (after,), dim=-1).double().view(N, K, -1)


def test_every_sampled_state_lies_on_a_way_from_a_box_to_a_box() -> None:
    network = latch_adder(2.0, seed=3, rest=0.3)
    proof = prove(network)
    assert proof.holds
    for symbols in mixed(20, 60, seed=9):
        assert followed(network, proof, symbols)


def followed(network: Network, proof: Proof, symbols: Tensor) -> bool:
    """Whether the stream is in some box again and again, never more than the longest way later."""
    state, carry, since = torch.zeros(1, network.hidden_size), 0, 0
    for symbol in symbols:
        since = 0 if proof.hold(state[0].double(), carry) else since + 1
        if since > proof.longest_way:
            return False
        with torch.inference_mode():
            state = network.recurrent(torch.stack([symbol >> 1, symbol & 1]).float()[None, None], state[None])[1][0]
        carry = (int(symbol).bit_count() + carry) // 2
    return True


def test_weights_with_which_float32_has_no_sum_are_never_proved() -> None:
    """The third unit is inf - inf in float32, where the network runs, and a harmless -1 in float64."""
    ideal, network = load("addition-ideal-h2"), Network(2, 1, cell="rnn", hidden_size=3, readout="every").eval()
    with torch.no_grad():
        for name, parameter in network.recurrent.named_parameters():
            parameter.zero_()
            own = getattr(ideal.recurrent, name)
            parameter[tuple(map(slice, own.shape))] = own
        network.recurrent.weight_ih_l0[2] = -3e38
        network.recurrent.bias_hh_l0[2] = 3e38
        network.recurrent.weight_hh_l0[2, 1] = 3e38
        network.linear.weight.zero_()[:, :2] = ideal.linear.weight
        network.linear.bias.copy_(ideal.linear.bias)
    assert is_wrong(network, 3, 3)
    assert not prove(network).holds


@pytest.mark.parametrize("size", [10, 20, 1e5])
def test_logits_of_which_float32_has_hardly_a_digit_are_never_proved(size: float) -> None:
    """The two weights are a few times float32's smallest number: their products with the states have no digits left."""
    network = load("addition-ideal-h2")
    with torch.no_grad():
        network.linear.weight.copy_(torch.tensor([[size, -size / 10]], dtype=torch.float64) * 2.0**-149)
    assert not prove(network).holds
    assert size > 100 or is_wrong(network, 3, 3) or is_wrong(network, 0, 2)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_weights_that_are_no_numbers_are_never_proved(cell: str, number: float) -> None:
    network = Network(2, 1, cell=cell, hidden_size=3, readout="every").eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(number)
    assert not prove(network).holds


@pytest.mark.parametrize(("scale", "margin"), [(1, "2.04"), (1e-3, "0.00204"), (1e20, "2.04e+20")])
def test_a_proof_says_how_far_from_0_and_rounds_down(scale: float, margin: str) -> None:
    network = load("addition-ideal-h2")
    with torch.no_grad():
        network.linear.weight.mul_(scale)
        network.linear.bias.mul_(scale)
    assert f"at least {margin} on the right side of 0" in verdict(network).reason
    assert at_least(0.0999) == "0.0999"
    assert at_least(1.99999) == "1.99"


@pytest.mark.parametrize("length", [6, 8])
def test_a_pair_that_is_wrong_with_leading_zeros_only_keeps_them(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    network = Network(2, 1, hidden_size=3, bidirectional=True, readout="every").eval()
    pair = [1, 1, 0, 1, 0, 1, 0, 0][:length], [1, 1, 0, 1, 0, 1, 0, 0][:length]
    monkeypatch.setattr(MODULE, "find_error", lambda network, likely: Search(pair, 5, 1, 64))
    monkeypatch.setattr(MODULE, "is_wrong", lambda network, a, b, bits: (a, b, bits) == (43, 43, length))
    found = verdict(network)
    assert (found.kind, found.operands, found.length) == ("fails", (43, 43), length)
    assert found.reason == f"It adds a pair of {length} bits wrongly."


def test_a_pair_that_is_right_by_itself_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "is_wrong", lambda *_: False)
    found = verdict(Network(2, 1, hidden_size=3, readout="every").eval())
    assert found.kind == "undecided"
    assert "wrongly among others, but correctly by itself" in found.reason


def test_the_same_network_gets_the_same_verdict() -> None:
    first, second = (prove(latch_adder(2.0, rest=0.3)) for _ in range(2))
    assert torch.equal(first.centers, second.centers)
    assert first.moved == second.moved


def test_numbers_of_bits() -> None:
    assert number([1, 0, 1, 1]) == 13


def test_the_pieces_of_a_set_hold_all_of_it() -> None:
    generator = torch.Generator().manual_seed(0)
    center, terms = torch.randn(1, 3, generator=generator).double(), torch.randn(1, 6, 3, generator=generator).double()
    places, radii = _cut(center, terms, 3)
    assert places.shape == radii.shape == (8, 3)
    signs = torch.rand(500, 6, generator=generator).double() * 2 - 1
    points = center + signs @ terms[0]
    assert ((points[:, None] - places).abs() <= radii).all(-1).any(1).all()
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6))).double() @ terms[0]
    assert torch.allclose((places + radii).amax(0), center + corners.amax(0))  # no wider than the set itself
    assert torch.allclose((places - radii).amin(0), center + corners.amin(0))
    assert (radii.amax(1) < terms.abs().sum(1).amax()).all()
