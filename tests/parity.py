"""Comparison with PyTorch: the same function of the same numbers, its value and every gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minicnn as mc

TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}  # relative to the largest number


def assert_close(ours: Any, theirs: torch.Tensor, what: str = "value") -> None:
    """Same shape and dtype, and equal within the rounding of the dtype."""
    expected = theirs.detach().numpy()
    assert ours.shape == expected.shape, what
    assert ours.array.dtype == expected.dtype, what
    scale = max(np.abs(expected).max(initial=0), 0.1)  # a small result of inputs near 1 has lost digits
    np.testing.assert_allclose(
        ours.array, expected, rtol=0, atol=TOLERANCE[expected.dtype] * scale, err_msg=what
    )


def numbers(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Random numbers from the generator that every test starts anew."""
    return mc.randn(*shape).array.astype(dtype)


def assert_same(ours: Callable, theirs: Callable, *arrays: np.ndarray) -> None:
    """Call both with Tensors of the arrays; compare results and the gradient of each floating point array."""
    mine = [mc.Tensor(a.copy(), requires_grad=a.dtype.kind == "f") for a in arrays]
    reference = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    out, expected = ours(*mine), theirs(*reference)
    assert_close(out, expected)
    grad = numbers(*out.shape, dtype=out.array.dtype)
    out.backward(mc.Tensor(grad))
    expected.backward(torch.tensor(grad))
    for i, (m, r) in enumerate(zip(mine, reference, strict=True)):
        if r.requires_grad:
            assert m.grad is not None, f"gradient {i}"
            assert_close(m.grad, r.grad, f"gradient {i}")
