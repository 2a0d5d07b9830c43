"""Samplers, and the loader's arguments that take them."""

import numpy as np
import pytest

import minicnn as mc
from minicnn.data import (
    MNIST,
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from minicnn.data.transforms import Compose, Pad

DATA = TensorDataset(mc.arange(10))


def order(loader) -> list[list[int]]:
    return [batch.tolist() for (batch,) in loader]


def test_orders():
    assert list(SequentialSampler(DATA)) == list(range(10)) and len(SequentialSampler(DATA)) == 10
    random = RandomSampler(DATA, generator=mc.Generator().manual_seed(3))
    first, second = list(random), list(random)
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    assert first == list(RandomSampler(DATA, generator=mc.Generator().manual_seed(3)))
    some = list(RandomSampler(DATA, num_samples=25))
    assert len(some) == 25 and sorted(some[:10]) == sorted(some[10:20]) == list(range(10))
    drawn = list(RandomSampler(DATA, replacement=True, num_samples=1000))
    assert np.bincount(drawn, minlength=10).min() > 50
    assert sorted(SubsetRandomSampler([7, 3, 5])) == [3, 5, 7]


def test_weights():
    drawn = list(WeightedRandomSampler([1, 0, 3], 4000))
    assert len(drawn) == 4000
    assert np.bincount(drawn, minlength=3) / 4000 == pytest.approx([0.25, 0, 0.75], abs=0.03)
    assert sorted(WeightedRandomSampler(mc.tensor([1.0, 0.0, 3.0]), 2, replacement=False)) == [0, 2]


def test_loader_takes_samplers():
    assert order(DataLoader(DATA, 2, sampler=[5, 1, 1])) == [[5, 1], [1]]
    loader = DataLoader(DATA, 2, sampler=WeightedRandomSampler([0, 0, 1], 5), drop_last=True)
    assert order(loader) == [[2, 2]] * 2 and len(loader) == 2
    loader = DataLoader(DATA, batch_sampler=BatchSampler(SequentialSampler(DATA), 4, False))
    assert order(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] and len(loader) == 3
    assert order(DataLoader(DATA, batch_sampler=[[1, 2], [9]])) == [[1, 2], [9]]
    assert isinstance(DataLoader(DATA, shuffle=True).sampler, RandomSampler)


def test_endless_samplers():
    class Endless(Sampler):
        def __iter__(self):
            while True:
                yield 3

    batches = iter(DataLoader(DATA, 2, sampler=Endless()))
    assert [next(batches)[0].tolist() for _ in range(3)] == [[3, 3]] * 3
    batches.close()


def test_generator_and_collate_fn():
    orders = [
        order(DataLoader(DATA, 5, True, generator=mc.Generator().manual_seed(1))),
        order(DataLoader(DATA, 5, True, generator=mc.Generator().manual_seed(1))),
        order(DataLoader(DATA, 5, True, generator=mc.Generator().manual_seed(2))),
    ]
    assert orders[0] == orders[1] != orders[2]
    loader = DataLoader(DATA, 3, collate_fn=lambda samples: [x.item() for (x,) in samples])
    assert list(loader) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert list(DataLoader(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: DataLoader(DATA, 2, True, sampler=[1]),
            ValueError,
            "sampler and shuffle exclude",
        ),
        (lambda: DataLoader(DATA, 2, batch_sampler=[[1]]), ValueError, "batch_sampler excludes batch_size"),
        (lambda: DataLoader(DATA, generator=3), TypeError, "expected a Generator, got int"),
        (lambda: DataLoader(DATA, timeout=-1), ValueError, "timeout must be >= 0, got -1"),
        (
            lambda: RandomSampler(DATA, num_samples=0),
            ValueError,
            "must be an integer >= 1, got 0",
        ),
        (lambda: RandomSampler(DATA, 1), TypeError, "replacement must be True or False, got 1"),
        (lambda: WeightedRandomSampler([1, -1], 2), ValueError, "weights must be numbers >= 0 in a row"),
        (
            lambda: WeightedRandomSampler([1, 0], 2, False),
            ValueError,
            "there are 1 samples of a weight",
        ),
        (lambda: BatchSampler([1], 0, False), ValueError, "batch_size must be an integer >= 1, got 0"),
        (lambda: iter(Sampler()), NotImplementedError, "a Sampler must define __iter__"),
    ],
)
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


class Whole(mc.data.Dataset):
    """Gives the indices themselves, whole batches of them."""

    def __len__(self):
        return 7

    def batch(self, indices):
        assert indices.dtype == np.int64
        return (indices.copy(),)


class Single(mc.data.Dataset):
    """Gives the indices themselves, and looks at what they are."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        assert type(index) is int
        return (index,)


class Backwards(SequentialSampler):
    def __iter__(self):
        return reversed(range(7))


class Twice(BatchSampler):
    def __iter__(self):
        return (batch * 2 for batch in super().__iter__())


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 8])
@pytest.mark.parametrize(
    "sampler",
    [
        SequentialSampler(Whole()),
        RandomSampler(Whole()),
        RandomSampler(Whole(), replacement=True, num_samples=10),
        RandomSampler(Whole(), num_samples=16),
        Backwards(Whole()),
        [4, 1, 1, 6],
    ],
)
def test_whole_batches_are_of_the_same_samples(sampler, size, drop_last):
    for kind in (BatchSampler, Twice):
        batches = kind(sampler, size, drop_last)
        passes = []
        for data in (Whole(), Single()):
            mc.manual_seed(3)
            passes.append([x.tolist() for _ in range(2) for (x,) in DataLoader(data, batch_sampler=batches)])
        mc.manual_seed(3)
        assert passes[0] == passes[1] == [batch for _ in range(2) for batch in batches]


@pytest.mark.parametrize("settings", [{}, {"fill": 0.5}, {"fill": None}, {"padding_mode": "reflect"}])
def test_pictures_of_bytes_are_padded_as_those_of_floats_are(settings):
    pad, chosen = Pad((2, 1, 0, 3), **settings), np.array([5, 0, -1, 5])
    floats, labels = MNIST(train=False).batch(chosen)
    for transform in (pad, Compose([pad, Compose([pad])]), Compose([lambda x: 1 - x, pad])):
        expected = Compose([transform]).batch(floats)
        pictures, same = MNIST(train=False, transform=transform).batch(chosen)
        assert pictures.dtype == np.float32
        assert pictures.flags.c_contiguous
        assert pictures.tobytes() == expected.tobytes()
        assert same.tolist() == labels.tolist()
