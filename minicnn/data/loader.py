"""The loader: whole batches of Tensors, prepared ahead in a thread."""

import operator
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from minicnn import random
from minicnn.tensor import Tensor

PREFETCH = 4


class DataLoader:
    """Iterate over the batches of a data set; each pass is an epoch.

    A data set that defines ``batch(indices)`` (see `Dataset`) is asked for whole batches; from any other the
    samples are stacked as PyTorch does: Tensors, arrays and numbers, also inside tuples and dictionaries.
    One thread prepares a few batches ahead of the loop that uses them; an error in it appears in that loop.

    Parameters
    ----------
    dataset : has ``len(dataset)`` and ``dataset[i]``.
    batch_size : samples in a batch.
    shuffle : visit the samples in a new random order each epoch.
    drop_last : leave out the last batch if it is smaller than the others.
    seed : of the random orders. None: they are drawn from the generator that `minicnn.manual_seed` sets.
    num_workers, pin_memory : accepted so that PyTorch scripts run; they change nothing here, because the
        one thread is always used and there are no worker processes.

    Yields
    ------
    list of Tensors, such as images (N, 1, 28, 28) float32 and labels (N,) int64.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        seed: int | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
    ):
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"DataLoader: dataset must have __len__ and __getitem__, got {type(dataset).__name__}"
            )
        flags = {"shuffle": shuffle, "drop_last": drop_last, "pin_memory": pin_memory}
        for name, flag in flags.items():
            if not isinstance(flag, bool):
                raise TypeError(f"DataLoader: {name} must be True or False, got {flag!r}")
        self.dataset = dataset
        self.batch_size = _integer("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.num_workers = _integer("num_workers", num_workers, 0)
        self.pin_memory = pin_memory
        self._generator = None if seed is None else np.random.default_rng(_integer("seed", seed, 0))

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        # Drawn here and now, not in the thread, so that a seed gives one order whatever the threads do.
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = (self._generator or random.generator()).permutation(order)
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        return _prefetched(self._batch, [order[start : start + self.batch_size] for start in starts])

    def _batch(self, indices: np.ndarray) -> Any:
        if not _takes_batches(type(self.dataset)):
            return _collate([self.dataset[int(i)] for i in indices], "a sample")
        arrays = self.dataset.batch(indices)
        for array in arrays:
            if len(array) != len(indices):
                raise ValueError(
                    f"DataLoader: {type(self.dataset).__name__}.batch must give one row an index, "
                    f"got {len(array)} rows for {len(indices)} indices"
                )
        return [Tensor(array) for array in arrays]


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"DataLoader: {name} must be an integer >= {least}, got {value!r}")
    return number


def _takes_batches(kind: type) -> bool:
    """Whether `batch` speaks for the class: a subclass that only redefines `__getitem__` wants that used."""
    for cls in kind.__mro__:
        if "batch" in vars(cls):
            return True
        if "__getitem__" in vars(cls):
            return False
    return False


def _prefetched(prepare: Callable[[np.ndarray], Any], batches: Sequence[np.ndarray]) -> Iterator[Any]:
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


def _collate(samples: Sequence[Any], what: str) -> Any:
    """Stack samples of one kind into a Tensor; of tuples and dictionaries, each field by itself."""
    first = samples[0]
    if isinstance(first, Mapping):
        return {key: _collate([sample[key] for sample in samples], f"{what}[{key!r}]") for key in first}
    if isinstance(first, tuple | list):
        if any(len(sample) != len(first) for sample in samples):
            raise ValueError(f"DataLoader: {what} has {len(first)} fields in one case and not in another")
        fields = zip(*samples, strict=True)
        return [_collate(field, f"{what}[{i}]") for i, field in enumerate(fields)]
    if not isinstance(first, Tensor | np.ndarray | np.generic | int | float):
        raise TypeError(
            f"DataLoader: {what} must be Tensors, arrays, numbers, or tuples or dictionaries of these, "
            f"got {type(first).__name__}"
        )
    arrays = [sample.array if isinstance(sample, Tensor) else np.asarray(sample) for sample in samples]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(f"DataLoader: {what} must keep one shape in a batch, got {shapes[0]}, {shapes[1]}")
    return Tensor(np.stack(arrays))
