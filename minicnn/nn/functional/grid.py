"""Pictures seen through a grid of places: turned, moved and stretched, with gradients."""

from collections.abc import Sequence

import numpy as np

from minicnn import ops
from minicnn.device import constant
from minicnn.nn.arguments import check_floats, integer
from minicnn.tensor import Tensor, apply

MODES = ("bilinear", "nearest")
PADDING_MODES = ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places that an affine map of the plane gives the cells of a picture, for `grid_sample`.

    Parameters
    ----------
    theta : Tensor (N, 2, 3)
        A matrix for each picture: places = theta @ (across, down, 1).
    size : sequence of int
        N, C, OH, OW of the pictures to make.
    align_corners : bool
        Whether -1 and 1 are the centres of the first and last cells, instead of the picture's edges.

    Returns
    -------
    Tensor (N, OH, OW, 2)

    Source: Jaderberg et al., Spatial transformer networks, 2015, equation 1.
    """
    check_floats("affine_grid", theta=theta)
    if len(size) != 4:
        raise NotImplementedError(f"affine_grid: expected a size (N, C, OH, OW), got {tuple(size)}")
    N, _, OH, OW = (integer("affine_grid", "size", n, 1, ValueError) for n in size)
    if theta.shape != (N, 2, 3):
        error = RuntimeError if theta.shape[1:] == (2, 3) else ValueError  # as in PyTorch
        raise error(f"affine_grid: expected theta ({N}, 2, 3) for size {tuple(size)}, got {theta.shape}")
    base = np.ones((OH, OW, 3), theta.dtype)
    base[..., 0] = centres(OW, bool(align_corners), theta.dtype)
    base[..., 1] = centres(OH, bool(align_corners), theta.dtype)[:, None]
    cells = Tensor(constant(base.reshape(OH * OW, 3), theta.device))
    return (cells @ theta.transpose(1, 2)).view(N, OH, OW, 2)


def centres(count: int, align_corners: bool, dtype: np.dtype) -> np.ndarray:
    """Where the centres of the cells along an axis are, from -1 to 1; a single cell is in the middle.

    Rounded as in PyTorch: at whole cells, where an identity points, the last digit decides on which side the
    gradient of the grid is taken.
    """
    if count == 1:
        return np.zeros(1, dtype)
    steps = np.arange(count, dtype=np.longdouble)
    steps = np.minimum(steps, steps[::-1]) * (dtype.type(2) / dtype.type(count - 1)) - 1
    ends = np.where(np.arange(count) < count // 2, steps, -steps).astype(dtype)
    return ends if align_corners else ends * dtype.type(count - 1) / dtype.type(count)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The pictures at the places of a grid.

    Parameters
    ----------
    input : Tensor (N, C, H, W)
    grid : Tensor (N, OH, OW, 2)
        How far across, and how far down: -1 and 1 are the edges of a picture. NaN gives NaN where
        it is blended with zeros, nothing where the nearest cell is taken with zeros, and else counts as -1.
    mode : "bilinear" or "nearest"
        Blend the four cells around a place, or take the nearest, which gives the grid no gradient.
    padding_mode : "zeros", "border" or "reflection"
        What is outside the picture: zeros, its outermost cells, or itself in a mirror.
    align_corners : bool
        Whether -1 and 1 are the centres of the first and last cells, instead of the picture's edges.

    Returns
    -------
    Tensor (N, C, OH, OW)

    Source: Jaderberg et al., Spatial transformer networks, 2015, section 3.3.
    """
    check_floats("grid_sample", input=input, grid=grid)
    if input.ndim == 5:
        raise NotImplementedError(f"grid_sample: expected input (N, C, H, W), got input {input.shape}")
    if mode == "bicubic":
        there = " and ".join(map(repr, MODES))
        raise NotImplementedError(f"grid_sample: there are the modes {there}, got {mode!r}")
    for role, value, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDING_MODES)):
        if value not in known:
            raise ValueError(
                f"grid_sample: expected {role} as one of {', '.join(map(repr, known))}, got {value!r}"
            )
    settings = {"nearest": mode == "nearest", "padding": padding_mode, "align_corners": bool(align_corners)}
    return apply(ops.GridSample, input, grid, **settings)
