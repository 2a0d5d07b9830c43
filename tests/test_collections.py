"""Modules and Parameters by name and in lists, finding parts, and the utilities; against PyTorch."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn as nn
from parity import assert_close

BOTH = [(mc, nn), (torch, torch.nn)]


def same(tell):
    """What a program gives with both libraries, which must be equal."""
    ours, theirs = (tell(m, library) for m, library in BOTH)
    assert ours == theirs
    return ours


def test_module_dict():
    def tell(m, library):
        d = library.ModuleDict({"a": library.Linear(1, 2), "keys2": library.ReLU()})
        d["c"] = library.Tanh()
        d.update(OrderedDict(a=library.Linear(3, 1), e=library.ReLU()))
        d.update([("f", library.ReLU())])
        out = [
            repr(d),
            len(d),
            "c" in d,
            "x" in d,
            list(d),
            list(d.keys()),
            [type(v).__name__ for v in d.values()],
        ]
        out.append([name for name, _ in d.items()])
        out.append(type(d.pop("c")).__name__)
        del d["e"]
        out += [list(d), list(d.state_dict()), [tuple(p.shape) for p in d.parameters()]]
        d.clear()
        return [*out, len(d), repr(d)]

    same(tell)


def test_parameter_list():
    def tell(m, library):
        p = library.ParameterList([m.ones(2), library.Parameter(m.zeros(3, 1))])
        p.append(m.ones(1)).extend([m.zeros(2)])
        p += [m.ones(4)]
        p[0] = m.zeros(5)
        out = [repr(p), len(p), [tuple(x.shape) for x in p], tuple(p[-1].shape), list(p.state_dict())]
        out += [[tuple(x.shape) for x in p[1:3]], [name for name, _ in p.named_parameters()]]
        return [*out, isinstance(p[0], library.Parameter)]

    same(tell)


def test_parameter_dict():
    def tell(m, library):
        p = library.ParameterDict({"b": m.ones(2, 3)})
        p["a"] = library.Parameter(m.zeros(3))
        p.update([("c", m.ones(1))])
        out = [repr(p), len(p), "a" in p, "z" in p, list(p), list(p.keys()), list(p.state_dict())]
        out += [tuple(p["b"].shape), p.get("z", 5), [tuple(v.shape) for v in p.values()]]
        out += [[k for k, _ in p.items()], tuple(p.pop("a").shape), list(p)]
        del p["c"]
        out.append(list(p))
        p.clear()
        return [*out, len(p)]

    same(tell)


def test_a_program_with_collections():
    def tell(m, library):
        class Net(library.Module):
            def __init__(self):
                super().__init__()
                self.choices = library.ModuleDict({"relu": library.ReLU(), "tanh": library.Tanh()})
                self.scales = library.ParameterList([m.ones(2) * (i + 1) for i in range(2)])
                self.shift = library.ParameterDict({"all": m.ones(1)})

            def forward(self, x, choice):
                x = self.choices[choice](x)
                for scale in self.scales:
                    x = x * scale
                return x + self.shift["all"]

        net = Net()
        y = net(m.tensor([[-1.0, 2.0]]), "relu")
        y.sum().backward()
        return [repr(net), list(net.state_dict()), y.tolist(), [p.grad.tolist() for p in net.parameters()]]

    same(tell)


def network(library):
    return library.Sequential(
        OrderedDict(body=library.Sequential(library.Linear(2, 3), library.ReLU()), head=library.Linear(3, 1))
    )


def test_finding_parts():
    for m, library in BOTH:
        net = network(library)
        net.register_buffer("mean", m.ones(2))
        assert net.get_submodule("") is net
        assert net.get_submodule("body.0") is net.body[0]
        assert net.get_parameter("body.0.bias") is net.body[0].bias
        assert net.get_buffer("mean") is net.mean
        net.set_submodule("body.1", library.Tanh())
        assert isinstance(net.body[1], library.Tanh)
        for call in (
            lambda net=net: net.get_submodule("body.7"),
            lambda net=net: net.get_submodule("body.0.weight"),
            lambda net=net: net.get_parameter("body.0.mean"),
            lambda net=net: net.get_parameter("mean"),
            lambda net=net: net.get_buffer("head.weight"),
        ):
            with pytest.raises(AttributeError, match=r"mean|7|weight"):
                call()


def test_inner_dicts():
    for m, library in BOTH:
        net = network(library)
        assert list(net._modules) == ["body", "head"]
        assert list(net.head._parameters) == ["weight", "bias"]
        net.register_buffer("mean", m.ones(2))
        assert [(name, tuple(b.shape)) for name, b in net._buffers.items()] == [("mean", (2,))]
        net._modules["head"] = library.Identity()
        assert isinstance(net.head, library.Identity)
        assert len(net._modules) == 2
        del net._modules["head"]
        assert not hasattr(net, "head")


@pytest.mark.parametrize(
    "arguments", [("cpu",), (mc.float64,), ("cpu", mc.float64), (mc.ones(1).double(),), (mc.device("cpu"),)]
)
def test_to(arguments):
    net = network(nn)
    assert net.to(*arguments) is net
    expected = np.float32 if isinstance(arguments[-1], str | mc.device) else np.float64
    assert {p.dtype for p in net.parameters()} == {np.dtype(expected)}


def test_to_by_name():
    net = network(nn).to(device="cpu", dtype=mc.float64)
    assert net.head.weight.dtype == np.float64
    assert net.type(mc.float32).head.weight.dtype == np.float32
    assert net.cpu() is net


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: network(nn).half(), NotImplementedError, "float16 is not there; float32 and float64 are"),
        (lambda: network(nn).cuda(), RuntimeError, "cuda is not available"),
        (lambda: network(nn).cuda(1), RuntimeError, "cuda:1 is not available"),
        (lambda: network(nn).to("cuda:0"), RuntimeError, "cuda:0 is not available"),
        (lambda: network(nn).to("gpu"), TypeError, "gpu"),
        (lambda: network(nn).set_submodule("", nn.ReLU()), ValueError, "set_submodule: expected a name"),
        (lambda: nn.ModuleDict({"a": 3}), TypeError, "ModuleDict: expected a Module, got int"),
        (lambda: nn.ModuleDict(3), TypeError, "ModuleDict: expected names and modules, got int"),
        (lambda: nn.ModuleDict([("a",)]), ValueError, "pairs of a name and a value"),
        (lambda: nn.ModuleDict({"a": nn.ReLU()})["b"], KeyError, "b"),
        (lambda: nn.ParameterList(mc.ones(2)), TypeError, "a list of Parameters, got Tensor"),
        (lambda: nn.ParameterList([mc.ones(2)])[1], IndexError, "index 1 is out of range for 1 values"),
        (lambda: nn.ParameterList()(3), RuntimeError, "ParameterList should not be called"),
        (lambda: nn.ParameterDict()["a"], KeyError, "there is no 'a'"),
        (lambda: nn.ParameterDict()(3), RuntimeError, "ParameterDict should not be called"),
        (lambda: nn.ParameterDict(5), TypeError, "expected names and values, got int"),
        (
            lambda: nn.utils.vector_to_parameters(mc.ones(4), [mc.ones(3)]),
            RuntimeError,
            r"a vector of 3 elements, got \(4,\)",
        ),
        (lambda: nn.utils.vector_to_parameters([1], [mc.ones(1)]), TypeError, "vec to be a Tensor, got list"),
    ],
)
def test_they_refuse(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


# utilities


def parameters(m, library, dtype=np.float32):
    """Parameters with gradients, one without."""
    made = []
    rng = np.random.default_rng(2)
    for shape in ((3, 2), (5,), (1, 2, 2)):
        p = library.Parameter(m.tensor(rng.random(shape).astype(dtype)))
        p.grad = m.tensor((rng.random(shape) * 8 - 3).astype(dtype))
        made.append(p)
    return [*made, library.Parameter(m.ones(2))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.3, 7.0, 1e4])
def test_clip_grad_norm(max_norm, norm_type, dtype):
    (ours, norm), (theirs, expected) = (
        (params, library.utils.clip_grad_norm_(params, max_norm, norm_type))
        for params, library in ((parameters(m, library, dtype), library) for m, library in BOTH)
    )
    assert_close(norm, expected)
    for p, q in zip(ours[:3], theirs[:3], strict=True):
        assert_close(p.grad, q.grad)
    assert ours[3].grad is None


def test_clip_grad_norm_of_one_and_of_none():
    p = parameters(mc, nn)[0]
    kept = p.grad
    nn.utils.clip_grad_norm_(p, 1.0)
    assert p.grad is kept
    assert abs(p.grad.norm().item() - 1) < 1e-5
    assert nn.utils.clip_grad_norm_([nn.Parameter(mc.ones(2))], 1.0).item() == 0


def test_clip_grad_norm_of_nan():
    for m, library in BOTH:
        p = library.Parameter(m.ones(2))
        p.grad = m.tensor([1.0, float("nan")])
        with pytest.raises(RuntimeError, match="norm"):
            library.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
        assert np.isnan(library.utils.clip_grad_norm_([p], 1.0).item())
        assert np.isnan(p.grad.numpy()).all()
        p.grad = m.tensor([1.0, float("inf")])
        library.utils.clip_grad_norm_([p], 1.0)
        assert str(p.grad.tolist()) == "[0.0, nan]"


def test_clip_grad_value():
    made = [parameters(m, library) for m, library in BOTH]
    for params, (_, library) in zip(made, BOTH, strict=True):
        library.utils.clip_grad_value_(params, 1.5)
    for p, q in zip(made[0][:3], made[1][:3], strict=True):
        assert_close(p.grad, q.grad)


def test_parameters_as_a_vector():
    vectors = []
    for m, library in BOTH:
        params = parameters(m, library)
        vec = library.utils.parameters_to_vector(params)
        vec.sum().backward()
        vectors.append(vec)
        library.utils.vector_to_parameters(vec.detach() * 2, params)
        np.testing.assert_allclose(library.utils.parameters_to_vector(params).tolist(), (vec * 2).tolist())
        assert all(p.requires_grad and p.is_leaf for p in params)
    assert_close(*vectors)


# starting values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (4, 2, 3, 3), (20, 2, 3)])
def test_orthogonal(shape, dtype):
    p = nn.Parameter(mc.Tensor(np.zeros(shape, dtype)))
    assert nn.init.orthogonal_(p, gain=3) is p
    flat = p.detach().numpy().reshape(shape[0], -1).astype(float)
    small = flat @ flat.T if shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(small, 9 * np.eye(len(small)), atol=1e-5)
    assert p.dtype == dtype


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 5)])
def test_eye(shape):
    assert_close(nn.init.eye_(mc.zeros(*shape)), torch.nn.init.eye_(torch.zeros(*shape)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 4, 3, 5), (2, 3, 2, 2), (6, 1, 1, 3, 3)])
def test_dirac(shape, groups):
    assert_close(nn.init.dirac_(mc.zeros(*shape), groups), torch.nn.init.dirac_(torch.zeros(*shape), groups))


@pytest.mark.parametrize("settings", [{}, {"std": 0.02}, {"mean": 1.0, "std": 2.0, "a": -1.0, "b": 2.0}])
def test_trunc_normal(settings):
    ours = nn.init.trunc_normal_(mc.zeros(200, 200), **settings).array
    theirs = torch.nn.init.trunc_normal_(torch.zeros(200, 200), **settings).numpy()
    assert ours.dtype == np.float32
    for measure in (np.mean, np.std):
        assert abs(measure(ours) - measure(theirs)) < 0.02 * theirs.std()
    assert settings.get("a", -2) <= ours.min() <= ours.max() <= settings.get("b", 2)
    quantiles = np.linspace(0.02, 0.98, 20)
    np.testing.assert_allclose(
        np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.05 * theirs.std()
    )


def test_more_gains():
    for name in ("conv1d", "conv2d", "conv3d", "conv_transpose2d", "selu", "sigmoid"):
        assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("eye_", (2, 2, 2), r"eye_: expected a matrix, got \(2, 2, 2\)"),
        ("dirac_", (2, 2), "dirac_: expected a weight of 3, 4 or 5 dimensions"),
        ("orthogonal_", (2,), "orthogonal_: expected a weight of 2 dimensions or more"),
    ],
)
def test_init_refuses(name, shape, words):
    with pytest.raises(ValueError, match=words):
        getattr(nn.init, name)(mc.zeros(*shape))
    with pytest.raises(ValueError):
        getattr(torch.nn.init, name)(torch.zeros(*shape))
    with pytest.raises(ValueError, match="divisible by groups"):
        nn.init.dirac_(mc.zeros(3, 1, 2), 2)
