"""What changes a Tensor itself: operators in place, filling, setting elements."""

from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import ops, random
from minicnn.autograd import is_grad_enabled, note_write, quiet
from minicnn.device import array_module, check_same, device_of, like, number
from minicnn.tape import listeners
from minicnn.tensor.apply import Variable, apply, apply_to_one, apply_view
from minicnn.tensor.arithmetic import cast, category, operand
from minicnn.tensor.indexing import brought, split_index
from minicnn.tensor.products import Products

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def in_place(name: str) -> Callable[..., "Tensor"]:
    """The method that puts what another one returns in the place of its Tensor."""

    def write(self: "InPlace", *args: Any, **kwargs: Any) -> "Tensor":
        return self.assign(f"{name}_", getattr(self, name)(*args, **kwargs))

    write.__name__, write.__doc__ = f"{name}_", f"`{name}` in place."
    return write


def writable(memory: Any) -> bool:
    """Whether an array may be written; of CuPy's, unless elements share memory by a stride of 0."""
    if type(memory) is np.ndarray:
        return memory.flags.writeable
    return not any(step == 0 and n > 1 for step, n in zip(memory.strides, memory.shape, strict=True))


def exchangeable(x: Variable, y: Variable) -> bool:
    """Whether x can take the array of y for its own unnoticed: like its own, which nobody else refers to."""
    return (
        type(x.array) is type(y.array) is np.ndarray
        and getrefcount(x.array) == 2  # x and the question; a view, or a node, would be one more
        and x.array.base is y.array.base is None
        and x.array.dtype == y.array.dtype
        and x.array.flags.carray
        and y.array.flags.carray
    )


