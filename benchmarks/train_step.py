"""The whole training step (zero_grad, forward, loss, backward, Adam) in minicnn and in PyTorch, in turn in
one run.

    python -m benchmarks.train_step [--models lenet5 simplecnn] [--batch-size 64] [--threads 2]

PyTorch runs in its default mode (eager, torch.optim.Adam as is) and in faster ones (channels_last memory,
fused Adam); the best of all is "best". Ratio = PyTorch's median / minicnn's: above 1, minicnn is faster.
"""

import argparse
import os
from collections.abc import Callable

import numba
import numpy as np
import torch

import minicnn as mc
from benchmarks.timing import alternate, median_ms, spread_ms

INPUTS = {"lenet5": (1, 32, 32), "simplecnn": (1, 28, 28), "simplecnn_cifar": (3, 32, 32)}


def torch_twin(model: mc.nn.Module) -> torch.nn.Module:
    """The same layers in PyTorch, with the same weights."""
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


def minicnn_step(model: mc.nn.Module, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """A training step in minicnn."""
    optimizer, loss_fn = mc.optim.Adam(model.parameters(), lr=1e-3), mc.nn.CrossEntropyLoss()
    inputs, targets = mc.from_numpy(x), mc.from_numpy(y)

    def step() -> mc.Tensor:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


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


def check(model: mc.nn.Module, x: np.ndarray, y: np.ndarray) -> None:
    """Raise AssertionError unless the loss and all gradients agree with PyTorch's."""
    twin = torch_twin(model)
    ours = mc.nn.CrossEntropyLoss()(model(mc.from_numpy(x)), mc.from_numpy(y))
    theirs = torch.nn.CrossEntropyLoss()(twin(torch.from_numpy(x)), torch.from_numpy(y))
    ours.backward()
    theirs.backward()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-5)
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        expected = q.grad.numpy()
        np.testing.assert_allclose(
            p.grad.numpy(), expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=name
        )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["lenet5", "simplecnn"], choices=list(INPUTS))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=4.0, help="measuring time for each variant")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    numba.set_num_threads(args.threads)
    print(
        f"batch {args.batch_size}, {args.threads} threads, "
        f"PyTorch {torch.__version__}, Numba {numba.__version__}"
    )
    print("milliseconds a step: median (quartiles)")
    rng = np.random.default_rng(0)
    for name in args.models:
        mc.manual_seed(0)
        x = rng.standard_normal((args.batch_size, *INPUTS[name]), np.float32)
        y = rng.integers(0, 10, args.batch_size)
        check(mc.models.create(name), x, y)
        model = mc.models.create(name)
        modes = {"default": (False, False), "fused": (True, False), "channels_last, fused": (True, True)}
        steps = [minicnn_step(model, x, y)]
        steps += [torch_step(torch_twin(model), x, y, *mode) for mode in modes.values()]
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
