"""Networks, and their names for the command and for `create`."""

import builtins
import difflib
from collections.abc import Callable
from typing import Any

from minicnn.models.alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
from minicnn.models.convnext import ConvNeXt, convnext_base, convnext_small, convnext_tiny
from minicnn.models.densenet import DenseNet, densenet121
from minicnn.models.efficientnet import (
    EfficientNet,
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
)
from minicnn.models.googlenet import GoogLeNet, googlenet
from minicnn.models.lenet import LeNet5, lenet5
from minicnn.models.mobilenet import MobileNetV1, MobileNetV2, mobilenet_v1, mobilenet_v2
from minicnn.models.pretrained import WEIGHTS, takes_weights
from minicnn.models.resnet import (
    ResNet,
    resnet18,
    resnet18_cifar,
    resnet20,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    wide_resnet50_2,
)
from minicnn.models.simple import (
    SimpleCNN,
    ThreeConv,
    TwoLayer,
    simplecnn,
    simplecnn_cifar,
    threeconv,
    twolayer,
)
from minicnn.models.unet import UNet, unet
from minicnn.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from minicnn.models.vit import VisionTransformer, vit_b_16, vit_l_16, vit_s_16
from minicnn.models.yolo import YOLO, yolov1
from minicnn.nn import Module

__all__ = [
    "VGG",
    "YOLO",
    "AlexNet",
    "AlexNet2012",
    "ConvNeXt",
    "DenseNet",
    "EfficientNet",
    "GoogLeNet",
    "LeNet5",
    "MobileNetV1",
    "MobileNetV2",
    "ResNet",
    "SimpleCNN",
    "ThreeConv",
    "TwoLayer",
    "UNet",
    "VisionTransformer",
    "alexnet",
    "alexnet_2012",
    "convnext_base",
    "convnext_small",
    "convnext_tiny",
    "create",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "googlenet",
    "lenet5",
    "list",
    "mobilenet_v1",
    "mobilenet_v2",
    "resnet18",
    "resnet18_cifar",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "simplecnn",
    "simplecnn_cifar",
    "threeconv",
    "twolayer",
    "unet",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit_b_16",
    "vit_l_16",
    "vit_s_16",
    "wide_resnet50_2",
    "yolov1",
]

MODELS: dict[str, Callable[..., Module]] = {
    "alexnet": alexnet,
    "alexnet_2012": alexnet_2012,
    "convnext_base": convnext_base,
    "convnext_small": convnext_small,
    "convnext_tiny": convnext_tiny,
    "densenet121": densenet121,
    "efficientnet_b0": efficientnet_b0,
    "efficientnet_b1": efficientnet_b1,
    "efficientnet_b2": efficientnet_b2,
    "efficientnet_b3": efficientnet_b3,
    "efficientnet_b4": efficientnet_b4,
    "efficientnet_b5": efficientnet_b5,
    "efficientnet_b6": efficientnet_b6,
    "efficientnet_b7": efficientnet_b7,
    "googlenet": googlenet,
    "lenet5": lenet5,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "resnet18": resnet18,
    "resnet18_cifar": resnet18_cifar,
    "resnet20": resnet20,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnext50_32x4d": resnext50_32x4d,
    "simplecnn": simplecnn,
    "simplecnn_cifar": simplecnn_cifar,
    "threeconv": threeconv,
    "twolayer": twolayer,
    "unet": unet,
    "vgg11": vgg11,
    "vgg11_bn": vgg11_bn,
    "vgg13": vgg13,
    "vgg13_bn": vgg13_bn,
    "vgg16": vgg16,
    "vgg16_bn": vgg16_bn,
    "vgg19": vgg19,
    "vgg19_bn": vgg19_bn,
    "vit_b_16": vit_b_16,
    "vit_l_16": vit_l_16,
    "vit_s_16": vit_s_16,
    "wide_resnet50_2": wide_resnet50_2,
    "yolov1": yolov1,
}


def list() -> builtins.list[str]:
    """The names that `create` knows."""
    return sorted(MODELS)


def __getattr__(name: str) -> Any:
    """torchvision's enumerations of weights, such as ``ResNet18_Weights``."""
    if name in WEIGHTS:
        return WEIGHTS[name]
    raise AttributeError(f"module 'minicnn.models' has no attribute {name!r}")


def create(name: str, **kwargs: Any) -> Any:
    """A new network, with random weights unless `weights` are given.

    Parameters
    ----------
    name : str
        One of `list`.
    **kwargs
        Arguments of the network, such as ``num_classes``; and ``weights``: the path of a file, or "hub" for
        torchvision's, as `pretrained.takes_weights` tells, also with the other errors.

    Raises
    ------
    ValueError
        There is no such name; the message suggests one, or has all.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(str(name).lower(), MODELS, n=1, cutoff=0.5)
        meant = f"; did you mean {close[0]!r}?" if close else f". The models are {', '.join(list())}"
        raise ValueError(f"models.create: there is no model {name!r}{meant}")
    return takes_weights(MODELS[name], name)(**kwargs)
