"""A vision transformer with attention written by hand, by the library's module, and by its function."""

import math

import torch
import torch.nn.functional as F
from made import pictures, weights
from torch import nn, optim
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR


class PatchEmbed(nn.Module):
    def __init__(self, img_size=12, patch_size=4, in_chans=2, embed_dim=16):
        super().__init__()
        self.num_patches = (img_size // patch_size) ** 2
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x):
        B, C, H, W = x.shape
        assert H % 4 == 0 and W % 4 == 0, f"Input image size ({H}*{W}) does not fit."
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, dim, num_heads=4, qkv_bias=True, fused=False, attn_drop=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.fused = fused
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        if self.fused:
            x = F.scaled_dot_product_attention(q, k, v, dropout_p=0.0)
        else:
            attn = (q @ k.transpose(-2, -1)) * self.scale
            attn = attn.softmax(dim=-1)
            attn = self.attn_drop(attn)
            x = attn @ v
        x = x.transpose(1, 2).reshape(B, N, C)
        return self.proj(x)


class LibraryAttention(nn.Module):
    def __init__(self, dim, num_heads=4):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)

    def forward(self, x):
        x, self.attention_weights = self.attn(x, x, x, need_weights=True)
        return x


class MaskedAttention(nn.Module):
    """No patch looks at those after it."""

    def __init__(self, dim, num_heads=2):
        super().__init__()
        self.h = num_heads
        self.queries, self.keys, self.values = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.register_buffer("mask", torch.tril(torch.ones(32, 32)).bool()[None, None], persistent=False)

    def forward(self, x):
        n, length, dim = x.size()
        q, k, v = (f(x).view(n, -1, self.h, dim // self.h).transpose(1, 2) for f in
                   (self.queries, self.keys, self.values))  # fmt: skip
        energy = torch.einsum("nhqd,nhkd->nhqk", q, k) / math.sqrt(dim // self.h)
        energy = energy.masked_fill(~self.mask[:, :, :length, :length], float("-inf"))
        out = torch.einsum("nhql,nhld->nqhd", torch.softmax(energy, dim=-1), v)
        return out.contiguous().view(n, length, dim)


class DropPath(nn.Module):
    def __init__(self, drop_prob=0.0):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep_prob = 1 - self.drop_prob
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        random_tensor = x.new_empty(shape).bernoulli_(keep_prob)
        return x * random_tensor / keep_prob

    def extra_repr(self):
        return f"drop_prob={round(self.drop_prob, 3):0.3f}"


class Block(nn.Module):
    def __init__(self, dim, attn, mlp_ratio=2.0, drop_path=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = attn
        self.drop_path = DropPath(drop_path) if drop_path > 0.0 else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        hidden = int(dim * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim), nn.Dropout(0.0))

    def forward(self, x):
        x = x + self.drop_path(self.attn(self.norm1(x)))
        x = x + self.drop_path(self.mlp(self.norm2(x)))
        return x


class VisionTransformer(nn.Module):
    def __init__(self, num_classes=4, dim=16, drop_path_rate=0.1):
        super().__init__()
        self.patch_embed = PatchEmbed(embed_dim=dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.patch_embed.num_patches + 1, dim))
        self.register_buffer("waves", self.sinusoids(self.patch_embed.num_patches + 1, dim))
        dpr = [x.item() for x in torch.linspace(0, drop_path_rate, 4)]
        attention = [Attention(dim), Attention(dim, fused=True), LibraryAttention(dim), MaskedAttention(dim)]
        self.blocks = nn.Sequential(*[Block(dim, a, drop_path=p) for a, p in zip(attention, dpr)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        self.apply(self._init_weights)

    @staticmethod
    def sinusoids(length, dim):
        pe = torch.zeros(length, dim)
        position = torch.arange(0, length, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, dim, 2).float() * (-math.log(10000.0) / dim))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        return pe.unsqueeze(0)

    def _init_weights(self, m):
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=0.02)
            if isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.constant_(m.bias, 0)
        elif isinstance(m, nn.LayerNorm):
            nn.init.constant_(m.bias, 0)
            nn.init.constant_(m.weight, 1.0)

    def forward(self, x):
        B = x.shape[0]
        x = self.patch_embed(x)
        cls_tokens = self.cls_token.expand(B, -1, -1)
        x = torch.cat((cls_tokens, x), dim=1)
        x = x + self.pos_embed + 0.1 * self.waves[:, : x.size(1)]
        x = self.blocks(x)
        x = self.norm(x)
        return self.head(x[:, 0] + x[:, 1:].mean(dim=1))


def param_groups(model, weight_decay):
    decay, no_decay = [], []
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        if param.ndim <= 1 or name.endswith(".bias") or name in ("pos_embed", "cls_token"):
            no_decay.append(param)
        else:
            decay.append(param)
    return [{"params": no_decay, "weight_decay": 0.0}, {"params": decay, "weight_decay": weight_decay}]


model = VisionTransformer()
assert model.pos_embed.abs().max() < 2 and not torch.equal(model.pos_embed, torch.zeros_like(model.pos_embed))
print(model)
model = model.double()
with torch.no_grad():
    for k, (name, p) in enumerate(model.named_parameters()):
        p.copy_(1.5 * torch.from_numpy(weights(p.shape, k)).to(p) + float("norm" in name))
for block in model.blocks:
    if isinstance(block.drop_path, DropPath):
        block.drop_path.drop_prob = 0.0  # chance would differ from library to library


optimizer = optim.AdamW(param_groups(model, 0.05), lr=2e-3, betas=(0.9, 0.95))
warmup = LinearLR(optimizer, start_factor=0.1, total_iters=3)
cosine = CosineAnnealingLR(optimizer, T_max=5, eta_min=1e-5)
scheduler = SequentialLR(optimizer, schedulers=[warmup, cosine], milestones=[3])
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
images, labels = map(torch.from_numpy, pictures(16, channels=2))
images = images.double()
losses, rates = [], []
for step in range(8):
    model.train()
    logits = model(images)
    loss = criterion(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, norm_type=2)
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
    rates.append(optimizer.param_groups[1]["lr"])
    print(f"step {step}: loss {loss.item():.5f} lr {rates[-1]:.2e}")

model.eval()
with torch.no_grad():
    probabilities = F.softmax(model(images), dim=-1)
values, indices = probabilities.topk(2)
attention_weights = model.blocks[2].attn.attention_weights
print(
    [len(g["params"]) for g in optimizer.param_groups],
    attention_weights.shape == (16, 10, 10),
    indices[:4].tolist(),
)
top1, top2 = [(indices[:, :k] == labels.view(-1, 1)).any(dim=1).double().mean() for k in (1, 2)]
print(
    f"top 1: {top1:.3f}, top 2: {top2.item():.3f}", "pos_embed" in model.state_dict(), len(model.state_dict())
)
gradients = [p.grad for p in model.parameters()]
