"""Attention: each query takes a mean of the values, weighed by how well their keys fit."""

import math

import numpy as np

from minicnn.device import array_module, check_same
from minicnn.nn.arguments import check_tensors
from minicnn.nn.functional.dropout import dropout
from minicnn.tape import looked
from minicnn.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value.

    Parameters
    ----------
    query : Tensor (..., L, E)
    key : Tensor (..., S, E)
    value : Tensor (..., S, V)
    attn_mask : Tensor, optional
        Broadcasts to (..., L, S). Truth values say which keys take part, numbers are added to the scores. A
        query that no key is left for gets zeros.
    dropout_p : float
        Dropout of the weights; also outside training, so pass 0 there.
    is_causal : bool
        Whether query i sees only the keys 0 to i.
    scale : float, optional
        1 / sqrt(E) unless given.

    Returns
    -------
    Tensor (..., L, V)

    Source: Vaswani et al., Attention is all you need, 2017.
    """
    name = "scaled_dot_product_attention"
    check_tensors(name, query=query, key=key, value=value)
    check_operands(name, query, key, value)
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"{name}: dropout_p must be between 0 and 1, got {dropout_p}")
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError(f"{name}: expected attn_mask or is_causal, got both")
        attn_mask = Tensor(array_module(query.array).tri(query.shape[-2], key.shape[-2], dtype=bool))
    weights = attention_weights(name, query, key, attn_mask, scale)
    return dropout(weights, dropout_p) @ value


def attention_weights(
    name: str, query: Tensor, key: Tensor, attn_mask: Tensor | None, scale: float | None
) -> Tensor:
    """The weights (..., L, S) of the keys for each query; a row that the mask leaves empty is 0."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if attn_mask is None:
        return scores.softmax(-1)
    check_tensors(name, attn_mask=attn_mask)
    try:
        fits = np.broadcast_shapes(attn_mask.array.shape, scores.shape) == scores.shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{name}: expected an attn_mask that broadcasts to {scores.shape}, got {attn_mask.shape}"
        )
    check_same(name, ("query", "attn_mask"), (query.array, attn_mask.array))
    looked("has its mask checked")
    if attn_mask.dtype == bool:
        shut = ~attn_mask.array
        added = Tensor(array_module(shut).where(shut, -math.inf, 0).astype(query.dtype))
    elif attn_mask.dtype == query.dtype or attn_mask.dtype == np.float32:
        shut = attn_mask.array == -math.inf
        added = attn_mask.to(query.dtype)
    else:
        raise RuntimeError(
            f"{name}: expected attn_mask of truth values or {query.dtype}, got {attn_mask.dtype}"
        )
    empty = shut.all(axis=-1, keepdims=True)
    if type(empty) is np.ndarray and not empty.any():  # of a GPU's nobody waits to know
        return (scores + added).softmax(-1)
    open_instead = added.masked_fill(
        Tensor(empty), 0.0
    )  # a softmax of nothing, and its gradient, would be nan
    return (scores + open_instead).softmax(-1).masked_fill(Tensor(empty), 0.0)


def check_operands(name: str, query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise RuntimeError unless queries, keys and values fit together."""
    shapes = query.shape, key.shape, value.shape
    if min(map(len, shapes)) < 2:
        raise RuntimeError(
            f"{name}: expected query (..., L, E), key (..., S, E) and value (..., S, V), "
            f"got {query.shape}, {key.shape} and {value.shape}"
        )
    dtypes = {str(x.dtype) for x in (query, key, value)}
    if len(dtypes) > 1 or query.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: expected query, key and value of one floating point dtype, got {sorted(dtypes)}"
        )
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(
            f"{name}: query has {query.shape[-1]} features {query.shape} but key {key.shape[-1]} {key.shape}"
        )
    if key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f"{name}: there are {key.shape[-2]} keys {key.shape} but {value.shape[-2]} values {value.shape}"
        )
