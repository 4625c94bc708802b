"""A drawing or a photo of a digit, brought to the form in which MNIST holds its digits.

MNIST's digits were scaled, aspect kept and antialiased, to fit a square of 20x20 pixels, and shifted until the centre
of mass of their ink lay in the middle of 28x28 (http://yann.lecun.com/exdb/mnist). Before that the ink must be found:
in a drawing the ground has one colour; in a photo it is uneven and grainy, and may end at the edge of the paper.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

SIDE = 28  # pixels: the image
DIGIT = 20  # pixels: the longer side of the digit in it
CENTRE = 14  # MNIST's centres of mass lie, on average, in the pixel with this index, in both directions
LARGEST = 320  # pixels a side: anything larger is shrunk first, which also averages a photo's grain away

# Finding the ink. Contrasts are in grey levels, of 255.
FLAT = 0.35  # the ground has one colour where this share of the picture has exactly that colour
FAINT = 10  # less contrast than this is no ink
GRAIN = 6  # standard deviations of a photo's grain: less contrast than this is no ink
GROUND = 0.35  # window, as a share of a photo's longer side, in which some ground shows beside the ink
COARSE = 4  # pixels: the ground is estimated on blocks of this size, free of grain
TABLE = 0.3  # a piece that covers more than this share of the border is the table beside the paper
SMALLEST = 0.0004  # share of a photo that a digit fills at least
SPECK = 0.03  # a piece with less ink than this share of the largest piece's is a speck
VISIBLE = 0.1  # share of the full contrast from which a pixel belongs to the digit's box

# Mending the strokes, on a grid FINE times finer than MNIST's. In pixels of MNIST's grid:
FINE = 4
STROKE = (1.8, 3.4)  # strokes are brought into this range of widths, in which most of MNIST's lie
MOST = 2.0  # the largest change of a width
SHARP = 2  # a digit less than this many times MNIST's size is left alone: its strokes are shades rather than shapes


def prepare(image: np.ndarray) -> np.ndarray:
    """A drawing or photo of one digit as MNIST would hold it: (28, 28) float32 in [0, 1], ink = 1.

    `image` is (H, W), (H, W, 3) or (H, W, 4) uint8: grey, RGB or RGBA, of any size, dark on light or light on dark;
    what is transparent is ground. An image without ink gives zeros. Raises ValueError for what is no such image.
    """
    _check(image)
    grey = _grey(_shrink(image))
    ground = _one_colour(grey)
    ink = _ink_in_photo(grey) if ground is None else _ink_in_drawing(np.abs(grey - ground))
    return _place(_mend(ink)) if ink.any() else np.zeros((SIDE, SIDE), np.float32)


def _check(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"An image must be a NumPy array of uint8, not {kind}.")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))) or not image.size:
        raise ValueError(f"An image must be (H, W), (H, W, 3) or (H, W, 4) with at least one pixel, not {image.shape}.")


def _shrink(image: np.ndarray) -> np.ndarray:
    """The image with no side longer than LARGEST, averaged over whole blocks of pixels."""
    factor = -(-max(image.shape[:2]) // LARGEST)
    return image if factor == 1 else np.asarray(Image.fromarray(image).reduce(factor))


def _grey(image: np.ndarray) -> np.ndarray:
    """Brightness, (h, w) float32 from 0 to 255, what is transparent in a brightness that tells it from the ink."""
    if image.ndim == 2:
        return image.astype(np.float32)
    grey = image[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    if image.shape[2] == 3 or image[..., 3].min() == 255:
        return grey
    cover = image[..., 3] / np.float32(255)
    seen = grey[cover > 0.5]
    if cover.mean() < 0.5 or np.ptp(seen) < FAINT:
        return 255 * (1 - cover)  # a transparent sheet with nothing on it but ink
    return grey * cover + np.median(seen) * (1 - cover)


def _one_colour(grey: np.ndarray) -> int | None:
    """The grey level of a ground of one colour; None where there is no such ground, as in a photo."""
    levels = np.rint(grey).astype(np.uint8)
    shares = np.bincount(levels.ravel(), minlength=256) / levels.size
    frame = _border(levels)
    # In a tight frame thick ink may fill more of the picture than the ground does, but not more of its border.
    level = int((shares + np.bincount(frame, minlength=256) / (2 * frame.size)).argmax())
    return level if shares[level] > FLAT else None


def _border(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _ink_in_drawing(contrast: np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, from 0 to 1: everything but specks, and but a frame around other ink."""
    pieces, weights, contact, _ = _pieces(contrast, contrast > FAINT)
    frame = contact > TABLE
    if weights[~frame].any():
        weights[frame] = 0
    return _only(contrast, pieces, weights)


