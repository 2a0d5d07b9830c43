"""Models on a GPU: random masks, what moves and what is saved, and LeNet-5 in training.

The GPU is that of the machine with ``--device cuda``, and else the emulated one.
"""

import copy
import importlib
import io
import pickle
from typing import Any

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from dialect.check import compare
from minicnn.models import detection, yolo
from minicnn.models.convnext import CNBlockConfig
from minicnn.models.efficientnet import MBConvConfig
from minicnn.models.unet import dice, dice_loss, iou

# chance


@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.3), nn.Dropout2d(0.3), nn.StochasticDepth(0.3, "row")], ids=str
)
def test_masks_are_drawn_there(layer, cuda):
    x = mc.ones(4000, 3, 2, 2, device=cuda, requires_grad=True)
    mc.manual_seed(5)
    y, other = layer(x), layer(x)
    mc.manual_seed(5)
    assert y.is_cuda and y.equal(layer(x)) and not y.equal(other)
    assert y.detach().unique().tolist() == [0, pytest.approx(1 / 0.7)]
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    y.sum().backward()
    assert x.grad.equal(y.detach())


def test_a_recorded_graph_copies_nothing_from_the_cpu(cuda, real_gpu, monkeypatch):
    if real_gpu:
        pytest.skip("a real recording is another test")
    from emulator import gpu

    x = mc.ones(3, 4, device=cuda)
    layer = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).to(cuda)
    layer(x)
    monkeypatch.setattr(gpu.Stream, "is_capturing", lambda self: True)
    F.cross_entropy(layer(x), mc.zeros(3, device=cuda, dtype=mc.int64)).backward()
    F.nll_loss(x, mc.full((3,), 9, device=cuda, dtype=mc.int64).remainder(4))
    with pytest.raises(RuntimeError, match="a CUDA graph cannot hold a copy from the CPU"):
        mc.ones(2).to(cuda)


# layers with their activations


class Plain(nn.Linear):
    """A layer of the user's own."""


