"""The layout: pictures side by side in groups of L, so that a vector holds the same pixel of L pictures.

x (N, C, H, W)  ->  (B, C, H, W, L), B = N / L
"""

import numpy as np

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.memory import empty
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import BYTES
from minicnn.kernels.cpu.transpose import transpose

LANES = BYTES // 4  # pictures in a group: float32 is the only dtype that is laid out like this


@jit
def transpose_groups(source, target, begin, end):
    """target (B, N, M) from source (B, M, N), for some of the groups."""
    for b in range(begin, end):
        transpose(source[b], target[b])


def interleave(x: np.ndarray) -> np.ndarray:
    """(B, C, H, W, L) from x (N, C, H, W), float32, where L divides N."""
    N, C, H, W = x.shape
    y = empty((N // LANES, C, H, W, LANES))
    source, target = np.ascontiguousarray(x).reshape(-1, LANES, C * H * W), y.reshape(-1, C * H * W, LANES)
    run(transpose_groups, len(y), x.size, source, target)
    return y


def separate(y: np.ndarray) -> np.ndarray:
    """(N, C, H, W) from y (B, C, H, W, L)."""
    B, C, H, W, _ = y.shape
    x = np.empty((B * LANES, C, H, W), np.float32)
    source, target = np.ascontiguousarray(y).reshape(B, -1, LANES), x.reshape(B, LANES, -1)
    run(transpose_groups, B, x.size, source, target)
    return x
