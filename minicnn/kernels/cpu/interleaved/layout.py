"""The layout: pictures side by side in groups of L, so that a vector holds the same pixel of L pictures.

x (N, C, H, W)  ->  (B, C, H, W, L), B = N / L rounded up; what is left of the last group are zeros
"""

import numpy as np

from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import empty, result
from minicnn.kernels.cpu.runner import run
from minicnn.kernels.cpu.simd import BYTES
from minicnn.kernels.cpu.transpose import transpose

LANES = BYTES // 4  # pictures in a group: float32 is the only dtype that is laid out like this


@kernel
def interleave_groups(source, target, begin, end):
    """Some groups of target (B, P, L) from source (N, P)."""
    for b in range(begin, end):
        pictures = source[b * LANES : (b + 1) * LANES]
        transpose(pictures, target[b])
        if len(pictures) < LANES:
            for p in range(target.shape[1]):
                for lane in range(len(pictures), LANES):
                    target[b, p, lane] = 0


@kernel
def separate_groups(source, target, begin, end):
    """target (N, P) from some groups of source (B, P, L)."""
    for b in range(begin, end):
        pictures = target[b * LANES : (b + 1) * LANES]
        if len(pictures) == LANES:
            transpose(source[b], pictures)
        else:
            for p in range(source.shape[1]):
                for lane in range(len(pictures)):
                    pictures[lane, p] = source[b, p, lane]


def interleave(x: np.ndarray) -> np.ndarray:
    """(B, C, H, W, L) from x (N, C, H, W), float32."""
    N, *shape = x.shape
    y = empty((-(-N // LANES), *shape, LANES))
    source, target = np.ascontiguousarray(x).reshape(N, -1), y.reshape(len(y), -1, LANES)
    run(interleave_groups, len(y), y.size, source, target)
    return y


def separate(y: np.ndarray, pictures: int | None = None) -> np.ndarray:
    """x (N, C, H, W) from y (B, C, H, W, L), for so many pictures or as many as there are places."""
    B, *shape, _ = y.shape
    x = result((B * LANES if pictures is None else pictures, *shape), np.float32)
    run(separate_groups, B, y.size, np.ascontiguousarray(y).reshape(B, -1, LANES), x.reshape(len(x), -1))
    return x
