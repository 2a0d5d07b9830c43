"""The loader: batches, orders, stacking, and the thread that prepares."""

import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from minicnn import random
from minicnn.data import MNIST, DataLoader, Dataset, TensorDataset
from minicnn.tensor import Tensor


def numbered(count: int) -> TensorDataset:
    """Sample i is ((i, -i), i)."""
    rows = np.arange(count)
    return TensorDataset(Tensor(np.stack([rows, -rows], 1).astype(np.float32)), Tensor(rows))


def order(loader) -> list[int]:
    return [label for _, labels in loader for label in labels.tolist()]


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("minicnn-loader")]


def wait_until_no_loader_thread() -> bool:
    deadline = time.monotonic() + 5
    while loader_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
    return not loader_threads()


class TestLoader:
    @pytest.mark.parametrize("drop_last", [False, True])
    @pytest.mark.parametrize("count, size", [(7, 3), (6, 3), (2, 5), (0, 4), (40, 1)])
    def test_batches_in_order(self, count, size, drop_last):
        loader = DataLoader(numbered(count), size, drop_last=drop_last)
        expected = [list(range(count))[i : i + size] for i in range(0, count, size)]
        if drop_last:
            expected = [batch for batch in expected if len(batch) == size]
        found = list(loader)
        assert len(loader) == len(expected) == len(found)
        for (rows, labels), batch in zip(found, expected, strict=True):
            assert isinstance(rows, Tensor) and rows.dtype == np.float32 and labels.dtype == np.int64
            assert labels.tolist() == batch and rows.tolist() == [[i, -i] for i in batch]

    def test_mnist_batches(self):
        data = MNIST(train=False)
        images, labels = next(iter(DataLoader(data, batch_size=64, shuffle=True, seed=1)))
        assert images.shape == (64, 1, 28, 28) and images.dtype == np.float32
        assert labels.shape == (64,) and labels.dtype == np.int64
        # Each picture is found in the data set, under its own label.
        for image, label in zip(images.numpy(), labels.tolist(), strict=True):
            twins = (data.images == np.round(image[0] * 255)).all(axis=(1, 2))
            assert label in data.targets[twins]

    def test_shuffle_visits_everything_in_new_orders(self):
        loader = DataLoader(numbered(50), 8, shuffle=True, seed=3)
        epochs = [order(loader) for _ in range(3)]
        assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in [*epochs, range(50)]}) == 4

    def test_seed_decides_the_orders(self):
        first, again, other = (DataLoader(numbered(50), 8, shuffle=True, seed=seed) for seed in (3, 3, 4))
        random.manual_seed(0)
        epochs = [order(first), order(first)]
        random.manual_seed(1)
        assert epochs == [order(again), order(again)]
        assert order(other) not in epochs

    def test_without_seed_the_global_generator_decides(self):
        loader = DataLoader(numbered(50), 8, shuffle=True)
        random.manual_seed(5)
        epochs = [order(loader), order(loader)]
        random.manual_seed(5)
        assert epochs == [order(loader), order(loader)]
        assert epochs[0] != epochs[1]

    def test_order_is_drawn_when_iteration_starts(self):
        loader = DataLoader(numbered(50), 50, shuffle=True)
        random.manual_seed(5)
        expected = np.random.default_rng(5).permutation(50).tolist()
        iterator = iter(loader)
        random.manual_seed(6)
        assert order(iterator) == expected

    def test_without_shuffle_nothing_is_drawn(self):
        state = random.manual_seed(7).numpy.bit_generator.state
        order(DataLoader(numbered(5), 2))
        order(DataLoader(numbered(5), 2, shuffle=True, seed=1))
        assert random.generator().bit_generator.state == state

    def test_several_iterators_at_once(self):
        loader = DataLoader(numbered(9), 1)
        pairs = [(a[1].tolist(), b[1].tolist()) for a in loader for b in loader]
        assert pairs == [([a], [b]) for a in range(9) for b in range(9)]

    def test_pytorch_arguments(self):
        loader = DataLoader(numbered(3), 2, num_workers=2, pin_memory=True)
        assert order(loader) == [0, 1, 2]
        loader = DataLoader(
            numbered(3), 2, False, None, None, 2, None, True, True, 5, print, None, None,
            prefetch_factor=2, persistent_workers=True, pin_memory_device="cpu", in_order=True,
        )  # fmt: skip
        assert order(loader) == [0, 1]

    @pytest.mark.parametrize("size", [0, -1, 2.0, "2", True])
    def test_bad_batch_size(self, size):
        with pytest.raises(ValueError, match="batch_size must be an integer >= 1, got"):
            DataLoader(numbered(3), size)

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="seed must be an integer >= 0, got -1"):
            DataLoader(numbered(3), 2, seed=-1)
        with pytest.raises(ValueError, match="num_workers must be an integer >= 0, got -1"):
            DataLoader(numbered(3), 2, num_workers=-1)
        with pytest.raises(TypeError, match="dataset must have __getitem__, got generator"):
            DataLoader(i for i in range(3))


