"""MNIST's four files from the internet: each of them checked, and there in full or not at all."""

import gzip
import tempfile
from pathlib import Path
from typing import Any, Protocol

from models.files import write_whole

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"  # torchvision's own
SUMS = {  # MD5 of the compressed files, as torchvision has them
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
SIZE = 11_594_722  # bytes of the four compressed files
PATIENCE = 30  # seconds without a byte


class Bar(Protocol):
    """What is told of a file's progress, in bytes: a tqdm bar, or anything else with these methods."""

    total: Any

    def update(self, size: int) -> Any:
        """So many bytes more have come."""

    def reset(self) -> Any:
        """The file has come; its whole size follows."""

    def close(self) -> Any:
        """The file is done."""


def fetch(folder: Path, bar: Bar | bool = False) -> None:
    """Download what is missing of MNIST into `folder`; a file that has come already is not fetched again.

    With `bar` True a progress bar for each file is printed. Raises OSError where a file can't be had or written, and
    ValueError where what came is not MNIST.
    """
    import pooch  # noqa: PLC0415 (it takes half a second to import, and is needed once)

    folder.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=bar, timeout=PATIENCE)
    for name, md5 in SUMS.items():
        if (folder / name).is_file():
            continue
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            url = f"{MIRROR}{name}.gz"
            packed = pooch.retrieve(url, f"md5:{md5}", f"{name}.gz", temporary, downloader=downloader)
            write_whole(folder / name, gzip.decompress(Path(packed).read_bytes()))
