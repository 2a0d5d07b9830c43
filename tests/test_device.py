"""Tensors on a GPU: where they are, what moves them, and what cannot be.

The GPU is that of the machine with ``--device cuda``, and else the emulated one.
"""

import importlib
import re
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F

# where Tensors are


def test_there_and_back(cuda):
    x = mc.arange(6.0).reshape(2, 3)
    y = x.to(cuda)
    assert (str(y.device), y.is_cuda, y.dtype, y.shape) == ("cuda:0", True, x.dtype, x.shape)
    assert y.device == mc.device("cuda", 0) == mc.device(0)
    assert y.to("cuda:0") is y.cuda() is y.cuda(0) is y.to(y) is y.to(mc.device("cuda")) is y
    assert x.cpu() is x.to("cpu") is x and x.to(y).is_cuda and not y.to(x).is_cuda
    assert y.to(cuda, copy=True) is not y
    assert y.cpu().equal(x) and not y.cpu().is_cuda
    assert y.to("cpu", mc.float64).dtype == x.to(cuda, mc.float64).dtype == mc.float64
    assert x.type() == "torch.FloatTensor" and y.type() == "torch.cuda.FloatTensor"


def test_gradients_find_the_way_back(cuda):
    x = mc.tensor([1.0, 2.0], requires_grad=True)
    (x.to(cuda) * mc.tensor([3.0, 4.0], device=cuda)).sum().cpu().backward()
    assert not x.grad.is_cuda and x.grad.tolist() == [3, 4]


def test_numbers_come_out(cuda):
    x = mc.tensor([[1.5, -2.0]], device=cuda)
    assert x.tolist() == [[1.5, -2]] and x[0, 0].item() == float(x[0, 0]) == 1.5 and bool(x[0, 1])
    assert [10, 20][mc.tensor(1, device=cuda)] == 20 and f"{x[0, 1]:.1f}" == "-2.0"
    assert repr(x) == "tensor([[ 1.5000, -2.0000]], device='cuda:0')"
    assert repr(x.double()) == "tensor([[ 1.5000, -2.0000]], device='cuda:0', dtype=float64)"
    assert str(mc.zeros(0, 3, device=cuda)) == "tensor([], device='cuda:0', size=(0, 3))"
    for out in (x.numpy, lambda: np.asarray(x)):
        with pytest.raises(
            TypeError, match=r"can't convert cuda:0 device type tensor to numpy.*Tensor.cpu\(\)"
        ):
            out()
    assert x.numpy(force=True).tolist() == x.cpu().numpy().tolist() == [[1.5, -2]]


MAKES = {
    "tensor": lambda **where: mc.tensor([1, 2], **where),
    "zeros": lambda **where: mc.zeros(2, **where),
    "ones": lambda **where: mc.ones(2, **where),
    "empty": lambda **where: mc.empty(2, **where),
    "full": lambda **where: mc.full((2,), 3, **where),
    "eye": lambda **where: mc.eye(2, **where),
    "arange": lambda **where: mc.arange(2, **where),
    "linspace": lambda **where: mc.linspace(0, 1, 2, **where),
    "logspace": lambda **where: mc.logspace(0, 1, 2, **where),
    "as_tensor": lambda **where: mc.as_tensor(np.ones(2), **where),
    "rand": lambda **where: mc.rand(2, **where),
    "randn": lambda **where: mc.randn(2, **where),
    "randint": lambda **where: mc.randint(9, (2,), **where),
    "randperm": lambda **where: mc.randperm(2, **where),
    "normal": lambda **where: mc.normal(0, 1, (2,), **where),
    "Linear": lambda **where: nn.Linear(2, 1, **where).weight,
    "Conv2d": lambda **where: nn.Conv2d(1, 1, 2, **where).bias,
    "BatchNorm2d": lambda **where: nn.BatchNorm2d(2, **where).running_var,
    "LayerNorm": lambda **where: nn.LayerNorm(2, **where).weight,
    "Embedding": lambda **where: nn.Embedding(2, 1, **where).weight,
    "MultiheadAttention": lambda **where: nn.MultiheadAttention(2, 1, **where).in_proj_weight,
    "Generator": lambda **where: mc.rand(2, generator=mc.Generator(**where), **where),
}


