"""Vectors mean the same compiled and as plain Python, tiles stay in registers; products of matrices."""

import importlib
import operator
import platform
import re

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.train_step import AVX2
from kernel_cases import DTYPES, assert_near, numbers, run
from minicnn.kernels.cpu import gemm, jit, simd
from minicnn.kernels.cpu.simd import (
    hmax,
    hsum,
    lanes,
    load,
    load_part,
    maximum,
    splat,
    store,
    store_part,
    stretch,
    tile,
)
from minicnn.kernels.cpu.weave import evens, odds

linear = importlib.import_module("minicnn.kernels.cpu.linear")  # the package has a function of that name
DTYPE = pytest.mark.parametrize("dtype", DTYPES)


def compiled(function):
    return numba.njit(function, **jit.OPTIONS)


def count_lanes(a, out, n):
    out[0, 0] = lanes(a)


def copy_vector(a, out, n):
    store(out, 1, 3, load(a, 2, 1))


def copy_line(a, out, n):
    store(out[0], 2, load(a[1], n))  # one index


def copy_past_the_end_of_a_row(a, out, n):
    store(out, 0, out.shape[1] - 2, load(a, 0, a.shape[1] - 3))  # goes on in the next row


def copy_part(a, out, n):
    store(out, 1, 0, load_part(n, a, 2, a.shape[1] - n))


def write_part(a, out, n):
    store_part(n, out, 2, out.shape[1] - n, load(a, 0, 0))


def add(a, out, n):
    store(out, 0, 0, load(a, 0, 0) + load(a, 1, 1))


def multiply(a, out, n):
    store(out, 0, 0, load(a, 0, 0) * load(a, 1, 1))


def subtract(a, out, n):
    store(out, 0, 0, load(a, 0, 0) - load(a, 1, 1))


def with_numbers(a, out, n):
    v = 3 * load(a, 0, 0) - 0.5
    v -= n
    store(out, 0, 0, 2.5 - v * 0.25 + 1)


def update(a, out, n):
    v = load(a, 0, 0)
    v += load(a, 1, 0)
    v *= load(a, 2, 0)
    v -= load(a, 2, 1)
    store(out, 0, 0, v)


def fill(a, out, n):
    store(out, 0, 1, splat(a, 2, n))
    store(out, 1, 1, splat(a[1], n))


def copy_several(a, out, n):
    numbers, target = stretch(n + 70, a[:, 1:], 0, 2), stretch(n + 70, out, 1, 5)  # beyond a row's end
    for i in range(numbers.size):
        target[i] = numbers[i]


def halve(a, out, n):
    store(out, 0, 0, evens(load(a, 0, 0), load(a, 1, 3)))


def other_half(a, out, n):
    store(out, 0, 0, odds(load(a, 0, 0), load(a, 1, 3)))


def add_up(a, out, n):
    out[0, 0] = hsum(load(a, 0, 0))


def take_the_largest(a, out, n):
    v = maximum(load(a, 2, n), load(a, 0, 1) + load(a, 0, 1))
    store(out, 0, 0, v)
    out[1, 0] = hmax(v)


def sum_in_a_tile(a, out, n):
    acc = tile(2, 3, a)
    for k in range(3):
        for r in range(2):
            for c in range(3):
                acc[r, c] += splat(a, k, r) * load(a, k, c)
    for r in range(2):
        for c in range(3):
            store(out, r, c * lanes(a), acc[r, c])


OPERATIONS = [
    count_lanes, copy_vector, copy_line, copy_past_the_end_of_a_row, copy_part, write_part, add, multiply,
    subtract, with_numbers, update, fill, copy_several, halve, other_half, add_up, take_the_largest,
    sum_in_a_tile,
]  # fmt: skip


