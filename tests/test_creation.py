"""New Tensors, devices, dtypes, and memory shared with other libraries."""

import copy

import numpy as np
import pytest
import torch

import minicnn as mc
from both import BOTH, agree, refuse

CREATION = {
    "eye": lambda m: m.eye(3),
    "eye, wide": lambda m: m.eye(2, 4, dtype=m.int64),
    "eye of nothing": lambda m: m.eye(0),
    "linspace": lambda m: m.linspace(-1, 2, 7),
    "linspace of one": lambda m: m.linspace(3, 4, steps=1),
    "linspace of none": lambda m: m.linspace(3, 4, 0),
    "linspace in float64": lambda m: m.linspace(0, 1, 11, dtype=m.float64),
    "logspace": lambda m: m.logspace(-1, 1, 5),
    "full_like": lambda m: m.full_like(m.ones(2, 3, dtype=m.float64), 7),
    "full_like in another dtype": lambda m: m.full_like(m.ones(2), 2.7, dtype=m.int32),
    "zeros_like": lambda m: m.zeros_like(m.ones(2), dtype=m.bool, requires_grad=False),
    "ones_like": lambda m: m.ones_like(m.ones(2, 1), requires_grad=True),
    "zeros by a keyword": lambda m: m.zeros(size=(2, 3)),
    "zeros on a device": lambda m: m.zeros(2, device="cpu"),
    "ones on a device": lambda m: m.ones(2, device=m.device("cpu"), dtype=m.float64),
    "full of a fraction in integers": lambda m: m.full((2,), 1.5, dtype=m.int64),
    "tensor on a device": lambda m: m.tensor([1.0], device=m.device("cpu"), requires_grad=True),
    "tensor of NumPy's numbers": lambda m: m.tensor([np.float32(1), np.float64(2)]),
    "tensor of float32 numbers": lambda m: m.tensor([np.float32(1), 2.5]),
    "tensor of Tensors": lambda m: m.tensor([m.tensor(1, dtype=m.int32), m.tensor([2], dtype=m.int32)]),
    "tensor of float64 Tensors": lambda m: m.tensor([[m.tensor(1.5, dtype=m.float64), 2]]),
    "as_tensor": lambda m: m.as_tensor([1.5, 2]),
    "as_tensor of an array": lambda m: m.as_tensor(np.arange(3)),
    "as_tensor in another dtype": lambda m: m.as_tensor(m.tensor([1, 2]), dtype=m.float32),
    "arange on a device": lambda m: m.arange(3, device="cpu"),
    "arange of Tensors": lambda m: m.arange(m.tensor(3)),
    "new_zeros": lambda m: m.ones(1, dtype=m.float64).new_zeros(2, 3),
    "new_ones": lambda m: m.ones(1).new_ones((2,), dtype=m.int64),
    "new_full": lambda m: m.tensor([1]).new_full((2,), 3),
    "new_tensor": lambda m: m.ones(1).new_tensor([1, 2]),
    "int8 and int16": lambda m: m.tensor([1, 2], dtype=m.int8) * m.ones(2, dtype=m.short),
    "where of numbers": lambda m: m.where(m.tensor([True, False]), 1, 0),
    "to a dtype": lambda m: m.ones(2).to(m.float64),
    "to a dtype by name": lambda m: m.ones(2).to(dtype=m.int64),
    "to a device": lambda m: m.ones(2).to("cpu"),
    "to a device and a dtype": lambda m: m.ones(2).to(m.device("cpu"), m.float64, non_blocking=True),
    "to the like of another": lambda m: m.ones(2).to(m.zeros(1, dtype=m.int32)),
    "to Python's float": lambda m: m.tensor([1, 2]).to(float),
    "byte": lambda m: m.tensor([1, 2]).byte(),
}


@pytest.mark.parametrize("name", CREATION)
def test_creation(name):
    agree(CREATION[name])