@pytest.mark.parametrize("name", MAKES)
def test_made_there(name, cuda):
    mc.manual_seed(0)
    x = MAKES[name]()
    mc.manual_seed(0)
    y = MAKES[name](device=cuda)
    assert y.is_cuda and y.dtype == x.dtype and y.is_leaf
    assert name == "empty" or y.cpu().equal(x)  # also from one seed


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"])
def test_made_where_another_is(name, cuda):
    x = mc.ones(2, 3, device=cuda)
    assert getattr(mc, name)(x).is_cuda and not getattr(mc, name)(x, device="cpu").is_cuda
    assert mc.full_like(x, 2).is_cuda and x.new_zeros(3).is_cuda and x.new_tensor([1, 2]).is_cuda
    assert mc.tensor(x).is_cuda and mc.as_tensor(x) is x and not mc.tensor(x, device="cpu").is_cuda


# what cannot be


MIXED = {
    "add: x is on cuda:0 but y is on cpu": lambda x, y: x + y,
    "matmul: x is on cpu but y is on cuda:0": lambda x, y: y @ x,
    "less: x is on cuda:0 but y is on cpu": lambda x, y: x < y,
    "where: condition is on cuda:0 but x is on cpu": lambda x, y: mc.where(x > 0, y, y),
    "linear: x is on cuda:0 but weight is on cpu": lambda x, y: F.linear(x, y),
    "linear: x is on cuda:0 but bias is on cpu": lambda x, y: F.linear(x, x, y[0]),
    "cat: tensors[0] is on cuda:0 but tensors[1] is on cpu": lambda x, y: mc.cat([x, y]),
    "stack: tensors[0] is on cpu but tensors[1] is on cuda:0": lambda x, y: mc.stack([y, x]),
    "gather: input is on cuda:0 but index is on cpu": lambda x, y: x.gather(0, y.long()),
    "index: the Tensor is on cpu but its index is on cuda:0": lambda x, y: y[x.long()],
    "index: the Tensor is on cuda:0 but its new value is on cpu": lambda x, y: x.__setitem__(0, y[0]),
    "cross_entropy: input is on cuda:0 but target is on cpu": lambda x, y: F.cross_entropy(x, y[0].long()),
    "nll_loss: input is on cuda:0 but weight is on cpu": lambda x, y: F.nll_loss(x, x[0].long(), y[0]),
    "batch_norm: x is on cuda:0 but running_mean is on cpu": lambda x, y: F.batch_norm(x, y[0], y[0]),
    "embedding: table is on cpu but index is on cuda:0": lambda x, y: F.embedding(x.long(), y),
    "grad: the Tensor is on cuda:0 but its gradient is on cpu": lambda x, y: setattr(x, "grad", y),
    "SGD: a parameter is on cpu but its gradient is on cuda:0": lambda x, y: stale_step(x, y),
    "Adam.step: a parameter is on cuda:0 but its exp_avg is on cpu": lambda x, y: moved_late(x, y),
    "Adam.step: a parameter is on cpu but its exp_avg is on cuda:0": lambda x, y: moved_late(y, x),
}


def stale_step(x: mc.Tensor, y: mc.Tensor) -> None:
    """A step of a parameter whose memory was moved under its gradient."""
    parameter = nn.Parameter(x)
    parameter.grad = x
    parameter.data = y
    mc.optim.SGD([parameter], lr=0.1).step()


def moved_late(there: mc.Tensor, here: mc.Tensor) -> None:
    """A step of a parameter that was moved after its optimizer's first step."""
    parameter = nn.Parameter(here)
    optimizer = mc.optim.Adam([parameter])
    for place in (here, there):
        parameter.data = place
        parameter.grad = place
        optimizer.step()


@pytest.mark.parametrize("message", MIXED)
def test_devices_do_not_mix(message, cuda):
    x, y = mc.ones(2, 2, device=cuda), mc.ones(2, 2)
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        MIXED[message](x, y)


