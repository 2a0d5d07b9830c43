"""Is a gradient right? Compare what `backward` gives with differences of the function's values."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minicnn.autograd import enable_grad
from minicnn.device import host, like
from minicnn.tensor import Tensor

UPSTREAM = -0.7  # the gradient put in at an output element: not 1, so that forgetting it does not go unseen


class GradcheckError(RuntimeError):
    """A gradient does not agree with the differences."""


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    raise_exception: bool = True,
) -> bool:
    """Check the derivative of every output element by every input element that requires grad.

    The derivative from `backward` must lie within ``atol + rtol * abs(difference)`` of the central difference
    ``(f(x + eps) - f(x - eps)) / (2 eps)``. PyTorch's function of this name allows more (rtol 1e-3).
    A function with a kink is to be checked away from it: within eps of it there is no derivative to find.

    Parameters
    ----------
    function : callable
        Gives a Tensor or several; outputs that are not floating point are ignored.
    inputs : Tensor or sequence
        Its arguments. Tensors that require grad must be float64; everything else is only passed on.
    eps : float
        Half the step of the differences.
    atol, rtol : float
        Absolute and relative tolerance.
    raise_exception : bool
        Raise on a wrong gradient; otherwise return False.

    Returns
    -------
    bool
        Whether all derivatives agree.

    Raises
    ------
    GradcheckError
        If one does not; it names the input, the elements and both values.
    ValueError
        If no input requires grad, one that does is not float64, or no output is floating point.
    """
    args = list(inputs) if isinstance(inputs, Sequence) else [inputs]
    checked = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck: expected an input that requires grad")
    for i in checked:
        if args[i].dtype != np.float64:
            raise ValueError(
                f"gradcheck: input {i} is {args[i].dtype}; differences are exact enough in float64 only"
            )
        args[i] = Tensor(args[i].array.copy(), requires_grad=True)  # a leaf whose values we may change
    try:
        with enable_grad():
            analytic = backward_jacobians(function, args, checked)
            for i, from_backward in zip(checked, analytic, strict=True):
                compare(i, args[i].shape, from_backward, numeric_jacobian(function, args, i, eps), atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def outputs_of(function: Callable[..., Any], args: list) -> list[Tensor]:
    """The floating point Tensors that the function gives."""
    result = function(*args)
    outputs = [y for y in (result if isinstance(result, tuple | list) else [result]) if isinstance(y, Tensor)]
    outputs = [y for y in outputs if y.dtype.kind == "f"]
    if not outputs:
        raise ValueError(f"gradcheck: expected a floating point Tensor from the function, got {result!r:.80}")
    return outputs


def backward_jacobians(function: Callable[..., Any], args: list, checked: list[int]) -> list[np.ndarray]:
    """For each checked input: derivatives (output elements, input elements), one backward a row."""
    rows: list[list[np.ndarray]] = [[] for _ in checked]
    for y in outputs_of(function, args):
        for j in range(y.numel()):
            upstream = np.zeros(y.shape, y.dtype)
            upstream.flat[j] = UPSTREAM
            for i in checked:
                args[i].grad = None
            if y.requires_grad:
                y.backward(Tensor(like(upstream, y.array)), retain_graph=True)
            for i, row in zip(checked, rows, strict=True):
                row.append(gradient_of(args[i], i).ravel() / UPSTREAM)
    return [np.array(row).reshape(len(row), args[i].numel()) for i, row in zip(checked, rows, strict=True)]


def gradient_of(x: Tensor, i: int) -> np.ndarray:
    """The gradient that arrived at an input, zero if none did."""
    if x.grad is None:
        return np.zeros(x.shape)
    if (x.grad.shape, x.grad.dtype) != (x.shape, x.dtype):
        raise GradcheckError(
            f"gradcheck: input {i} is {x.dtype} {x.shape} but its gradient is {x.grad.dtype} {x.grad.shape}"
        )
    return host(x.grad.array)


def numeric_jacobian(function: Callable[..., Any], args: list, i: int, eps: float) -> np.ndarray:
    """Derivatives (output elements, input elements) by input i, by central differences."""
    array, columns = args[i].array, []
    for place in np.ndindex(array.shape):
        value, sides = float(array[place]), []
        for step in (eps, -eps):
            array[place] = value + step
            sides.append(np.concatenate([host(y.array).ravel() for y in outputs_of(function, args)]))
        columns.append((sides[0] - sides[1]) / ((value + eps) - (value - eps)))
        array[place] = value
    return np.array(columns).T


def compare(
    i: int, shape: tuple[int, ...], analytic: np.ndarray, numeric: np.ndarray, atol: float, rtol: float
) -> None:
    """Raise at the derivative that is furthest off, if any is."""
    if not analytic.size:
        return
    with np.errstate(invalid="ignore"):  # an infinite derivative
        excess = np.abs(analytic - numeric) - (atol + rtol * np.abs(numeric))
    excess[np.isnan(excess)] = np.inf
    j, k = np.unravel_index(excess.argmax(), excess.shape)
    if excess[j, k] > 0:
        element = tuple(map(int, np.unravel_index(k, shape)))
        raise GradcheckError(
            f"gradcheck: the derivative of output element {j} by input {i}{list(element)} is "
            f"{analytic[j, k]:.10g} by backward but {numeric[j, k]:.10g} by differences"
        )
