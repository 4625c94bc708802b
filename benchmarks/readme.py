"""Each benchmark writes its own section of benchmarks/README.md, between two markers."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

README = Path(__file__).parent / "README.md"
INTRODUCTION = """# Benchmarks

Speed, side by side with what a user would use instead. Absolute times belong to one machine: read the ratios. Each
section is written by the command under its title.
"""


def machine() -> str:
    """The machine and the versions in a phrase."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"torch {version('torch')}, Streamlit {version('streamlit')}"
    )


def write_section(name: str, title: str, command: str, text: str) -> None:
    """Replace the section `name` of the README, or add it at the end."""
    page = README.read_text() if README.exists() else INTRODUCTION
    section = f"<!-- {name} -->\n## {title}\n\n`{command}`\n\n{text.strip()}\n<!-- end {name} -->"
    pattern = re.compile(f"<!-- {name} -->.*?<!-- end {name} -->", re.DOTALL)
    page = pattern.sub(lambda _: section, page) if pattern.search(page) else f"{page}\n{section}\n"
    README.write_text(page)
