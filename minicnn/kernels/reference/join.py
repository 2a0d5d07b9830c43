"""Arrays put together, as the definition."""

from collections.abc import Sequence

import numpy as np

__all__ = ["concatenate"]


def concatenate(arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Arrays one after the other along an axis; ValueError unless they are alike along the others."""
    if len({(x.ndim, x.shape[:axis], x.shape[axis + 1 :]) for x in arrays}) > 1 or axis >= arrays[0].ndim:
        raise ValueError(f"arrays of shapes {[x.shape for x in arrays]} do not fit along axis {axis}")
    shape = list(arrays[0].shape)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    out = np.empty(shape, arrays[0].dtype)
    begin = 0
    for x in arrays:
        for i in np.ndindex(x.shape):
            out[(*i[:axis], begin + i[axis], *i[axis + 1 :])] = x[i]
        begin += x.shape[axis]
    return out
