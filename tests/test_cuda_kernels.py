"""The GPU's kernels as a whole: they compile and say what the reference says; their launcher; the emulator.

Each family's own tests are those of the CPU's, in test_kernels*.py.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, every_kernel, numbers, run
from minicnn.kernels import reference
from minicnn.kernels.cuda import clip, launch, optim, replay

SOURCES = sorted(launch.FOLDER.glob("*.cu"))
DTYPE = pytest.mark.parametrize("dtype", DTYPES)


@DTYPE
def test_every_kernel_against_the_reference(dtype):
    xp = emulated.cupy()
    from minicnn.kernels import cuda

    cases = every_kernel(cuda, dtype, xp.asarray)
    for (name, got), (_, expected) in zip(cases, every_kernel(reference, dtype), strict=True):
        assert isinstance(got, xp.ndarray), name
        assert_near(xp.asnumpy(got), np.asarray(expected), name)


def test_every_kernel_is_told():
    from minicnn.kernels import cuda

    assert set(cuda.__all__) == set(reference.__all__)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs NVIDIA's compiler, nvcc")
@pytest.mark.parametrize(
    ("source", "real"),
    [(p, real) for p in SOURCES for real in ("float", "double") if (p.stem[-4:], real) != ("tf32", "double")],
    ids=lambda given: getattr(given, "stem", given),
)
def test_nvidias_compiler_takes_it_without_a_warning(source, real, tmp_path):
    """For two kinds of GPUs; TensorFloat32 is only for float32."""
    options = ["-std=c++17", f"-DREAL={real}", "-Werror", "all-warnings"]
    options += ["-gencode", "arch=compute_80,code=[sm_80,sm_90]", "-fatbin"]
    command = ["nvcc", *options, "-o", str(tmp_path / "out.fatbin"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout + done.stderr


# steps of many parameters


def test_a_step_of_many_parameters_takes_few_launches(monkeypatch):
    xp, started = emulated.cupy(), []

    def note(source, name, *arguments):
        started.append(name)
        launch.launch(source, name, *arguments)

    for file in (optim, replay):
        monkeypatch.setattr(file, "launch", note)
    params = [xp.ones(3, np.float32) for _ in range(optim.SLOTS + 1)]
    optim.sgd_step(params, params, None, 0.25, 0.0, 0.0, 0.0, False, False, True)
    assert started == ["put", "sgd", "sgd"]  # first come its numbers
    assert all((p.get() == 0.75).all() for p in params)


# dropout

WORDS = """
#include "philox.cuh"