ROWS_OF_LAYERS = {
    "conv": lambda: [nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 2, bias=False), nn.Sigmoid()],
    "circular": lambda: [nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), nn.ReLU(inplace=True)],
    "linear": lambda: [nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Tanh()],
    "own": lambda: [Plain(6, 5), nn.Tanh(), nn.Tanh(), nn.Linear(5, 1)],
    "repeated": lambda: [nn.Linear(6, 6), nn.Tanh()] * 2,
}


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("name", ROWS_OF_LAYERS)
def test_a_layer_applies_its_activation(name, hooked, cuda):
    """The numbers of one operation are those of two; hooks between them are called."""
    mc.manual_seed(4)
    model, seen = nn.Sequential(*ROWS_OF_LAYERS[name]()), []
    alone = [module for module in model]
    if hooked:
        for module in set(model):
            module.register_forward_hook(lambda module, args, out: seen.append(out))
    x = mc.rand(3, 2, 5, 6, requires_grad=True)
    results = []
    for run, where in ((model, "cpu"), (model, cuda), (one_by_one(alone), cuda)):
        model.to(where)
        model.zero_grad()
        x.grad = None
        y = run(x.to(where))
        (y * y).sum().backward()
        results.append(
            [v.numpy(force=True).copy() for v in (y, x.grad, *(p.grad for p in model.parameters()))]
        )
    for host, together, apart in zip(*results, strict=True):
        np.testing.assert_allclose(together, host, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(together, apart)
    assert len(seen) == (3 * len(alone) if hooked else 0)


def one_by_one(modules):
    """A function that calls modules in a row."""

    def call(x):
        for module in modules:
            x = module(x)
        return x

    return call


# models


def test_a_model_moves(cuda):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    weight = model[0].weight
    model[0].weight.grad = mc.ones(2, 1, 3, 3)
    assert model.to(cuda) is model and model[0].weight is weight and weight.is_leaf
    assert all(x.is_cuda for x in [*model.parameters(), *model.buffers(), weight.grad])
    state = model.state_dict()
    assert all(x.is_cuda for x in state.values())
    here = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    here.load_state_dict(state)
    assert not here[0].weight.is_cuda and here[0].weight.equal(weight.cpu())
    model.load_state_dict(here.state_dict())
    assert weight.is_cuda
    model.cpu()
    assert not any(x.is_cuda for x in [*model.parameters(), *model.buffers(), weight.grad])
    assert model.cuda(0).to(mc.float64)[0].weight.dtype == mc.float64 and weight.is_cuda


def test_saved_and_loaded(cuda, tmp_path):
    state = {"model": {"w": mc.arange(3.0, device=cuda)}, "epoch": 3, "more": [mc.ones(2, device=cuda)]}
    mc.save(state, tmp_path / "state")
    here, there = (mc.load(tmp_path / "state", map_location=where) for where in (None, cuda))
    assert not here["model"]["w"].is_cuda and here["model"]["w"].tolist() == [0, 1, 2]
    assert there["model"]["w"].is_cuda and there["more"][0].is_cuda and there["epoch"] == 3
    stream = io.BytesIO()
    mc.save(state["model"], stream)
    stream.seek(0)
    assert mc.load(stream, map_location=mc.device("cuda:0"))["w"].is_cuda


def test_copied_and_pickled(cuda):
    x = nn.Parameter(mc.arange(3.0, device=cuda))
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.is_cuda and y.requires_grad and isinstance(y, nn.Parameter) and y.tolist() == [0, 1, 2]


def train(device: str, steps: int = 1) -> list[Any]:
    """The losses and weights of LeNet-5 in training."""
    mc.manual_seed(0)
    model = mc.models.LeNet5().to(device)
    optimizer = mc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images, labels = mc.rand(2, 1, 32, 32, device=device), mc.randint(10, (2,), device=device)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert {x.device.type for x in model.parameters()} == {device}
    assert momenta(optimizer) == {device}
    mc.save(optimizer.state_dict(), stream := io.BytesIO())
    stream.seek(0)
    optimizer.load_state_dict(mc.load(stream))
    assert momenta(optimizer) == {device}
    return [losses, [x.detach().cpu().numpy() for x in model.parameters()]]


def momenta(optimizer: mc.optim.Optimizer) -> set[str]:
    """Where an optimizer keeps its memories."""
    return {memory["momentum_buffer"].device.type for memory in optimizer.state.values()}


def test_lenet_trains_as_by_definition(device):
    """On the CPU and on the GPU as with the reference kernels."""
    with importlib.import_module("minicnn.device").use_kernels("reference"):
        expected = train("cpu")
    compare(train(device), expected, "float32", "")


def test_lenet_trains_on_as_on_the_cpu(cuda):
    compare(train(cuda, steps=3), train("cpu", steps=3), "float32", "")


# the zoo, as small as its classes allow

VIT = {"image_size": 8, "patch_size": 4, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 12}
DENSE = {"growth_rate": 4, "block_config": (2, 2), "num_init_features": 8, "bn_size": 2}
ROWS = [MBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(4, 5, 2, 8, 16, 1)]
NETS = {  # and the size of the pictures
    "convnext": (lambda: mc.models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)]), 16),
    "densenet": (lambda: mc.models.DenseNet(**DENSE, memory_efficient=False), 32),
    "densenet in little memory": (lambda: mc.models.DenseNet(**DENSE), 32),
    "efficientnet": (lambda: mc.models.EfficientNet(ROWS, dropout=0, stochastic_depth_prob=0), 16),
    "mobilenet_v2": (lambda: mc.models.MobileNetV2(10, 0.25, [(1, 8, 1, 1), (2, 16, 1, 2)], dropout=0), 16),
    "resnet20": (lambda: mc.models.create("resnet20"), 8),
    "unet": (lambda: mc.models.UNet(3, 3, 4, 2), 16),
    "unet without padding": (lambda: mc.models.UNet(3, 3, 4, 1, padding=0), 30),
    "vit": (lambda: nn.Sequential(mc.models.VisionTransformer(**VIT, num_classes=5), nn.Linear(5, 2)), 8),
    "yolo": (lambda: detector(yolo.ConvHead(8, 3, hidden=8)), 8),
    "yolo with a connected head": (lambda: detector(yolo.ConnectedHead(8, 3, grid=4, hidden=8)).eval(), 8),
}
SLOW = {"convnext", "efficientnet", "mobilenet_v2", "resnet20"}


def detector(head: nn.Module) -> mc.models.YOLO:
    """YOLO on a single convolution."""
    return mc.models.YOLO(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(0.1, inplace=True)), head)


