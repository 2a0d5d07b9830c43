"""What the architectures of the table can be asked for: widths, initial weights, auxiliary heads, memory."""

import inspect
import math
import sys
import tracemalloc

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn import models
from zoo import densenet, mobilenet, resnet
from zoo.compare import train_alike


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("multiplier", "widths"),
    [
        (0.35, (16, 8, 8, 16, 24, 32, 56, 112, 1280)),
        (0.5, (16, 8, 16, 16, 32, 48, 80, 160, 1280)),
        (1.4, (48, 24, 32, 48, 88, 136, 224, 448, 1792)),
    ],
)
def test_widths_of_mobilenet_v2(multiplier, widths):
    ours = models.create("mobilenet_v2", num_classes=10, width_mult=multiplier)
    train_alike(ours, mobilenet.second(widths), (4, 3, 39, 45), 0.01)


def test_widths_of_mobilenet_v1():
    train_alike(models.mobilenet_v1(10, width_mult=0.25), mobilenet.first(0.25), (4, 3, 39, 45), 0.01)


@pytest.mark.parametrize(("name", "shape"), [("resnet18", (4, 3, 64, 64)), ("resnet20", (4, 3, 32, 32))])
def test_training_in_float32(name, shape):
    """One step; rounding errors grow from step to step, PyTorch's too."""
    train_alike(models.create(name, num_classes=10), resnet.TWINS[name](), shape, 0.01, np.float32, steps=1)


DEVIATIONS = [
    ("alexnet", {"classifier.1.weight": 1 / math.sqrt(3 * 9216)}),  # as layers start on their own
    ("alexnet_2012", {"features.8.weight": 0.01, "classifier.4.weight": 0.01}),
    ("densenet121", {"features.denseblock4.denselayer1.conv1.weight": math.sqrt(2 / 512)}),
    ("googlenet", {"inception4b.branch2.0.conv.weight": 0.01, "aux1.fc1.weight": 0.01}),
    ("mobilenet_v1", {"features.13.1.0.weight": math.sqrt(2 / 1024)}),
    ("mobilenet_v2", {"features.17.conv.2.weight": math.sqrt(2 / 320), "classifier.1.weight": 0.01}),
    (
        "resnet18_cifar",
        {"layer4.0.conv1.weight": math.sqrt(2 / (9 * 512)), "conv1.weight": math.sqrt(2 / (9 * 64))},
    ),
    ("resnet20", {"layer3.1.conv1.weight": math.sqrt(2 / (9 * 64))}),
    ("resnet50", {"layer3.0.downsample.0.weight": math.sqrt(2 / 1024)}),
    ("vgg11_bn", {"features.4.weight": math.sqrt(2 / (9 * 128)), "classifier.3.weight": 0.01}),
]


@pytest.mark.parametrize(("name", "deviations"), DEVIATIONS)
def test_initial_weights(name, deviations):
    state = models.create(name).state_dict()
    for key, std in deviations.items():
        weight = state[key].numpy()
        assert abs(weight.std() / std - 1) < 5 / math.sqrt(weight.size), key
        assert abs(weight.mean()) < 5 * std / math.sqrt(weight.size), key


def test_initial_biases_of_the_original_alexnet():
    model = models.alexnet_2012(num_classes=10)
    weighted = [m for m in model.modules() if isinstance(m, mc.nn.Conv2d | mc.nn.Linear)]
    assert [m.bias.unique().tolist() for m in weighted] == [[0], [1], [0], [1], [1], [1], [1], [0]]
    assert [m.groups for m in weighted[:5]] == [1, 2, 1, 2, 2]


def test_vgg_may_keep_the_weights_of_its_layers():
    features = models.vgg.make_layers([8, "M", 512, "M"])
    bound = 1 / math.sqrt(8 * 9)
    model = models.VGG(features, num_classes=3, init_weights=False)
    assert 0.99 * bound < abs(model.features[3].weight).max().item() <= bound
    assert model(mc.zeros(1, 3, 28, 28)).shape == (1, 3)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_blocks_that_start_as_the_identity(name):
    model = models.create(name, num_classes=5, zero_init_residual=True)
    for block in model.layer2[1:]:
        x = mc.rand(2, 128 * block.expansion, 5, 7)
        assert (block(x) == x).all()
    assert any(p.any() for p in model.layer2[1].conv1.parameters())


def test_resnet_with_another_normalisation():
    model = models.resnet18(num_classes=5, norm_layer=lambda channels: mc.nn.GroupNorm(4, channels))
    assert not list(model.buffers())
    assert count(model) == 11_689_512 - 512 * 995 - 995
    assert model(mc.zeros(1, 3, 33, 33)).shape == (1, 5)


