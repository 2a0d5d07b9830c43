"""Interpolation to any size, local contrast, and what padding, folding and shuffling refuse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given
from hypothesis import strategies as st

import minicnn as mc
import minicnn.nn as nn
import minicnn.nn.functional as F
from both import outcome
from minicnn.testing import gradcheck
from parity import assert_close, assert_same, numbers

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def assert_alike(name, *arrays, **settings):
    assert_same(
        lambda *t: getattr(F, name)(*t, **settings), lambda *t: getattr(TF, name)(*t, **settings), *arrays
    )


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_pad_of_ints(dtype):
    ours, theirs = (
        F.pad(m.ones(2, 3).to(getattr(m, dtype)), (1, 0), value=1)
        if m is mc
        else TF.pad(m.ones(2, 3).to(getattr(m, dtype)), (1, 0), value=1)
        for m in (mc, torch)
    )
    assert np.array_equal(ours.array, theirs.numpy())
    assert ours.dtype == theirs.numpy().dtype


@given(
    st.integers(1, 12),
    st.integers(1, 30),
    st.sampled_from(["nearest", "nearest-exact", "linear"]),
    st.booleans(),
)
def test_interpolate_to_any_size(old, new, mode, align_corners):
    corners = align_corners if mode == "linear" else None
    assert_alike("interpolate", numbers(1, 2, old, dtype=float), size=new, mode=mode, align_corners=corners)


@given(st.integers(1, 12), st.floats(0.3, 4), st.sampled_from(["nearest", "nearest-exact", "linear"]))
def test_interpolate_by_any_factor(old, factor, mode):
    if old * factor < 1:
        return
    x = numbers(1, 2, old)
    got = F.interpolate(mc.Tensor(x), scale_factor=factor, mode=mode)
    # not the gradients: PyTorch's of nearest(2 cells, 1.25) is that of another map than its forward
    assert_close(got, TF.interpolate(torch.tensor(x), scale_factor=factor, mode=mode))
    assert gradcheck(
        lambda x: F.interpolate(x, scale_factor=factor, mode=mode),
        [mc.Tensor(x.astype(float), requires_grad=True)],
    )


# local contrast


def contrast_by_torch(x, size, sigma, eps):
    """Jarrett et al.'s formulas with one convolution over all channels."""
    places = torch.arange(size, dtype=x.dtype) - size // 2
    bell = torch.exp(-(places**2) / (2 * sigma**2))
    window = (bell[:, None] * bell).expand(1, x.shape[1], size, size)
    inside = TF.conv2d(torch.ones_like(x[:1]), window, padding=size // 2)
    v = x - TF.conv2d(x, window, padding=size // 2) / inside
    s = torch.sqrt(torch.clamp(TF.conv2d(v**2, window, padding=size // 2) / inside, min=eps**2))
    return v / torch.maximum(s, s.mean(dim=(1, 2, 3), keepdim=True))


@DTYPES
@pytest.mark.parametrize(("shape", "size", "sigma"), [((2, 3, 11, 13), 9, None), ((3, 1, 4, 6), 5, 0.8)])
def test_local_contrast_norm(shape, size, sigma, dtype):
    x = numbers(*shape, dtype=dtype)
    assert_same(
        lambda x: F.local_contrast_norm(x, size, sigma),
        lambda x: contrast_by_torch(x, size, sigma or size / 4, 1e-4),
        x,
    )
    layer = nn.LocalContrastNorm(size, sigma)
    assert np.array_equal(layer(mc.Tensor(x)).array, F.local_contrast_norm(mc.Tensor(x), size, sigma).array)
    assert repr(layer) == f"LocalContrastNorm({size}, sigma={sigma}, eps=0.0001)"


def test_gradient_of_local_contrast_norm():
    x = mc.Tensor(numbers(1, 4, 4, 5, dtype=float), requires_grad=True)
    assert gradcheck(lambda x: F.local_contrast_norm(x, 3), [x])


def test_local_contrast_norm_forgets_brightness_and_contrast():
    x = numbers(1, 2, 12, 10, dtype=float)
    expected = F.local_contrast_norm(mc.Tensor(x)).array
    np.testing.assert_allclose(F.local_contrast_norm(mc.Tensor(3 * x + 7)).array, expected, atol=1e-10)
    flat = mc.full((1, 2, 6, 5), 2.0, requires_grad=True)
    out = F.local_contrast_norm(flat, 3)
    assert abs(out.array).max() < 0.01
    out.sum().backward()
    assert np.isfinite(flat.grad.array).all()


# errors

X = (2, 3, 5, 7)
WRONG = {
    "pad odd": lambda m, f: f.pad(m.zeros(*X), (1, 2, 3)),
    "pad too many": lambda m, f: f.pad(m.zeros(5), (1, 2, 3, 4)),
    "pad float": lambda m, f: f.pad(m.zeros(5), (1.5, 2)),
    "pad int": lambda m, f: f.pad(m.zeros(5), 1),
    "pad less than nothing": lambda m, f: f.pad(m.zeros(5), (-3, -3)),
    "pad mode": lambda m, f: f.pad(m.zeros(*X), (1, 1, 1, 1), "mirror"),
    "pad reflect too far": lambda m, f: f.pad(m.zeros(*X), (7, 0, 0, 0), "reflect"),
    "pad circular too far": lambda m, f: f.pad(m.zeros(*X), (8, 0, 0, 0), "circular"),
    "pad replicate nothing": lambda m, f: f.pad(m.zeros(1, 2, 0), (1, 1), "replicate"),
    "pad reflect one pair": lambda m, f: f.pad(m.zeros(*X), (1, 1), "reflect"),
    "pad reflect value": lambda m, f: f.pad(m.zeros(*X), (1, 1, 1, 1), "reflect", 2.0),
    "interpolate without": lambda m, f: f.interpolate(m.zeros(*X)),
    "interpolate both": lambda m, f: f.interpolate(m.zeros(*X), 3, 2),
    "interpolate sizes": lambda m, f: f.interpolate(m.zeros(*X), (1, 2, 3)),
    "interpolate factors": lambda m, f: f.interpolate(m.zeros(*X), scale_factor=(1, 2, 3)),
    "interpolate to nothing": lambda m, f: f.interpolate(m.zeros(*X), 0),
    "interpolate mode": lambda m, f: f.interpolate(m.zeros(*X), 3, mode="smooth"),
    "interpolate linear": lambda m, f: f.interpolate(m.zeros(*X), 3, mode="linear"),
    "interpolate vector": lambda m, f: f.interpolate(m.zeros(5), 3),
    "interpolate corners": lambda m, f: f.interpolate(m.zeros(*X), 3, align_corners=True),
    "interpolate recompute": lambda m, f: f.interpolate(m.zeros(*X), 3, recompute_scale_factor=True),
    "interpolate float": lambda m, f: f.interpolate(m.zeros(*X), 3.5),
    "interpolate ints": lambda m, f: f.interpolate(m.zeros(*X).long(), 3),
    "unfold kernel": lambda m, f: f.unfold(m.zeros(*X), 0),
    "unfold too large": lambda m, f: f.unfold(m.zeros(*X), 6),
    "unfold stride": lambda m, f: f.unfold(m.zeros(*X), 2, stride=0),
    "fold channels": lambda m, f: f.fold(m.zeros(1, 7, 4), (3, 3), 2),
    "fold places": lambda m, f: f.fold(m.zeros(1, 8, 5), (3, 3), 2),
    "fold picture": lambda m, f: f.fold(m.zeros(*X), (3, 3), 2),
    "pixel_shuffle channels": lambda m, f: f.pixel_shuffle(m.zeros(*X), 2),
    "pixel_shuffle factor": lambda m, f: f.pixel_shuffle(m.zeros(*X), 0),
    "pixel_shuffle matrix": lambda m, f: f.pixel_shuffle(m.zeros(4, 4), 2),
    "pixel_unshuffle size": lambda m, f: f.pixel_unshuffle(m.zeros(*X), 2),
    "Unflatten size": lambda m, f: m.nn.Unflatten(1, 4),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    expected = outcome(lambda m: WRONG[name](m, TF), torch)
    assert isinstance(expected, type), "PyTorch accepts this"
    with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
        WRONG[name](mc, F)
    assert issubclass(expected, error.type) or issubclass(error.type, expected), error.value
    assert str(error.value).partition(":")[0] == name.split()[0]


def test_what_there_is_not():
    with pytest.raises(NotImplementedError, match=r"interpolate: .*bicubic.*bilinear"):
        F.interpolate(mc.zeros(*X), 3, mode="bicubic")
    with pytest.raises(NotImplementedError, match="interpolate: no antialias"):
        F.interpolate(mc.zeros(*X), 3, mode="bilinear", antialias=True)
    with pytest.raises(RuntimeError, match=r"local_contrast_norm: .* odd size .* got \(2, 3, 5, 7\), 4"):
        F.local_contrast_norm(mc.zeros(*X), 4)
    with pytest.warns(UserWarning, match="old name"):
        F.upsample(mc.zeros(*X), scale_factor=2)
    with pytest.raises(RuntimeError, match=r"unfold: expected x .* got \(5,\)"):
        F.unfold(mc.zeros(5), 1)
    with pytest.raises(TypeError, match=r"Unflatten: expected dim as an int, got 1\.5"):
        nn.Unflatten(1.5, (2, 2))
