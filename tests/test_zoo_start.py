"""The weights that transformers, EfficientNets and ConvNeXts start with, beside PyTorch's functions.

Each parameter has the spread of one drawn as torchvision draws it; the numbers themselves are random.
"""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import init

from minicnn import models, tensor
from zoo.answers import torchvision


def of_layers(name, tensor):
    """What PyTorch's own layers start with, where a network says nothing else."""
    if name.endswith("weight") and tensor.ndim == 1:
        init.ones_(tensor)
    elif name.endswith("bias"):
        init.zeros_(tensor)


def vit(name, tensor):
    of_layers(name, tensor)
    if name == "conv_proj.weight":
        init.trunc_normal_(tensor, std=math.sqrt(1 / (3 * 16 * 16)))
    elif name == "encoder.pos_embedding":
        init.normal_(tensor, std=0.02)
    elif "mlp" in name and name.endswith("bias"):
        init.normal_(tensor, std=1e-6)
    elif "in_proj_weight" in name or ("mlp" in name and tensor.ndim == 2):
        init.xavier_uniform_(tensor)
    elif "out_proj.weight" in name:
        init.kaiming_uniform_(tensor, a=math.sqrt(5))


def efficientnet(name, tensor):
    of_layers(name, tensor)
    if tensor.ndim == 4:
        init.kaiming_normal_(tensor, mode="fan_out")
    elif tensor.ndim == 2:
        init.uniform_(tensor, -1 / math.sqrt(tensor.shape[0]), 1 / math.sqrt(tensor.shape[0]))


def convnext(name, tensor):
    of_layers(name, tensor)
    if tensor.ndim in (2, 4):
        init.trunc_normal_(tensor, std=0.02)
    elif name.endswith("layer_scale"):
        init.constant_(tensor, 1e-6)


@pytest.mark.parametrize(
    ("name", "start"), [("vit_b_16", vit), ("efficientnet_b0", efficientnet), ("convnext_tiny", convnext)]
)
def test_spread(name, start):
    model = getattr(models, name)()
    parameters = dict(model.named_parameters())
    assert parameters.keys() <= {key for key, *_ in torchvision()[name]["state_dict"]}
    for key, parameter in parameters.items():
        ours = parameter.detach().numpy()
        drawn = nn.Parameter(torch.zeros(ours.shape))
        start(key, drawn)
        theirs = drawn.detach().numpy()
        spread, few = theirs.std(), 5 / math.sqrt(theirs.size)
        assert abs(ours.std() - spread) <= 2 * few * spread, key
        assert abs(ours.mean() - theirs.mean()) <= 2 * few * spread + 1e-7, key
        if theirs.size > 1000:  # the largest of few random numbers may be any
            assert 0.6 * np.abs(theirs).max() <= np.abs(ours).max() <= np.abs(theirs).max() / 0.6, key


def test_vision_transformers_of_other_sizes():
    model = models.VisionTransformer(
        image_size=28, patch_size=7, num_layers=2, num_heads=3, hidden_dim=48, mlp_dim=64,
        num_classes=5, representation_size=20, in_channels=1,
    )  # fmt: skip
    assert [key for key, _ in model.heads.named_parameters()] == [
        "pre_logits.weight", "pre_logits.bias", "head.weight", "head.bias",
    ]  # fmt: skip
    assert abs(model.heads.pre_logits.weight.std().item() * math.sqrt(48) - 1) < 0.1
    x = np.ones((2, 1, 28, 28), np.float32)
    assert model(tensor(x)).tolist() == [[0.0] * 5] * 2
    with pytest.raises(AssertionError, match=r"expected pictures of 28x28, got \(2, 1, 28, 14\)"):
        model(tensor(x[..., :14]))
    with pytest.raises(AssertionError, match="a multiple of patch_size 16, got 100"):
        models.vit_s_16(image_size=100)


@pytest.mark.parametrize(
    ("name", "last"),
    [("efficientnet_b0", 0.2 * 15 / 16), ("efficientnet_b7", 0.2 * 54 / 55), ("convnext_tiny", 0.1),
     ("convnext_small", 0.4), ("convnext_base", 0.5)],
)  # fmt: skip
def test_stochastic_depth_grows(name, last):
    model = getattr(models, name)()
    p = [module.p for module in model.modules() if type(module).__name__ == "StochasticDepth"]
    np.testing.assert_allclose(p, np.linspace(0, last, len(p)))