@DTYPE
@pytest.mark.parametrize("operation", OPERATIONS)
def test_compiled_operation_means_its_python_form(operation, dtype):
    a = np.arange(1, 3 * 70 + 1, dtype=dtype).reshape(3, 70)  # whole numbers, so that no sum is rounded
    fast = compiled(operation)
    for n in range(simd.BYTES // a.itemsize + 1):
        got, expected = (np.full((3, 70), -1, dtype) for _ in range(2))
        fast(a, got, n)
        operation(a, expected, n)
        assert np.array_equal(got, expected)
        assert n == 0 or (expected != -1).any()


def test_python_forms_by_hand():
    """What the test above rests on."""
    a = np.arange(200, dtype=np.float32).reshape(2, 100)
    L = simd.BYTES // 4
    assert lanes(a) == L
    assert lanes(a.astype(float)) == L // 2
    assert load(a, 1, 5).tolist() == list(range(105, 105 + L))
    assert load(a, 0, 98).tolist() == list(range(98, 98 + L))
    assert load_part(3, a, 1, 97).tolist() == [197, 198, 199] + [0] * (L - 3)
    assert stretch(3, a, 0, 98).tolist() == [98, 99, 100]
    assert splat(a, 1, 7).tolist() == [107] * L
    assert hsum(load(a, 0, 1)) == sum(range(1, 1 + L))
    assert evens(load(a, 0, 0), load(a, 0, L)).tolist() == list(range(0, 2 * L, 2))
    assert odds(load(a, 0, 0), load(a, 0, L)).tolist() == list(range(1, 2 * L, 2))
    v = load(a, 0, 0)
    acc = tile(2, 3, a)
    assert [*acc] == [(r, c) for r in range(2) for c in range(3)] and not any(map(np.any, acc.values()))
    before = acc[1, 2]
    acc[1, 2] += v
    assert acc[1, 2].tolist() == v.tolist() and not before.any() and not acc[0, 0].any()
    other = v
    other -= 1
    other *= 2
    assert other.tolist() == [2 * (x - 1) for x in v.tolist()] and v.tolist() == load(a, 0, 0).tolist()
    assert load_part(L + 3, a, 0, 0).tolist() == v.tolist() and not load_part(-3, a, 0, 0).any()
    store_part(2, a, 1, 98, v)
    assert a[1, 97:].tolist() == [197, 0, 1]
    store(a, 0, 0, splat(a, 1, 50))
    assert (a[0, :L] == 150).all()
    assert v.tolist() == list(range(L))  # a vector is a copy
    assert a[0, L] == L


@pytest.mark.parametrize("symbol", [operator.add, operator.sub, operator.mul])
def test_vectors_of_different_numbers_do_not_mix(symbol):
    @numba.njit
    def mixed(a, b):
        store(a, 0, symbol(load(a, 0), load(b, 0)))

    with pytest.raises(numba.TypingError):
        mixed(np.ones(99, np.float32), np.ones(99, np.float64))


def innermost_loop(assembly: str) -> list[str]:
    """The instructions from a label to the jump back to it, where most of the multiplications are."""
    best: list[str] = []
    lines = [line.split("#")[0].strip() for line in assembly.splitlines()]
    labels = {line[:-1]: i for i, line in enumerate(lines) if line.endswith(":")}
    for i, line in enumerate(lines):
        jump = re.match(r"j\w+\s+(\S+)$", line)
        if jump and labels.get(jump[1], i) < i:
            body = lines[labels[jump[1]] : i]
            inner = not any(other.endswith(":") and not other.startswith(".Ltmp") for other in body[1:])
            if inner and sum("vfm" in other for other in body) > sum("vfm" in other for other in best):
                best = body
    return best


def spills(loop: list[str]) -> list[str]:
    """Vectors written to memory."""
    return [line for line in loop if re.match(r"vmov\w+\s+%[xyz]mm\d+,.*\(", line)]


X86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or "+fma" not in simd.FEATURES, reason="reads x86 assembly"
)


@X86
@DTYPE
@pytest.mark.parametrize("name", ["tiles", "whole_tiles"])
def test_tile_stays_in_registers(name, dtype):
    tiles = compiled(getattr(gemm, name).py_func)
    width = gemm.NV * simd.BYTES // np.dtype(dtype).itemsize
    shapes = (gemm.MR, 9), (1, 9, width), gemm.MR, width, (gemm.MR, width)
    A, panels, down, across, C = (np.ones(shape, dtype) for shape in shapes)
    for more, expected in (False, 11), (True, 20):
        tiles(A, panels, down, across, C, 0, width, more)
        assert np.array_equal(C, np.full_like(C, expected))
    loop = innermost_loop("\n".join(tiles.inspect_asm().values()))
    register = {64: "zmm", 32: "ymm", 16: "xmm"}[simd.BYTES]
    products = [line for line in loop if re.match(r"vfm\w+", line)]
    assert len(products) >= gemm.MR * gemm.NV
    assert all(re.search(rf"%{register}\d+$", line) for line in products)
    assert spills(loop) == []


def too_large_a_tile(A, B, C):
    acc = tile(12, 4, B)
    for k in range(B.shape[0]):
        for r in range(12):
            a = splat(A, k, r)
            for c in range(4):
                acc[r, c] += a * load(B, k, c * lanes(B))
    for r in range(12):
        for c in range(4):
            store(C, r, c * lanes(B), acc[r, c])


@X86
def test_too_large_a_tile_is_seen_to_spill():
    function = compiled(too_large_a_tile)
    function(np.ones((3, 12), np.float32), np.ones((3, 64), np.float32), np.ones((12, 64), np.float32))
    assert spills(innermost_loop("\n".join(function.inspect_asm().values())))


