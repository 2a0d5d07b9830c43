"""Training steps on a GPU: minicnn's as a CUDA graph, PyTorch's eager, as a CUDA graph, and compiled.

Before a model is timed, its loss and its gradients are compared with those of PyTorch in float64: minicnn
may be as far from them as PyTorch is in the same setting, within a factor, or a little.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import minicnn as mc
from benchmarks import gpu
from benchmarks.report import Table
from benchmarks.timing import loss_of, training_step
from benchmarks.twins import twin as twin_of

INPUTS = {  # as each is usually trained: batch, channels, height, width
    "lenet5": (64, 1, 32, 32),
    "simplecnn": (64, 1, 28, 28),
    "simplecnn_cifar": (64, 3, 32, 32),
    "resnet18_cifar": (256, 3, 32, 32),
    "resnet50": (64, 3, 224, 224),
}
FACTOR = 4.0  # that minicnn may be further from float64 than PyTorch is
# What is no error, of a gradient's length: for a few layers without and with TF32, and for many, where one
# ReLU whose input is rounded to the other side of 0 moves whole gradients.
DEEP = 20  # parameters
FLOOR, DEEP_FLOOR = {False: 1e-4, True: 1e-2}, {False: 3e-2, True: 1e-1}


class Mode(NamedTuple):
    """How PyTorch takes a step."""

    captured: bool = False
    last: bool = False  # channels_last memory
    compiled: bool = False
    settings: dict[str, bool] = {}  # of Adam  # noqa: RUF012


EAGER = {
    "eager": Mode(),
    "eager, fused Adam": Mode(settings={"fused": True}),
    "eager, channels_last, fused Adam": Mode(last=True, settings={"fused": True}),
}
GRAPHS = {
    "CUDA graph": Mode(captured=True, settings={"capturable": True}),
    "CUDA graph, fused Adam": Mode(captured=True, settings={"capturable": True, "fused": True}),
    "CUDA graph, channels_last, fused Adam": Mode(
        captured=True, last=True, settings={"capturable": True, "fused": True}
    ),
}
COMPILED = {"compiled, CUDA graphs, fused Adam": Mode(compiled=True, settings={"fused": True})}


def our_step(model: mc.nn.Module, x: np.ndarray, y: np.ndarray, device: str = "cuda") -> gpu.Call:
    """A training step in minicnn, not captured yet."""
    model.to(device)
    optimizer, loss_fn = mc.optim.Adam(model.parameters(), lr=1e-3), mc.nn.CrossEntropyLoss()
    inputs, targets = mc.from_numpy(x).to(device), mc.from_numpy(y).to(device)
    return training_step(loss_of(model, loss_fn), optimizer, inputs, targets)


def torch_step(
    twin: torch.nn.Module, x: np.ndarray, y: np.ndarray, mode: Mode, device: str = "cuda"
) -> gpu.Call:
    """A training step in PyTorch, with a model of its own."""
    layout = torch.channels_last if mode.last else torch.contiguous_format
    inputs = torch.from_numpy(x).to(device, memory_format=layout)
    targets, loss_fn = torch.from_numpy(y).to(device), torch.nn.CrossEntropyLoss()
    model: Any = copy.deepcopy(twin).to(device, memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **mode.settings)
    if mode.compiled:
        model = torch.compile(model, mode="reduce-overhead")
    step = training_step(loss_of(model, loss_fn), optimizer, inputs, targets)
    return gpu.captured_by_torch(step) if mode.captured else step


def batch(name: str, size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures (N, C, H, W) for a model, and labels (N)."""
    rng, (usual, *shape) = np.random.default_rng(0), INPUTS[name]
    return rng.standard_normal((size or usual, *shape), np.float32), rng.integers(0, 10, size or usual)


def gradients(library: Any, model: Any, inputs: Any, targets: Any) -> list[np.ndarray]:
    """Loss and gradients of a model, in minicnn or PyTorch, in double precision."""
    loss = library.nn.CrossEntropyLoss()(model(inputs), targets)
    loss.backward()
    found = [loss.detach(), *(p.grad for p in model.parameters())]
    return [np.asarray(value.cpu().numpy(), np.float64) for value in found]