def some_boxes(device: str) -> list[dict[str, mc.Tensor]]:
    """What is in two pictures: two objects, and none."""
    boxes, labels = mc.tensor([[0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 0.9, 0.8]]), mc.tensor([1, 2])
    return [{"boxes": boxes[:n].to(device), "labels": labels[:n].to(device)} for n in (2, 0)]


def a_step(name: str, device: str) -> dict[str, np.ndarray]:
    """What a net is after a step, and its gradients."""
    make, size = NETS[name]
    mc.manual_seed(1)
    model = make().to(mc.float64).to(device)
    optimizer = mc.optim.Adam(model.parameters())
    x = mc.tensor(np.random.default_rng(0).standard_normal((2, 3, size, size)), device=device)
    y = model(x)
    if isinstance(model, mc.models.YOLO):
        loss = model.loss(y, some_boxes(device))
    else:
        loss = F.cross_entropy(y, mc.ones(2, *y.shape[2:], dtype=mc.int64, device=device))
    loss.backward()
    optimizer.step()
    found = {"loss": loss, **model.state_dict()}
    found |= {f"gradient of {name}": p.grad for name, p in model.named_parameters()}
    return {name: value.numpy(force=True) for name, value in found.items()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NETS]
)
def test_a_net_trains_there_as_here(name, cuda):
    here, there = (a_step(name, device) for device in ("cpu", cuda))
    largest = max(np.abs(value).max() for key, value in here.items() if key.startswith("gradient"))
    for key, value in here.items():
        np.testing.assert_allclose(there[key], value, rtol=1e-5, atol=1e-7 * largest, err_msg=key)


def test_a_detectors_step_is_captured(cuda):
    """With its targets as cells of one shape; it then gives what it gives with a list of boxes."""
    x, results = mc.tensor(np.random.default_rng(0).random((2, 3, 8, 8), np.float32), device=cuda), []
    boxes, cells = some_boxes("cpu"), yolo.yolo_cells(some_boxes("cpu"), 4, 4, 3).to(cuda)
    for captured in (False, True):
        mc.manual_seed(1)
        model = detector(yolo.ConvHead(8, 3, hidden=8)).to(cuda)
        optimizer = mc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x, targets, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = model.loss(model(x), targets)
            loss.backward()
            optimizer.step()
            return loss

        step = mc.cuda.graph(step, warmup=1) if captured else step
        losses = [step(x, cells if captured else boxes).item() for _ in range(4)]
        assert not captured or len(step.recordings) == 1
        results.append([losses, *(value.numpy(force=True) for value in model.state_dict().values())])
    for eager, replayed in zip(*results, strict=True):
        np.testing.assert_array_equal(eager, replayed)


def test_what_models_are_measured_by(cuda):
    rng = np.random.default_rng(2)
    boxes = np.sort(rng.random((9, 2, 2)), 1).reshape(9, 4)
    given = (
        boxes,
        rng.random(9),
        rng.integers(0, 2, 9),
        rng.random((2, 3, 5, 4)),
        rng.integers(0, 3, (2, 5, 4)),
    )

    def everything(device: str) -> list[Any]:
        boxes, scores, labels, maps, areas = (mc.tensor(x, device=device) for x in given)
        mc.manual_seed(0)
        model = detector(yolo.ConvHead(8, 3, hidden=8)).to(device).eval()
        found = model.detect(mc.ones(2, 3, 8, 8, device=device), score_threshold=-1.0)
        assert {x.device.type for one in found for x in one.values()} == {device}
        said, true = (
            {"boxes": boxes, "scores": scores, "labels": labels},
            {"boxes": boxes, "labels": 1 - labels},
        )
        tensors = [
            *(detection.box_iou(boxes, boxes[:3]), detection.nms(boxes, scores, 0.3)),
            *(detection.batched_nms(boxes, scores, labels, 0.3), dice_loss(maps, areas)),
            *(one[key] for one in found for key in ("boxes", "scores", "labels")),
        ]
        figures = [dice(maps, areas), iou(maps, areas), detection.mean_average_precision([said], [true])]
        return [*(x.numpy(force=True) for x in tensors), *figures]

    for here, there in zip(everything("cpu"), everything(cuda), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-6)


def test_a_summary(cuda):
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 2)]
    model = nn.Sequential(*layers)
    here, there = (mc.summary(model.to(device), (3, 8, 8)) for device in ("cpu", cuda))
    assert here == there and model[0].weight.is_cuda
    assert all(row.seconds > 0 for row in mc.summary(model, (3, 8, 8), time=True).rows)
