"""Gradients kept small, parameters as one vector, and weights with a norm of their own."""

import math
from collections.abc import Iterable

import numpy as np

from minicnn.autograd import no_grad, note_write
from minicnn.device import kernels_for
from minicnn.nn.reparametrize import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm
from minicnn.tensor import Tensor, cat

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "remove_spectral_norm",
    "remove_weight_norm", "spectral_norm", "vector_to_parameters", "weight_norm",
]  # fmt: skip


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that the norm of all of them together is at most max_norm.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are left out.
    max_norm : float
        The largest norm.
    norm_type : float
        p of the p-norm; inf is the largest absolute value.
    error_if_nonfinite : bool
        Raise RuntimeError if the norm is nan or infinite, rather than spread it.

    Returns
    -------
    Tensor ()
        The norm before.
    """
    grads = gradients(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    share = (float(max_norm) / (total + 1e-6)).clamp_max(1)  # not looked at: it stays where it is
    if alike(grads):
        kernels_for(share.array).scale([grad.array for grad in grads], share.array)
        for grad in grads:
            note_write(grad.array)
    else:
        for grad in grads:
            grad.mul_(share)
    return total


def alike(tensors: list[Tensor]) -> bool:
    """Whether they are numbers of one kind on one device, of which a kernel takes all at once."""
    kinds = {(type(x.array), x.array.dtype) for x in tensors}
    return len(kinds) == 1 and tensors[0].dtype in (np.float32, np.float64)


def get_total_norm(
    tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of several Tensors as if they were one vector."""
    norm_type = float(norm_type)
    rows = list(tensors)
    if not rows:
        return Tensor(np.zeros((), np.float32))
    if norm_type == 2 and alike(rows):
        total = Tensor(kernels_for(rows[0].array).euclidean_norm([row.array for row in rows]))
    else:
        norms = [row.detach().norm(norm_type) for row in rows]
        dtype = np.result_type(*(norm.dtype for norm in norms))
        total = cat([norm.to(dtype).reshape(1) for norm in norms]).norm(norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {total.item()}")
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of the gradients, in place, to [-clip_value, clip_value]."""
    for grad in gradients(parameters):
        grad.copy_(grad.clamp(-float(clip_value), float(clip_value)))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, one after the other, as one vector."""
    return cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Set the parameters to the elements of a vector, in the order of `parameters_to_vector`."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected vec to be a Tensor, got {type(vec).__name__}")
    params = list(parameters)
    wanted = sum(param.numel() for param in params)
    if vec.shape != (wanted,):
        raise RuntimeError(f"vector_to_parameters: expected a vector of {wanted} elements, got {vec.shape}")
    start = 0
    with no_grad():
        for param in params:
            param.copy_(vec[start : start + param.numel()].reshape(param.shape))
            start += param.numel()


def gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients of one or several parameters that have one."""
    params = [parameters] if isinstance(parameters, Tensor) else parameters
    return [param.grad for param in params if param.grad is not None]
