"""The arguments of Module's methods that walk, save and load, in both libraries alike."""

import numpy as np
import pytest
import torch

import minicnn as mc
from both import BOTH


def shared(m):
    """A model with one layer under two names, and a buffer under two."""
    model = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.BatchNorm1d(2))
    model.add_module("again", model[0])
    model.register_buffer("mean", model[1].running_mean)
    return model


@pytest.mark.parametrize("once", [True, False])
def test_what_is_shared_comes_once_or_under_each_name(once):
    def names(m):
        model = shared(m)
        return (
            [name for name, _ in model.named_parameters("net", remove_duplicate=once)],
            [name for name, _ in model.named_buffers(remove_duplicate=once)],
            [name for name, _ in model.named_modules(prefix="net", remove_duplicate=once)],
            len(list(model.modules())),
        )

    assert names(mc) == names(torch)
    assert ("net.again.weight" in names(mc)[0]) is not once


@BOTH
def test_modules_seen_before_are_left_out(m):
    model = shared(m)
    memo = {model[0]}
    assert [name for name, _ in model.named_modules(memo)] == ["", "1"]
    assert memo == {model, model[0], model[1]}


@BOTH
def test_parameters_without_those_below(m):
    model = shared(m)
    model.scale = m.nn.Parameter(m.ones(1))
    assert [name for name, _ in model.named_parameters(recurse=False)] == ["scale"]
    assert [name for name, _ in model.named_parameters("net", False)] == ["net.scale"]


@BOTH
def test_state_dict_adds_to_a_destination(m):
    into = {"before": 1}
    state = m.nn.Linear(2, 2).state_dict(destination=into, prefix="fc.")
    assert list(into) == list(state) == ["before", "fc.weight", "fc.bias"]


@BOTH
def test_assigned_values_keep_their_memory_and_dtype(m):
    layer = m.nn.Linear(2, 2)
    state = {"weight": m.ones(2, 2, dtype=m.float64), "bias": m.zeros(2, dtype=m.float64)}
    layer.load_state_dict(state, assign=True)
    assert layer.weight.dtype == m.float64
    assert layer.weight.requires_grad
    state["bias"][0] = 5
    assert layer.bias.tolist() == [5, 0]


@BOTH
def test_loading_part_of_a_state(m):
    layer = m.nn.Linear(2, 2, bias=False)
    found = layer.load_state_dict({"weigth": m.ones(2, 2)}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["weight"], ["weigth"])
    missing, unexpected = layer.load_state_dict({"weight": m.ones(2, 2)})
    assert (missing, unexpected) == ([], [])
    assert layer.weight.tolist() == [[1, 1], [1, 1]]


@BOTH
def test_one_thing_by_its_name(m):
    model = m.nn.Sequential(m.nn.Sequential(m.nn.Linear(2, 3), m.nn.BatchNorm1d(3)))
    assert model.get_submodule("0.1") is model[0][1]
    assert model.get_parameter("0.0.bias") is model[0][0].bias
    assert model.get_buffer("0.1.running_var").tolist() == [1, 1, 1]
    for get, name in ((model.get_parameter, "0.0.mean"), (model.get_buffer, "0.0.bias")):
        with pytest.raises(AttributeError):
            get(name)


@pytest.mark.parametrize("half", ["half", "bfloat16"])
def test_there_is_no_half_precision(half):
    with pytest.raises(NotImplementedError, match="float32 and float64 are"):
        getattr(mc.nn.Linear(2, 2), half)()


def test_there_is_no_gpu():
    with pytest.raises(RuntimeError, match=r'cuda is not available.*use "cpu"'):
        mc.nn.Linear(2, 2).cuda()


@BOTH
def test_conversion(m):
    model = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.BatchNorm1d(2))
    assert model.double()[1].running_mean.dtype == m.float64
    assert model.to(m.float32)[0].weight.dtype == m.float32
    assert model.to("cpu").double() is model
    assert model[1].num_batches_tracked.dtype == m.int64
    assert model.type(m.float32)[0].bias.dtype == m.float32


@pytest.mark.parametrize("shape", [(2, 6, 3, 4), (1, 4, 5)])
def test_channel_shuffle(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    ours, theirs = (m.nn.ChannelShuffle(2) for m in (mc, torch))
    assert repr(ours) == repr(theirs)
    assert ours(mc.tensor(x)).tolist() == theirs(torch.tensor(x)).tolist()
    for m in (mc, torch):
        with pytest.raises(RuntimeError, match="channel"):
            m.nn.ChannelShuffle(5)(m.tensor(x))


@pytest.mark.parametrize("name", ["UpsamplingNearest2d", "UpsamplingBilinear2d"])
@pytest.mark.parametrize("settings", [{"scale_factor": 2}, {"size": (5, 7)}])
def test_upsampling_under_its_old_names(name, settings):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    ours, theirs = (getattr(m.nn, name)(**settings) for m in (mc, torch))
    assert repr(ours) == repr(theirs)
    np.testing.assert_allclose(
        ours(mc.tensor(x)).array, theirs(torch.tensor(x)).numpy(), rtol=1e-5, atol=1e-6
    )


@BOTH
def test_rrelu(m):
    layer, x = m.nn.RReLU(0.2, 0.4), -m.ones(50, 60, requires_grad=True)
    slopes = -layer(x).detach().numpy()
    assert 0.2 <= slopes.min() < 0.21 < 0.39 < slopes.max() <= 0.4
    np.testing.assert_allclose(-layer.eval()(x).detach().numpy(), 0.3, rtol=1e-6)
    assert repr(layer) == "RReLU(lower=0.2, upper=0.4)"


def test_the_slopes_of_rrelu_are_its_gradient():
    x = mc.Tensor(np.linspace(-2, 3, 60, dtype=np.float32), requires_grad=True)
    out = mc.nn.functional.rrelu(x, training=True)
    out.sum().backward()
    np.testing.assert_allclose(out.detach().array, x.detach().array * x.grad.array, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: mc.nn.LeakyReLU("a"), "leaky_relu: expected slope as a number, got 'a'"),
        (lambda: mc.nn.ELU("a"), "elu: expected alpha as a number"),
        (lambda: mc.nn.Softplus("a"), "softplus: expected beta as a number"),
        (lambda: mc.nn.Dropout("a"), "Dropout: expected the probability as a number"),
        (lambda: mc.nn.CrossEntropyLoss(label_smoothing="a"), "expected label_smoothing as a number"),
        (lambda: mc.nn.PReLU("a"), "PReLU: expected num_parameters as an int"),
        (lambda: mc.nn.MultiheadAttention("a", 2), "expected embed_dim as an int"),
    ],
)
def test_words_instead_of_numbers(layer, words):
    with pytest.raises(TypeError, match=words):
        layer()(mc.ones(2, 3))


def test_summary_wants_sizes():
    with pytest.raises(TypeError, match="input_size as a sequence of ints, got 3"):
        mc.summary(mc.nn.ReLU(), 3)
