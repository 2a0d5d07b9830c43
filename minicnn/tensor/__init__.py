"""Tensors: arrays that remember how they were computed. Methods as functions are in `functions`."""

from minicnn.tensor.apply import apply, apply_to_one, apply_to_two
from minicnn.tensor.arithmetic import matmul
from minicnn.tensor.chance import (
    bernoulli,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from minicnn.tensor.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from minicnn.tensor.dtypes import (
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    finfo,
    get_default_dtype,
    iinfo,
    result_type,
    set_default_dtype,
)
from minicnn.tensor.elementwise import maximum, minimum, where
from minicnn.tensor.pieces import broadcast_tensors, cat, hstack, meshgrid, stack, vstack
from minicnn.tensor.printing import set_printoptions
from minicnn.tensor.products import addmm, baddbmm, bmm, dot, einsum, mm, mv, outer
from minicnn.tensor.tensor import Size, Tensor

__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor",
    "ShortTensor", "Size", "Tensor", "addmm", "apply", "apply_to_one", "apply_to_two", "arange",
    "as_tensor", "baddbmm", "bernoulli", "bmm", "broadcast_tensors", "cat", "dot", "einsum", "empty",
    "empty_like", "eye", "finfo", "from_dlpack", "from_numpy", "full", "full_like", "get_default_dtype",
    "hstack", "iinfo", "linspace", "logspace", "matmul", "maximum", "meshgrid", "minimum", "mm",
    "multinomial", "mv", "normal", "ones", "ones_like", "outer", "rand", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "randperm", "result_type", "set_default_dtype",
    "set_printoptions", "stack", "tensor", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip
