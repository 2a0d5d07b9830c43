"""The argument ``weights``: torchvision's from the hub (a stand-in here), and files."""

import hashlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import minicnn as mc
from minicnn import models
from minicnn.cli import main
from minicnn.models import pretrained
from parity import assert_close


def weights_like(model):
    """PyTorch's tensors for a state_dict, random ones."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, value in model.state_dict().items():
        whole = value.dtype == np.int64
        state[name] = torch.tensor(5) if whole else torch.randn(value.shape, generator=generator)
    return state


def same(model, state):
    """Whether a model has these weights."""
    found = model.state_dict()
    return found.keys() == state.keys() and all(
        np.array_equal(found[name].numpy(), value.numpy()) for name, value in state.items()
    )


@pytest.fixture(scope="module")
def state():
    return weights_like(models.resnet18())


@pytest.fixture
def hub(tmp_path, monkeypatch, state):
    """huggingface_hub with one file, and its calls; the file's hash is the known one."""
    path, calls = tmp_path / "model.safetensors", []
    save_file(state, path, {"format": "pt"})

    def hf_hub_download(*args, **kwargs):
        calls.append((args, kwargs))
        return str(path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=hf_hub_download))
    known = pretrained.HUB["resnet18"]._replace(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(pretrained.HUB, "resnet18", known)
    return SimpleNamespace(path=path, calls=calls)


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": "hub"},
        {"weights": "IMAGENET1K_V1", "progress": False},
        {"weights": "DEFAULT", "pretrained": False},
        {"weights": models.ResNet18_Weights.DEFAULT},
        {"pretrained": True, "num_classes": 1000},
    ],
    ids=str,
)
def test_the_hub(hub, state, arguments):
    assert same(models.resnet18(**arguments), state)
    where = ("timm/resnet18.tv_in1k", "model.safetensors")
    assert hub.calls == [(where, {"revision": "bbd144b3e5565108aad885f145491d11bc6ce807"})]


@pytest.mark.parametrize("arguments", [(True,), (True, False)])
def test_pretrained_without_its_name(hub, state, arguments):
    assert same(models.resnet18(*arguments), state)
    del hub.calls[:]
    assert models.resnet18(False, num_classes=4).fc.out_features == 4
    assert models.lenet5(3).fc3.out_features == 3
    assert hub.calls == []


def test_create_and_no_weights(hub, state):
    assert same(models.create("resnet18", weights="hub"), state)
    del hub.calls[:]
    for model in (
        models.resnet18(weights=None, progress=True),
        models.resnet18(pretrained=False),
        models.create("resnet18", weights=None, num_classes=4),
    ):
        assert not same(model, state)
    assert hub.calls == []


def test_another_file_is_refused(hub):
    content = bytearray(hub.path.read_bytes())
    content[-1] ^= 1
    hub.path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{re.escape(str(hub.path))} has the SHA-256 \w{{64}}, expected"):
        models.resnet18(weights="hub")


def test_nothing_is_read_before_the_hash_is_right(hub, monkeypatch):
    monkeypatch.setattr(mc.interop, "load", lambda *unused: pytest.fail("read"))
    hub.path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="nothing of it was used"):
        models.resnet18(weights="hub")


def test_without_huggingface_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"models\.resnet18: .* pip install huggingface_hub"):
        models.resnet18(weights="hub")


def test_without_a_connection(monkeypatch):
    def hf_hub_download(*args, **kwargs):
        raise ConnectionError("name or service not known")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=hf_hub_download))
    words = (
        r"fetch https.*/vgg16.tv_in1k/resolve/b8d8aa2.* \(name or service not known\); with a copy of it, "
    )
    with pytest.raises(OSError, match=words):
        models.vgg16(weights="hub")


