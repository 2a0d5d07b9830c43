"""Vision transformers from torch.nn, in other words: attention is written out."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.between = nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attend(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)  # each (N, tokens, heads, size)
        scores = torch.einsum("nqhs,nkhs->nhqk", q, k) / q.shape[-1] ** 0.5
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        return self.out(torch.einsum("nhqk,nkhs->nqhs", weights, v).flatten(2))

    def forward(self, x):
        x = x + self.attend(self.before(x))
        y = self.up(self.between(x))
        return x + self.down(y * (1 + torch.erf(y / 2**0.5)) / 2)


class Body(nn.Module):
    def __init__(self, tokens, width, depth, heads):
        super().__init__()
        self.places = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.after = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = x + self.places
        for block in self.blocks:
            x = block(x)
        return self.after(x)


class ViT(nn.Module):
    def __init__(self, width, depth, size, classes=10):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.patches = nn.Linear(3 * 16 * 16, width)
        self.patches.weight = nn.Parameter(torch.zeros(width, 3, 16, 16))
        self.body = Body((size // 16) ** 2 + 1, width, depth, width // 64)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // 16, 16, w // 16, 16).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = x @ self.patches.weight.flatten(1).T + self.patches.bias
        return self.head(self.body(torch.cat([self.token.repeat(n, 1, 1), x], 1))[:, 0])


TWINS = {
    "vit_s_16": lambda: ViT(384, 12, 64),
    "vit_b_16": lambda: ViT(768, 12, 32),
}