def test_a_number_mixes(cuda):
    x, one = mc.tensor([1.0, 2.0], device=cuda), mc.tensor(3.0, requires_grad=True)
    zero = mc.tensor(0.0)
    for y in (x * one, one * x, x + mc.tensor(1), mc.where(x > 1, x, zero), x.clamp(zero)):
        assert y.is_cuda
    (x * one).sum().backward()
    assert one.grad.item() == 3 and not one.grad.is_cuda
    assert (x > mc.tensor(1.5)).tolist() == [False, True]
    x[0] = mc.tensor(7.0)
    assert x.tolist() == [7, 2]


def test_places_out_of_range(cuda):
    x = mc.arange(6.0, device=cuda).reshape(2, 3)
    index = mc.tensor([0, 2], device=cuda)
    for wrong in (lambda: x[index], lambda: x[[0, -3]], lambda: x[:, [3]], lambda: x.index_select(0, index)):
        with pytest.raises(IndexError, match="out of bounds"):
            wrong()
    with pytest.raises(IndexError, match="out of bounds"):
        x[index] = 0
    with pytest.raises(IndexError, match="truth values of shape"):
        x[mc.tensor([True, False, True], device=cuda)]
    with pytest.raises(RuntimeError, match="out of bounds"):
        x.gather(0, index.reshape(1, 2) + 5)
    with pytest.raises(IndexError, match="expected indices from 0 to 1"):
        F.embedding(index, x)
    assert x[mc.tensor([1, 0]), index - 1].tolist() == [5, 1]  # the last of the row: -1


def test_what_shares_memory_is_not_written(cuda):
    with pytest.raises(RuntimeError, match="elements share memory"):
        mc.ones(1, 3, device=cuda).expand(2, 3).zero_()


def test_memory_has_an_end(cuda, real_gpu):
    before = mc.cuda.memory_allocated()
    x = mc.zeros(1 << 20, device=cuda)
    assert mc.cuda.memory_allocated() - before == 4 << 20
    del x
    assert mc.cuda.memory_allocated() == before
    with pytest.raises(mc.cuda.OutOfMemoryError, match=r"CUDA out of memory: .* MiB are wanted, of"):
        mc.empty(mc.cuda.get_device_properties().total_memory, device=cuda)
    assert "free on the GPU" in mc.cuda.memory_summary()


def test_a_graph_gets_what_the_steps_before_it_left(cuda, monkeypatch):
    """Its pool is another one: CuPy by itself empties only that one when memory is short."""
    memory, xp, idle = importlib.import_module("minicnn.memory"), sys.modules["cupy"], [1]

    class Pool:
        def malloc(self, size):
            if idle:
                raise xp.cuda.memory.OutOfMemoryError(size, 0)
            return "memory"

    default = SimpleNamespace(free_all_blocks=idle.clear, used_bytes=lambda: 0, total_bytes=lambda: 0)
    monkeypatch.setattr(memory, "peak", memory.Peak())
    memory.peak.pool = default
    assert memory.allocated(xp, Pool(), 8) == "memory"


def test_the_most_memory(cuda):
    mc.cuda.reset_peak_memory_stats()
    before = mc.cuda.max_memory_allocated()
    assert before == mc.cuda.memory_allocated()
    x = mc.zeros(1 << 20, device=cuda)
    y = x + 1
    del x
    z = [mc.zeros(1 << 18, device=cuda) for _ in range(3)]
    assert mc.cuda.max_memory_allocated() - before == 8 << 20  # x and y; then y and z, of 7
    assert mc.cuda.memory_allocated() - before == 7 << 20
    z.append(y + 1)
    del y, z
    assert mc.cuda.max_memory_allocated() - before == 11 << 20 and mc.cuda.memory_allocated() == before
    mc.cuda.reset_peak_memory_stats()
    assert mc.cuda.max_memory_allocated() == before
    step, x = mc.cuda.graph(lambda x: (x + 1).sum(), warmup=1), mc.zeros(1 << 18, device=cuda)
    step(x), step(x)
    occupied = mc.cuda.memory_allocated()
    assert occupied - before >= 3 << 20  # x, its copy and x + 1 of the graph
    assert mc.cuda.max_memory_allocated() >= occupied
    assert "at the most" in mc.cuda.memory_summary()