ERRORS = {
    "eye -1": lambda m: m.eye(-1),
    "linspace -1": lambda m: m.linspace(0, 1, -1),
    "tensor of Tensors of many": lambda m: m.tensor([m.ones(2), m.ones(2)]),
    "randint of nothing": lambda m: m.randint(0, (2,)),
    "randint without size": lambda m: m.randint(3),
    "rand of integers": lambda m: m.rand(2, dtype=m.int64),
    "randn like integers": lambda m: m.randn_like(m.tensor([1])),
    "unknown argument": lambda m: m.zeros(2, shape=(3,)),
    "two sizes": lambda m: m.zeros(2, size=(3,)),
    "from_dlpack of a number": lambda m: m.from_dlpack(3) if m is mc else m.from_dlpack([1]),
    "to an unknown device": lambda m: m.ones(2).to("float32"),
    "device of a fraction": lambda m: m.device(1.5),
    "device unknown": lambda m: m.device("foo"),
    "device of a negative number": lambda m: m.device("cuda", -1),
    "device with two numbers": lambda m: m.device("cuda:0", 1),
    "multinomial of too many": lambda m: m.multinomial(m.ones(3), 4),
    "multinomial of negative": lambda m: m.multinomial(m.tensor([1.0, -1.0]), 1),
    "bernoulli beyond 1": lambda m: m.bernoulli(m.tensor([1.5])),
    "normal with negative std": lambda m: m.normal(0.0, -1.0, (2,)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    refuse(ERRORS[name])


@BOTH
def test_device(m):
    cpu = m.device("cpu")
    assert (cpu.type, cpu.index, str(cpu), repr(cpu)) == ("cpu", None, "cpu", "device(type='cpu')")
    gpu = m.device("cuda:1")
    assert (gpu.type, gpu.index, str(gpu)) == ("cuda", 1, "cuda:1")
    assert repr(gpu) == "device(type='cuda', index=1)"
    assert m.device("cuda", 1) == gpu == m.device(gpu)
    assert m.device("cuda") != gpu
    assert cpu != "cpu"
    assert len({cpu, m.device("cpu"), gpu}) == 2
    assert m.ones(2).device == cpu
    assert not m.ones(2).is_cuda
    assert m.device("cuda" if m.cuda.is_available() else "cpu") == cpu


def test_no_gpu():
    assert not mc.cuda.is_available()
    assert mc.cuda.device_count() == 0
    assert "CuPy is not installed" in mc.cuda.why_unavailable()
    for use in (
        lambda: mc.zeros(2, device="cuda"),
        lambda: mc.rand(2, device=mc.device("cuda:0")),
        lambda: mc.tensor([1], device="cuda"),
        lambda: mc.ones(2).to("cuda"),
        lambda: mc.ones(2).cuda(),
    ):
        with pytest.raises(RuntimeError, match=r"cuda.* is not available: CuPy is not installed"):
            use()


def test_itself_where_nothing_changes():
    x = mc.ones(2)
    assert x.to("cpu") is x.to(mc.float32) is x.to(x) is x.cpu() is mc.as_tensor(x) is x
    assert x.to("cpu", copy=True) is not x
    array = np.ones(2)
    assert mc.as_tensor(array).array is array


@BOTH
def test_random_creation(m):
    m.manual_seed(1)
    x = m.rand_like(m.zeros(50, 40, dtype=m.float64))
    assert x.dtype == m.float64
    assert 0 <= x.min().item() < 0.01 < 0.99 < x.max().item() < 1
    y = m.randn_like(m.zeros(50, 40))
    assert abs(y.std().item() - 1) < 0.1
    assert set(m.randint(3, (100,)).tolist()) == {0, 1, 2}
    assert set(m.randint(low=5, high=7, size=(100,), dtype=m.int32).tolist()) == {5, 6}
    assert set(m.randint(5, 7, size=(100,)).tolist()) == {5, 6}
    assert set(m.randint_like(m.zeros(99), 2).tolist()) == {0.0, 1.0}
    assert m.empty_like(m.zeros(2, 3)).shape == (2, 3)
    z = m.normal(m.tensor([0.0, 100.0]), m.tensor([1.0, 0.0]))
    assert z[1].item() == 100
    assert m.normal(5.0, 0.0, (2,)).tolist() == [5, 5]
    assert m.bernoulli(m.tensor([0.0, 1.0])).tolist() == [0, 1]
    drawn = m.multinomial(m.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 0.0]]), 200, replacement=True)
    assert drawn.shape == (2, 200)
    assert 100 < (drawn[0] == 2).sum().item() < 200
    assert drawn[1].max().item() == 0
    assert sorted(m.multinomial(m.ones(4), 4).tolist()) == [0, 1, 2, 3]


@BOTH
def test_generators(m):
    first, second = m.Generator(), m.Generator()
    first.manual_seed(7)
    assert second.manual_seed(7) is second
    assert first.initial_seed() == 7
    assert m.rand(3, generator=first).tolist() == m.rand(3, generator=second).tolist()
    assert m.randperm(9, generator=first).tolist() == m.randperm(9, generator=second).tolist()
    assert m.zeros(3).normal_(generator=first).tolist() == m.zeros(3).normal_(generator=second).tolist()
    assert m.rand(3, generator=first).tolist() != m.rand(3, generator=first).tolist()
    assert first.seed() == first.initial_seed()
    m.manual_seed(-5)
    a = m.rand(2).tolist()
    m.manual_seed(-5)
    assert m.rand(2).tolist() == a


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_memory_shared_with_pytorch_and_numpy(dtype):
    ours = mc.arange(6).to(getattr(mc, dtype)).reshape(2, 3)
    there = torch.from_dlpack(ours)
    array = np.from_dlpack(ours)
    assert str(there.dtype) == f"torch.{dtype}"
    there[0, 1] = 0
    ours[1, 0] = 0
    assert there.tolist() == ours.tolist() == array.tolist()
    back = mc.from_dlpack(torch.arange(6).to(getattr(torch, dtype)).reshape(2, 3).T)
    assert back.shape == (3, 2)
    source = torch.zeros(3, dtype=getattr(torch, dtype))
    shared = mc.from_dlpack(source)
    shared += shared.to(mc.bool).logical_not().to(shared.dtype)
    assert source.tolist() == shared.tolist() == [1, 1, 1]
    assert mc.from_dlpack(array).tolist() == array.tolist()
    assert mc.from_dlpack(ours.T).tolist() == ours.T.tolist()


