"""Numbers as people read them, in the sentences of all pages."""


def percent(probability: float) -> str:
    """A probability as people read it; 100.0 % is left to what is certain."""
    text = "over 99.9%" if 0.9995 <= probability < 1 else f"{probability:.1%}"
    return text.replace("%", "\N{NO-BREAK SPACE}%")


def article(digit: int) -> str:
    """The digit with its article: "a 7", "an 8"."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


def duration(seconds: float) -> str:
    """A span of time as people say it: "12 s", "3 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