def test_other_classes(hub, tmp_path, state):
    with pytest.raises(ValueError, match="1000 classes, got num_classes=10; load them without num_classes"):
        models.resnet18(weights="hub", num_classes=10)
    assert hub.calls == []
    words = (
        r"then replace the last layer.*\n\tsize mismatch: fc\.weight has shape .*\n\tsize mismatch: fc\.bias"
    )
    with pytest.raises(RuntimeError, match=words):
        models.create("resnet18", weights=hub.path, num_classes=10)
    model = models.resnet18(weights="hub")
    model.fc = mc.nn.Linear(512, 10)
    assert model(mc.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("make", [str, Path])
def test_paths(tmp_path, make):
    wanted = weights_like(models.create("lenet5"))
    torch.save(wanted, tmp_path / "net.pth")
    save_file(wanted, tmp_path / "net.safetensors")
    for name in ("net.pth", "net.safetensors"):
        assert same(models.create("lenet5", weights=make(tmp_path / name)), wanted)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {f"module.{name}": value for name, value in state.items()},
    ],
    ids=["state_dict", "parallel", "module"],
)
def test_weights_among_other_things(tmp_path, wrap):
    wanted = weights_like(models.lenet5())
    torch.save(wrap(wanted), tmp_path / "net.pth")
    assert same(models.lenet5(weights=tmp_path / "net.pth"), wanted)
    assert main(["weights", "convert", str(tmp_path / "net.pth")]) == 0
    assert mc.load(tmp_path / "net.safetensors").keys() == wanted.keys()


def test_a_file_without_weights(tmp_path):
    torch.save({"state_dict": {"a": 1}}, tmp_path / "net.pth")
    with pytest.raises(
        ValueError, match=r"net\.pth: expected a dict of names to Tensors, by itself or as state"
    ):
        models.lenet5(weights=tmp_path / "net.pth")


def test_weights_of_googlenet(tmp_path):
    """They want pictures as they have learnt them, and come with heads that need not be kept."""
    wanted = weights_like(models.googlenet(num_classes=3, init_weights=False))
    save_file(wanted, tmp_path / "net.safetensors")
    given = {"weights": tmp_path / "net.safetensors", "num_classes": 3, "init_weights": False}
    model = models.googlenet(**given)
    assert same(model, wanted)
    assert model.transform_input
    assert not models.googlenet(init_weights=False).transform_input
    model = models.create("googlenet", **given, aux_logits=False, transform_input=False)
    assert not model.transform_input
    assert model.aux1 is model.aux2 is None
    assert same(model, {name: value for name, value in wanted.items() if not name.startswith("aux")})


def test_files_from_before_batches_were_counted(tmp_path, state):
    """As in PyTorch; torchvision's oldest files are such."""
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    model = models.resnet18(weights=tmp_path / "old.pth")
    assert model.bn1.num_batches_tracked.item() == 0
    np.testing.assert_array_equal(model.fc.weight.detach().numpy(), state["fc.weight"])
    del old["bn1.bias"]
    with pytest.raises(RuntimeError, match=r"ResNet:\n\tmissing key: bn1\.bias$"):
        models.resnet18().load_state_dict({name: mc.tensor(value.numpy()) for name, value in old.items()})


@pytest.mark.parametrize(
    ("name", "weights", "error", "words"),
    [
        (
            "resnet50",
            "IMAGENET1K_V2",
            ValueError,
            "no IMAGENET1K_V2 to fetch; download .* weights convert",
        ),
        ("resnet50", models.ResNet50_Weights.IMAGENET1K_V2, ValueError, 'and weights="FILE.safetensors"'),
        ("vit_b_16", "hub", ValueError, "no IMAGENET1K_V1 to fetch; .* is there for densenet121, resnet18, "),
        (
            "vit_b_16",
            models.ViT_B_16_Weights.DEFAULT,
            ValueError,
            "models.vit_b_16: there is no IMAGENET",
        ),
        ("lenet5", "hub", ValueError, "models.lenet5: there is no IMAGENET1K_V1 to fetch"),
        ("vgg16", models.VGG19_Weights.DEFAULT, ValueError, "models.vgg16: got the weights of vgg19"),
        ("resnet18", "imagenet", FileNotFoundError, "imagenet"),
        ("resnet18", True, TypeError, 'expected weights as "hub" or a path, got bool'),
    ],
    ids=str,
)
def test_weights_that_are_not_there(name, weights, error, words):
    with pytest.raises(error, match=words):
        models.create(name, weights=weights)


def test_the_pins():
    for name, file in pretrained.HUB.items():
        assert file.repository == f"timm/{name}.tv_in1k"
        assert re.fullmatch("[0-9a-f]{40}", file.revision)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
    assert {name.lower() for name in pretrained.NAMES} <= set(models.list())
    assert len({file.sha256 for file in pretrained.HUB.values()}) == len(pretrained.HUB)


