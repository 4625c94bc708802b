"""The search for operands that are added wrongly, on adders whose errors are known."""

import pytest
import torch
from torch import Tensor, nn

from models import Network, load, names
from models.search import FIRST_LOOK, find_error, find_likely_error, is_wrong, number
from models.streams import carry_chains, columns, mixed
from training.tasks import addition


class ForgetfulAdder(nn.Module):
    """Adds exactly, but for a carry that has travelled through `memory` columns, which it loses.

    It looks like a network with one output: the state is the carry and how far it has come.
    """

    bidirectional = False

    def __init__(self, memory: int) -> None:
        super().__init__()
        self.memory = memory

    def recurrent(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        carry, travelled = (each[:, 0] for each in state or (torch.zeros(len(x), 1), torch.zeros(len(x), 1)))
        logits = []
        for ones in x.sum(-1).unbind(1):
            carry = torch.where(travelled > self.memory, 0.0, carry)
            logits.append((ones + carry) % 2 - 0.5)
            travelled = torch.where((ones == 1) & (carry == 1), travelled + 1, 0.0)
            carry = (ones + carry >= 2).float()
        return torch.stack(logits, dim=1)[..., None], (carry[:, None], travelled[:, None])

    def linear(self, output: Tensor) -> Tensor:
        return output


class SuperstitiousAdder(ForgetfulAdder):
    """Adds exactly, but for the column after the symbols of `word`, which it says wrongly. The state counts matches."""

    def __init__(self, word: list[int]) -> None:
        super().__init__(memory=0)
        self.word = torch.tensor([*word, -1])

    def recurrent(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        carry, matched = (each[:, 0] for each in state or (torch.zeros(len(x), 1), torch.zeros(len(x), 1)))
        logits = []
        for a, b in (column.unbind(-1) for column in x.unbind(1)):
            wrong = matched == len(self.word) - 1
            logits.append(((a + b + carry + wrong) % 2) - 0.5)
            matched = torch.where(self.word[matched.long()] == 2 * a + b, matched + 1, 0.0)
            carry = (a + b + carry >= 2).float()
        return torch.stack(logits, dim=1)[..., None], (carry[:, None], matched[:, None])


def test_a_first_look_finds_what_errs_soon_and_says_how_far_it_looked() -> None:
    soon, exact = ForgetfulAdder(memory=40), ForgetfulAdder(memory=10_000)
    likely = find_likely_error(soon, explored=1000)
    assert find_error(soon, likely).pair is likely.pair
    assert likely.pair == find_error(soon).pair
    short, long = find_likely_error(exact, explored=1000), find_likely_error(exact)
    assert (short.pair, long.pair) == (None, None)
    assert short.exhaustive_length == long.exhaustive_length == 0
    assert 1000 <= short.states < long.states


@pytest.mark.parametrize("name", names("addition"))
def test_what_a_first_look_finds_is_as_short_as_what_is_found_at_all(name: str) -> None:
    likely, search = find_likely_error(load(name), FIRST_LOOK), find_likely_error(load(name))
    assert likely.pair in (search.pair, None)


def test_streams_and_sums_are_those_of_the_task() -> None:
    ((x, y),) = addition.carry_chains(7).groups
    symbols = (2 * x[..., 0] + x[..., 1]).long()
    chains = torch.nn.functional.pad(carry_chains(7), (0, 1))
    assert {tuple(row) for row in chains.tolist()} == {tuple(row) for row in symbols.tolist()}
    assert torch.equal(columns(symbols)[0], y.long())
    sums, carries = columns(mixed(50, 20, seed=0))
    a, b = (side.long() for side in (mixed(50, 20, seed=0) >> 1, mixed(50, 20, seed=0) & 1))
    assert torch.equal(torch.cat([sums, carries[:, -1:]], dim=1), addition.add(a, b)[0])


def test_an_exact_adder_cannot_be_broken() -> None:
    search = find_error(ForgetfulAdder(memory=2000))
    assert search.pair is None
    assert (search.exhaustive_length, search.longest) == (10, 1000)
    assert find_likely_error(ForgetfulAdder(memory=40)).exhaustive_length == 0


@pytest.mark.parametrize("memory", [0, 1, 3, 7, 8, 9, 40, 62, 200])
def test_the_first_length_at_which_a_carry_is_lost_is_found(memory: int) -> None:
    # A carry that is born at bit 0 and has travelled through `memory` + 1 columns is lost at bit `memory` + 2.
    a, b = find_error(ForgetfulAdder(memory)).pair
    assert len(a) == len(b) == memory + 2
    chain = {2 ** (memory + 2) - 1, 1}
    assert {number(a), number(b)} == chain or number(a) + number(b) == 2 ** (memory + 2)


def test_a_word_that_leads_to_an_error_is_found_by_the_states_on_its_way() -> None:
    word = [3, 0, 2, 2, 1, 3, 3, 0, 1, 0, 2, 3, 0, 0, 1, 2]
    search = find_error(SuperstitiousAdder(word))
    a, b = search.pair
    assert [2 * x + y for x, y in zip(a, b, strict=True)][: len(word)] == word
    assert len(a) in (len(word), len(word) + 1)
    assert search.states < 1000


@pytest.mark.parametrize("name", names("addition"))
def test_what_is_found_is_wrong_and_anything_shorter_of_it_is_right(name: str) -> None:
    network = load(name)
    search = find_error(network)
    assert (search.pair is None) == (name == "addition-ideal-h2")
    sides = search.pair or ([], [])
    for length in range(1, len(sides[0]) + 1):
        a, b = (number(side[:length]) for side in sides)
        assert is_wrong(network, a, b, length) == (length == len(sides[0]))


def test_a_network_that_reads_from_both_ends_is_run_for_every_length() -> None:
    torch.manual_seed(0)
    network = Network(2, 1, cell="gru", hidden_size=3, bidirectional=True, readout="every").eval()
    pair = find_error(network).pair
    assert is_wrong(network, *map(number, pair), len(pair[0]))
