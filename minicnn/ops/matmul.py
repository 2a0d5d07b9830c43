"""Matrix products."""

from typing import Any

from minicnn.autograd import Function
from minicnn.device import kernels_for
from minicnn.ops.activation import gradient_of_result
from minicnn.ops.conv import FLOATS


class MatMul(Function):
    """x @ y, for vectors, matrices and stacks of matrices, as numpy.matmul has it."""

    def forward(self, x, y):
        left, right = x, y
        self.row = self.column = False
        if x.ndim == 1 or y.ndim == 1:  # a vector takes part as one row, or one column
            self.row, self.column = x.ndim == 1, y.ndim == 1
            left, right = x[None] if self.row else x, y[:, None] if self.column else y
        self.x: Any = left if self.needs[1] else None
        self.y: Any = right if self.needs[0] else None
        try:
            out = kernels_for(x).matmul(left, right)
        except ValueError:
            refuse(x, y)
        out = out[..., 0, :] if self.row else out
        return out[..., 0] if self.column else out

    def backward(self, grad):
        by_x = by_y = None
        grad = grad[..., None] if self.column else grad
        grad = grad[..., None, :] if self.row else grad
        matmul = kernels_for(grad).matmul
        if self.needs[0]:
            by_x = matmul(grad, self.y.swapaxes(-1, -2))
            by_x = by_x[..., 0, :] if self.row else by_x
        if self.needs[1]:
            by_y = matmul(self.x.swapaxes(-1, -2), grad)
            by_y = by_y[..., 0] if self.column else by_y
        return by_x, by_y


def refuse(x, y):
    """Say why x @ y is not defined."""
    if not (x.ndim and y.ndim):
        raise RuntimeError(f"matmul: both need at least one dimension, got {x.shape} and {y.shape}")
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise RuntimeError(f"matmul: the inner dimensions differ: {x.shape} @ {y.shape}")
    raise RuntimeError(f"matmul: the stacks {x.shape} @ {y.shape} do not broadcast")


class Linear(Function):
    """x @ weight.T + bias, for x (..., in) and weight (out, in); perhaps activated."""

    def forward(self, x, weight, bias=None, activation=""):
        if weight.ndim != 2:
            raise RuntimeError(f"linear: expected a weight of 2 dimensions (out, in), got {weight.shape}")
        if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
            raise RuntimeError(
                f"linear: x has {x.shape[-1] if x.ndim else 'no'} features {x.shape} "
                f"but weight expects {weight.shape[1]} {weight.shape}"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise RuntimeError(f"linear: expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
        if x.dtype not in FLOATS or weight.dtype != x.dtype or (bias is not None and x.dtype != bias.dtype):
            given = [str(a.dtype) for a in (x, weight, bias) if a is not None]
            raise RuntimeError(f"linear: expected x, weight and bias all float32 or all float64, got {given}")
        self.shape = x.shape
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        self.x = rows if self.needs[1] else None
        self.weight = weight if self.needs[0] else None
        self.activation, out = activation, kernels_for(x).linear(rows, weight, bias, activation)
        self.y = out if activation else None
        return out if x.ndim == 2 else out.reshape(*x.shape[:-1], weight.shape[0])

    def backward(self, grad):
        by_x = by_weight = by_bias = None
        grad = gradient_of_result(self.activation, grad.reshape(-1, grad.shape[-1]), self.y)
        kernels, biased = kernels_for(grad), any(self.needs[2:])
        if self.needs[0]:
            by_x = kernels.linear_input_gradient(grad, self.weight).reshape(self.shape)
        if self.needs[1] and biased:
            by_weight, by_bias = kernels.linear_parameter_gradients(grad, self.x)
        elif self.needs[1]:
            by_weight = kernels.linear_weight_gradient(grad, self.x)
        elif biased:
            by_bias = grad.sum(axis=0)
        return by_x, by_weight, by_bias