class TestCollate:
    """Data sets without `batch`."""

    @staticmethod
    def only_batch(samples):
        (batch,) = DataLoader(samples, len(samples))
        return batch

    def test_tuples_of_tensors_arrays_and_numbers(self):
        tensors = [Tensor(np.full((2, 3), i, np.float32)) for i in range(4)]
        samples = [(tensors[i], np.array([i], np.uint8), i, i / 2, i > 1) for i in range(4)]
        fields = self.only_batch(samples)
        assert all(isinstance(field, Tensor) for field in fields)
        assert [field.shape for field in fields] == [(4, 2, 3), (4, 1), (4,), (4,), (4,)]
        # PyTorch's default_collate gives the same dtypes, float64 for Python floats included.
        assert [field.dtype for field in fields] == [np.float32, np.uint8, np.int64, np.float64, np.bool_]
        assert fields[2].tolist() == [0, 1, 2, 3] and fields[3].tolist() == [0, 0.5, 1, 1.5]

    def test_single_values_and_nesting(self):
        assert self.only_batch([5, 6]).tolist() == [5, 6]
        batch = self.only_batch([{"x": (i, [i, -i])} for i in (1, 2)])
        assert batch["x"][0].tolist() == [1, 2] and batch["x"][1][1].tolist() == [-1, -2]

    def test_samples_that_do_not_fit_together(self):
        with pytest.raises(
            RuntimeError, match=r"sample\[0\] must keep one shape in a batch, got \(2,\), \(3,\)"
        ):
            self.only_batch([(np.zeros(n), n) for n in (2, 3)])
        with pytest.raises(RuntimeError, match="a sample has 2 fields in one case and not in another"):
            self.only_batch([(1, 2), (1,)])
        with pytest.raises(TypeError, match=r"a sample\[1\] must be Tensors, arrays, numbers.*got object"):
            self.only_batch([(1, object())])

    def test_batch_of_a_wrong_size(self):
        class Short(TensorDataset):
            def batch(self, indices):
                return super().batch(indices[1:])

        with pytest.raises(ValueError, match=r"Short\.batch must give one row an index, got 3 rows for 4"):
            self.only_batch(Short(Tensor(np.zeros(4))))

    def test_subclass_with_its_own_items_is_heard(self):
        class Doubled(TensorDataset):
            def __getitem__(self, index):
                return tuple(2 * tensor.array[index] for tensor in self.tensors)

        assert self.only_batch(Doubled(Tensor(np.arange(3))))[0].tolist() == [0, 2, 4]


class TestPrefetch:
    class Recorder(Dataset):
        """Notes the thread that asks for each sample; fails at `bad`."""

        def __init__(self, bad=None):
            self.threads, self.bad = [], bad

        def __len__(self):
            return 1000

        def __getitem__(self, index):
            self.threads.append(threading.current_thread())
            if index == self.bad:
                raise KeyError("the sample is broken")
            return index

    def test_prepares_a_few_batches_ahead_in_one_other_thread(self):
        data = self.Recorder()
        iterator = iter(DataLoader(data, 2, num_workers=3))
        assert next(iterator).tolist() == [0, 1]
        deadline = time.monotonic() + 5
        while len(data.threads) < 4 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        assert 4 <= len(data.threads) <= 20
        assert len(set(data.threads)) == 1 and threading.current_thread() not in data.threads
        iterator.close()
        assert wait_until_no_loader_thread()

    def test_threads_end_with_the_epoch(self):
        order(DataLoader(numbered(100), 3, num_workers=1))
        assert wait_until_no_loader_thread()

    def test_threads_end_when_the_loop_is_left(self):
        data = self.Recorder()
        for _ in range(10):
            for _ in DataLoader(data, 1, num_workers=1):
                break
        assert wait_until_no_loader_thread()
        assert len(data.threads) < 200

    def test_what_nobody_waits_for_is_not_prepared(self):
        left = threading.Event()

        class Slow(self.Recorder):
            def __getitem__(self, index):
                if index == 1:
                    assert left.wait(5)
                return super().__getitem__(index)

        data = Slow()
        for _ in DataLoader(data, 1, num_workers=1):
            break
        left.set()
        assert wait_until_no_loader_thread()
        assert len(data.threads) <= 2  # the one that was used, and perhaps the one at work

    def test_unused_iterators_start_no_thread(self):
        iterator = iter(DataLoader(numbered(5), num_workers=1))
        assert wait_until_no_loader_thread()
        assert order(iterator) == list(range(5))

    @pytest.mark.parametrize("num_workers", [0, 1])
    def test_errors_reach_the_loop_with_their_origin(self, num_workers):
        found = []
        with pytest.raises(KeyError, match="the sample is broken") as caught:
            found.extend(
                batch.tolist() for batch in DataLoader(self.Recorder(bad=5), 2, num_workers=num_workers)
            )
        assert found == [[0, 1], [2, 3]]
        assert "__getitem__" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert wait_until_no_loader_thread()

    def test_a_held_iterator_does_not_keep_the_program_alive(self):
        program = (
            "from minicnn.data import DataLoader\n"
            "held = iter(DataLoader(range(1000), 2, num_workers=1))\n"
            "print(next(held).tolist())\n"
        )
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1]\n", "")
