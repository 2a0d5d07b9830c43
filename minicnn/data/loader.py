"""The loader: whole batches of Tensors, prepared ahead in a thread."""

import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from minicnn import random
from minicnn.data.dataset import fetch
from minicnn.data.draws import drawing_from
from minicnn.data.sampler import BatchSampler, RandomSampler, SequentialSampler

PREFETCH = 4


class DataLoader:
    """Iterate over the batches of a data set; each pass is an epoch.

    A data set that defines ``batch(indices)`` (see `Dataset`) is asked for whole batches; from any other the
    samples are stacked as PyTorch does: Tensors, arrays and numbers, also inside tuples and dictionaries.
    One thread prepares a few batches ahead of the loop that uses them; an error in it appears in that loop.
    Random transforms in it draw from a generator of the pass's own, so a seed gives the same pictures in
    every run.

    Parameters
    ----------
    dataset : has ``len(dataset)`` and ``dataset[i]``.
    batch_size : samples in a batch.
    shuffle : visit the samples in a new random order each epoch.
    sampler : the indices of an epoch, in place of `shuffle`.
    batch_sampler : lists of indices, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    collate_fn : makes a batch of a list of samples, in place of `default_collate`.
    drop_last : leave out the last batch if it is smaller than the others.
    generator : a `minicnn.Generator` for the random orders. None: the one that `minicnn.manual_seed` sets.
    seed : of a generator for this loader, in place of `generator`.
    num_workers, pin_memory, timeout, worker_init_fn, multiprocessing_context, prefetch_factor,
    persistent_workers,
        pin_memory_device, in_order : accepted so that PyTorch scripts run; they change nothing here, because
            the
        one thread is always used and there are no worker processes.

    Yields
    ------
    list of Tensors, such as images (N, 1, 28, 28) float32 and labels (N,) int64.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
    ):
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"DataLoader: dataset must have __len__ and __getitem__, got {type(dataset).__name__}"
            )
        shuffle = False if shuffle is None else shuffle
        flags = {"shuffle": shuffle, "drop_last": drop_last, "pin_memory": pin_memory}
        for name, flag in flags.items():
            if not isinstance(flag, bool):
                raise TypeError(f"DataLoader: {name} must be True or False, got {flag!r}")
        if timeout < 0:
            raise ValueError(f"DataLoader: timeout must be >= 0, got {timeout!r}")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler and shuffle exclude each other, got both")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last, got both"
            )
        if generator is not None and seed is not None:
            raise ValueError("DataLoader: generator and seed exclude each other, got both")
        self.dataset = dataset
        self.batch_size = _integer("batch_size", batch_size, 1)
        self.drop_last = drop_last
        self.num_workers = _integer("num_workers", num_workers, 0)
        self.pin_memory = pin_memory
        self.collate_fn = collate_fn
        if seed is not None:
            generator = np.random.default_rng(_integer("seed", seed, 0))
        random.generator(generator)  # says what is wrong with it
        self.generator = generator
        self.shuffle = shuffle
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        self.batch_sampler = batch_sampler or BatchSampler(sampler, self.batch_size, drop_last)

    def __len__(self) -> int:
        return len(self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        # Drawn here and now, not in the thread, so that a seed gives one order whatever the threads do.
        batches = iter(self.batch_sampler)
        (own,) = random.generator(self.generator).spawn(1)  # for transforms; draws nothing from its parent

        def prepare(indices: list[int]) -> Any:
            with drawing_from(own):
                return self._batch(indices)

        return _prefetched(prepare, batches)

    def _batch(self, indices: list[int]) -> Any:
        if self.collate_fn is not None:
            return self.collate_fn([self.dataset[i] for i in indices])
        return fetch(self.dataset, np.asarray(indices, np.int64))


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"DataLoader: {name} must be an integer >= {least}, got {value!r}")
    return number


def _prefetched(prepare: Callable[[list[int]], Any], batches: Iterable[list[int]]) -> Iterator[Any]:
    """``map(prepare, batches)``, up to PREFETCH of them ahead of the consumer, in one thread."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="minicnn-loader")
    pending: deque[Future] = deque()
    try:
        for indices in batches:
            pending.append(pool.submit(prepare, indices))
            if len(pending) > PREFETCH:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Also when the consumer leaves early. Not waited for: the thread ends after the batch it is at.
        pool.shutdown(wait=False, cancel_futures=True)
