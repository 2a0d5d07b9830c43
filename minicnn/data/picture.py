"""Bring any picture of a digit into the form of MNIST's pictures.

MNIST's digits are light on dark, scaled to a 20x20 box with their proportions kept, and placed in 28x28 with
their centre of mass in the middle (LeCun et al., "Gradient-based learning applied to document recognition",
1998, section III.A). A network trained on them reads a photograph only after the same treatment.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIDE, BOX, MIDDLE = 28, 20, 14  # pixels; MNIST's centres of mass lie within half a pixel of index 14
LARGEST = 512  # longer side at which a digit is looked for; larger pictures are reduced first
SMOOTHED_FROM = 4 * SIDE  # from this size on, single odd pixels are smoothed away when looking for the digit
FAINTEST = 0.01  # least contrast of ink and paper, of the full scale
NOISE = 6  # ink must stand out by this many standard deviations of the paper
SPECK = 0.05  # blots of less than this part of the largest blot's area do not belong to the digit


def to_mnist_form(image: "Image.Image | np.ndarray | str | os.PathLike[str]") -> np.ndarray:
    """Crop, scale and centre the one digit in a picture, as MNIST's pictures were.

    The colour of the border is taken for the paper, what differs most from it for the ink; so dark digits on
    light paper, light ones on dark, and coloured ones come out alike.

    Parameters
    ----------
    image : a Pillow picture of any mode, the path of a picture file, or an array (H, W) or (H, W, C) with
        C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha); integers, bool, or floats in [0, 1].

    Returns
    -------
    float32 array (28, 28) in [0, 1], a light digit on 0.

    Raises
    ------
    FileNotFoundError : there is no such file.
    ValueError : not a picture, or nothing stands out from its background.
    """
    if isinstance(image, str | os.PathLike):
        name, pixels = str(image), _read(Path(image))
    elif isinstance(image, np.ndarray):
        name, pixels = "the array", _unit_scale(image)
    else:
        name, pixels = "the picture", _pixels(image)
    if pixels.size == 0:
        raise ValueError(f"to_mnist_form: {name} is empty, {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise ValueError(f"to_mnist_form: {name} holds NaN or infinite values")
    ink = _find_ink(_reduce(_flatten(pixels)))
    if ink is None:
        raise ValueError(f"to_mnist_form: {name} is blank: nothing stands out from its background")
    return _place(ink)


def _read(path: Path) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    if path.is_dir():
        raise ValueError(f"to_mnist_form: expected a picture file, got the folder {path}")
    if not path.exists():
        raise FileNotFoundError(f"to_mnist_form: no such file: {path}")
    try:
        with Image.open(path) as image:
            return _pixels(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise ValueError(f"to_mnist_form: {path} is not a picture that Pillow can read") from error
    # Pillow reports damaged files by various errors, depending on the format.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"to_mnist_form: {path} cannot be read as a picture: {error}") from error


def _pixels(image: object) -> np.ndarray:
    """A Pillow picture as floats in [0, 1], (H, W, C)."""
    from PIL import Image

    if not isinstance(image, Image.Image):
        kind = type(image).__name__
        raise TypeError(f"to_mnist_form: expected a Pillow picture, an array or a path, got {kind}")
    if image.mode.startswith("I"):  # 16-bit files come as I;16, I;16B or, with older Pillow, I
        return np.asarray(image, np.float32)[..., None] / 65535
    if image.mode == "F":
        return np.asarray(image)[..., None]
    see_through = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    image = image.convert("RGBA" if see_through else "RGB")
    # Photographs are reduced while they are bytes; as floats they could take a gigabyte.
    return _unit_scale(np.asarray(image.reduce(max(1, max(image.size) // LARGEST))))


def _unit_scale(array: np.ndarray) -> np.ndarray:
    """An array of any dtype as floats (H, W, C), its dtype's full scale as 1."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"to_mnist_form: expected an array (H, W) or (H, W, 1 to 4), got {array.shape}")
    if array.dtype.kind not in "buif":
        raise ValueError(f"to_mnist_form: expected an array of real numbers, got {array.dtype}")
    full = 1 if array.dtype.kind in "bf" else 65535 if array.dtype == np.uint16 else 255
    return array.astype(np.float32) / full


def _flatten(pixels: np.ndarray) -> np.ndarray:
    """Lay a see-through picture (grey or RGB with alpha) on a background that its colours stand out from."""
    channels = pixels.shape[2]
    if channels in (1, 3):
        return pixels
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    on_white, on_black = colour * alpha + (1 - alpha), colour * alpha
    # White is what one sees such a picture on; but white strokes alone would vanish there.
    return on_black if np.ptp(on_white) < np.ptp(on_black) / 2 else on_white


def _reduce(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([_resize(channel, size) for channel in np.moveaxis(pixels, 2, 0)], axis=2)


def _resize(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W) to `size` = (width, height), anti-aliased."""
    from PIL import Image

    plane = np.ascontiguousarray(plane, np.float32)
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def _find_ink(pixels: np.ndarray) -> np.ndarray | None:
    """How much ink, 0 to 1, is in each pixel of the digit's bounding box; None if there is no digit."""
    from scipy import ndimage

    looked_at = pixels
    if max(pixels.shape) >= SMOOTHED_FROM:
        looked_at = ndimage.uniform_filter(pixels, (3, 3, 0), mode="nearest")
    paper = np.median(_border(looked_at), axis=0)
    distance = np.linalg.norm(looked_at - paper, axis=2)
    if distance.max() < FAINTEST:
        return None
    farthest = (looked_at - paper).reshape(-1, pixels.shape[2])[distance.argmax()]
    far = (distance > distance.max() / 2) & ((looked_at - paper) @ farthest > 0)
    axis = looked_at[far].mean(axis=0) - paper
    # 0 is paper, 1 is ink: each pixel's place on the line between the two colours.
    level = (looked_at - paper) @ axis / (axis @ axis)
    edge = _border(level)
    # Median of differences three pixels apart (the smoothing reaches that far): blind to shadows and strokes.
    noise = 1.4826 / 2**0.5 * np.median(np.abs(edge[3:] - edge[:-3]))
    if NOISE * noise > 1:
        return None
    # A blot hangs together, stands out from the paper's noise and shadows, and has real ink somewhere.
    faintest = np.clip(2.5 * np.quantile(np.abs(edge), 0.9), 0.2, 0.5)
    blots, count = ndimage.label(level > faintest, np.ones((3, 3)))
    area = np.bincount(blots[level > 0.5], minlength=count + 1)
    area[0] = 0
    digit = (area > SPECK * area.max())[blots]
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(digit[box], np.clip((pixels[box] - paper) @ axis / (axis @ axis), 0, 1), 0)


def _border(pixels: np.ndarray) -> np.ndarray:
    """The pixels along the four edges, in a row."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _place(ink: np.ndarray) -> np.ndarray:
    """Scale the longer side to 20 pixels and put the centre of mass into the middle of 28x28."""
    height, width = ink.shape
    scale = BOX / max(height, width)
    digit = _resize(ink, (max(1, round(width * scale)), max(1, round(height * scale))))
    digit = digit / digit.max()  # a thin stroke is pale after the scaling
    top, left = (
        min(max(round(MIDDLE - np.average(np.arange(n), weights=digit.sum(axis=other))), 0), SIDE - n)
        for n, other in zip(digit.shape, (1, 0), strict=True)
    )
    form = np.zeros((SIDE, SIDE), np.float32)
    form[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return form