@DTYPE
@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(0, 30), st.integers(1, 120))
def test_matmul(dtype, M, K, N):
    A, B = numbers(M, K, dtype=dtype), numbers(K, N, dtype=dtype, seed=1)
    assert_near(gemm.matmul(A, B), (A.astype(float) @ B).astype(dtype))


@DTYPE
@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(0, 30), st.integers(1, 120), st.booleans())
def test_product_with_a_turned_matrix(dtype, M, K, N, biased):
    A, B = numbers(M, K, dtype=dtype), numbers(N, K, dtype=dtype, seed=1)
    bias = numbers(N, dtype=dtype, seed=2) if biased else None
    expected = A.astype(float) @ B.T + (bias if biased else 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "FEW_PRODUCTS", -1)  # however few products
        assert_near(linear.linear(A, B, bias), expected.astype(dtype))


@DTYPE
@pytest.mark.parametrize("turned", [False, True])
def test_matmul_of_several_blocks(dtype, monkeypatch, turned):
    """More rows than a job has, and longer ones than are summed in a row or fit into a panel; many panels."""
    monkeypatch.setattr(gemm, "ROWS", 16)
    (M, K, N), bias = (37, gemm.DEPTH + gemm.CHAIN + 3, 467), numbers(467, dtype=dtype)
    A, B = numbers(M, K, dtype=dtype) / 50, numbers(*((N, K) if turned else (K, N)), dtype=dtype, seed=1)
    expected = A.astype(float) @ (B.T if turned else B) + (bias if turned else 0)
    got = linear.linear(A, B, bias) if turned else gemm.matmul(A, B)
    assert_near(got, expected.astype(dtype))


def test_long_sums_round_like_those_of_pytorch():
    A, B = numbers(40, 9000), numbers(50, 9000, seed=1)
    expected = A.astype(float) @ B.T
    theirs = (torch.from_numpy(A) @ torch.from_numpy(B).T).numpy()
    error = [(got - expected).std() for got in (linear.linear(A, B, None), theirs)]
    assert error[0] < 1.5 * error[1]


@DTYPE
@settings(max_examples=20)
@given(st.integers(1, 70), st.integers(1, 70))
def test_turned(dtype, M, K):
    A = numbers(M, K, dtype=dtype)
    assert np.array_equal(gemm.turned(A), A.T)


@DTYPE
@pytest.mark.parametrize("begin", [0, 5])
def test_multiply_writes_its_columns_only(dtype, begin):
    M, K, N, end = 11, 7, 130, 117
    A, B, bias = numbers(M, K, dtype=dtype), numbers(K, N, dtype=dtype), numbers(M, dtype=dtype)
    C = np.full((M, N), 77, dtype)
    compiled(gemm.multiply.py_func)(A, B, bias, C, begin, end)
    expected = (A.astype(float) @ B + bias[:, None]).astype(dtype)
    assert_near(np.ascontiguousarray(C[:, begin:end]), np.ascontiguousarray(expected[:, begin:end]))
    assert (C[:, :begin] == 77).all()
    assert (C[:, end:] == 77).all()


OTHER_CPU = """
import numpy as np
import kernel_cases
from kernel_cases import CONVOLUTIONS, PRODUCTS, assert_near, numbers
from minicnn.kernels import cpu, reference
from minicnn.kernels.cpu import simd
from minicnn.kernels.geometry import Window

print(simd.BYTES, simd.REGISTERS)
wide = (1, 3, 9, 60), (9, 3, 3, 3), Window((3, 3)), 1
for x_shape, weight_shape, window, groups in [*CONVOLUTIONS, wide]:
    arguments = numbers(*x_shape), numbers(*weight_shape), None, window, groups
    assert_near(cpu.conv2d(*arguments), kernel_cases.conv2d(*arguments))
for N, I, O in PRODUCTS:
    arguments = numbers(N, I), numbers(O, I), None
    assert_near(cpu.linear(*arguments), reference.linear(*arguments))
"""
HASWELL = AVX2["NUMBA_CPU_FEATURES"]


@pytest.mark.slow
@pytest.mark.skipif("+avx2" not in simd.FEATURES or "+fma" not in simd.FEATURES, reason="needs AVX2")
@pytest.mark.parametrize(
    ("name", "features", "bytes_"),
    [("haswell", HASWELL, 32), ("generic", None, 16)],
    ids=["haswell", "generic"],
)
def test_narrower_vectors(name, features, bytes_):
    """Compiled for a CPU with less; the cache keeps it apart."""
    done = run(OTHER_CPU, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{bytes_} 16\n"
