"""Attention"""

from .row import row, truth

QKV = {"query": (2, 3, 4), "key": (2, 5, 4), "value": (2, 5, 6)}

ROWS = [
    row(
        "F.scaled_dot_product_attention",
        "F.scaled_dot_product_attention(query, key, value)",
        "F.scaled_dot_product_attention(query, key, value, is_causal=True)",
        "F.scaled_dot_product_attention(query, key, value, mask)",
        "F.scaled_dot_product_attention(query, key, value, attn_mask=bias)",
        "F.scaled_dot_product_attention(query, key, value, scale=0.3)",
        **QKV,
        mask=truth(3, 5),
        bias=(3, 5),
    ),
    row(
        "nn.MultiheadAttention",
        "nn.MultiheadAttention(4, 2)",
        "nn.MultiheadAttention(4, num_heads=1, batch_first=True, bias=False)",
        query=(3, 2, 4),
        key=(3, 2, 4),
        value=(3, 2, 4),
        kind="layer",
    ),
    row(
        "nn.MultiheadAttention",
        "nn.MultiheadAttention(4, 2, kdim=3, vdim=5)",
        query=(3, 2, 4),
        key=(5, 2, 3),
        value=(5, 2, 5),
        kind="layer",
    ),
]
