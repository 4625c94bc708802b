"""What each cell computes at a time step, for the reader: KaTeX in PyTorch's notation, and what it means."""

_SYMBOLS = r"""$x_t$ is what the network reads at time step $t$ and $h_t$ its hidden state after that; $h_0 = 0$. The
matrices $W$ and vectors $b$ are what training adjusts; they are the same at every time step."""
_TANH = r"$\tanh$ squashes every number to between −1 and 1."
_GATED = r"""$\sigma$ squashes every number to between 0 and 1, $\tanh$ to between −1 and 1, and $\odot$ multiplies
number by number."""

EQUATIONS: dict[str, str] = {
    "rnn": r"h_t = \tanh(W_{ih}\, x_t + b_{ih} + W_{hh}\, h_{t-1} + b_{hh})",
    "gru": r"""\begin{aligned}
r_t &= \sigma(W_{ir}\, x_t + b_{ir} + W_{hr}\, h_{t-1} + b_{hr}) \\
z_t &= \sigma(W_{iz}\, x_t + b_{iz} + W_{hz}\, h_{t-1} + b_{hz}) \\
n_t &= \tanh(W_{in}\, x_t + b_{in} + r_t \odot (W_{hn}\, h_{t-1} + b_{hn})) \\
h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}
\end{aligned}""",
    "lstm": r"""\begin{aligned}
i_t &= \sigma(W_{ii}\, x_t + b_{ii} + W_{hi}\, h_{t-1} + b_{hi}) \\
f_t &= \sigma(W_{if}\, x_t + b_{if} + W_{hf}\, h_{t-1} + b_{hf}) \\
g_t &= \tanh(W_{ig}\, x_t + b_{ig} + W_{hg}\, h_{t-1} + b_{hg}) \\
o_t &= \sigma(W_{io}\, x_t + b_{io} + W_{ho}\, h_{t-1} + b_{ho}) \\
c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
h_t &= o_t \odot \tanh(c_t)
\end{aligned}""",
}

# Each names its source. What stands below the answers needs a link before its first formula also because the browser
# searches the text of a tab, at every answer, for something to put the keyboard's focus on: a formula is a long way.
MEANINGS: dict[str, str] = {
    "rnn": """The plain recurrent cell ([Elman 1990](https://doi.org/10.1207/s15516709cog1402_1)) mixes what it reads
with its former state, and overwrites that state every time.""",
    "gru": """The GRU (gated recurrent unit, [Cho et al. 2014](https://arxiv.org/abs/1406.1078)) can keep its state. The
update gate $z_t$ says of each number how much of the old one stays, and the reset gate $r_t$ how much of the old state
the new candidate $n_t$ may use.""",
    "lstm": """The LSTM (long short-term memory, [Hochreiter and Schmidhuber
1997](https://doi.org/10.1162/neco.1997.9.8.1735)) has a second memory, the cell state $c_t$. The forget gate $f_t$ says
what stays in it, the input gate $i_t$ what is added of the candidate $g_t$, the output gate $o_t$ what of it shows.""",
}


# What to look for in pictures of a cell's gates.
READING: dict[str, str] = {
    "rnn": "A plain RNN has no gates: every unit is computed anew at every step; what it keeps it must rewrite.",
    "gru": "Where the update gate is near 1 the old state stays, near 0 the candidate takes its place; where the reset "
    "gate is near 0 the candidate knows nothing of the old state.",
    "lstm": "Where the forget gate is near 1 the cell state stays; the input gate lets the candidate in, the output "
    "gate lets the cell state show.",
}


def symbols(cell: str) -> str:
    """What the symbols in the cell's equations mean."""
    gated = r"\sigma" in EQUATIONS[cell]
    return f"{_SYMBOLS} {_GATED if gated else _TANH}"
