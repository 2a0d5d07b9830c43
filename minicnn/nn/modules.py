"""PyTorch's torch.nn.modules and its files, in which some programs look for layers: here one module."""

import sys
from collections.abc import Iterable
from typing import Any

from minicnn import outside
from minicnn.nn import *  # noqa: F403 (its __all__ are the layers)
from minicnn.nn.conv import Convolution as _ConvNd  # noqa: F401
from minicnn.nn.lazy import LazyModuleMixin  # noqa: F401
from minicnn.nn.loss import Loss as _Loss  # noqa: F401
from minicnn.nn.norm import BatchNorm as _BatchNorm  # noqa: F401
from minicnn.nn.norm import InstanceNorm as _InstanceNorm  # noqa: F401


def _pair(x: Any) -> tuple[Any, ...]:
    """One number for both dimensions, or one for each."""
    return tuple(x) if isinstance(x, Iterable) else (x, x)


outside.stand_for(
    sys.modules[__name__],
    """activation batchnorm channelshuffle container conv distance dropout flatten fold instancenorm lazy
    linear loss module normalization padding pixelshuffle pooling sparse upsampling utils""",
)
