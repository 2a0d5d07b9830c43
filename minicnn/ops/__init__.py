"""The calculus: one Function an operation, forward above backward, on arrays. Nothing here knows Tensors."""

from minicnn.ops.conv import Conv2d
from minicnn.ops.elementwise import (
    Abs,
    Add,
    Cast,
    Clamp,
    Div,
    Exp,
    Log,
    Mask,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Pow,
    ReLU,
    Sigmoid,
    Sqrt,
    Sub,
    Tanh,
    Where,
)
from minicnn.ops.loss import CrossEntropy, NegativeLogLikelihood
from minicnn.ops.matmul import Linear, MatMul
from minicnn.ops.pool import AvgPool2d, MaxPool2d
from minicnn.ops.reduce import Extreme, LogSoftmax, Mean, Softmax, Std, Sum, Var
from minicnn.ops.shape import Concatenate, Copy, Expand, Gather, Permute, Put, Reshape, Slice

__all__ = [
    "Abs", "Add", "AvgPool2d", "Cast", "Clamp", "Concatenate", "Conv2d", "Copy", "CrossEntropy", "Div",
    "Exp", "Expand", "Extreme", "Gather", "Linear", "Log", "LogSoftmax", "Mask", "MatMul", "MaxPool2d",
    "Maximum", "Mean", "Minimum", "Mul", "Neg", "NegativeLogLikelihood", "Permute", "Pow", "Put", "ReLU",
    "Reshape", "Sigmoid", "Slice", "Softmax", "Sqrt", "Std", "Sub", "Sum", "Tanh", "Var", "Where",
]  # fmt: skip
