"""Resizing and rotating pictures that are arrays (..., C, H, W).

Both follow PyTorch's interpolate and grid_sample, and through them Pillow. Resizing is two matrix products,
one along each side, whose matrices say how much each old pixel counts in each new one; with a window and a
matrix a picture, a whole batch is cropped and resized at once.
"""

from typing import Any

import numpy as np

from minicnn.data.transforms import arrays


def resized_size(size: tuple[int, int], wanted: list[int], max_size: int | None) -> tuple[int, int]:
    """The size of a picture of `size` after Resize(wanted): one number is for the smaller side."""
    if len(wanted) == 2:
        return wanted[0], wanted[1]
    short, long = sorted(size)
    new_short, new_long = wanted[0], int(wanted[0] * long / short)
    if max_size is not None and new_long > max_size:
        new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_short, new_long) if size[0] <= size[1] else (new_long, new_short)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution (1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * a
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def weights(
    old: int, new: int, mode: str, antialias: bool, dtype: Any, start: Any = 0, length: Any = None
) -> np.ndarray:
    """How much each of `old` pixels counts in each of `new` ones, when a window of them is resized.

    Parameters
    ----------
    dtype : of the picture. For bytes PyTorch computes places in float64, else in float32; at a pixel's edge
        it shows.
    start, length : the window, numbers or arrays (N); without them all `old` pixels.

    Returns
    -------
    float64 (..., new, old), rows sum to 1; the leading axis is that of start and length.
    """
    first = np.asarray(start, np.float64)[..., None, None]
    count = np.asarray(old if length is None else length, np.float64)[..., None, None]
    place = np.arange(old) - first  # of the old pixels in the window
    target = np.arange(new, dtype=np.float64)[:, None]
    scale = count / new
    if mode in ("nearest", "nearest-exact"):
        source = (target + (0.5 if mode == "nearest-exact" else 0)) * scale
        return (place == np.minimum(np.floor(source), count - 1)).astype(np.float64)
    cubic = mode == "bicubic"
    if antialias:
        widened = np.maximum(scale, 1)
        center, reach = scale * (target + 0.5), (2 if cubic else 1) * widened
        low = np.maximum(np.trunc(center - reach + 0.5), 0)
        high = np.minimum(np.trunc(center + reach + 0.5), count)
        distance = np.abs(place - center + 0.5) / widened
        found = _cubic(distance, -0.5) if cubic else np.maximum(1 - distance, 0)
        found = found * ((place >= low) & (place < high))
        return found / found.sum(-1, keepdims=True)
    kind = np.float64 if dtype == np.uint8 else np.float32
    source = scale.astype(kind) * (target + 0.5).astype(kind) - kind(0.5)
    if not cubic:
        source = np.maximum(source, 0)
    floor = np.floor(source)
    found = np.zeros(np.broadcast_shapes(place.shape, floor.shape))
    for neighbour in range(-1, 3) if cubic else range(2):
        distance = np.abs(source - floor - neighbour)
        share = _cubic(distance, -0.75) if cubic else 1 - distance
        found += share * (place == np.clip(floor + neighbour, 0, count - 1))
    return found


def resample(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """``rows @ x @ columns.T`` for each channel, in the dtype of `x`.

    Bytes are rounded after the horizontal pass and again after the vertical one, as Pillow does.
    """
    if x.dtype == np.uint8:
        return _fixed(rows, _fixed(columns, x, -1), -2).astype(np.uint8)
    values = x.astype(np.float32) if x.dtype.kind != "f" else x
    result = rows.astype(values.dtype) @ (values @ np.swapaxes(columns, -1, -2).astype(values.dtype))
    return result if x.dtype.kind == "f" else np.rint(result).astype(x.dtype)


def _fixed(matrix: np.ndarray, x: np.ndarray, axis: int) -> np.ndarray:
    # PyTorch keeps the weights as int16 with as many binary places as fit (Pillow: int32, 22 places).
    bits = 0
    while bits < 22 and int(0.5 + matrix.max() * 2 ** (bits + 1)) < 2**15:
        bits += 1
    # Whole numbers far below 2 ** 53: float64 products are exact, and BLAS has no integer ones.
    whole = np.trunc(matrix * 2**bits + np.copysign(0.5, matrix))
    values = x.astype(np.float64)
    total = values @ np.swapaxes(whole, -1, -2) if axis == -1 else whole @ values
    return np.clip(np.floor((total + 2 ** (bits - 1)) / 2**bits), 0, 255)


def resize(x: np.ndarray, size: tuple[int, int], mode: str, antialias: bool) -> np.ndarray:
    """Resize (..., C, H, W) to (..., C, *size)."""
    height, width = x.shape[-2:]
    if (height, width) == size:
        return x.copy()
    rows, columns = (
        weights(n, m, mode, antialias, x.dtype) for n, m in zip((height, width), size, strict=True)
    )
    return resample(x, rows, columns)


def inverse_matrix(center: Any, angle: Any, translate: Any, scale: Any, shear: Any) -> list[Any]:
    """The 2x3 matrix, row by row, that leads from a place in the new picture to one in the old.

    It undoes: shear by two angles, rotate by `angle` degrees and scale about `center`, then translate. Each
    entry is a number, or an array (N) if arguments are arrays.
    """
    rotation, sx, sy = np.deg2rad(angle), np.deg2rad(shear[0]), np.deg2rad(shear[1])
    a = np.cos(rotation - sy) / np.cos(sy)
    b = -np.cos(rotation - sy) * np.tan(sx) / np.cos(sy) - np.sin(rotation)
    c = np.sin(rotation - sy) / np.cos(sy)
    d = -np.sin(rotation - sy) * np.tan(sx) / np.cos(sy) + np.cos(rotation)
    (cx, cy), (tx, ty) = center, translate
    p, q, r, s = d / scale, -b / scale, -c / scale, a / scale
    return [p, q, p * (-cx - tx) + q * (-cy - ty) + cx, r, s, r * (-cx - tx) + s * (-cy - ty) + cy]


def turned_size(matrix: list[float], height: int, width: int) -> tuple[int, int]:
    """Height and width that hold the whole picture after it is turned."""
    corners = np.array([[sx * width / 2, sy * height / 2, 1] for sx in (-1, 1) for sy in (-1, 1)], np.float32)
    points = corners @ np.array(matrix, np.float32).reshape(2, 3).T + np.array(
        [width / 2, height / 2], np.float32
    )
    # Cut to four decimals first: rounding errors must not add a row.
    ends, starts = (np.trunc(p * np.float32(1e4)) * np.float32(1e-4) for p in (points.max(0), points.min(0)))
    new_width, new_height = np.ceil(ends) - np.floor(starts)
    return int(new_height), int(new_width)


def affine(
    x: np.ndarray, matrix: Any, size: tuple[int, int], mode: str, fill: np.ndarray | None
) -> np.ndarray:
    """Look up each pixel of a new picture of `size` at the place where `matrix` leads.

    Parameters
    ----------
    x : array (..., C, H, W).
    matrix : (6) for all pictures or (N, 6), measured from the middle of both pictures.
    fill : (C or 1, 1, 1) for places outside; None: zeros, into which the border fades.
    """
    *batch, channels, height, width = x.shape
    pictures = x.reshape(-1, channels, height * width)
    result: np.ndarray
    cover: np.ndarray
    values = pictures.astype(np.float32) if x.dtype.kind != "f" else pictures
    fx, fy = _places(np.asarray(matrix, np.float64), size, height, width)
    if mode == "nearest":
        result, cover = _look_up(values, np.rint(fx), np.rint(fy), height, width)
    else:
        left, top = np.floor(fx), np.floor(fy)
        right_share, bottom_share = fx - left, fy - top
        result, cover = np.zeros((), np.float32), np.zeros((), np.float32)
        for dy, share_y in ((0, 1 - bottom_share), (1, bottom_share)):
            for dx, share_x in ((0, 1 - right_share), (1, right_share)):
                found, inside = _look_up(values, left + dx, top + dy, height, width)
                share = share_x * share_y
                result, cover = result + found * share, cover + inside * share
    if fill is not None:
        color = fill.reshape(1, -1, 1).astype(values.dtype)
        cover = cover >= 0.5 if mode == "nearest" else cover
        result = result * cover + (1 - cover) * color
    if x.dtype.kind != "f":
        result = np.rint(result)
    return result.astype(x.dtype).reshape(*batch, channels, *size)


def warp(
    x: np.ndarray,
    angle: Any,
    move: Any,
    scale: Any,
    shear: Any,
    mode: str,
    fill: np.ndarray | None,
    center: Any = None,
    expand: bool = False,
) -> np.ndarray:
    """Shear, turn clockwise by `angle` degrees and scale (..., C, H, W) about `center` = (x, y), then move.

    Arguments are numbers, or arrays (N) for pictures of their own each. `expand`: to a size that holds all.
    """
    height, width = x.shape[-2:]
    around = (0.0, 0.0) if center is None else (center[0] - width / 2, center[1] - height / 2)
    matrix = inverse_matrix(around, angle, move, scale, shear)
    size = turned_size(matrix, height, width) if expand else (height, width)
    return affine(x, np.stack(np.broadcast_arrays(*matrix), -1), size, mode, fill)


def blur(x: np.ndarray, size: tuple[int, int], sigma: Any) -> np.ndarray:
    """Blur (..., C, H, W) with a Gaussian of `size` = (width, height) and `sigma` = (horizontal, vertical).

    A standard deviation is a number, or an array (N) for pictures of their own each. The border is mirrored.
    """
    right, bottom = size[0] // 2, size[1] // 2
    values = x if x.dtype.kind == "f" else x.astype(np.float32)
    values = arrays.pad(values, (right, bottom, right, bottom), mode="reflect")
    for axis, taps, spread in ((-1, size[0], sigma[0]), (-2, size[1], sigma[1])):
        place = np.arange(taps) - taps // 2
        bell = np.exp(-0.5 * (place / np.asarray(spread, np.float64)[..., None]) ** 2)
        bell = (bell / bell.sum(-1, keepdims=True)).astype(values.dtype)
        windows = np.lib.stride_tricks.sliding_window_view(values, taps, axis)
        values = np.einsum("...chwk,...k->...chw", windows, bell)
    return values if x.dtype.kind == "f" else np.rint(values).astype(x.dtype)


def _places(
    matrix: np.ndarray, size: tuple[int, int], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Column and row in the old picture of each new pixel, float32 (1 or N, 1, OH * OW)."""
    theta = matrix.reshape(-1, 2, 3).astype(np.float32)
    theta /= np.array([[width / 2], [height / 2]], np.float32)
    y, x = np.indices(size, np.float32).reshape(2, -1)
    x, y = x - np.float32((size[1] - 1) / 2), y - np.float32((size[0] - 1) / 2)
    grid = theta @ np.stack([x, y, np.ones_like(x)])
    places = ((grid + 1) * np.array([[width], [height]], np.float32) - 1) / 2
    return places[:, :1], places[:, 1:]


def _look_up(
    pictures: np.ndarray, column: np.ndarray, row: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels at whole places, 0 outside; and whether they are inside, 1 or 0."""
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = np.where(inside, row * width + column, 0).astype(np.int64)
    found = np.take_along_axis(pictures, np.broadcast_to(index, (len(pictures), 1, index.shape[-1])), -1)
    return found * inside, inside.astype(pictures.dtype)
