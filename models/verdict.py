"""Whether an adder is right for operands of every length: proved, refuted by an example, or not decided."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context
from typing import Any

from models.network import Network
from models.proof import Proof, prove
from models.search import FIRST_LOOK, Search, find_error, find_likely_error, is_wrong, number


@dataclass(frozen=True)
class Verdict:
    """What is known of an adder. `kind` is one of three, never mixed:

    "proved": it adds operands of every length correctly, and `proof` shows it; "fails": it adds the pair `operands`
    wrongly when it reads `length` bits of each, as really running it has shown; "undecided": neither was found.
    `search` says what was tried.
    """

    kind: str
    operands: tuple[int, int] | None
    search: Search
    proof: Proof | None
    length: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card; operands as text, since they may be longer than JSON's numbers."""
        operands = None if self.operands is None else [str(operand) for operand in self.operands]
        return {"kind": self.kind, "operands": operands, "reason": self.reason}

    @property
    def reason(self) -> str:
        """One sentence: what was shown, or why nothing was."""
        tried = f"all pairs of up to {self.search.exhaustive_length} bits and {self.search.streams:,} longer ones"
        tried += f", and what leads to {self.search.states:,} states" if self.search.states else ""
        if self.kind == "proved":
            return (
                f"Proved for operands of every length: {len(self.proof.centers):,} boxes of states were found that no "
                f"input leads out of, and on all of them the logit lies at least {at_least(self.proof.margin)} on "
                "the right side of 0."
            )
        if self.kind == "fails":
            return f"It adds a pair of {self.length} {'bit' if self.length == 1 else 'bits'} wrongly."
        if self.search.pair is not None:
            bits = len(self.search.pair[0])
            return f"Not decided: a pair of {bits} bits was added wrongly among others, but correctly by itself."
        if self.proof is None:
            return f"Not decided: no error was found in {tried}, and the proof is for one layer and one direction."
        return (
            f"Not decided: no error was found in {tried}, and the boxes of states could not be closed in "
            f"{self.proof.moved:,} steps."
        )


def at_least(number: float) -> str:
    """A bound from below with three digits, rounded down."""
    down = Context(prec=3, rounding=ROUND_FLOOR).create_decimal_from_float(number)
    return f"{float(down):.3g}"


def is_adder(network: Network) -> bool:
    """Whether the network reads two bits and says one at every time step."""
    return (network.input_size, network.output_size, network.readout) == (2, 1, "every")


def verdict(network: Network) -> Verdict:
    """The verdict on an adder: a network that reads (B, T, 2) bits and says (B, T) logits, as of the task addition.

    First there is a quick look for likely errors, then a proof is tried, which there is for one layer and one direction
    only; where there is none, errors are looked for in earnest. A proof is of the network in float32, in any order of
    its sums (see `models.affine`). The same network gets the same verdict. Raises ValueError, in one sentence, for a
    network that is no adder.
    """
    if not is_adder(network):
        raise ValueError("Only a network that reads two bits and says one at every time step adds numbers.")
    proof, provable = None, not network.bidirectional and network.num_layers == 1
    likely = find_likely_error(network, explored=FIRST_LOOK) if provable else None
    if likely and likely.pair is None:
        proof = prove(network)
        if proof.holds:
            return Verdict("proved", None, likely, proof)
        likely = None
    search = find_error(network, likely)
    confirmed = _confirmed(network, search) if search.pair else None
    if confirmed is not None:
        a, b, length = confirmed
        return Verdict("fails", (a, b), search, None, length)
    return Verdict("undecided", None, search, proof)


def _confirmed(network: Network, search: Search) -> tuple[int, int, int] | None:
    """The pair as numbers, and how many bits of each the network reads when it really runs and adds them wrongly.

    As a rule without leading zeros. Where it takes those of the pair to err, a one before them has the network read
    them; what it says up to there stays the same, unless it reads from both ends: then the zeros must stay.
    """
    a, b = (number(bits) for bits in search.pair)
    above = 1 << len(search.pair[0])
    pairs = [(a, b), (a | above, b), (a | above << 1, b)]
    tried = [(*pair, max(1, *(side.bit_length() for side in pair))) for pair in pairs]
    return next((each for each in (*tried, (a, b, len(search.pair[0]))) if is_wrong(network, *each)), None)