extern "C" __global__ void ask(const unsigned* counter, unsigned* words, unsigned key, unsigned other_key) {
    const Words w = philox({counter[0], counter[1], counter[2], counter[3]}, key, other_key);
    for (int i = 0; i < 4; i++) words[i] = w.at[i];
}
"""


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # the known answers of Random123
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_words(counter, key, expected):
    xp = emulated.cupy()
    module = xp.RawModule(code=WORDS, options=("--std=c++17", "-DREAL=float", f"-I{launch.FOLDER}"))
    out = xp.empty(4, np.uint32)
    given = xp.asarray(np.array(counter, np.uint32)), out, *map(np.uint32, key)
    module.get_function("ask")((1,), (1,), given)
    assert out.get().tolist() == expected


def philox(counter, key):
    """Philox4x32-10 as the paper has it, with numbers of any size."""
    for round in range(10):
        k0, k1 = (k + round * w & 0xFFFFFFFF for k, w in zip(key, (0x9E3779B9, 0xBB67AE85), strict=True))
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(b >> 32) ^ counter[1] ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ counter[3] ^ k1, a & 0xFFFFFFFF]
    return counter


class Drawn:
    """Random numbers as the kernel finds them, for the reference."""

    def __init__(self, seed, place):
        self.key, self.place = (seed & 0xFFFFFFFF, seed >> 32), place

    def random(self, count, dtype):
        places = [self.place + f // 128 * 32 + f % 32 for f in range(count)]
        words = [
            philox([at & 0xFFFFFFFF, at >> 32, 0, 0], self.key)[f // 32 % 4] for f, at in enumerate(places)
        ]
        return np.array([(word >> 8) / 2**24 for word in words], dtype)


@DTYPE
@pytest.mark.parametrize(
    ("shape", "together", "p"),
    [((3, 7, 53), 1, 0.3), ((2, 5, 31), 31, 0.5), ((9, 130), 2, 0.9), ((1,), 1, 1.0)],
)
def test_dropout_against_the_reference(shape, together, p, dtype):
    from minicnn.kernels import cuda

    xp, seed, place = emulated.cupy(), 0xFEDCBA9876543210, 0xFFFFFFF0
    x, dy = numbers(*shape, dtype=dtype), numbers(*shape, dtype=dtype, seed=1)
    state = xp.asarray(np.array([seed, place, 0], np.uint64))
    y, fates = cuda.dropout(xp.asarray(x), together, p, state)
    expected, shares = reference.dropout(x, together, p, Drawn(seed, place))
    np.testing.assert_array_equal(y.get(), expected)
    places = -(-len(shares) // 128) * 32
    assert state.get().tolist() == [seed, place + places, 0]  # the next launch goes on there
    cuda.dropout(xp.asarray(x), together, p, state)
    dx = cuda.dropout_gradient(xp.asarray(dy), together, p, fates)
    np.testing.assert_array_equal(dx.get(), reference.dropout_gradient(dy, together, p, shares))


# the launcher


def test_too_many_numbers_are_refused():
    emulated.cupy()
    many = np.broadcast_to(np.float32(0), (1 << 16, 1 << 15))
    with pytest.raises(ValueError, match="an array on the GPU has at most"):
        launch.plain(many, many.dtype)
    assert launch.plain(many[1024:], many.dtype) is not None
    for refuse in (
        lambda: clip.euclidean_norm([many]),
        lambda: clip.scale([many], 0.5),
        lambda: optim.start("sgd", many.dtype, None, [(many,)]),
    ):
        with pytest.raises(ValueError, match="an array on the GPU has at most"):
            refuse()


def test_a_changed_header_is_compiled_anew(tmp_path, monkeypatch):
    for path in launch.FOLDER.glob("*.cuh"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(launch, "FOLDER", tmp_path)
    hashes = []
    for text in ("", "// another"):
        (tmp_path / "common.cuh").write_text(text)
        hashes.append(launch.headers.__wrapped__())
    assert hashes[0] != hashes[1]


# the emulator: each checker finds the fault it is for

KERNELS = """
#include "common.cuh"

extern "C" __global__ void fill(real* x, int n) { FOR_EACH(i, n) x[i] = i; }

extern "C" __global__ void block_sums(const real* x, real* y, int n) {
    real sum = 0;
    FOR_EACH(i, n) sum += x[i];
    sum = block_sum(sum);
    y[blockIdx.x * blockDim.x + threadIdx.x] = block_sum(sum) / blockDim.x;
}

extern "C" __global__ void shuffles(const real* x, real* y) {
    int i = threadIdx.x;
    real mine = x[i];
    y[i] = __shfl_sync(0xffffffff, mine, 5);
    y[64 + i] = __shfl_xor_sync(0xffffffff, mine, 3);
    y[128 + i] = __shfl_down_sync(0xffffffff, mine, 4);
    y[192 + i] = warp_sum(mine, 8);
    y[256 + i] = warp_max(mine);
    y[320 + i] = __any_sync(0xffffffff, i == 40) + 2 * __all_sync(0xffffffff, i < 32);
}