def test_mobilenet_with_another_normalisation():
    model = models.mobilenet_v2(num_classes=5, norm_layer=lambda channels: mc.nn.GroupNorm(4, channels))
    assert not list(model.buffers())
    assert count(model) == 3_504_872 - 1281 * 995
    assert model(mc.zeros(1, 3, 33, 33)).shape == (1, 5)


def test_convnext_with_another_normalisation():
    stages = [models.convnext.CNBlockConfig(8, 12, 1), models.convnext.CNBlockConfig(12, None, 1)]
    model = models.ConvNeXt(stages, num_classes=5, norm_layer=lambda channels: mc.nn.GroupNorm(2, channels))
    kinds = [type(m).__name__ for m in model.modules() if "Norm" in type(m).__name__]
    assert kinds == ["GroupNorm", "LayerNorm", "GroupNorm", "LayerNorm", "GroupNorm"]
    assert model(mc.zeros(1, 3, 32, 32)).shape == (1, 5)


def test_small_resnets_for_grey_pictures():
    for name in ("resnet18_cifar", "resnet20"):
        model = models.create(name, num_classes=7, in_channels=1)
        assert model(mc.zeros(2, 1, 28, 28)).shape == (2, 7)


def test_googlenet_without_auxiliary_heads():
    model = models.googlenet(aux_logits=False)
    assert count(model) == 6_624_904
    assert not [key for key in model.state_dict() if key.startswith("aux")]
    assert model(mc.zeros(2, 3, 64, 64)).shape == (2, 1000)


def test_googlenet_gives_auxiliary_scores_in_training_only():
    model = models.googlenet(num_classes=4, init_weights=False)
    x = mc.randn(2, 3, 64, 64)
    scores = model(x)
    assert scores._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [tuple(s.shape) for s in scores] == [(2, 4)] * 3
    assert model.eval()(x).shape == (2, 4)


def test_googlenet_transforms_pictures():
    model = models.googlenet(num_classes=4, init_weights=False).eval()
    x = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    by_imagenet, by_half = (torch.from_numpy(x) - mean) / std, (torch.from_numpy(x) - 0.5) / 0.5
    expected = model(mc.tensor(by_half.numpy())).detach().numpy()
    model.transform_input = True
    scores = model(mc.tensor(by_imagenet.numpy())).detach().numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def kept_bytes(layers, memory_efficient):
    """Memory that a dense block holds between forward and backward, in arrays of one layer's result."""
    block = models.densenet._DenseBlock(layers, 16, 4, 8, 0.0, memory_efficient)
    x = mc.rand(2, 16, 30, 34)
    block(x)  # the first call may compile
    tracemalloc.start()
    y = block(x)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return kept / y[:, :8].array.nbytes


def test_memory_of_a_dense_block_grows_with_its_layers_not_their_square():
    few, many = kept_bytes(10, True), kept_bytes(20, True)
    # The input is 2 units; each layer keeps 4 on either side of its inner normalisation, and its result,
    # which is in the block's output once more.
    assert many < 2 + 20 * 10 + 2
    assert few > 2 + 10 * 10 - 2
    assert kept_bytes(20, False) > 2 * many


def test_a_dense_network_that_keeps_its_concatenations():
    ours = models.densenet121(num_classes=10, memory_efficient=False)
    train_alike(ours, densenet.DenseNet(), (4, 3, 45, 61), 0.01)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_a_partly_frozen_dense_layer(training):
    """In training, backward makes the concatenation anew, and gives only the gradients wanted."""
    layers = [
        models.densenet._DenseLayer(6, 4, 4, 0.0, efficient).double().train(training)
        for efficient in (True, False)
    ]
    layers[1].load_state_dict(layers[0].state_dict())
    values = np.random.default_rng(0).standard_normal((2, 2, 3, 5, 7))
    results = []
    for layer in layers:
        layer.norm1.running_mean.fill_(0.3)
        layer.norm1.weight.requires_grad_(False)
        a, b = mc.tensor(values[0], requires_grad=True), mc.tensor(values[1])
        y = layer([a, b])
        (y * y).sum().backward()
        assert layer.norm1.weight.grad is None
        results.append([y, a.grad, layer.norm1.bias.grad, layer.conv1.weight.grad, layer.conv2.weight.grad])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-12, atol=1e-13)


def test_dense_layers_drop_out():
    layer = models.densenet._DenseLayer(6, 32, 4, 0.5, True)
    dropped = (layer([mc.rand(2, 6, 9, 9)]) == 0).numpy().mean()
    assert 0.45 < dropped < 0.55


