"""ViT, the vision transformer: a picture as a sequence of patches, which look at each other by attention.

Source: Dosovitskiy et al., An image is worth 16x16 words: transformers for image recognition at scale, 2021;
the small size from Touvron et al., Training data-efficient image transformers, 2021. Names as torchvision's.
"""

import math
from typing import Any

from minicnn import nn
from minicnn.models.pretrained import takes_weights
from minicnn.nn import init
from minicnn.tensor import Tensor, cat, empty, zeros


class MLPBlock(nn.Sequential):
    """Two linear layers, applied to each token by itself."""

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(in_dim, mlp_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(mlp_dim, in_dim),
            nn.Dropout(dropout),
        )
        for layer in (self[0], self[3]):
            init.xavier_uniform_(layer.weight)
            init.normal_(layer.bias, std=1e-6)


class EncoderBlock(nn.Module):
    """Attention, then the two linear layers; each on normalised tokens and added to what came in."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)  # (N, tokens, hidden_dim)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Tokens with a learned position each, through the blocks."""

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(init.normal_(empty(1, seq_length, hidden_dim), std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            {
                f"encoder_layer_{i}": EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout)
                for i in range(num_layers)
            }
        )
        self.ln = nn.LayerNorm(hidden_dim, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


def start_with_variance_1(layer: Any) -> None:
    """The variance that the input has, if that is 1, is the output's too."""
    init.trunc_normal_(layer.weight, std=math.sqrt(1 / layer.weight[0].numel()))
    init.zeros_(layer.bias)


class VisionTransformer(nn.Module):
    """Input (N, in_channels, image_size, image_size); output (N, num_classes), scores before softmax.

    The last layer starts with zeros, so that all classes are equally likely.

    Parameters
    ----------
    image_size, patch_size : int
        Sides of the picture and of its square patches, which divide it.
    num_layers : int
        Encoder blocks.
    num_heads, hidden_dim, mlp_dim : int
        Attention heads; width of a token; width between the two linear layers of a block.
    dropout, attention_dropout : float
        Of tokens, and of attention weights.
    num_classes : int
        Of the output.
    representation_size : int, optional
        Width of one more layer before the last, which the paper has in pre-training only.
    in_channels : int
        Of the picture.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise AssertionError(
                f"VisionTransformer: expected an image_size that is a multiple of patch_size {patch_size}, "
                f"got {image_size}"
            )
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.mlp_dim = mlp_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.num_classes = num_classes
        self.representation_size = representation_size
        self.conv_proj = nn.Conv2d(in_channels, hidden_dim, kernel_size=patch_size, stride=patch_size)
        start_with_variance_1(self.conv_proj)
        self.class_token = nn.Parameter(zeros(1, 1, hidden_dim))
        seq_length = (image_size // patch_size) ** 2 + 1  # the patches and the class token
        self.encoder = Encoder(
            seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout
        )
        head: Any = nn.Linear(representation_size or hidden_dim, num_classes)
        init.zeros_(head.weight)
        init.zeros_(head.bias)
        if representation_size is None:
            self.heads = nn.Sequential({"head": head})
        else:
            pre_logits = nn.Linear(hidden_dim, representation_size)
            start_with_variance_1(pre_logits)
            self.heads = nn.Sequential({"pre_logits": pre_logits, "act": nn.Tanh(), "head": head})

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != (self.image_size, self.image_size):
            raise AssertionError(
                f"VisionTransformer: expected pictures of {self.image_size}x{self.image_size}, got {x.shape}"
            )
        tokens = self.conv_proj(x).flatten(2).transpose(1, 2)  # (N, patches, hidden_dim)
        token = self.class_token.expand(len(x), -1, -1)
        return self.heads(self.encoder(cat([token, tokens], dim=1))[:, 0])


def _vision_transformer(
    num_layers: int, num_heads: int, hidden_dim: int, image_size: int = 224, **kwargs: Any
) -> VisionTransformer:
    """Patches of 16x16, and four times as wide between the linear layers."""
    return VisionTransformer(image_size, 16, num_layers, num_heads, hidden_dim, 4 * hidden_dim, **kwargs)


def vit_s_16(**kwargs: Any) -> VisionTransformer:
    """ViT-S/16: 12 blocks, 6 heads of 64, 22,050,664 parameters."""
    return _vision_transformer(12, 6, 384, **kwargs)


@takes_weights
def vit_b_16(**kwargs: Any) -> VisionTransformer:
    """ViT-B/16: 12 blocks, 12 heads of 64, 86,567,656 parameters."""
    return _vision_transformer(12, 12, 768, **kwargs)


@takes_weights
def vit_l_16(**kwargs: Any) -> VisionTransformer:
    """ViT-L/16: 24 blocks, 16 heads of 64, 304,326,632 parameters."""
    return _vision_transformer(24, 16, 1024, **kwargs)
