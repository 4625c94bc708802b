"""Photos that people choose, as arrays. Bytes in, pixels out, one sentence for everything that is no photo."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG")
MAX_PIXELS = 50_000_000  # more than a telephone's camera takes; decoded, they fill 200 MB
SIDE = 640  # a photo is shrunk to this many pixels a side: 28 are wanted in the end


class PhotoError(ValueError):
    """A file that can't be read as a photo; the message says why in one sentence."""


def read(content: bytes) -> np.ndarray:
    """The pixels of a PNG or JPEG file, upright: (H, W, 4) uint8, at most 640 on a side. Raises PhotoError."""
    if not content:
        raise PhotoError("The file is empty.")
    try:
        # The header is enough for the size: a picture that is too large is never decoded.
        photo = Image.open(io.BytesIO(content), formats=FORMATS)
        if photo.width * photo.height > MAX_PIXELS:
            raise PhotoError(
                f"The photo is too large, with {photo.width:,} × {photo.height:,} pixels: "
                f"{MAX_PIXELS // 1_000_000} million are the most."
            )
        photo.draft("RGB", (SIDE, SIDE))  # lets a JPEG be decoded smaller, which is several times faster
        photo = _in_bytes(_upright(photo)).convert("RGBA")
    except Image.DecompressionBombError as error:
        raise PhotoError(f"The photo is too large: {MAX_PIXELS // 1_000_000} million pixels are the most.") from error
    except UnidentifiedImageError as error:
        raise PhotoError("The file is neither a PNG nor a JPEG image.") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        if isinstance(error, PhotoError):
            raise
        raise PhotoError("The photo is damaged and can't be read.") from error
    photo.thumbnail((SIDE, SIDE))
    return np.asarray(photo)


def _upright(photo: Image.Image) -> Image.Image:
    """The photo, turned as its EXIF data say; as it lies, where those are damaged."""
    photo.load()
    try:
        return ImageOps.exif_transpose(photo)
    except Exception:  # a stranger's bytes: Pillow raises whatever its parser of them stumbles upon
        return photo


def _in_bytes(photo: Image.Image) -> Image.Image:
    """The photo with a byte for each value: Pillow would cut greys of 16 bits off at 255."""
    if photo.mode.startswith("I"):
        return Image.fromarray((np.asarray(photo) >> 8).clip(0, 255).astype(np.uint8))
    return photo
