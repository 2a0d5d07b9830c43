"""The argument ``weights`` of the networks: torchvision's weights from the Hugging Face hub, or a file."""

import functools
import hashlib
import io
import os
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from minicnn.nn import Module
from minicnn.tensor import Tensor

M = TypeVar("M", bound=Module)


class HubFile(NamedTuple):
    """``model.safetensors`` of a repository on the hub, at one of its commits."""

    repository: str
    revision: str
    sha256: str


# timm's copies of torchvision's IMAGENET1K_V1.
HUB = {
    "densenet121": HubFile(
        "timm/densenet121.tv_in1k",
        "d42603aa2960ebf044e46628536b6f0edf7c0c6b",
        "c894c6d9caa317a8ca1942986dee7a16a86c77734a4d691d2abe05389cfef358",
    ),
    "resnet18": HubFile(
        "timm/resnet18.tv_in1k",
        "bbd144b3e5565108aad885f145491d11bc6ce807",
        "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81",
    ),
    "resnet34": HubFile(
        "timm/resnet34.tv_in1k",
        "1b7b21cca82ff974d341713f777bf740c2db38c4",
        "0bb82595a564991a9d424708b33f5d843f5aaed7f6c0886ff10849ff97022235",
    ),
    "resnet50": HubFile(
        "timm/resnet50.tv_in1k",
        "78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
        "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
    ),
    "resnet152": HubFile(
        "timm/resnet152.tv_in1k",
        "2a9b5c2460893a2ab13d8625db2383f3094d704f",
        "15897077afdf4d6334dc0c3f8e6fb483afb3faa9298c139f3c6eb29bca6ae5b2",
    ),
    "vgg11": HubFile(
        "timm/vgg11.tv_in1k",
        "38b46049b490ec2bdb6d4d32b8354c74977f3347",
        "682c023808812148d4e60c76d80ad83dbeaf5d50eb1a952a0b836895003151e5",
    ),
    "vgg13_bn": HubFile(
        "timm/vgg13_bn.tv_in1k",
        "ed6e64d6167edbe08697cb4d7ceaef5077972131",
        "7dae235e35772693cd527e7ac9ef8f6594707a14a8d26aabdb83c0baa6847861",
    ),
    "vgg16": HubFile(
        "timm/vgg16.tv_in1k",
        "b8d8aa2dd860af9233c8c67385a8097fd6c35d3f",
        "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
    ),
    "vgg16_bn": HubFile(
        "timm/vgg16_bn.tv_in1k",
        "e00c01e7cee168262dcba6428dc4a8f41e27e965",
        "88bbedbc8e780413736db38ac4efd41b06fc0e93fd5b8879b584bba63a950129",
    ),
    "vgg19": HubFile(
        "timm/vgg19.tv_in1k",
        "128d4708565b3a414bcbb9bbad440b2fe37b9f18",
        "11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669",
    ),
    "vgg19_bn": HubFile(
        "timm/vgg19_bn.tv_in1k",
        "5df00d8510c2b1bd2ab67da8b2ef47034f30a7fa",
        "f8249087e63bae61c6166bb23d7c26efe1b2a43fd9fb5cd60ac6ce00535ba312",
    ),
}


