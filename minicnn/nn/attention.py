"""Attention with several heads."""

import math
from typing import Any

import numpy as np

from minicnn.device import array_module
from minicnn.nn import functional as F
from minicnn.nn import init
from minicnn.nn.arguments import check_tensors, integer
from minicnn.nn.functional.attention import attention_weights
from minicnn.nn.linear import Linear
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter, blank
from minicnn.tensor import Tensor, cat, zeros


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear layer; PyTorch prints the output projection of attention under this name."""


class MultiheadAttention(Module):
    """Attention whose heads each look at a projection of queries, keys and values of their own.

    Parameters
    ----------
    embed_dim, num_heads : int
        E and the number of heads, which divides E.
    dropout : float
        Dropout of the attention weights, in training.
    bias : bool
        Whether the projections have one.
    add_bias_kv : bool
        Whether to learn one more key and value for all samples.
    add_zero_attn : bool
        Whether to add a key and value of zeros.
    kdim, vdim : int, optional
        Features of keys and values; E unless given.
    batch_first : bool
        Whether samples come first, (N, L, E); otherwise (L, N, E).
    device, dtype : optional
        Of the parameters; the CPU and float32 unless given.

    Attributes
    ----------
    in_proj_weight : Parameter (3 E, E) or None
        For queries, keys and values, one below the other; with other features than E there are
        q_proj_weight (E, E), k_proj_weight (E, kdim) and v_proj_weight (E, vdim) instead.
    in_proj_bias : Parameter (3 E) or None
    bias_k, bias_v : Parameter (1, 1, E) or None
    out_proj : Linear

    Source: Vaswani et al., Attention is all you need, 2017.
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        embed_dim = integer("MultiheadAttention", "embed_dim", embed_dim, 1, ValueError)
        num_heads = integer("MultiheadAttention", "num_heads", num_heads, 1, ValueError)
        if embed_dim % num_heads:
            raise AssertionError(
                "MultiheadAttention: embed_dim must be divisible by num_heads, "
                f"got {embed_dim} and {num_heads}"
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn

        def new(*shape: int) -> Parameter:
            return blank("MultiheadAttention", *shape, device=device, dtype=dtype)

        separate = not self.kdim == self.vdim == embed_dim
        self.in_proj_weight = None if separate else new(3 * embed_dim, embed_dim)
        for role, features in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            self.register_parameter(f"{role}_proj_weight", new(embed_dim, features) if separate else None)
        self.in_proj_bias = new(3 * embed_dim) if bias else None
        self.bias_k = new(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = new(1, 1, embed_dim) if add_bias_kv else None
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values for the input projections; all biases become 0."""
        for name, param in self.named_parameters():
            if name.endswith("bias"):
                init.zeros_(param)
            elif name in ("bias_k", "bias_v"):
                init.xavier_normal_(param)
            elif not name.startswith("out_proj"):
                init.xavier_uniform_(param)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let queries attend to keys and values.

        Parameters
        ----------
        query : Tensor (L, N, E), or (N, L, E) if batch_first, or (L, E)
        key, value : Tensor (S, N, kdim) and (S, N, vdim), or in the other forms alike
        key_padding_mask : Tensor (N, S) or (S), optional
            Truth values say which keys are left out, numbers are added to the scores.
        need_weights : bool
            Whether to return the attention weights.
        attn_mask : Tensor (L, S) or (N * num_heads, L, S), optional
            As key_padding_mask, for each query.
        average_attn_weights : bool
            Whether the weights returned are the mean over the heads.
        is_causal : bool
            A hint that attn_mask is the causal one, which must be there too.

        Returns
        -------
        Tensor in the form of query, and Tensor (N, L, S) or (N, num_heads, L, S) or None
        """
        name = "MultiheadAttention"
        check_tensors(name, query=query, key=key, value=value)
        shapes = f"{query.shape}, {key.shape} and {value.shape}"
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise AssertionError(
                f"{name}: expected query, key and value all of 2 or 3 dimensions, got {shapes}"
            )
        if is_causal and attn_mask is None:
            raise RuntimeError(f"{name}: is_causal is only a hint; pass the attn_mask too")
        single = query.ndim == 2
        tokens = [
            x.unsqueeze(0) if single else x if self.batch_first else x.transpose(0, 1)
            for x in (query, key, value)
        ]  # (N, L, features)
        features = [x.shape[-1] for x in tokens]
        if features != [self.embed_dim, self.kdim, self.vdim]:
            raise AssertionError(
                f"{name}: expected {self.embed_dim}, {self.kdim} and {self.vdim} features, got {shapes}"
            )
        if tokens[1].shape[:2] != tokens[2].shape[:2] or len(tokens[0]) != len(tokens[1]):
            raise AssertionError(f"{name}: the sizes of query, key and value do not fit: {shapes}")
        q, k, v = (F.linear(x, *self._projection(i)) for i, x in enumerate(tokens))
        k, v = self._more(k, self.bias_k), self._more(v, self.bias_v)
        q, k, v = (self._heads(x) for x in (q, k, v))  # (N, heads, L, head_dim)
        mask = self._mask(attn_mask, key_padding_mask, q, tokens[1].shape[1], k.shape[-2], single)
        weights = attention_weights(name, q, k, mask, None)
        weights = F.dropout(weights, self.dropout, self.training)
        out = (weights @ v).transpose(1, 2).flatten(2)
        out = self.out_proj(out)
        out = out.squeeze(0) if single else out if self.batch_first else out.transpose(0, 1)
        if not need_weights:
            return out, None
        weights = weights.mean(1) if average_attn_weights else weights
        return out, weights.squeeze(0) if single else weights

    def _projection(self, i: int) -> tuple[Tensor, Tensor | None]:
        """The weight and bias for queries, keys or values."""
        part = slice(i * self.embed_dim, (i + 1) * self.embed_dim)
        if self.in_proj_weight is not None:
            weight = self.in_proj_weight[part]
        else:
            weight = getattr(self, "qkv"[i] + "_proj_weight")
        return weight, None if self.in_proj_bias is None else self.in_proj_bias[part]

    def _more(self, x: Tensor, learned: Parameter | None) -> Tensor:
        """Keys or values (N, S, E) with those of add_bias_kv and add_zero_attn at the end."""
        N, _, E = x.shape
        if learned is not None:
            x = cat([x, learned.expand(N, 1, E)], 1)
        return cat([x, zeros(N, 1, E, dtype=x.dtype, device=x.device)], 1) if self.add_zero_attn else x

    def _heads(self, x: Tensor) -> Tensor:
        """(N, L, E) divided: (N, heads, L, head_dim)."""
        N, L, _ = x.shape
        return x.reshape(N, L, self.num_heads, self.head_dim).transpose(1, 2)

    def _mask(
        self, attn_mask: Any, padding: Any, q: Tensor, keys: int, all_keys: int, single: bool
    ) -> Tensor | None:
        """Both masks as numbers to add, which broadcast to (N, heads, L, all_keys); more keys are open."""
        N, H, L, _ = q.shape
        total = None
        if attn_mask is not None:
            if attn_mask.shape not in ((L, keys), (N * H, L, keys)):
                raise RuntimeError(
                    f"MultiheadAttention: expected attn_mask {(L, keys)} or {(N * H, L, keys)}, "
                    f"got {attn_mask.shape}"
                )
            total = as_numbers(attn_mask, q.dtype)
            total = total.reshape(N, H, L, keys) if attn_mask.ndim == 3 else total
        if padding is not None:
            if padding.shape != ((keys,) if single else (N, keys)):
                raise AssertionError(
                    f"MultiheadAttention: expected key_padding_mask {(keys,) if single else (N, keys)}, "
                    f"got {padding.shape}"
                )
            more = as_numbers(padding, q.dtype).reshape(N, 1, 1, keys)
            total = more if total is None else total + more
        return total if total is None else F.pad(total, (0, all_keys - keys))


def as_numbers(mask: Tensor, dtype: np.dtype) -> Tensor:
    """A mask of truth values (which keys are left out) as 0 and -inf; one of numbers as it is."""
    if mask.dtype == bool:
        return Tensor(array_module(mask.array).where(mask.array, -math.inf, 0).astype(dtype))
    if mask.dtype.kind != "f":
        raise AssertionError(
            f"MultiheadAttention: expected masks of truth values or floating point numbers, got {mask.dtype}"
        )
    return mask.to(dtype)
