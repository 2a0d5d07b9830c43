"""Direct convolution of interleaved pictures, its gradients, and what follows it, on odd layers."""

import numpy as np
import pytest
import torch

import kernel_cases
from kernel_cases import assert_near, numbers, run
from minicnn.kernels.cpu.interleaved import direct, direct_weight, finish
from minicnn.kernels.cpu.interleaved.finish import MAX, MEAN, NONE, RELU, TANH
from minicnn.kernels.cpu.interleaved.layout import LANES, interleave, separate
from minicnn.kernels.geometry import Window
from test_simd import HASWELL, X86, compiled, innermost_loop, simd, spills

PLAIN = NONE, NONE, 1, 1
LAYERS = {  # groups of pictures, x, weight, window
    "LeNet's first": (2, (1, 32, 32), (6, 1, 5, 5), Window((5, 5))),
    "LeNet's second": (3, (6, 14, 14), (16, 6, 5, 5), Window((5, 5))),
    "a first layer, padding": (1, (3, 13, 11), (35, 3, 3, 3), Window((3, 3), padding=(1, 1, 1, 1))),
    "a first layer, stride": (2, (3, 17, 21), (9, 3, 7, 7), Window((7, 7), (2, 2), (3, 3, 3, 3))),
    "one filter": (1, (3, 9, 13), (1, 3, 3, 2), Window((3, 2), padding=(2, 0, 1, 1))),
    "one place": (1, (7, 5, 5), (10, 7, 5, 5), Window((5, 5))),
    "one row": (1, (2, 3, 9), (4, 2, 3, 3), Window((3, 3))),
    "one pixel": (2, (11, 7, 6), (13, 11, 1, 1), Window((1, 1))),
    "many groups": (11, (2, 5, 4), (4, 2, 3, 3), Window((3, 3), padding=(1, 1, 1, 1))),
    "padding beyond the picture": (1, (2, 2, 3), (8, 2, 3, 3), Window((3, 3), padding=(4, 0, 2, 5))),
    "larger strides than windows": (1, (3, 11, 12), (5, 3, 2, 2), Window((2, 2), (3, 5))),
    "strides that differ": (1, (3, 20, 13), (5, 3, 3, 3), Window((3, 3), (3, 4), (1, 0, 2, 0))),
    "dilation": (1, (3, 12, 14), (8, 3, 3, 2), Window((3, 2), (1, 1), (2, 2, 3, 0), (2, 3))),
    "dilation and stride": (1, (3, 14, 15), (8, 3, 3, 4), Window((3, 4), (2, 2), (2, 0, 3, 0), (2, 3))),
}


def test_long_sums_keep_their_digits():
    x, dy, window = numbers(LANES, 1, 66, 98), numbers(LANES, 3, 64, 96, seed=1), Window((3, 3))
    exact = kernel_cases.conv2d_weight_gradient(dy.astype(float), x.astype(float), window, 1)
    error = direct_weight.weight_gradient(interleave(dy), interleave(x), window) - exact
    assert np.abs(error).max() < 2e-6 * np.sqrt(np.square(exact).mean())


HOWS = [
    (NONE, NONE, 1, 1),
    (NONE, MEAN, 3, 1),
    (RELU, NONE, 1, 1),
    (RELU, MAX, 2, 2),
    (TANH, MAX, 3, 2),
    (TANH, MEAN, 2, 3),
]


def operands(layer):
    """x, weight, bias and dy, as pictures (N, C, H, W)."""
    groups, x_shape, weight_shape, window = layer
    x, weight = numbers(groups * LANES, *x_shape), numbers(*weight_shape, seed=1)
    bias = numbers(len(weight), seed=2)
    return x, weight, bias, numbers(len(x), len(weight), *window.output_size(*x_shape[1:]), seed=3)


def results(layer, x, weight, bias, dy):
    """y, dx and dweight, by the direct method and by NumPy."""
    window = layer[3]
    inside, dinside = interleave(x), interleave(dy)
    y, kept, index = direct.forward(inside, weight, bias, window, PLAIN)
    assert kept is y
    assert index is None
    dx = direct.input_gradient(dinside, weight, inside.shape, window)
    yield "y", separate(y), kernel_cases.conv2d(x, weight, bias, window, 1)
    yield "dx", separate(dx), kernel_cases.conv2d_input_gradient(dy, weight, x.shape, window, 1)
    dweight = direct_weight.weight_gradient(dinside, inside, window)
    yield "dweight", dweight, kernel_cases.conv2d_weight_gradient(dy, x, window, 1)


@pytest.mark.parametrize("name", LAYERS)
def test_as_numpy_does(name):
    for what, got, expected in results(LAYERS[name], *operands(LAYERS[name])):
        assert_near(got, expected, what)


def test_padding_may_be_less_than_none():
    window, smaller = Window((3, 2), (1, 2), (-1, 1, -2, -1)), Window((3, 2), (1, 2), (0, 1, 0, 0))
    layer = (1, (3, 9, 11), (7, 3, 3, 2), window)
    x, weight, bias, dy = operands(layer)
    inside, dinside, inner = interleave(x), interleave(dy), np.s_[:, :, 1:, 2:-1]
    y, _, _ = direct.forward(inside, weight, bias, window, PLAIN)
    assert_near(separate(y), kernel_cases.conv2d(x[inner], weight, bias, smaller, 1))
    dx = np.zeros_like(x)
    dx[inner] = kernel_cases.conv2d_input_gradient(dy, weight, x[inner].shape, smaller, 1)
    assert_near(separate(direct.input_gradient(dinside, weight, inside.shape, window)), dx)
    expected = kernel_cases.conv2d_weight_gradient(dy, x[inner], smaller, 1)
    assert_near(direct_weight.weight_gradient(dinside, inside, window), expected)


