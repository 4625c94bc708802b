"""Photos: what is read, and the one sentence for what is not."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ui import photo


def encode(pixels: np.ndarray, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_a_png_comes_back_pixel_by_pixel(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    read = photo.read(encode(pixels, "PNG"))
    assert read.shape == (20, 30, 4)
    expected = pixels[..., None].repeat(3, -1) if pixels.ndim == 2 else pixels
    np.testing.assert_array_equal(read[..., : expected.shape[-1]], expected)


def test_a_telephones_photo_is_turned_upright_and_shrunk() -> None:
    pixels = np.zeros((1500, 3000, 3), np.uint8)
    pixels[:, :1500] = 255  # white on the left as stored: on top once turned
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn a quarter clockwise
    read = photo.read(encode(pixels, "JPEG", exif=exif))
    assert read.shape == (640, 320, 4)
    assert read[100, 160, 0] > 250 > 5 > read[500, 160, 0]


def test_sixteen_bit_greys_keep_their_shades() -> None:
    deep = np.full((9, 9), 60_000, np.uint16)
    deep[4] = 8000
    grey = photo.read(encode(deep, "PNG"))[..., 0]
    assert (grey[4].max(), grey[0].min()) == (8000 >> 8, 60_000 >> 8)


def test_a_palette_is_read() -> None:
    file = io.BytesIO()
    Image.new("P", (9, 9)).save(file, "PNG")
    assert photo.read(file.getvalue()).shape == (9, 9, 4)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of such data
def test_a_photo_whose_exif_data_are_damaged_is_read_all_the_same() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a telephone"
    whole = encode(np.zeros((64, 64, 3), np.uint8), "JPEG", exif=exif)
    begin, random = whole.index(b"Exif"), np.random.default_rng(0)
    end = begin - 2 + int.from_bytes(whole[begin - 2 : begin], "big")
    for place, byte in zip(random.integers(begin + 6, end, 2000), random.integers(256, size=2000), strict=True):
        damaged = bytearray(whole)
        damaged[place] = byte
        assert photo.read(bytes(damaged)).shape == (64, 64, 4)


def huge_png() -> bytes:
    """A PNG file of a few bytes that says it holds 10 billion pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


WHOLE = encode(np.zeros((64, 64), np.uint8), "PNG")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"This is a text.", "neither a PNG nor a JPEG"),
        (encode(np.zeros((8, 8), np.uint8), "GIF"), "neither a PNG nor a JPEG"),
        (WHOLE[: len(WHOLE) // 2], "damaged"),
        (huge_png(), "too large"),
        (encode(np.zeros((7200, 7200), np.uint8), "PNG"), "50 million"),
    ],
)
def test_what_is_no_photo_gets_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(photo.PhotoError, match=sentence) as caught:
        photo.read(content)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
