"""Pictures side by side, in a Tensor or in a file; torchvision.utils' names and arguments."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.device import host
from minicnn.tensor import Tensor

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """One picture (C, H, W) of many, row by row, on the CPU.

    Parameters
    ----------
    tensor : (N, C, H, W), or a list of (C, H, W), or one picture; a single channel becomes three.
    nrow : pictures in a row.
    padding : pixels around each picture, of the value `pad_value`.
    normalize : bring `value_range`, or else the least and greatest values that there are, to 0 and 1.
    scale_each : take the least and greatest values of each picture.
    """
    x = _stacked(tensor)
    if normalize:
        x = _normalized(x, value_range, (1, 2, 3) if scale_each else None)
    count, channels, height, width = x.shape
    if count == 1:
        return Tensor(x[0].copy())
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    cells = np.full((rows * columns, channels, height + padding, width + padding), pad_value, x.dtype)
    cells[:count, :, padding:, padding:] = x
    grid = cells.reshape(rows, columns, *cells.shape[1:]).transpose(2, 0, 3, 1, 4)
    grid = grid.reshape(channels, rows * (height + padding), columns * (width + padding))
    return Tensor(np.pad(grid, ((0, 0), (0, padding), (0, padding)), constant_values=pad_value))


def save_image(tensor: Any, fp: Any, format: str | None = None, **grid: Any) -> None:
    """Save pictures with values in 0..1 in a file, side by side.

    Parameters
    ----------
    fp : path of the file, or an open binary file.
    format : as Pillow names it; None: told by the path's ending.
    grid : further arguments of `make_grid`.
    """
    from PIL import Image

    x = make_grid(tensor, **grid).array
    pixels = np.clip(x * x.dtype.type(255) + x.dtype.type(0.5), 0, 255).astype(np.uint8)
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(fp, format=format)


def _stacked(tensor: Any) -> np.ndarray:
    """One or many pictures as (N, C, H, W), C not 1."""
    pictures = tensor if isinstance(tensor, list) else [tensor]
    for picture in pictures:
        if not isinstance(picture, Tensor):
            raise TypeError(f"make_grid: expected a Tensor or a list of them, got {type(picture).__name__}")
    x = np.stack([host(t.array) for t in tensor]) if isinstance(tensor, list) else host(tensor.array)
    if not 2 <= x.ndim <= 4:
        raise ValueError(f"make_grid: expected pictures (N, C, H, W), got {x.shape}")
    x = x[(None,) * (4 - x.ndim)]
    return np.repeat(x, 3, 1) if x.shape[1] == 1 else x


def _normalized(x: np.ndarray, value_range: Any, axes: Sequence[int] | None) -> np.ndarray:
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError(f"make_grid: value_range must be (min, max), got {value_range!r}")
    least = x.min(axes, keepdims=True) if value_range is None else np.asarray(value_range[0], x.dtype)
    most = x.max(axes, keepdims=True) if value_range is None else np.asarray(value_range[1], x.dtype)
    return (np.clip(x, least, most) - least) / np.maximum(most - least, x.dtype.type(1e-5))