def _ink_in_photo(grey: np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, from 0 to 1: what stands out from its surroundings, but no table and no shade.

    Whoever takes a photo of a digit leaves room around it, so what touches the border is ink only if nothing else is.
    """
    contrast = _contrast(ndimage.gaussian_filter(grey, 1))
    pieces, weights, contact, sizes = _pieces(contrast, contrast > _threshold(contrast))
    weights[(contact > TABLE) | (sizes.max(initial=0) < SMALLEST)] = 0
    if sizes[contact == 0].max(initial=0) >= SMALLEST:
        weights[contact > 0] = 0
    return _only(contrast, pieces, weights)


def _contrast(grey: np.ndarray) -> np.ndarray:
    """How far a photo's pixels lie from the ground around them, on the ink's side: 255 = all of the ground's light."""
    detail = grey - ndimage.gaussian_filter(grey, max(grey.shape) / 8)
    if (detail**3).mean() > 0:  # the few pixels that lie far from their surroundings are bright: the ink is
        grey = 255 - grey
    ground = _ground(grey)
    contrast = 255 * (ground - grey) / np.maximum(ground, 32)  # ink in the shade counts as ink in the light does
    return contrast - np.median(contrast)


def _ground(grey: np.ndarray) -> np.ndarray:
    """The light ground under dark ink: a morphological closing, which fills what is dark and narrower than its window.

    Slopes of light are continued beyond the border, where they would else end as a dark band.
    """
    coarse = np.asarray(Image.fromarray(grey).reduce(COARSE))
    window = 1 + round(GROUND * max(coarse.shape))
    padded = np.pad(coarse, window, "reflect", reflect_type="odd")
    closed = ndimage.grey_closing(padded, (window, window))[window:-window, window:-window]
    return np.asarray(Image.fromarray(closed).resize(grey.shape[::-1], Image.Resampling.BILINEAR))


def _threshold(contrast: np.ndarray) -> float:
    """Otsu's threshold (IEEE Trans. SMC 9, 1979), but no contrast that grain alone could give."""
    counts, edges = np.histogram(contrast, 256)
    below, sums = counts.cumsum(), (counts * edges[:-1]).cumsum()
    above = below[-1] - below
    apart = sums / below - (sums[-1] - sums) / np.maximum(above, 1)
    grain = 1.4826 * np.median(np.abs(contrast))  # the standard deviation, were there no ink
    return max(float(edges[1 + (below * above * apart**2).argmax()]), GRAIN * grain, FAINT)


def _pieces(contrast: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The connected pieces of `mask`, numbered from 1 in a picture, and three values of each; number 0 is the ground.

    The values: its summed contrast, the share of the picture's border that it covers, and of the picture.
    """
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    weights = np.bincount(pieces.ravel(), contrast.ravel(), count + 1)
    border = _border(pieces)
    contact = np.bincount(border, minlength=count + 1) / border.size
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) / pieces.size
    weights[0] = contact[0] = sizes[0] = 0
    return pieces, weights, contact, sizes


def _only(contrast: np.ndarray, pieces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The contrast of the pieces with weight, specks left out, so scaled that full ink is 1."""
    kept = (weights > SPECK * weights.max())[pieces]
    if not kept.any():
        return np.zeros(contrast.shape, np.float32)
    near = ndimage.binary_dilation(kept, np.ones((3, 3)))  # the soft edge of a stroke lies below the threshold
    return np.clip(contrast / np.percentile(contrast[kept], 90), 0, 1) * near


def _mend(ink: np.ndarray) -> np.ndarray:
    """The ink with strokes as wide as MNIST's, where they are thinner or thicker than most of MNIST's would be."""
    digit = _box(ink)
    mask = np.pad(_resize(digit, FINE * DIGIT) > 0.5, FINE)
    if max(digit.shape) < SHARP * DIGIT or not mask.any():
        return ink
    inside = ndimage.distance_transform_edt(mask)
    width = (
        4 * inside[mask].mean() / FINE
    )  # across a bar, the distance to its edge is a quarter of its width on average
    change = np.clip(np.clip(width, *STROKE) - width, -MOST, MOST)
    if change == 0:
        return ink
    outside = ndimage.distance_transform_edt(~mask)
    return np.clip(inside - outside + (~mask) + FINE * change / 2, 0, 1)


def _box(ink: np.ndarray) -> np.ndarray:
    """The part of the picture that holds the ink."""
    rows, columns = (np.flatnonzero((ink > VISIBLE).any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resize(picture: np.ndarray, longer: int) -> np.ndarray:
    """The picture with its longer side brought to `longer` pixels, aspect kept: averaged down or interpolated up."""
    scale = longer / max(picture.shape)
    size = [max(1, round(scale * side)) for side in reversed(picture.shape)]
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture.astype(np.float32)).resize(size, how)).clip(0, 1)


def _place(ink: np.ndarray) -> np.ndarray:
    """The ink in MNIST's size, its centre of mass brought to MNIST's: (28, 28) float32."""
    digit = _resize(_box(ink), DIGIT)
    top, left = (
        int(np.clip(round(CENTRE - centre), 0, SIDE - side))
        for centre, side in zip(ndimage.center_of_mass(digit), digit.shape, strict=True)
    )
    image = np.zeros((SIDE, SIDE), np.float32)
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image
