"""Orders in which a loader visits samples."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from minicnn import random
from minicnn.device import host
from minicnn.tensor import Tensor


def whole_number(name: str, value: Any, least: int) -> int:
    """`value` if it is an integer and large enough."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    return int(value)


def flag(name: str, value: Any, error: type[Exception] = ValueError) -> bool:
    """`value` if it is True or False."""
    if not isinstance(value, bool):
        raise error(f"{name} must be True or False, got {value!r}")
    return value


class Sampler:
    """Base class of samplers: ``iter(sampler)`` gives indices, ``len(sampler)`` their number."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__}: a Sampler must define __iter__")


class SequentialSampler(Sampler):
    """Every sample, in order."""

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def order(self) -> np.ndarray:
        """The indices of a pass, as one array."""
        return np.arange(len(self.data_source))


class RandomSampler(Sampler):
    """Samples in a random order, drawn anew at each pass.

    Parameters
    ----------
    replacement : draw each sample independently, so that some come twice.
    num_samples : how many; None: as many as there are.
    generator : None: the one that `minicnn.manual_seed` sets.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ):
        self.data_source = data_source
        self.replacement = flag("RandomSampler: replacement", replacement, TypeError)
        self._num_samples = num_samples
        self.generator = generator
        whole_number("RandomSampler: num_samples", self.num_samples, 1)

    @property
    def num_samples(self) -> int:
        """How many samples a pass visits."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())  # drawn here and now, and not when the first index is asked for

    def order(self) -> np.ndarray:
        """The indices of a new pass, as one array."""
        generator, size, wanted = random.generator(self.generator), len(self.data_source), self.num_samples
        if self.replacement:
            return generator.integers(0, size, wanted)
        order = generator.permutation(np.arange(size))
        while 0 < len(order) < wanted:
            order = np.concatenate([order, generator.permutation(np.arange(size))])
        return order[:wanted]


class SubsetRandomSampler(Sampler):
    """The samples `indices` in a random order, drawn anew at each pass."""

    def __init__(self, indices: Sequence[int], generator: Any = None):
        self.indices = indices
        self.generator = generator

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(random.generator(self.generator).permutation(np.asarray(self.indices, np.int64)).tolist())


class WeightedRandomSampler(Sampler):
    """`num_samples` samples, each drawn with a probability that is its weight's part of the sum."""

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None):
        values = np.asarray(host(weights.array) if isinstance(weights, Tensor) else weights, np.float64)
        if values.ndim != 1 or not (values >= 0).all() or not 0 < values.sum() < np.inf:
            raise ValueError(f"WeightedRandomSampler: weights must be numbers >= 0 in a row, got {weights!r}")
        self.num_samples = whole_number("WeightedRandomSampler: num_samples", num_samples, 1)
        self.replacement = flag("WeightedRandomSampler: replacement", replacement)
        if not replacement and num_samples > np.count_nonzero(values):
            raise ValueError(
                f"WeightedRandomSampler: without replacement there are {np.count_nonzero(values)} samples of "
                f"a weight above 0, got num_samples {num_samples}"
            )
        self.weights = Tensor(values)
        self.generator = generator

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        parts = self.weights.array / self.weights.array.sum()
        generator = random.generator(self.generator)
        return iter(generator.choice(len(parts), self.num_samples, self.replacement, parts).tolist())


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of another sampler, or of anything else that can be iterated over."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool):
        self.sampler = sampler
        self.batch_size = whole_number("BatchSampler: batch_size", batch_size, 1)
        self.drop_last = flag("BatchSampler: drop_last", drop_last)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[list[Any]]:
        return self._batches(iter(self.sampler))  # the order is drawn now

    def arrays(self) -> Iterator[Any]:
        """The batches, of the samplers above as parts of one array; of others lists, as `iter` gives them."""
        if type(self) is not BatchSampler or type(self.sampler) not in (RandomSampler, SequentialSampler):
            return iter(self)
        order = self.sampler.order()
        size = self.batch_size
        begins = range(0, len(order) - (size - 1 if self.drop_last else 0), size)
        return (order[begin : begin + size] for begin in begins)

    def _batches(self, indices: Iterator[Any]) -> Iterator[list[Any]]:
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch
