"""Layers, models and losses: parameters, and the functions that use them. PyTorch's names and defaults."""

from minicnn.nn import functional, init
from minicnn.nn.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from minicnn.nn.container import ModuleList, Sequential
from minicnn.nn.conv import Conv2d
from minicnn.nn.dropout import Dropout
from minicnn.nn.linear import Flatten, Identity, Linear
from minicnn.nn.loss import CrossEntropyLoss, MSELoss, NLLLoss
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter
from minicnn.nn.pool import AvgPool2d, MaxPool2d

__all__ = [
    "AvgPool2d", "Conv2d", "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "Linear", "LogSoftmax",
    "MSELoss", "MaxPool2d", "Module", "ModuleList", "NLLLoss", "Parameter", "ReLU", "Sequential", "Sigmoid",
    "Softmax", "Tanh", "functional", "init",
]  # fmt: skip