def test_no_memory_without_a_gpu(real_gpu):
    if real_gpu:
        pytest.skip("there is one")
    mc.cuda.reset_peak_memory_stats()
    assert mc.cuda.max_memory_allocated() == mc.cuda.memory_allocated() == 0


def test_what_the_gpu_is(cuda):
    assert mc.cuda.is_available() and mc.accelerator.is_available() and mc.cuda.why_unavailable() == ""
    assert mc.cuda.device_count() >= 1 and mc.cuda.current_device() == 0 and mc.cuda.get_device_name()
    assert mc.cuda.get_device_capability("cuda:0") >= (7, 0)
    assert mc.accelerator.current_accelerator() == mc.device("cuda")
    mc.cuda.set_device(0)
    mc.cuda.synchronize()
    mc.cuda.empty_cache()
    for call in (lambda: mc.zeros(1, device="cuda:99"), lambda: mc.cuda.set_device(99)):
        with pytest.raises(RuntimeError, match=r"cuda:99 is not available: there are \d+ GPUs"):
            call()
    with pytest.raises(ValueError, match="expected a GPU, got cpu"):
        mc.cuda.get_device_name("cpu")


@pytest.fixture
def tf32():
    yield
    mc.backends.cuda.matmul.allow_tf32 = mc.backends.cudnn.allow_tf32 = False


def test_rounded_products(cuda, tf32):
    x, y = mc.rand(64, 64), mc.rand(64, 64)
    mc.backends.cuda.matmul.allow_tf32 = True
    rough = (x.to(cuda) @ y.to(cuda)).cpu()
    assert rough.allclose(x @ y, rtol=2e-3) and not rough.allclose(x @ y, rtol=1e-6)
    mc.set_float32_matmul_precision("highest")
    assert (x.to(cuda) @ y.to(cuda)).cpu().allclose(x @ y, rtol=1e-5)
    images, weight = mc.rand(2, 32, 9, 9), mc.rand(64, 32, 3, 3)
    mc.backends.cudnn.allow_tf32 = True
    rough = F.conv2d(images.to(cuda), weight.to(cuda)).cpu()
    exact = F.conv2d(images, weight)
    assert rough.allclose(exact, rtol=2e-3) and not rough.allclose(exact, rtol=1e-6)


FAILURES = {
    "CuPy is not installed": ModuleNotFoundError("No module named 'cupy'"),
    "CuPy does not work here: OSError: no driver": OSError("no driver"),
    "CuPy is 13.6.0, and it takes 14": {"__version__": "13.6.0"},
    "CuPy finds no GPU": {"getDeviceCount": 0},
}


@pytest.mark.parametrize("reason", FAILURES)
def test_why_there_is_none(reason, cuda, real_gpu, monkeypatch):
    if real_gpu:
        pytest.skip("there is one")
    from emulator import cupy

    seam, failure = importlib.import_module("minicnn.device"), FAILURES[reason]
    if isinstance(failure, Exception):
        monkeypatch.setitem(sys.modules, "cupy", None)
        monkeypatch.setattr(sys, "meta_path", [Raises(failure)])
        monkeypatch.delitem(sys.modules, "cupy")
    elif "__version__" in failure:
        monkeypatch.setattr(cupy, "__version__", failure["__version__"])
    else:
        monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    seam.start.cache_clear()
    assert not mc.cuda.is_available() and reason in mc.cuda.why_unavailable()
    assert mc.cuda.device_count() == 0
    for ask in (lambda: mc.zeros(1, device="cuda"), lambda: nn.Linear(1, 1).cuda(), mc.cuda.current_device):
        with pytest.raises(RuntimeError, match=re.escape(f"not available: {reason}")):
            ask()


class Raises:
    """A finder of modules that dies on CuPy."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name: str, *rest: Any) -> None:
        if name == "cupy":
            raise self.error