def errors(found: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> np.ndarray:
    """The length of each difference, by the length of what is exact."""
    return np.array(
        [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(found, exact, strict=True)], np.float64
    )


def check(
    name: str, x: np.ndarray, y: np.ndarray, tf32: bool, device: str = "cuda", theirs: str = "cuda"
) -> str:
    """Raise AssertionError unless a model's loss and gradients are right; how far they are off, as text.

    Parameters
    ----------
    device, theirs : str
        Where minicnn and PyTorch compute.
    """
    torch.backends.cudnn.benchmark = False  # trials of float64 would take long
    model = mc.models.create(name, num_classes=10)
    twin = twin_of(model)
    double = copy.deepcopy(twin).double().to(theirs)
    twin, images, labels = twin.to(theirs), torch.from_numpy(x).to(theirs), torch.from_numpy(y).to(theirs)
    exact = gradients(torch, double, images.double(), labels)
    their_errors = errors(gradients(torch, twin, images, labels), exact)
    model.to(device)
    our_gradients = gradients(mc, model, mc.from_numpy(x).to(device), mc.from_numpy(y).to(device))
    our_errors = errors(our_gradients, exact)
    floor, most = (DEEP_FLOOR if len(our_errors) > DEEP else FLOOR)[tf32], their_errors.max()
    names = ["loss", *(name for name, _ in model.named_parameters())]
    for what, off in zip(names, our_errors, strict=True):
        if not off <= FACTOR * most + floor:  # NaN is wrong, too
            raise AssertionError(f"{name}: {what} is off by {off:.1e} of its length, PyTorch's by {most:.1e}")
    return f"{our_errors.max():.0e}, PyTorch {most:.0e}"


def measure(
    names: Sequence[str],
    batch_size: int | None,
    tf32: bool,
    compiled: bool,
    results: Path,
    seconds: float = gpu.SECONDS,
) -> bool:
    """Measure the models, print and keep a table; whether all of it succeeded."""
    modes = COMPILED if compiled else {**EAGER, **GRAPHS}
    ending = ("_tf32" if tf32 else "") + ("_compiled" if compiled else "")
    table = Table(
        results / f"train_step_cuda{ending}.md",
        "Training step on the GPU",
        [
            gpu.setting("cuda", tf32),
            "zero_grad, forward, loss, backward, Adam; batches stay on the GPU. Milliseconds a step: median "
            "by CUDA events, in alternating blocks. Ratio = PyTorch's / minicnn's. Error: the largest "
            "distance of a gradient from float64, by its length.",
        ],
        ["model", "", "ms", "ratio", "error"],
    )
    for name in names:
        with table.attempt(name):
            measure_model(table, name, batch(name, batch_size), modes, tf32, seconds)
        gpu.give_back()
    return not table.failed


def measure_model(
    table: Table,
    name: str,
    given: tuple[np.ndarray, np.ndarray],
    modes: dict[str, Mode],
    tf32: bool,
    seconds: float,
) -> None:
    """The rows of a model; a mode of PyTorch's that fails gets a row that says so."""
    x, y = given
    mc.manual_seed(0)
    off = check(name, x, y, tf32)
    torch.backends.cudnn.benchmark = True  # from now on the fastest algorithm for each shape
    model = mc.models.create(name, num_classes=10)
    twin = twin_of(model)
    steps = {"": (mc.cuda.graph(our_step(model, x, y)), gpu.OurEvent)}
    for mode, how in modes.items():
        with table.attempt(name, f"PyTorch, {mode}"):
            step = torch_step(twin, x, y, how)
            step()
            steps[mode] = step, gpu.their_event
    ours, *others = map(gpu.milliseconds, gpu.alternate_on_gpu(list(steps.values()), seconds))
    table.add(f"{name}, batch {len(x)}", "minicnn, CUDA graph", f"{ours:.3f}", "", off)
    for mode, time in zip([*steps][1:], others, strict=True):
        table.add("", f"PyTorch, {mode}", f"{time:.3f}", f"{time / ours:.2f}", "")