class InPlace(Products):
    """Methods that give a Tensor new values and return it."""

    __slots__ = ()

    def __iadd__(self, other: Any) -> "Tensor":
        return self.assign("+=", self + other)

    def __isub__(self, other: Any) -> "Tensor":
        return self.assign("-=", self - other)

    def __imul__(self, other: Any) -> "Tensor":
        return self.assign("*=", self * other)

    def __itruediv__(self, other: Any) -> "Tensor":
        return self.assign("/=", self / other)

    def __ifloordiv__(self, other: Any) -> "Tensor":
        return self.assign("//=", self // other)

    def __imod__(self, other: Any) -> "Tensor":
        return self.assign("%=", self % other)

    def __ipow__(self, other: Any) -> "Tensor":
        return self.assign("**=", self**other)

    def __iand__(self, other: Any) -> "Tensor":
        return self.assign("&=", self & other)

    def __ior__(self, other: Any) -> "Tensor":
        return self.assign("|=", self | other)

    def __ixor__(self, other: Any) -> "Tensor":
        return self.assign("^=", self ^ other)

    def add_(self, other: Any, *, alpha: float = 1) -> "Tensor":
        """Add alpha times `other` in place."""
        return self.assign("add_", self + (other if alpha == 1 else other * alpha))

    def sub_(self, other: Any, *, alpha: float = 1) -> "Tensor":
        """Subtract alpha times `other` in place."""
        return self.assign("sub_", self - (other if alpha == 1 else other * alpha))

    def mul_(self, other: Any) -> "Tensor":
        """Multiply in place."""
        return self.assign("mul_", self * other)

    def div_(self, other: Any, *, rounding_mode: str | None = None) -> "Tensor":
        """Divide in place."""
        return self.assign("div_", self.div(other, rounding_mode=rounding_mode))

    abs_ = in_place("abs")
    addcdiv_ = in_place("addcdiv")
    addcmul_ = in_place("addcmul")
    ceil_ = in_place("ceil")
    clamp_ = in_place("clamp")
    clamp_max_ = in_place("clamp_max")
    clamp_min_ = in_place("clamp_min")
    clip_ = in_place("clip")
    cos_ = in_place("cos")
    cumsum_ = in_place("cumsum")
    erf_ = in_place("erf")
    exp_ = in_place("exp")
    floor_ = in_place("floor")
    floor_divide_ = in_place("floor_divide")
    fmod_ = in_place("fmod")
    index_add_ = in_place("index_add")
    lerp_ = in_place("lerp")
    log_ = in_place("log")
    masked_fill_ = in_place("masked_fill")
    neg_ = in_place("neg")
    pow_ = in_place("pow")
    reciprocal_ = in_place("reciprocal")
    relu_ = in_place("relu")
    remainder_ = in_place("remainder")
    round_ = in_place("round")
    rsqrt_ = in_place("rsqrt")
    scatter_ = in_place("scatter")
    scatter_add_ = in_place("scatter_add")
    sigmoid_ = in_place("sigmoid")
    sign_ = in_place("sign")
    sin_ = in_place("sin")
    sqrt_ = in_place("sqrt")
    square_ = in_place("square")
    tanh_ = in_place("tanh")
    tril_ = in_place("tril")
    triu_ = in_place("triu")
    trunc_ = in_place("trunc")

    def squeeze_(self, dim: Any = None) -> "Tensor":
        """`squeeze` in place."""
        return self._become(self.squeeze(dim))

    def unsqueeze_(self, dim: int) -> "Tensor":
        """`unsqueeze` in place."""
        return self._become(self.unsqueeze(dim))

    def transpose_(self, dim0: int, dim1: int) -> "Tensor":
        """`transpose` in place."""
        return self._become(self.transpose(dim0, dim1))

    def t_(self) -> "Tensor":
        """`t` in place."""
        return self._become(self.t())

    def fill_diagonal_(self, fill_value: float) -> "Tensor":
        """Set the diagonal of a matrix."""
        if self.array.ndim != 2:
            raise RuntimeError(f"fill_diagonal_: expected a matrix, got shape {self.array.shape}")
        self.diagonal().fill_(fill_value)
        return self  # type: ignore[return-value]

    def _become(self, view: Any) -> "Tensor":
        if is_grad_enabled():
            self._check_leaf("in place")
        self.array, self.node, self.origin = view.array, view.node, None
        return self  # type: ignore[return-value]

    def normal_(self, mean: float = 0, std: float = 1, *, generator: Any = None) -> "Tensor":
        """Normal random numbers in place."""
        if not std >= 0:
            raise RuntimeError(f"normal_: expected a std of at least 0, got {std}")
        self._check_float("normal_")
        drawn = random.generator(generator).standard_normal(self.array.shape, self.array.dtype)
        return self._drawn("normal_", drawn * self.array.dtype.type(std) + mean)

    def uniform_(self, from_: float = 0, to: float = 1, *, generator: Any = None, **bound: float) -> "Tensor":
        """Uniform random numbers in [from, to) in place."""
        low = bound.pop("from", from_)
        if bound:
            raise TypeError(f"uniform_: unexpected argument {next(iter(bound))!r}")
        if not low <= to:
            raise RuntimeError(f"uniform_: expected from <= to, got {low} and {to}")
        self._check_float("uniform_")
        drawn = random.generator(generator).random(self.array.shape, self.array.dtype)
        return self._drawn("uniform_", drawn * self.array.dtype.type(to - low) + low)

    def bernoulli_(self, p: float = 0.5, *, generator: Any = None) -> "Tensor":
        """1 with probability p, else 0, in place."""
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_: expected a probability from 0 to 1, got {p}")
        drawn = random.generator(generator).random(self.array.shape) < p
        return self._drawn("bernoulli_", drawn)

    def _drawn(self, name: str, values: np.ndarray) -> "Tensor":
        return self.put(name, ..., Variable.wrap(like(values, self.array)))

    def _check_float(self, name: str) -> None:
        if self.array.dtype.kind != "f":
            raise RuntimeError(f"{name}: expected floating point numbers, got {self.array.dtype}")

    def fill_(self, value: Any) -> "Tensor":
        """Set every element."""
        return self.put("fill_", ..., value)

    def zero_(self) -> "Tensor":
        """Set every element to zero."""
        return self.put("zero_", ..., 0)

    def copy_(self, source: Any) -> "Tensor":
        """Take over the values of `source`, broadcast to this shape and converted to this dtype."""
        return self.put("copy_", ..., source)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.put("index", index, value)

    def assign(self, name: str, value: "Tensor", fresh: bool = True) -> "Tensor":
        """Give this same object a new value and, where gradients are recorded, its node.

        Without a gradient to record, the memory itself is written, so views of it change too; but if nobody
        else sees that memory, nor, as `fresh` says, the value's, then it is changed for it. With one, the
        value is new memory, since nodes may need the old. What this is a view of and what are views of this
        get it, too, but not what shares the old memory outside the graph (`detach`, `numpy`).

        Raises
        ------
        RuntimeError
            If this is a leaf that requires grad (outside `no_grad`), or a view of one, or the value does not
            fit.
        """
        if value.array.shape != self.array.shape:
            raise RuntimeError(
                f"{name}: a Tensor of shape {self.array.shape} cannot take a result of {value.array.shape}"
            )
        if category(value) > category(self):
            raise RuntimeError(
                f"{name}: a result of dtype {value.array.dtype} cannot be kept in {self.array.dtype}"
            )
        if is_grad_enabled() and (self.tracked or value.tracked):
            self._check_leaf(name)
            value = cast(value, self.array.dtype)
            if self.origin is not None:
                value = self._assign_inside(name, *self.origin, value)
            self._take(value)
        elif fresh and exchangeable(self, value):
            self.array = value.array
        else:
            self._write(name, self.array, ..., value.array)
        return self  # type: ignore[return-value]

    def _assign_inside(self, name: str, function: Any, base: Any, how: Any, value: "Tensor") -> "Tensor":
        """Put a value in the place that this view shows of its base, and look at it from there again."""
        if self.array.size and not array_module(base.array).may_share_memory(self.array, base.array):
            raise RuntimeError(f"{name}: what this is a view of was itself changed since; take the view anew")
        base.assign(name, apply(ops.PutView, base, value, view=function, how=how))
        return apply_view(function, base, how)

    def _take(self, value: Variable) -> None:
        self.array, self.node, self.tracked = value.array, value.node, value.tracked
        views = [view for view in self.__dict__.pop("views", ()) if view() is not None]
        for view in views:
            view()._take(apply_view(*view().origin))
        if views:
            self.__dict__["views"] = views

    @quiet
    def put(self, name: str, index: Any, value: Any) -> "Tensor":
        """Set self[index] to a value, broadcast and converted to this dtype; else as `assign`."""
        view, picked = split_index(index, self.array.ndim)
        value = operand(name, value)
        if not isinstance(value, Variable):
            try:
                value = np.asarray(value, self.array.dtype)
            except (OverflowError, ValueError) as error:
                raise RuntimeError(f"{name}: {error}") from None
            value = Variable.wrap(number(value, self.array.dtype, self.array))
        value = cast(value, self.array.dtype)
        if type(value.array) is not type(self.array) and (name == "copy_" or not value.array.ndim):
            value = apply_to_one(ops.Move, value, device_of(self.array))
        check_same(name, ("the Tensor", "its new value"), (self.array, value.array))
        try:
            spot = self.array[view]
            picked = brought(picked, self.array, view)
            shape = spot.shape if picked is ... else spot[picked].shape
        except IndexError as error:
            raise IndexError(f"{name}: {error} (shape {self.array.shape})") from None
        while value.array.ndim > len(shape) and value.array.shape[0] == 1:  # as PyTorch lets through
            value = apply_view(ops.Reshape, value, value.array.shape[1:])
        try:
            value = apply_view(ops.Expand, value, shape)
        except ValueError:
            raise RuntimeError(
                f"{name}: values of shape {value.array.shape} do not fit into shape {shape}"
            ) from None
        if is_grad_enabled() and (self.tracked or value.tracked):
            self._check_leaf(name)
            return self.assign(name, apply(ops.Put, self, value, view=view, index=picked))
        self._write(name, spot, picked, value.array)
        return self  # type: ignore[return-value]

    @quiet
    def _write(self, name: str, memory: Any, index: Any, values: Any) -> None:
        if not writable(memory):
            raise RuntimeError(
                f"{name}: elements share memory, as after expand(), or may not be changed; use clone() first"
            )
        memory[index] = values
        note_write(memory)
        for listener in listeners:
            listener.write(memory, index, values)

    def _check_leaf(self, name: str) -> None:
        if self.tracked and self.node is None:
            raise RuntimeError(
                f"{name}: a leaf Tensor that requires grad cannot be changed in place; do it inside no_grad()"
            )
