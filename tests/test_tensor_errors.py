"""Errors of Tensors: PyTorch's kinds, and what they say."""

import operator
from math import nan

import numpy as np
import pytest
import torch

import minicnn as mc

ERRORS = {
    "add": (lambda m: m.ones(2) + m.ones(3), RuntimeError, r"add: .*\(2,\) and \(3,\)"),
    "compare": (lambda m: m.ones(2) < m.ones(3, 1, 3), RuntimeError, r"less: .*\(2,\) and \(3, 1, 3\)"),
    "divide integers": (lambda m: m.tensor([1, 2]) / m.tensor([1, 2, 3]), RuntimeError, "div: "),
    "maximum": (lambda m: m.maximum(m.ones(2), m.ones(3)), RuntimeError, "maximum: "),
    "where": (lambda m: m.where(m.ones(2) > 0, m.ones(3), m.ones(2)), RuntimeError, "where: "),
    "where condition": (
        lambda m: m.where(m.ones(2), m.ones(2), m.ones(2)),
        RuntimeError,
        "where: .*condition",
    ),
    "add a string": (lambda m: m.ones(2) + "a", TypeError, "add: .*str"),
    "subtract a truth value": (lambda m: m.ones(2) - True, RuntimeError, "sub: .*truth values"),
    "from a list": (lambda m: [1, 2] - m.ones(2), TypeError, "sub: .*list"),
    "integers to negative powers": (
        lambda m: m.tensor([2]) ** -1,
        RuntimeError,
        "pow: .*negative integer powers",
    ),
    "a number too large": (lambda m: m.tensor([1], dtype=m.uint8).fill_(300), RuntimeError, "fill_: .*300"),
    "not a number among integers": (
        lambda m: operator.setitem(m.tensor([1]), 0, nan),
        RuntimeError,
        "index: .*NaN",
    ),
    "invert": (lambda m: ~m.ones(2), TypeError, "invert"),
    "matmul": (lambda m: m.ones(2, 3) @ m.ones(2, 3), RuntimeError, r"matmul: .*\(2, 3\) @ \(2, 3\)"),
    "matmul stacks": (
        lambda m: m.ones(2, 3, 4) @ m.ones(3, 4, 5),
        RuntimeError,
        r"matmul: .*\(2, 3, 4\) @ \(3, 4, 5\)",
    ),
    "matmul vectors": (lambda m: m.ones(2) @ m.ones(3), RuntimeError, "matmul: "),
    "matmul of a scalar": (lambda m: m.ones(()) @ m.ones(3), RuntimeError, "matmul: .*dimension"),
    "matmul dtypes": (
        lambda m: m.ones(2, 2) @ m.ones(2, 2, dtype=m.float64),
        RuntimeError,
        "matmul: .*float32 and float64",
    ),
    "matmul by a number": (lambda m: m.ones(2, 2) @ 2, TypeError, "matmul: "),
    "dim": (lambda m: m.ones(2, 3).sum(2), IndexError, "sum: dim 2 .*-2 to 1"),
    "dim of a scalar": (lambda m: m.ones(()).sum(1), IndexError, "sum: dim 1"),
    "negative dim": (lambda m: m.ones(2, 3).softmax(-3), IndexError, "softmax: dim -3"),
    "dim twice": (lambda m: m.ones(2, 3).sum((0, -2)), RuntimeError, "sum: .*twice"),
    "dim in letters": (lambda m: m.ones(2, 3).argmax("a"), (TypeError, RuntimeError), "argmax: .*'a'"),
    "mean of integers": (lambda m: m.tensor([1]).mean(), RuntimeError, "mean: .*int64"),
    "std of integers": (lambda m: m.tensor([1]).std(), RuntimeError, "std: .*int64"),
    "max of nothing": (lambda m: m.tensor([]).max(), RuntimeError, "max: .*at least one"),
    "amin of nothing": (lambda m: m.zeros(0, 3).amin(), RuntimeError, "amin: "),
    "argmax of nothing": (lambda m: m.zeros(0, 3).argmax(), IndexError, "argmax: "),
    "max along nothing": (lambda m: m.zeros(0, 3).max(0), IndexError, r"max: .*\(0, 3\)"),
    "amax along nothing": (lambda m: m.zeros(0, 3).amax(0), IndexError, "amax: "),
    "clamp without bounds": (lambda m: m.ones(2).clamp(), RuntimeError, "clamp: "),
    "clamp by a string": (lambda m: m.ones(2).clamp("a"), TypeError, "clamp: "),
    "reshape": (lambda m: m.ones(2, 3).reshape(4), RuntimeError, r"reshape: .*6 .*\(2, 3\).*\(4,\)"),
    "reshape with -1": (lambda m: m.ones(2, 3).reshape(4, -1), RuntimeError, "reshape: "),
    "reshape with two -1": (lambda m: m.ones(2, 3).reshape(-1, -1), RuntimeError, "reshape: "),
    "reshape with -2": (lambda m: m.ones(2, 3).reshape(-2), RuntimeError, "reshape: .*-1 once"),
    "reshape nothing": (lambda m: m.ones(0, 3).reshape(0, -1), RuntimeError, "reshape: "),
    "reshape to a fraction": (lambda m: m.ones(2).reshape(2.0), TypeError, "float"),
    "flatten": (lambda m: m.ones(2, 3).flatten(1, 0), RuntimeError, "flatten: "),
    "permute": (lambda m: m.ones(2, 3).permute(0, 0), RuntimeError, "permute: "),
    "permute too few": (lambda m: m.ones(2, 3).permute(0), RuntimeError, "permute: "),
    "transpose": (lambda m: m.ones(2, 3).transpose(0, 2), IndexError, "transpose: dim 2"),
    "unsqueeze": (lambda m: m.ones(2, 3).unsqueeze(3), IndexError, "unsqueeze: dim 3"),
    "squeeze": (lambda m: m.ones(2, 3).squeeze(2), IndexError, "squeeze: dim 2"),
    "t": (lambda m: m.ones(1, 2, 3).t(), RuntimeError, "t: .*2 dimensions"),
    "expand": (lambda m: m.ones(2).expand(3), RuntimeError, r"expand: .*\(2,\).*\(3,\)"),
    "expand with new -1": (lambda m: m.ones(2).expand(-1, 2), RuntimeError, "expand: "),
    "expand to fewer": (lambda m: m.ones(2, 2).expand(2), RuntimeError, "expand: "),
    "cat nothing": (lambda m: m.cat([]), ValueError, "cat: "),
    "cat of scalars": (lambda m: m.cat([m.tensor(1.0), m.tensor(2.0)]), RuntimeError, "cat: "),
    "cat sizes": (lambda m: m.cat([m.ones(2, 2), m.ones(2, 3)]), RuntimeError, r"cat: .*\(2, 2\), \(2, 3\)"),
    "cat dimensions": (lambda m: m.cat([m.ones(2, 2), m.ones(2)]), RuntimeError, "cat: "),
    "cat dim": (lambda m: m.cat([m.ones(2), m.ones(2)], 1), IndexError, "cat: dim 1"),
    "cat of numbers": (lambda m: m.cat([1, 2]), TypeError, "cat: "),
    "stack nothing": (lambda m: m.stack([]), RuntimeError, "stack: "),
    "stack sizes": (lambda m: m.stack([m.ones(2), m.ones(3)]), RuntimeError, r"stack: .*\(2,\), \(3,\)"),
    "stack dim": (lambda m: m.stack([m.ones(2)], 2), IndexError, "stack: dim 2"),
    "index": (lambda m: m.ones(2, 3)[2], IndexError, r"index.*2.*\(2, 3\)"),
    "too many indices": (lambda m: m.ones(2)[0, 0], IndexError, "index: too many"),
    "index of a scalar": (lambda m: m.tensor(1)[0], IndexError, "index: "),
    "index by fractions": (lambda m: m.ones(2)[m.tensor([0.0])], IndexError, "index: "),
    "index by a list, too large": (lambda m: m.ones(2)[[0, 2]], IndexError, "index: "),
    "index by a mask": (lambda m: m.ones(2, 3)[m.tensor([True, False, True])], IndexError, "index: "),
    "index by unequal lists": (lambda m: m.ones(4, 4)[[0, 1], [0, 1, 2]], IndexError, "index: "),
    "set": (lambda m: operator.setitem(m.ones(2), 2, 1), IndexError, "index: "),
    "set a shape": (
        lambda m: operator.setitem(m.ones(2), slice(None), m.ones(3)),
        RuntimeError,
        r"index: .*\(3,\).*\(2,\)",
    ),
    "set too many": (
        lambda m: operator.setitem(m.ones(3), slice(0, 1), m.ones(3)),
        RuntimeError,
        r"index: .*\(3,\).*\(1,\)",
    ),
    "set by a list": (
        lambda m: operator.setitem(m.ones(3), [0, 1], m.ones(3)),
        (RuntimeError, IndexError),
        "index: ",
    ),
    "set to a string": (lambda m: operator.setitem(m.ones(3), 0, "a"), TypeError, "index: .*str"),
    "+= dtype": (lambda m: operator.iadd(m.tensor([1]), 2.5), RuntimeError, r"\+=: .*float32.*int64"),
    "/= dtype": (lambda m: operator.itruediv(m.tensor([1]), 2), RuntimeError, "/=: "),
    "+= shape": (lambda m: operator.iadd(m.ones(2), m.ones(3, 2)), RuntimeError, r"\+=: .*\(2,\).*\(3, 2\)"),
    "+= broadcast": (lambda m: operator.iadd(m.ones(2), m.ones(3)), RuntimeError, "add: "),
    "+= on an expanded": (lambda m: operator.iadd(m.ones(1).expand(3), 1), RuntimeError, r"\+=: .*clone\(\)"),
    "mul_ on an expanded": (lambda m: m.ones(1).expand(3).mul_(2), RuntimeError, r"mul_: .*clone\(\)"),
    "copy_ shape": (lambda m: m.ones(2).copy_(m.ones(3, 2)), RuntimeError, "copy_: "),
    "item": (lambda m: m.ones(2).item(), RuntimeError, r"item: .*\(2,\)"),
    "bool": (lambda m: bool(m.ones(2)), RuntimeError, "ambiguous"),
    "bool of nothing": (lambda m: bool(m.tensor([])), RuntimeError, "ambiguous"),
    "len": (lambda m: len(m.tensor(1)), TypeError, "len: "),
    "iter": (lambda m: iter(m.tensor(1)), TypeError, "len: "),
    "size": (lambda m: m.ones(2).size(1), IndexError, "size: dim 1"),
    "format": (lambda m: f"{m.ones(1):.2f}", TypeError, "format: "),
    "integer gradient": (lambda m: m.tensor([1]).requires_grad_(), RuntimeError, "requires_grad_: .*int64"),
    "integer that requires grad": (lambda m: m.tensor([1], requires_grad=True), RuntimeError, "int64"),
    "range by a fraction": (lambda m: range(m.tensor(2.0)), TypeError, "index: .*float32"),
    "negative size": (lambda m: m.zeros(2, -1), RuntimeError, "zeros: "),
    "size in fractions": (lambda m: m.zeros(1.5), TypeError, "float"),
    "arange backwards": (lambda m: m.arange(3, 0), RuntimeError, "arange: "),
    "arange on the spot": (lambda m: m.arange(0, 3, 0), RuntimeError, "arange: "),
    "randint of nothing": (lambda m: m.randint(3, 3, (1,)), RuntimeError, "randint: "),
    "from_numpy of a list": (lambda m: m.from_numpy([1]), TypeError, "from_numpy: .*list"),
    "numpy of a parameter": (
        lambda m: m.ones(2, requires_grad=True).numpy(),
        RuntimeError,
        r"detach\(\).numpy\(\)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    """PyTorch's kinds of errors; messages that name the operation and what it got."""
    function, kind, message = ERRORS[name]
    with pytest.raises(kind):
        function(torch)
    with pytest.raises(kind, match=message):
        function(mc)


def test_dtypes_that_are_no_numbers():
    for array in (
        np.array(["a"]),
        np.array([1j]),
        np.array([None]),
        np.array(["2020-01-01"], "datetime64[D]"),
    ):
        with pytest.raises(TypeError, match="Tensor: expected a dtype"):
            mc.Tensor(array)


def test_memory_that_may_not_be_written():
    x = mc.from_numpy(np.broadcast_to(np.float32(1), (2,)))
    for write in (lambda: x.add_(1), lambda: x.zero_(), lambda: operator.setitem(x, 0, 1)):
        with pytest.raises(RuntimeError, match=r"clone\(\)"):
            write()
    assert x.clone().add_(1).tolist() == [2, 2]


@pytest.mark.parametrize("dtype", ["float16", "uint64", ">f4", "complex64", "U1"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match="expected a dtype of float32"):
        mc.Tensor(np.zeros(2, dtype))