def test_memory_that_requires_grad_is_not_handed_over():
    for m in (mc, torch):
        with pytest.raises(BufferError):
            m.ones(2, requires_grad=True).__dlpack__()
    assert mc.ones(2).__dlpack_device__() == (1, 0)


def test_memory_begins_where_a_line_of_the_cache_does():
    made = [mc.empty(260, 257, dtype=dtype) for dtype in (mc.float32, mc.int8, mc.float64)]
    model = mc.nn.Sequential(mc.nn.Conv2d(30, 70, 3), mc.nn.Flatten(), mc.nn.Linear(129, 130))
    optimizers = [mc.optim.Adam(model.parameters()) for _ in range(2)]
    for param in model.parameters():
        param.grad = mc.ones_like(param)
    optimizers[0].step()
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    states = [state for optimizer in optimizers for state in optimizer.state.values()]
    sums = [state[key] for state in states for key in ("exp_avg", "exp_avg_sq")]
    assert len(sums) == 16
    found = *made, *model.parameters(), *copy.deepcopy(model).parameters(), *sums
    large = [x for x in found if x.numel() > 10000]
    assert len(large) == 3 + 2 + 2 + 8
    for tensor in large:
        assert tensor.detach().numpy().ctypes.data % 64 == 0


@BOTH
def test_inference_mode(m):
    x = m.ones(2, requires_grad=True)
    with m.inference_mode():
        assert not (x * 2).requires_grad
        assert not m.is_grad_enabled()
    with m.inference_mode(False):
        assert (x * 2).requires_grad

    @m.inference_mode()
    def doubled(y):
        return y * 2

    @m.inference_mode
    def tripled(y):
        return y * 3

    assert not doubled(x).requires_grad
    assert not tripled(x).requires_grad
    assert m.is_grad_enabled()


@BOTH
def test_what_a_tensor_says_of_itself(m):
    x = m.zeros(2, 3)
    assert (x.nelement(), m.numel(x), x.ndimension(), x.element_size()) == (6, 6, 2, 4)
    assert x.is_floating_point()
    assert not m.is_floating_point(m.tensor([1]))
    assert m.is_tensor(x)
    assert not m.is_tensor([1])
    assert x.is_contiguous()
    assert not x.T.is_contiguous()


def test_shapes_and_lists_for_the_class():
    for m in (mc, torch):
        assert tuple(m.Tensor(2, 3).shape) == (2, 3)
        assert tuple(m.Tensor(4).shape) == (4,)
        assert tuple(m.Tensor(2, 1, 3).shape) == (2, 1, 3)
        assert m.Tensor().numel() == 0
        assert m.Tensor(2, 3).dtype == m.Tensor([1, 2]).dtype == m.float32
        assert m.Tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(RuntimeError, match=r"\(-1,\)"):
        mc.Tensor(-1)


def test_lines_of_tutorials():
    x = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)
    found = []
    for m in (mc, torch):
        m.manual_seed(0)
        device = m.device("cuda" if m.cuda.is_available() else "cpu")
        outputs, labels = m.tensor(x).to(device), m.tensor([[1], [2], [3], [4]], device=device)
        assert isinstance(outputs, m.Tensor)
        _, predicted = m.max(outputs.data, 1)
        right = predicted.eq(labels.view_as(predicted)).sum().item()
        flat = outputs.view(outputs.size(0), -1)
        top = outputs.topk(3, dim=1, largest=True, sorted=True)[1].t()
        hits = top.eq(labels.view(1, -1).expand_as(top))[:2].reshape(-1).float().sum(0, keepdim=True)
        mean, std = flat.mean(dim=(0,)), flat.std(0, unbiased=False)
        q, k, v = m.stack([flat, flat * 2, flat.exp()]).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 10**-0.5).softmax(dim=-1)
        mixed = m.einsum("ij,jd->id", weights, v)
        masked = weights.masked_fill(m.tril(m.ones(4, 4)) == 0, float("-inf"))
        best = m.argmax(outputs, dim=1).cpu().numpy()
        found.append([right, *hits.tolist(), *mean.tolist(), *std.tolist(), *mixed.flatten().tolist(),
                      *masked.softmax(-1).flatten().tolist(), *best.tolist()])  # fmt: skip
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)


def test_scipy_loads_with_the_first_erf():
    import subprocess
    import sys

    program = (
        "import sys, minicnn as mc; assert 'scipy' not in sys.modules; "
        "mc.ones(2).erf(); assert 'scipy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