extern "C" __global__ void turn(const real* x, real* y) {
    DYNAMIC_SHARED(real, kept);
    kept[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = kept[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void divergent(real* x, int n) {
    int i = threadIdx.x;
    if (i < n) __syncthreads();
    x[i] = 1;
    if (i >= n) __syncthreads();
}

extern "C" __global__ void missed(real* x, int n) {
    int i = threadIdx.x;
    if (i < n) x[i] = __shfl_sync(0xffffffff, x[i], 0);
    __syncthreads();
    x[i] = 1;
}
"""


@pytest.fixture(scope="module")
def module():
    from emulator import cupy

    return cupy.RawModule(code=KERNELS, options=("-DREAL=float", f"-I{launch.FOLDER}"))


def stand_in(values):
    from emulator import cupy

    return cupy.ndarray(np.array(values, np.float32))


def call(module, name, threads, *arguments, blocks=1, shared=0):
    module.get_function(name)((blocks,), (threads,), arguments, shared_mem=shared)


@pytest.mark.parametrize("threads", [32, 96, 1024])
def test_block_sums(module, threads):
    x, y = stand_in(np.arange(3000) % 11), stand_in(np.zeros(2 * threads))
    call(module, "block_sums", threads, x, y, np.int32(3000), blocks=2)
    owner = np.arange(3000) // threads % 2
    sums = [x.host[owner == block].sum() for block in range(2)]
    assert y.host.reshape(2, threads).tolist() == [[total] * threads for total in sums]


def test_exchanges_within_a_warp(module):
    x, y = stand_in(np.random.default_rng(0).permutation(64)), stand_in(np.zeros(384))
    call(module, "shuffles", 64, x, y)
    warps = x.host.reshape(2, 32)
    lanes = np.arange(32)
    expected = [
        np.repeat(warps[:, 5:6], 32, axis=1),
        warps[:, lanes ^ 3],
        np.where(lanes < 28, warps[:, np.minimum(lanes + 4, 31)], warps),
        np.repeat(warps.reshape(2, 4, 8).sum(axis=2), 8, axis=1),
        np.repeat(warps.max(axis=1, keepdims=True), 32, axis=1),
        np.repeat([[2], [1]], 32, axis=1),
    ]
    np.testing.assert_array_equal(y.host.reshape(6, 2, 32), expected)


def test_shared_memory(module):
    x, y = stand_in(np.arange(50)), stand_in(np.zeros(50))
    call(module, "turn", 50, x, y, shared=200)
    assert (y.host == x.host[::-1]).all()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("fill", [np.zeros(4, np.float32), np.int32(4)], "expected an array of float32"),
        ("fill", [np.float64, np.int32(4)], "expected an array of float32, got float64"),
        ("fill", [np.float32, np.int64(4)], "expected int32"),
        ("fill", [np.float32, 4], "expected int32"),
        ("fill", [np.float32], "expected 2 arguments, got 1"),
        ("fill", ["every other", np.int32(4)], "does not lie row by row"),
    ],
)
def test_wrong_arguments_are_refused(module, name, arguments, message):
    from emulator import cupy

    made = {np.float32: cupy.zeros(4, np.float32), np.float64: cupy.zeros(4), "every other": cupy.zeros(8)}
    made["every other"] = cupy.ndarray(np.zeros(8, np.float32)[::2])
    given = [made[a] if isinstance(a, str | type) else a for a in arguments]
    with pytest.raises(TypeError, match=message):
        call(module, name, 32, *given)


@pytest.mark.parametrize(
    ("threads", "sizes"), [(1025, {}), (0, {}), (32, {"blocks": 0}), (32, {"shared": (227 << 10) + 1})]
)
def test_what_no_gpu_takes_is_refused(module, threads, sizes):
    with pytest.raises(ValueError, match="no GPU takes"):
        call(module, "fill", threads, stand_in([0]), np.int32(1), **sizes)


@pytest.mark.parametrize("name", ["divergent", "missed"])
def test_a_divergent_barrier_ends_the_program(name, tmp_path):
    path = Path(tmp_path, "kernels.cu")
    path.write_text(KERNELS)
    program = f"""
import sys
import numpy as np
from pathlib import Path
from emulator import cupy
module = cupy.RawModule(code=Path(sys.argv[1]).read_text(), options=("-DREAL=float", "-I" + sys.argv[2]))
for n in (64, 32, 3):
    module.get_function("{name}")((1,), (64,), [cupy.zeros(64, np.float32), np.int32(n)])
    print(n)
"""
    done = run(program, str(path), str(launch.FOLDER))
    assert done.returncode != 0
    assert "CUDA emulator: " in done.stderr
    assert "barrier" in done.stderr
