"""What all layers share: names and order of arguments, device and dtype, and the old names of reductions."""

import inspect

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from both import BOTH
from parity import assert_same, numbers

OWN = {"LocalContrastNorm", "StochasticDepth"}  # what PyTorch does not have
LAYERS = [n for n in nn.__all__ if inspect.isclass(getattr(nn, n)) and n not in OWN | {"Module", "Parameter"}]
WITHOUT_PARAMETERS = inspect.signature(torch.nn.Tanh)  # (*args, **kwargs)
MORE = {  # what nobody writes
    "Embedding": ["_weight", "_freeze"],
    "Hardtanh": ["min_value", "max_value"],
    "UninitializedBuffer": ["persistent"],
}


@pytest.mark.parametrize("name", LAYERS)
def test_signatures_are_pytorchs(name):
    ours, theirs = (inspect.signature(getattr(m, name)) for m in (nn, torch.nn))
    if theirs == WITHOUT_PARAMETERS or any(p.kind is p.VAR_POSITIONAL for p in theirs.parameters.values()):
        return
    left_out = MORE.get(name, [])
    expected = [(p.name, p.default) for p in theirs.parameters.values() if p.name not in left_out]
    assert [(p.name, p.default) for p in ours.parameters.values()] == expected


@pytest.mark.parametrize(
    "name",
    [
        "Conv2d",
        "ConvTranspose1d",
        "LazyConv2d",
        "ReflectionPad2d",
        "ConstantPad1d",
        "BatchNorm2d",
        "MaxPool2d",
    ],
)
def test_errors_name_the_layer(name):
    with pytest.raises(TypeError, match=rf"^{name}.__init__\(\) missing"):
        getattr(nn, name)()
    with pytest.raises(TypeError, match=rf"^{name}.__init__\(\) got an unexpected keyword argument 'color'"):
        getattr(nn, name)(1, 1, 1, color=3)


@BOTH
def test_a_layer_between_two(m):
    """Layers have an __init__ of their own, but whoever stands between is not passed over."""

    class Counted(m.nn.Module):
        def __init__(self, *args):
            self.count = len(args)
            super().__init__(*args)

    class Layer(Counted, m.nn.Conv2d):
        def _get_name(self):
            return f"Layer{self.count}"

    assert repr(Layer(1, 2, 3)) == "Layer3(1, 2, kernel_size=(3, 3), stride=(1, 1))"


MAKE = {
    "Linear": lambda m, **kind: m.nn.Linear(3, 2, **kind),
    "Conv1d": lambda m, **kind: m.nn.Conv1d(3, 2, 3, **kind),
    "Conv2d": lambda m, **kind: m.nn.Conv2d(3, 2, 3, **kind),
    "ConvTranspose1d": lambda m, **kind: m.nn.ConvTranspose1d(3, 2, 3, **kind),
    "ConvTranspose2d": lambda m, **kind: m.nn.ConvTranspose2d(3, 2, 3, **kind),
    "BatchNorm1d": lambda m, **kind: m.nn.BatchNorm1d(3, **kind),
    "BatchNorm2d": lambda m, **kind: m.nn.BatchNorm2d(3, **kind),
    "InstanceNorm2d": lambda m, **kind: m.nn.InstanceNorm2d(3, affine=True, **kind),
    "GroupNorm": lambda m, **kind: m.nn.GroupNorm(3, 6, **kind),
    "LayerNorm": lambda m, **kind: m.nn.LayerNorm((3, 5), **kind),
    "PReLU": lambda m, **kind: m.nn.PReLU(3, **kind),
    "Embedding": lambda m, **kind: m.nn.Embedding(3, 2, **kind),
    "MultiheadAttention": lambda m, **kind: m.nn.MultiheadAttention(4, 2, add_bias_kv=True, **kind),
}
MADE = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


@MADE
@pytest.mark.parametrize(
    ("device", "dtype"), [(None, "float64"), ("cpu", None), (mc.device("cpu"), "float32")]
)
def test_device_and_dtype(make, device, dtype):
    ours = make(mc, device=device, dtype=dtype and getattr(mc, dtype))
    theirs = make(torch, device=device and str(device), dtype=dtype and getattr(torch, dtype))
    state, expected = ours.state_dict(), theirs.state_dict()
    assert [(k, str(v.dtype), v.shape) for k, v in state.items()] == [
        (k, str(v.dtype).removeprefix("torch."), tuple(v.shape)) for k, v in expected.items()
    ]


@MADE
def test_there_is_no_gpu(make):
    with pytest.raises(RuntimeError, match=rf'{type(make(mc)).__name__}: cuda:0 is not available.*use "cpu"'):
        make(mc, device="cuda:0")


# reductions under their old names

OLD = [
    {"size_average": True}, {"size_average": False}, {"reduce": True}, {"reduce": False},
    {"size_average": False, "reduce": True}, {"size_average": True, "reduce": False},
]  # fmt: skip


@pytest.mark.parametrize("old", OLD)
@pytest.mark.parametrize(
    ("loss", "function"),
    [
        ("MSELoss", "mse_loss"),
        ("L1Loss", "l1_loss"),
        ("SmoothL1Loss", "smooth_l1_loss"),
        ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
        ("KLDivLoss", "kl_div"),
        ("SoftMarginLoss", "soft_margin_loss"),
        ("HingeEmbeddingLoss", "hinge_embedding_loss"),
    ],
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides", "ignore:kl_div. reduction=")
def test_old_names_of_reductions(old, loss, function):
    x, y = numbers(3, 5), (numbers(3, 5) > 0).astype(np.float32)
    with pytest.warns(UserWarning, match="size_average and reduce"):
        layers = [getattr(m.nn, loss)(**old) for m in (mc, torch)]
    assert layers[0].reduction == layers[1].reduction
    with pytest.warns(UserWarning, match="size_average and reduce"):
        ours, theirs = (
            getattr(m.nn.functional, function)(m.tensor(x), m.tensor(y), **old) for m in (mc, torch)
        )
    np.testing.assert_allclose(ours.array, theirs.numpy(), rtol=1e-5)


@BOTH
def test_positions_of_the_old_names(m):
    """A reduction given by its position is taken for size_average."""
    with pytest.warns(UserWarning, match="size_average and reduce"):
        assert m.nn.MSELoss("sum").reduction == "mean"


@pytest.mark.parametrize("old", OLD)
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_old_names_in_class_losses(old, name):
    target = np.array([2, 0, 1])
    with pytest.warns(UserWarning, match="size_average and reduce"):
        assert_same(
            lambda x, t: getattr(F, name)(x, t, None, old.get("size_average"), -100, old.get("reduce")),
            lambda x, t: getattr(torch.nn.functional, name)(
                x, t, None, old.get("size_average"), -100, old.get("reduce")
            ),
            numbers(3, 4),
            target,
        )