class Weights(Enum):
    """torchvision's weights of one network, such as ``models.ResNet18_Weights.IMAGENET1K_V1``.

    DEFAULT is IMAGENET1K_V1; in torchvision it is IMAGENET1K_V2 where there is one.
    """

    def transforms(self) -> Callable[[Any], Any]:
        """What makes of a Pillow picture the input that the network has learnt: Tensor (3, H, H)."""
        from minicnn.data import transforms

        name = self.value[0]
        crop, size = PICTURES.get((name, self.name), PICTURES.get(name, (224, 256)))
        if name not in PICTURES and self.name == "IMAGENET1K_V2":
            size = 232
        first = name.startswith("efficientnet") and self.name == "IMAGENET1K_V1"
        return transforms.Compose(
            [
                transforms.Resize(size, "bicubic" if first else "bilinear"),
                transforms.CenterCrop(crop),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )


PICTURES: dict[Any, tuple[int, int]] = {  # sides after cropping and, the shorter one, before; else 224, 256
    "convnext_tiny": (224, 236),
    "convnext_small": (224, 230),
    "convnext_base": (224, 232),
    "efficientnet_b1": (240, 256),
    ("efficientnet_b1", "IMAGENET1K_V2"): (240, 255),
    "efficientnet_b2": (288, 288),
    "efficientnet_b3": (300, 320),
    "efficientnet_b4": (380, 384),
    "efficientnet_b5": (456, 456),
    "efficientnet_b6": (528, 528),
    "efficientnet_b7": (600, 600),
    "vit_l_16": (224, 242),
}
NAMES = (
    "AlexNet", "ConvNeXt_Tiny", "ConvNeXt_Small", "ConvNeXt_Base", "DenseNet121", "EfficientNet_B0",
    "EfficientNet_B1", "EfficientNet_B2", "EfficientNet_B3", "EfficientNet_B4", "EfficientNet_B5",
    "EfficientNet_B6", "EfficientNet_B7", "GoogLeNet", "MobileNet_V2", "ResNet18", "ResNet34", "ResNet50",
    "ResNet101", "ResNet152", "VGG11", "VGG11_BN", "VGG13", "VGG13_BN", "VGG16", "VGG16_BN", "VGG19",
    "VGG19_BN", "ViT_B_16", "ViT_L_16",
)  # fmt: skip
TWICE = {"EfficientNet_B1", "MobileNet_V2", "ResNet50", "ResNet101", "ResNet152"}  # trained anew, better


def weights_of(name: str) -> Any:
    """torchvision's enumeration ``{name}_Weights``."""
    versions = {"IMAGENET1K_V1": (name.lower(), "IMAGENET1K_V1"), "DEFAULT": (name.lower(), "IMAGENET1K_V1")}
    if name in TWICE:
        versions["IMAGENET1K_V2"] = name.lower(), "IMAGENET1K_V2"
    return Weights(f"{name}_Weights", versions, module="minicnn.models")  # type: ignore[call-arg]


WEIGHTS = {f"{name}_Weights": weights_of(name) for name in NAMES}


def takes_weights(build: Callable[..., M], name: str | None = None) -> Callable[..., M]:
    """A network's function that also takes torchvision's `weights`, `pretrained` and `progress`.

    Parameters
    ----------
    build : callable
        Makes the network with random weights.
    name : str, optional
        Of the network; that of `build` unless given.

    Returns
    -------
    callable
        ``weights=None`` is as before. A path gives the weights in a file of safetensors or of torch.save.
        ``"hub"``, ``"IMAGENET1K_V1"``, ``"DEFAULT"`` and members of `Weights` give torchvision's; so does
        ``pretrained=True``, also as the first argument, without its name. `progress` is accepted: the hub
        shows a download's progress. A file may hold the weights among other things, as
        ``minicnn weights convert`` takes them. GoogLeNet's come with ``transform_input=True`` unless that
        is given.

    Raises
    ------
    ValueError
        The hub does not have the weights, or has another file than the one whose SHA-256 is known here; there
        are no weights in the file.
    ImportError
        They are to be fetched, and huggingface_hub is not installed.
    OSError
        They cannot be fetched, or the file cannot be read.
    RuntimeError
        Names or shapes do not fit the network.
    """
    known = name or build.__name__

    @functools.wraps(build)
    def with_weights(
        *args: Any, weights: Any = None, pretrained: bool = False, progress: bool = True, **kwargs: Any
    ) -> M:
        if args and isinstance(args[0], bool):  # torchvision's old form: pretrained, progress
            pretrained, args = args[0], args[1:]
            args = args[1:] if args and isinstance(args[0], bool) else args
        if weights is None and pretrained:
            weights = "hub"
        if weights is None:
            return build(*args, **kwargs)
        file = published(known, weights)
        if file is not None and kwargs.get("num_classes", 1000) != 1000:
            raise ValueError(
                f"models.{known}: these weights have 1000 classes, got num_classes={kwargs['num_classes']}; "
                "load them without num_classes, then replace the last layer"
            )
        content = Path(weights).read_bytes() if file is None else fetch(known, file)
        if known == "googlenet":
            kwargs.setdefault("transform_input", True)
        model = build(*args, **kwargs)
        fill(model, content, known, weights)
        return model

    return with_weights


def published(name: str, weights: Any) -> HubFile | None:
    """The file on the hub that `weights` stands for; None if it is a path."""
    if isinstance(weights, Weights):
        if weights.value[0] != name:
            raise ValueError(f"models.{name}: got the weights of {weights.value[0]}, {weights}")
        weights = weights.name
    if not isinstance(weights, str | os.PathLike):
        raise TypeError(f'models.{name}: expected weights as "hub" or a path, got {type(weights).__name__}')
    version = "IMAGENET1K_V1" if weights in ("hub", "DEFAULT") else os.fspath(weights)
    if not version.startswith("IMAGENET1K_"):
        return None
    if name not in HUB or version != "IMAGENET1K_V1":
        raise ValueError(
            f"models.{name}: there is no {version} to fetch; download torchvision's file, if there is one "
            "(https://pytorch.org/vision/stable/models.html), then minicnn weights convert FILE.pth, "
            f'and weights="FILE.safetensors". IMAGENET1K_V1 is there for {", ".join(HUB)}'
        )
    return HUB[name]


def fetch(name: str, file: HubFile) -> bytes:
    """The content of a file on the hub, or of the copy that is here already; its SHA-256 is the known one."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise ImportError(
            f"models.{name}: fetching weights takes huggingface_hub: pip install huggingface_hub"
        ) from error
    try:
        path = hf_hub_download(file.repository, "model.safetensors", revision=file.revision)
    except Exception as error:  # of the network's libraries each has kinds of its own
        raise OSError(
            f"models.{name}: could not fetch https://huggingface.co/{file.repository}/resolve/{file.revision}/"
            f'model.safetensors ({error}); with a copy of it, weights="PATH" needs no connection'
        ) from error
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise ValueError(
            f"models.{name}: {path} has the SHA-256 {found}, expected {file.sha256}; nothing of it was used. "
            "If the download was damaged, delete it and try again"
        )
    return content


def fill(model: Module, content: bytes, name: str, source: Any) -> None:
    """Copy the weights in the content of a file into a new network."""
    from minicnn.interop import load
    from minicnn.interop.state import weights_in

    file = io.BytesIO(content)
    file.name = str(source)  # for errors
    state = torchvision_names(weights_in(load(file), source))
    if getattr(model, "aux_logits", None) is False:  # GoogLeNet without the heads that its file has
        state = {key: value for key, value in state.items() if not key.startswith(("aux1.", "aux2."))}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise RuntimeError(
            f"models.{name}: the weights of {source} do not fit; if only the classes differ, load them with "
            f"the file's num_classes and then replace the last layer. {error}"
        ) from error


VGG_LAYERS = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}


def torchvision_names(state: dict[str, Any]) -> dict[str, Any]:
    """Weights under torchvision's names of today.

    timm has VGG's linear layers as convolutions over the whole picture, (O, C, 7, 7) and (O, C, 1, 1) for
    (O, 49 C) and (O, C); torchvision's own files of DenseNet have norm.1 and conv.1 for norm1 and conv1.
    """
    renamed = {}
    for key, value in state.items():
        layer, _, parameter = key.rpartition(".")
        if layer in VGG_LAYERS and "pre_logits.fc1.weight" in state:
            key = f"{VGG_LAYERS[layer]}.{parameter}"
            value = value.flatten(1) if isinstance(value, Tensor) and value.ndim == 4 else value
        renamed[re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)] = value
    return renamed
