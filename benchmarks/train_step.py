"""The whole training step (zero_grad, forward, loss, backward, Adam) in minicnn and in PyTorch, in turn in
one run.

    python -m benchmarks.train_step [--models lenet5 simplecnn] [--batch-size 64] [--threads 2]
    python -m benchmarks.train_step --device cuda [--tf32]

PyTorch runs in its default mode (eager, torch.optim.Adam as is) and in faster ones (channels_last memory,
fused Adam); the best of all is "best". Ratio = PyTorch's median / minicnn's: above 1, minicnn is faster.

On a GPU minicnn's step is a CUDA graph; PyTorch's is eager and a CUDA graph, or with --compiled that alone.
What comes out is kept in results/train_step_cuda.md; see benchmarks/on_gpu/steps.py.
"""

import argparse
import os
import sys
from collections.abc import Callable

import numba
import numpy as np
import torch

import minicnn as mc
from benchmarks import gpu
from benchmarks.timing import alternate, median_ms, spread_ms

INPUTS = {
    "lenet5": (1, 32, 32),
    "simplecnn": (1, 28, 28),
    "simplecnn_cifar": (3, 32, 32),
    "resnet18_cifar": (3, 32, 32),
    "resnet50": (3, 224, 224),
}


def torch_twin(model: mc.nn.Module, name: str = "") -> torch.nn.Module:
    """The same layers in PyTorch, with the same weights."""
    if name.startswith("resnet"):
        from tests.zoo.compare import same_weights
        from tests.zoo.resnet import TWINS

        twin = TWINS[name]()
        same_weights(model, twin)
        return twin
    layers: list[torch.nn.Module] = []
    for layer in model.children():
        kind = getattr(torch.nn, type(layer).__name__)
        if isinstance(layer, mc.nn.Conv2d):
            layers.append(
                kind(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding)
            )
        elif isinstance(layer, mc.nn.Linear):
            layers.append(kind(layer.in_features, layer.out_features))
        elif isinstance(layer, mc.nn.MaxPool2d | mc.nn.AvgPool2d):
            layers.append(kind(layer.kernel_size))
        else:
            layers.append(kind())
    twin = torch.nn.Sequential(*layers)
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.detach().numpy()))
    return twin


def minicnn_step(
    model: mc.nn.Module, x: np.ndarray, y: np.ndarray, device: str = "cpu"
) -> Callable[[], object]:
    """A training step in minicnn; on a GPU it is captured."""
    model.to(device)
    optimizer, loss_fn = mc.optim.Adam(model.parameters(), lr=1e-3), mc.nn.CrossEntropyLoss()
    inputs, targets = mc.from_numpy(x).to(device), mc.from_numpy(y).to(device)

    def step() -> mc.Tensor:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step if device == "cpu" else mc.cuda.graph(step)


def torch_step(
    model: torch.nn.Module, x: np.ndarray, y: np.ndarray, fused: bool, last: bool
) -> Callable[[], object]:
    """A training step in PyTorch."""
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    if last:
        model, inputs = (
            model.to(memory_format=torch.channels_last),
            inputs.to(memory_format=torch.channels_last),
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    loss_fn = torch.nn.CrossEntropyLoss()

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def check(
    model: mc.nn.Module, x: np.ndarray, y: np.ndarray, name: str = "", device: str = "cpu", tf32: bool = False
) -> None:
    """Raise AssertionError unless the loss and all gradients agree with PyTorch's, within the rounding."""
    twin = torch_twin(model, name).to(device)
    model.to(device)
    loss, share = (1e-2, 5e-2) if tf32 else (1e-5, 1e-4) if device == "cpu" else (1e-4, 1e-3)
    inputs, targets = (mc.from_numpy(a).to(device) for a in (x, y))
    ours = mc.nn.CrossEntropyLoss()(model(inputs), targets)
    inputs, targets = (torch.from_numpy(a).to(device) for a in (x, y))
    theirs = torch.nn.CrossEntropyLoss()(twin(inputs), targets)
    ours.backward()
    theirs.backward()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=loss)
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        expected = q.grad.cpu().numpy()
        np.testing.assert_allclose(
            p.grad.numpy(force=True), expected, rtol=0, atol=share * np.abs(expected).max(), err_msg=name
        )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=list(INPUTS), help="lenet5 simplecnn; on a GPU more")
    parser.add_argument("--batch-size", type=int, help="64; on a GPU as each model usually has")
    gpu.add_arguments(parser)
    parser.add_argument("--compiled", action="store_true", help="on a GPU compare with torch.compile")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=4.0, help="measuring time for each variant")
    args = parser.parse_args()
    gpu.check_device(parser, args.device, args.tf32)
    if args.device == "cuda":
        from benchmarks.on_gpu import steps

        names = args.models or [*steps.INPUTS]
        sys.exit(not steps.measure(names, args.batch_size, args.tf32, args.compiled, args.results))
    batch_size = args.batch_size or 64
    torch.set_num_threads(args.threads)
    numba.set_num_threads(args.threads)
    print(
        f"batch {batch_size}, {args.threads} threads, PyTorch {torch.__version__}, Numba {numba.__version__}"
    )
    print("milliseconds a step: median (quartiles)")
    rng = np.random.default_rng(0)
    for name in args.models or ["lenet5", "simplecnn"]:
        mc.manual_seed(0)
        x = rng.standard_normal((batch_size, *INPUTS[name]), np.float32)
        y = rng.integers(0, 10, batch_size)
        check(mc.models.create(name, num_classes=10), x, y, name)
        model = mc.models.create(name, num_classes=10)
        modes = {"default": (False, False), "fused": (True, False), "channels_last, fused": (True, True)}
        steps = [minicnn_step(model, x, y)]
        steps += [torch_step(torch_twin(model, name), x, y, *mode) for mode in modes.values()]
        times = alternate(steps, args.seconds)
        ours = median_ms(times[0])
        print(f"{name}\n  {'minicnn':28} {ours:7.2f} ({spread_ms(times[0])})")
        for mode, kept in zip(modes, times[1:], strict=True):
            theirs = median_ms(kept)
            print(f"  {'PyTorch ' + mode:28} {theirs:7.2f} ({spread_ms(kept)})   ratio {theirs / ours:.2f}")
        best = min(map(median_ms, times[1:]))
        print(f"  ratio to PyTorch's best {best / ours:.2f}", flush=True)


if __name__ == "__main__":
    main()
