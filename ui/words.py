"""Numbers as people read them, in the sentences of all pages."""


def percent(probability: float) -> str:
    """A probability as people read it; 100.0 % is left to what is certain."""
    text = "over 99.9%" if 0.9995 <= probability < 1 else f"{probability:.1%}"
    return text.replace("%", "\N{NO-BREAK SPACE}%")


def article(digit: int) -> str:
    """The digit with its article: "a 7", "an 8"."""
    return f"an {digit}" if digit == 8 else f"a {digit}"
