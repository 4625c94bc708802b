"""Files that are there in full or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically: a reader, or a crash, sees the former file or the whole new one.

    The folder must exist: one that was deleted is not to come back. Where `path` is a link, it stays one, and the file
    behind it is written. Raises OSError, and leaves the former file as it was, when writing fails.
    """
    path = Path(path)
    try:
        _write(behind_links(path), content)
    except OSError as error:  # which may name the temporary file, or none
        raise OSError(error.errno, error.strerror, str(path)) from error


def behind_links(path: Path) -> Path:
    """Where the file lies that is written through `path`; links that lead in a circle lead nowhere else."""
    return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for such a circle


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
