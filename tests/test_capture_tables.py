"""Tables that an operation makes on the CPU, and that a captured step finds on the GPU."""

import gc
import importlib

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn.functional as F

RNG = np.random.default_rng(12)
FROM_SHAPES = {
    "arange": lambda x: x + mc.arange(0, 1, 0.2, device="cuda"),
    "affine_grid": lambda x: F.affine_grid(x[:, :2, :3], (2, 1, 4, 4)),
    "diag": lambda x: x[0, 0].diag(),
    "linspace": lambda x: x + mc.linspace(0, 1, 5, device="cuda"),
    "logspace": lambda x: x + mc.logspace(0, 1, 5, device="cuda"),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "roll": lambda x: x.roll((1, -2), (1, 2)),
    "unfold": lambda x: x.unfold(1, 2, 1),
}


@pytest.mark.parametrize("name", FROM_SHAPES)
def test_tables_that_follow_from_shapes(name, cuda):
    """They are on the GPU since the first step, and stay there as long as the graph."""
    step = FROM_SHAPES[name]
    graph = mc.cuda.graph(lambda x: step(x) * 1, warmup=1)
    for _ in range(4):
        x = mc.tensor(RNG.standard_normal((2, 4, 5), np.float32), device="cuda")
        np.testing.assert_array_equal(graph(x).numpy(force=True), step(x.cpu().to("cuda")).numpy(force=True))
        importlib.import_module("minicnn.device")._kept.cache_clear()
        gc.collect()
        others = [mc.full((n,), 7.0, device="cuda") for n in range(1, 60)]
        del others
        step(x)  # so that the capture finds them


def test_numbers_from_the_cpu_are_copies(cuda):
    first = mc.linspace(0, 1, 3, device="cuda")
    first += 1
    assert mc.linspace(0, 1, 3, device="cuda").tolist() == [0, 0.5, 1]