def test_the_enumerations():
    assert models.ResNet18_Weights["DEFAULT"] is models.ResNet18_Weights.IMAGENET1K_V1
    assert str(models.VGG11_BN_Weights.DEFAULT) == "VGG11_BN_Weights.IMAGENET1K_V1"
    with pytest.raises(AttributeError, match=r"'minicnn\.models' has no attribute 'ResNet19_Weights'"):
        models.ResNet19_Weights  # noqa: B018


def test_the_pictures_they_have_learnt():
    from PIL import Image

    picture = Image.new("RGB", (300, 280), (255, 0, 102))
    got = models.ResNet18_Weights.DEFAULT.transforms()(picture)
    expected = torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, (0.4 - 0.406) / 0.225])
    assert_close(got, expected[:, None, None].expand(3, 224, 224))


@pytest.mark.parametrize(
    ("weights", "size", "crop"),
    [
        (models.GoogLeNet_Weights.DEFAULT, 256, 224),
        (models.ResNet50_Weights.IMAGENET1K_V2, 232, 224),
        (models.MobileNet_V2_Weights.IMAGENET1K_V1, 256, 224),
        (models.ConvNeXt_Tiny_Weights.DEFAULT, 236, 224),
        (models.EfficientNet_B1_Weights.IMAGENET1K_V1, 256, 240),
        (models.EfficientNet_B1_Weights.IMAGENET1K_V2, 255, 240),
        (models.ViT_L_16_Weights.DEFAULT, 242, 224),
    ],
    ids=str,
)
def test_pictures_for_weights_that_are_not_on_the_hub(weights, size, crop):
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (size, size + 9, 3), np.uint8)
    got = weights.transforms()(Image.fromarray(image))  # of the size that it is made
    top, left = round((size - crop) / 2), round((size + 9 - crop) / 2)
    part = image[top : top + crop, left : left + crop].transpose(2, 0, 1) / 255
    mean, std = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    np.testing.assert_allclose(got.numpy(), (part - mean) / std, rtol=1e-4, atol=1e-5)
    steps = weights.transforms().transforms
    bicubic = weights is models.EfficientNet_B1_Weights.IMAGENET1K_V1
    assert steps[0].interpolation == ("bicubic" if bicubic else "bilinear")


class ConvHead(torch.nn.Module):
    """VGG's linear layers as timm has them, over 2 channels."""

    def __init__(self):
        super().__init__()
        fc1, fc2 = torch.nn.Conv2d(2, 5, 7), torch.nn.Conv2d(5, 4, 1)
        self.pre_logits = torch.nn.ModuleDict({"fc1": fc1, "fc2": fc2})
        self.head = torch.nn.ModuleDict({"fc": torch.nn.Linear(4, 3)})

    def forward(self, x):
        x = torch.relu(self.pre_logits["fc2"](torch.relu(self.pre_logits["fc1"](x))))
        return self.head["fc"](x.flatten(1))


def test_the_linear_layers_of_vgg():
    theirs = ConvHead()
    state = {name: mc.tensor(value.numpy()) for name, value in theirs.state_dict().items()}
    layers = [mc.nn.Linear(98, 5), mc.nn.ReLU(), mc.nn.Dropout(), mc.nn.Linear(5, 4)]
    layers += [mc.nn.ReLU(), mc.nn.Dropout(), mc.nn.Linear(4, 3)]
    ours = mc.nn.Sequential({"classifier": mc.nn.Sequential(*layers)}).eval()
    ours.load_state_dict(pretrained.torchvision_names(state))
    x = torch.randn(2, 2, 7, 7)
    assert_close(ours(mc.tensor(x.numpy()).flatten(1)), theirs(x))


def test_the_old_names_of_densenet():
    old = "features.denseblock1.denselayer2.norm.1.bias", "features.denseblock4.denselayer16.conv.2.weight"
    new = "features.denseblock1.denselayer2.norm1.bias", "features.denseblock4.denselayer16.conv2.weight"
    assert tuple(pretrained.torchvision_names(dict.fromkeys(old))) == new
    names = list(models.densenet121().state_dict())
    assert set(new) < set(names)
    assert list(pretrained.torchvision_names(dict.fromkeys(names))) == names
