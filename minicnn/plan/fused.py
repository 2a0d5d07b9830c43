"""What fused steps do: several operations in one Function, forward and back (see fusion.py for where)."""

import math
from typing import Any

import numpy as np

from minicnn import ops
from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for, telling
from minicnn.ops.norm import update_and_invert