def faulty_momentum(model):
    model.layer2[1].bn2.momentum = 0.1001


def faulty_gradient(model):
    model.conv1.weight.register_hook(lambda grad: grad * 1.001)


@pytest.mark.parametrize("fault", [faulty_momentum, faulty_gradient])
def test_the_comparison_finds_faults(fault):
    model = models.resnet20()
    fault(model)
    with pytest.raises(AssertionError, match=r"bn2\.running_|gradient of conv1\.weight"):
        train_alike(model, resnet.TWINS["resnet20"](), (4, 3, 32, 32), 0.01)


BUILDERS = [
    name
    for name in models.list()
    if "kwargs" in inspect.signature(models.MODELS[name]).parameters and name != "yolov1"
]


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_takes_the_keywords_of_its_class(name, monkeypatch):
    """All that have a usual value, and the dropout that EfficientNet asks for."""
    build = models.MODELS[name]
    kind = inspect.signature(build).return_annotation
    parameters = inspect.signature(kind).parameters
    given = {key: object() for key, p in parameters.items() if p.default is not p.empty or key == "dropout"}
    calls = []

    def record(*args, **kwargs):
        calls.append(inspect.signature(kind).bind(*args, **kwargs).arguments)
        return mc.nn.Module()

    monkeypatch.setattr(sys.modules[build.__module__], kind.__name__, record)
    build(**given)
    assert {key: calls[0][key] for key in given} == given


def test_what_a_vision_transformer_tells_of_itself():
    model = models.VisionTransformer(32, 16, 1, 2, 8, 12, 0.1, 0.2, 5, 6)
    sizes = model.hidden_dim, model.mlp_dim, model.num_classes, model.representation_size
    assert sizes == (8, 12, 5, 6)
    assert (model.dropout, model.attention_dropout) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("name", "parameters"), [("resnext50_32x4d", 25_028_904), ("wide_resnet50_2", 68_883_240)]
)
def test_residual_networks_of_other_widths(name, parameters, monkeypatch):
    monkeypatch.setattr(models.resnet, "initialize", lambda *unused: None)
    assert count(models.create(name)) == parameters
    assert count(getattr(models, name)(num_classes=10)) == parameters - 990 * 2049


def test_residual_networks_that_keep_the_size():
    def make(**kwargs):
        return models.ResNet(models.resnet.Bottleneck, [1, 2, 1, 2], num_classes=3, **kwargs).eval()

    strided, dilated = make(), make(replace_stride_with_dilation=[False, True, True])
    dilated.load_state_dict(strided.state_dict())
    x = mc.randn(1, 3, 64, 64)

    def stages(model):
        y = model.layer2(model.layer1(model.maxpool(model.relu(model.bn1(model.conv1(x))))))
        z = model.layer3(y)
        return z, model.layer4(z)

    with mc.no_grad():
        (a3, a4), (b3, b4) = stages(strided), stages(dilated)
    assert b3.shape[2:] == b4.shape[2:] == (8, 8)
    assert a4.shape[2:] == (2, 2)
    # The first block of a stage is not yet dilated: every second position is the strided network's.
    np.testing.assert_allclose(b3[:, :, ::2, ::2].numpy(), a3.numpy(), rtol=1e-4, atol=1e-5)
    assert [b.conv2.dilation for b in (*dilated.layer3, *dilated.layer4)] == [(1, 1), (2, 2), (4, 4)]
    assert [b.conv2.padding for b in (*dilated.layer3, *dilated.layer4)] == [(1, 1), (2, 2), (4, 4)]


@pytest.mark.parametrize(
    "arguments", [{"groups": 2}, {"width_per_group": 128}, {"replace_stride_with_dilation": [True] * 3}]
)
def test_basic_blocks_are_neither_grouped_nor_dilated(arguments):
    with pytest.raises(ValueError, match="BasicBlock: expected groups=1, base_width=64 and dilation=1, got"):
        models.resnet18(**arguments)
    with pytest.raises(ValueError, match="None or three bools"):
        models.resnet50(replace_stride_with_dilation=[True])


def test_every_name_is_a_function():
    for name in models.list():
        assert getattr(models, name) is models.MODELS[name]
    assert type(models.lenet5(4)) is models.LeNet5
    assert models.simplecnn(num_classes=4, in_channels=2)(mc.zeros(1, 2, 28, 28)).shape == (1, 4)
    assert models.threeconv()(mc.zeros(1, 1, 28, 28)).shape == (1, 10)
    assert models.twolayer(3)(mc.zeros(1, 1, 28, 28)).shape == (1, 3)
