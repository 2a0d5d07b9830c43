"""The loader's arguments, its kinds of data sets and its errors, beside PyTorch's own."""

import random
import threading

import numpy as np
import pytest
import torch
import torch.utils.data

import minicnn as mc
import minicnn.utils.data
from minicnn.utils.data import DataLoader, Dataset, IterableDataset

BOTH = pytest.mark.parametrize("m", [mc, torch], ids=["minicnn", "torch"])


def plain(value):
    """Tensors as (dtype, list), so that minicnn's and PyTorch's compare."""
    if isinstance(value, mc.Tensor | torch.Tensor):
        return str(value.numpy().dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def numbers(m):
    return m.utils.data.TensorDataset(m.arange(10), m.arange(10) / 4)


def stream(m, count=5):
    class Stream(m.utils.data.IterableDataset):
        def __iter__(self):
            assert m.utils.data.get_worker_info() is None
            return iter(range(count))

    return Stream()


def words(m):
    """A data set with names for indices."""

    class Words(m.utils.data.Dataset):
        def __getitem__(self, index):
            return {"name": index, "length": len(index), "pair": (np.float32(len(index)), [index])}

    return Words()


CASES = {
    "batches": lambda m: m.utils.data.DataLoader(numbers(m), 4),
    "drop_last": lambda m: m.utils.data.DataLoader(numbers(m), 4, drop_last=True),
    "one by one": lambda m: m.utils.data.DataLoader(numbers(m), batch_size=None),
    "one by one, chosen": lambda m: m.utils.data.DataLoader(numbers(m), None, sampler=[7, 2]),
    "own collate_fn": lambda m: m.utils.data.DataLoader(numbers(m), 3, collate_fn=len),
    "collate_fn for one": lambda m: m.utils.data.DataLoader(numbers(m), None, collate_fn=len),
    "names": lambda m: m.utils.data.DataLoader(words(m), 2, sampler=["a", "bcd", "ef"]),
    "batches of names": lambda m: m.utils.data.DataLoader(words(m), batch_sampler=[["a"], ["b", "cc"]]),
    "a list of dicts": lambda m: m.utils.data.DataLoader([{"a": np.zeros(2)}] * 3, batch_size=None),
    "stream": lambda m: m.utils.data.DataLoader(stream(m), 2),
    "stream, drop_last": lambda m: m.utils.data.DataLoader(stream(m), 2, drop_last=True),
    "stream, one by one": lambda m: m.utils.data.DataLoader(stream(m), None),
    "stream, collate_fn": lambda m: m.utils.data.DataLoader(stream(m), 3, collate_fn=sum),
    "no stream": lambda m: m.utils.data.DataLoader(stream(m, 0), 2),
    "subset of a subset": lambda m: m.utils.data.DataLoader(
        m.utils.data.Subset(m.utils.data.Subset(numbers(m), [9, 3, 5]), m.tensor([2, 0])), 2
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_comes(name):
    expected = plain(list(CASES[name](torch)))
    assert plain(list(CASES[name](mc))) == expected


@pytest.mark.parametrize(
    "sample",
    [{"a": np.zeros(2), "b": [1, "x"]}, (np.arange(3), 2.5), np.array(["x"]), "text", None, np.float32(3)],
)
def test_default_convert(sample):
    ours, theirs = (m.utils.data.default_convert(sample) for m in (mc, torch))
    assert plain(ours) == plain(theirs)


WRONG = {
    "batch_size 0": lambda m: m.utils.data.DataLoader(numbers(m), 0),
    "batch_size 2.0": lambda m: m.utils.data.DataLoader(numbers(m), 2.0),
    "num_workers": lambda m: m.utils.data.DataLoader(numbers(m), num_workers=-1),
    "timeout": lambda m: m.utils.data.DataLoader(numbers(m), timeout=-1),
    "prefetch_factor": lambda m: m.utils.data.DataLoader(numbers(m), prefetch_factor=2),
    "persistent_workers": lambda m: m.utils.data.DataLoader(numbers(m), persistent_workers=True),
    "context": lambda m: m.utils.data.DataLoader(numbers(m), multiprocessing_context="spawn"),
    "sampler and shuffle": lambda m: m.utils.data.DataLoader(numbers(m), shuffle=True, sampler=[1]),
    "batch_sampler and batch_size": lambda m: m.utils.data.DataLoader(numbers(m), 2, batch_sampler=[[1]]),
    "batch_sampler and shuffle": lambda m: m.utils.data.DataLoader(
        numbers(m), shuffle=True, batch_sampler=[[1]]
    ),
    "no batch to drop": lambda m: m.utils.data.DataLoader(numbers(m), None, drop_last=True),
    "drop_last": lambda m: m.utils.data.DataLoader(numbers(m), drop_last="yes"),
    "shuffled stream": lambda m: m.utils.data.DataLoader(stream(m), shuffle=True),
    "sampled stream": lambda m: m.utils.data.DataLoader(stream(m), sampler=[1]),
    "stream in batches": lambda m: m.utils.data.DataLoader(stream(m), batch_sampler=[[1]]),
    "length of a stream": lambda m: len(m.utils.data.DataLoader(stream(m), 2)),
    "length unknown": lambda m: list(m.utils.data.DataLoader(words(m))),
    "nothing to shuffle": lambda m: m.utils.data.DataLoader([], shuffle=True),
    "generator": lambda m: list(m.utils.data.DataLoader(numbers(m), shuffle=True, generator=3)),
    "ragged": lambda m: list(m.utils.data.DataLoader([np.zeros(2), np.zeros(3)], 2)),
    "fields": lambda m: list(m.utils.data.DataLoader([(1, 2), (1,)], 2)),
    "keys": lambda m: list(m.utils.data.DataLoader([{"a": 1}, {"b": 1}], 2)),
    "objects": lambda m: list(m.utils.data.DataLoader([object()])),
    "None": lambda m: list(m.utils.data.DataLoader([None])),
    "index": lambda m: list(m.utils.data.DataLoader(numbers(m), sampler=[10])),
    "sizes": lambda m: m.utils.data.TensorDataset(m.zeros(2), m.zeros(3)),
    "no data sets": lambda m: m.utils.data.ConcatDataset([]),
    "streams in a row": lambda m: m.utils.data.ConcatDataset([stream(m)]),
    "beyond the end": lambda m: m.utils.data.ConcatDataset([numbers(m)])[10],
    "before the start": lambda m: m.utils.data.ConcatDataset([numbers(m)])[-11],
    "parts": lambda m: m.utils.data.random_split(numbers(m), [7, 2]),
    "fractions": lambda m: m.utils.data.random_split(numbers(m), [1.5, -0.5]),
    "outside the subset": lambda m: m.utils.data.Subset(numbers(m), [1, 2])[5],
    "no items": lambda m: m.utils.data.Dataset()[0],
    "no length": lambda m: len(m.utils.data.Dataset()),
    "num_samples": lambda m: m.utils.data.RandomSampler(numbers(m), num_samples=0),
    "replacement": lambda m: m.utils.data.RandomSampler(numbers(m), 1),
    "weights": lambda m: m.utils.data.WeightedRandomSampler([[1.0]], 2),
    "weighted num_samples": lambda m: m.utils.data.WeightedRandomSampler([1.0], 0),
    "weighted replacement": lambda m: m.utils.data.WeightedRandomSampler([1.0], 1, 1),
    "size of batches": lambda m: m.utils.data.BatchSampler([1], 0, False),
    "drop_last of batches": lambda m: m.utils.data.BatchSampler([1], 1, 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name):
    with pytest.raises(Exception) as expected:
        WRONG[name](torch)
    with pytest.raises(expected.type):
        WRONG[name](mc)


@BOTH
def test_names_and_attributes(m):
    loader = m.utils.data.DataLoader(numbers(m), 4, True, num_workers=0)
    found = [loader.batch_size, loader.num_workers, loader.drop_last, loader.timeout, loader.prefetch_factor]
    assert found == [4, 0, False, 0, None]
    assert isinstance(loader.sampler, m.utils.data.RandomSampler)
    assert isinstance(loader.batch_sampler, m.utils.data.BatchSampler)
    assert loader.dataset.tensors[0].shape == (10,) and len(loader) == 3
    assert {"worker_init_fn", "collate_fn", "generator", "pin_memory", "persistent_workers"} <= vars(
        loader
    ).keys()


class Noisy(Dataset):
    """Each sample draws from every source of random numbers that a script may use."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return index, mc.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002


def seed_worker(worker_id):
    """As PyTorch's notes on reproducibility have it."""
    worker_seed = mc.initial_seed() % 2**32
    np.random.seed(worker_seed)  # noqa: NPY002
    random.seed(worker_seed)


def noise(**settings):
    """Two epochs of samples, with what the training loop draws in between."""
    mc.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    loader = DataLoader(Noisy(), 2, shuffle=True, **settings)
    return [([field.tolist() for field in batch], mc.rand(1).item()) for _ in range(2) for batch in loader]


@pytest.mark.parametrize(
    "settings", [{}, {"num_workers": 1}, {"num_workers": 4, "prefetch_factor": 3, "persistent_workers": True}]
)
def test_random_numbers_in_samples_are_those_of_the_seed(settings):
    assert noise(**settings) == noise()


def test_workers_are_seeded_as_in_pytorchs_notes():
    settings = {"num_workers": 2, "worker_init_fn": seed_worker, "generator": mc.Generator().manual_seed(5)}
    first = noise(**settings)
    again = noise(**settings | {"generator": mc.Generator().manual_seed(5)})
    assert first == again != noise(num_workers=2)


def test_the_worker_is_a_thread_of_its_own():
    places = []

    class Where(IterableDataset):
        def __iter__(self):
            places.append(threading.current_thread())
            yield from range(3)

    def started(worker_id):
        places.append((worker_id, threading.current_thread()))

    assert [x.tolist() for x in DataLoader(Where(), 2, worker_init_fn=started)] == [[0, 1], [2]]
    assert places == [threading.main_thread()]
    assert [x.tolist() for x in DataLoader(Where(), 2, num_workers=2, worker_init_fn=started)] == [
        [0, 1],
        [2],
    ]
    (number, worker), seen = places[1:]
    assert number == 0 and worker is seen is not threading.main_thread()


@BOTH
def test_errors_of_worker_init_fn_reach_the_loop(m):
    def fail(worker_id):
        raise KeyError("no such file")

    with pytest.raises(KeyError, match="no such file"):
        list(m.utils.data.DataLoader(numbers(m), num_workers=1, worker_init_fn=fail))


def test_the_path_of_pytorch():
    assert minicnn.utils.data.DataLoader is mc.utils.data.DataLoader is mc.data.DataLoader
    for name in mc.utils.data.__all__:
        assert hasattr(torch.utils.data, name)
        assert getattr(mc.utils.data, name) is getattr(mc.data, name)
