"""Recorded kernel calls: what they repeat, with which arrays, and what keeps them from it."""

import threading

import numpy as np
import pytest

from minicnn.kernels import threads
from minicnn.kernels.cpu import graph, runner
from minicnn.kernels.cpu.graph import Graph, again, all_set
from minicnn.kernels.cpu.jit import kernel
from minicnn.kernels.cpu.memory import Blocks, result
from minicnn.kernels.cpu.runner import run

BIG = 1 << 20  # work that is worth all threads


@kernel
def add(a, inside, out, begin, end):
    """`inside` is a tuple with an array in it."""
    for i in range(begin, end):
        out[i] = a[i] + inside[1][i] * inside[0]


@kernel
def is_small(a, flags, begin, end):
    for i in range(begin, end):
        flags[i] = a[i] < 100


@kernel
def refuses(a, begin, end):
    for i in range(begin, end):
        if a[i] < 0:
            raise ValueError("a number is negative")


def finished(recorded):
    assert recorded.repeatable
    recorded.finish()
    return recorded


@pytest.mark.parametrize("numbers", [1, BIG])
@pytest.mark.parametrize("count", [1, 2])
def test_calls_are_repeated_in_order_on_other_arrays(numbers, count, monkeypatch):
    a, b, c, d = np.arange(5.0), np.ones(5), np.zeros(5), np.zeros(5)
    with Graph() as recorded:
        run(add, 5, numbers, a, (2, b), c)
        run(add, 3, numbers, c[1:4], (10, a[2:]), d[1:4])  # parts of arrays
    finished(recorded)
    np.testing.assert_array_equal(c, np.arange(5) + 2)
    places = recorded.places(a)
    monkeypatch.setattr(threads, "count", count)
    for other, another in ((a * 3, b * 5), (a - 7, b + 1)):
        recorded.move(places, other)
        b[...] = another
        assert recorded.replay()
        np.testing.assert_array_equal(c, other + 2 * another)
        np.testing.assert_array_equal(d, [0, *(c[1:4] + 10 * other[2:]), 0])


def test_conditions_are_looked_at_again():
    a, flags = np.arange(5.0), np.zeros(5, bool)
    with Graph() as recorded:
        run(is_small, 5, 1, a, flags)
        assert all_set(flags)
    finished(recorded)
    a *= 20
    assert recorded.replay()
    a *= 2
    assert not recorded.replay()
    with Graph() as recorded:
        run(is_small, 5, 1, a, flags)
        assert not all_set(flags)
    assert not recorded.repeatable


def test_what_numpy_does_is_done_again_in_its_place():
    a, b, c, count = np.arange(5.0), np.zeros(5), np.zeros(5), np.zeros(1)

    def work(x):
        return x[::2] * 2, x[:2], None

    with Graph() as recorded:
        run(add, 5, 1, a, (1, a), b)
        doubled, part, nothing = again(work, b)
        again(np.add.at, count, 0, 1)  # changes what it is given
        run(add, 3, 1, doubled, (1, doubled), c)
    finished(recorded)
    assert nothing is None and np.shares_memory(part, b)
    for i in range(3):
        a[:] = i + np.arange(5)
        assert recorded.replay()
        np.testing.assert_array_equal(doubled, 4 * a[::2])
        np.testing.assert_array_equal(part, 2 * a[:2])
        np.testing.assert_array_equal(c, [*(8 * a[::2]), 0, 0])
        assert count == 2 + i
    places, other = recorded.places(doubled), np.zeros(3)
    recorded.move(places, other)
    assert recorded.replay()
    np.testing.assert_array_equal(other, 4 * a[::2])


def test_results_lie_in_the_memory_of_those_that_are_gone():
    a, out = np.arange(1000.0), np.zeros(1000)
    with Graph() as recorded:
        first = result((1000,), np.float64)
        run(add, 1000, 1, a, (1, a), first)
        for _ in range(10):
            second = result((10, 100), np.float64).reshape(-1)
            run(add, 1000, 1, first, (1, a), second)
            first = second
        run(add, 1000, 1, first, (0, a), out)
        place = first.__array_interface__["data"][0]
    assert 2 * a.nbytes <= recorded.blocks.nbytes < 2.1 * a.nbytes  # two at once
    assert place % 64 == 0
    finished(recorded)
    del first, second
    for _ in range(2):
        a *= 2
        assert recorded.replay()
        np.testing.assert_array_equal(out, 12 * a)
    assert sum(x.nbytes for x in recorded.kept.values()) == 2 * a.nbytes  # those that were there before
    assert result((3,), np.float64).base is None


def test_room_that_is_free_again_is_one_piece():
    blocks = Blocks()
    blocks.empty((6000,), np.int8)  # gone at once
    before = blocks.nbytes
    arrays = [blocks.empty((size,), np.int8) for size in (1000, 3000, 500, 0)]
    assert all(blocks.has(a[1:]) for a in arrays)
    assert not blocks.has(np.zeros(3)) and Blocks.planned() >= blocks.nbytes == before
    view, last = arrays[1][10:], blocks.lent(arrays[1])
    last[:] = 7
    assert blocks.has(last) and (view == 7).all()
    arrays.clear()  # but the second is still looked at
    small = blocks.empty((1000,), np.int8)
    assert not np.shares_memory(small, view)
    del small, view, last
    whole = blocks.empty((6000,), np.int8)
    assert blocks.has(whole) and blocks.nbytes == before


def test_errors():
    a = np.ones(3)
    with Graph() as recorded:
        run(refuses, 3, 1, a)
    finished(recorded)
    a *= -1
    assert not recorded.replay()
    a *= -1
    assert recorded.replay()
    with pytest.raises(KeyError), Graph() as recorded:
        raise KeyError
    assert not recorded.repeatable
    assert runner.recorder is None


def test_other_threads_are_not_recorded():
    a, out = np.ones(3), np.zeros(3)
    seen = []

    def elsewhere():
        run(add, 3, 1, a, (1, a), out)
        with Graph() as second:  # one at a time
            run(add, 3, 1, a, (1, a), out)
        seen.append((second.repeatable, graph.recording()))

    with Graph() as recorded:
        run(refuses, 3, 1, a)
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        assert graph.recording() is recorded
    assert len(recorded.calls) == 1
    assert seen == [(False, None)]
    assert sum(x.nbytes for x in recorded.kept.values()) == a.nbytes
    assert recorded.blocks.nbytes == 0