def test_without_bias():
    x, weight, bias, _ = operands(LAYERS["one row"])
    window = LAYERS["one row"][3]
    with_zero = direct.forward(interleave(x), weight, np.zeros_like(bias), window, PLAIN)[0]
    np.testing.assert_array_equal(direct.forward(interleave(x), weight, None, window, PLAIN)[0], with_zero)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", ["LeNet's first", "LeNet's second", "a first layer, padding", "one filter"])
def test_what_follows(name, how):
    """Against PyTorch; and y and index are what the gradient needs."""
    x, weight, bias, _ = operands(LAYERS[name])
    weight /= np.sqrt(weight[0].size)  # tanh of large sums would be 1 for many, and the largest any of them
    window, (activation, pool, *size) = LAYERS[name][3], how
    inside = interleave(x)
    out, y, index = direct.forward(inside, weight, bias, window, how)
    assert (y is not None) == finish.keeps(how)
    assert (index is not None) == (pool == MAX)
    alone, rows, _ = direct.forward(inside, weight, bias, window, how, False)  # without a gradient
    np.testing.assert_array_equal(alone, out)
    assert rows is alone if pool == NONE else rows is None
    after = {NONE: lambda y: y, RELU: torch.relu, TANH: torch.tanh}[activation]
    pooling = {NONE: lambda y, size: y, MAX: torch.max_pool2d, MEAN: torch.nn.functional.avg_pool2d}[pool]
    plain = torch.tensor(kernel_cases.conv2d(x, weight, bias, window, 1), requires_grad=True)
    pooled = pooling(after(plain), size)
    assert_near(separate(out), pooled.detach().numpy())
    dout = numbers(*pooled.shape)
    pooled.backward(torch.tensor(dout))
    expected = plain.grad.numpy()
    given, shape = (interleave(dout), out, y, index, how), (len(out), len(weight), *plain.shape[2:], LANES)
    assert_near(separate(finish.gradient(*given, shape)[0]), expected)
    dweight, dbias = direct_weight.parameter_gradients(*given, inside, window)
    assert_near(dweight, kernel_cases.conv2d_weight_gradient(expected, x, window, 1))
    assert_near(dbias, kernel_cases.conv2d_bias_gradient(expected))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["one filter", "dilation and stride", "LeNet's second"])
def test_not_finite_where_its_windows_are(name, bad):
    """Tiles hold more channels and taps than there are: no result may see that."""
    layer = LAYERS[name]
    x, weight, bias, dy = operands(layer)
    for at in (0, 1, 0, 0), (3, 2, x.shape[2] - 1, x.shape[3] - 2):
        x[at] = bad
    dy[LANES - 1, -1, -1, 0] = bad
    with np.errstate(invalid="ignore"):
        for what, got, expected in results(layer, x, weight, bias, dy):
            assert_near(got, expected, what)


THREADS = """
import hashlib
import test_interleaved_direct as t
from minicnn.kernels import threads
from minicnn.kernels.cpu import runner

runner.SHARE = 1  # also little work is shared

def digests():
    for name, layer in t.LAYERS.items():
        for what, got, _ in t.results(layer, *t.operands(layer)):
            yield name, what, hashlib.sha256(got.tobytes()).hexdigest()

threads.count = 1
expected = list(digests())
for threads.count in (2, 3, 4):
    print(list(digests()) == expected)
"""


def test_the_number_of_threads_changes_no_bit():
    done = run(THREADS, NUMBA_NUM_THREADS="4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n" * 3


def ones(*shape):
    return np.ones(shape, np.float32)


def tiles():
    """Name -> a kernel, arguments (tile sizes first), and the products of its tile."""
    offsets, source = np.zeros(9, np.int64), ones(4096)
    sizes = (direct.MANY, direct.PLACES_OF_MANY), (direct.FEW, direct.PLACES_OF_FEW)
    for height, places in sizes:
        for count in (places, 1):
            table, y = np.zeros((2, 3 + 2 * count), np.int64), ones(height, 5, LANES)
            given = (height, count, ones(10, height), offsets, 9, table, source, 0, y)
            yield f"{height} x {count}", direct.sum_over_taps, given, height * count
    for height, taps in (direct_weight.WIDE, direct_weight.TALL):
        part, sums = (8, 0, 5), ones(height, taps, LANES)
        given = height, taps, ones(height, 40, LANES), part, source, offsets, 0, (LANES, LANES), sums
        yield f"weight, {height} x {taps}", direct_weight.sum_over_rows, given, height * taps


@X86
@pytest.mark.parametrize(
    ("kernel", "given", "products"), [t[1:] for t in tiles()], ids=[t[0] for t in tiles()]
)
def test_tiles_stay_in_registers(kernel, given, products):
    function = compiled(kernel.py_func)
    function(*given)
    loop = innermost_loop("\n".join(function.inspect_asm().values()))
    assert sum("vfm" in line for line in loop) >= products
    assert spills(loop) == []


OTHER_CPU = """
import test_interleaved_direct as t
for name in t.LAYERS:
    t.test_as_numpy_does(name)
print(t.LANES)
"""


@pytest.mark.slow
@pytest.mark.skipif("+avx2" not in simd.FEATURES or "+fma" not in simd.FEATURES, reason="needs AVX2")
@pytest.mark.parametrize(("name", "features", "lanes"), [("haswell", HASWELL, 8), ("generic", None, 4)])
def test_narrower_vectors(name, features, lanes):
    done = run(OTHER_CPU, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{lanes}\n"
