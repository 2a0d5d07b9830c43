"""The loader: batches of Tensors, prepared ahead in a thread if that is wanted."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from minicnn import random
from minicnn.data.collate import default_collate, default_convert
from minicnn.data.dataset import IterableDataset, fetch, takes_batches
from minicnn.data.sampler import BatchSampler, RandomSampler, SequentialSampler, whole_number

END = object()  # comes after the last batch


class DataLoader:
    """Iterate over the batches of a data set; each pass is an epoch.

    A data set that defines ``batch(indices)`` (see `Dataset`) is asked for whole batches; from any other the
    samples are stacked as PyTorch does: Tensors, arrays and numbers, also inside tuples and dictionaries.

    With ``num_workers=0`` each batch is prepared when the loop asks for it. Any other number means one
    worker, a thread that prepares batches ahead of the loop; an error in it appears in the loop. Either way
    minicnn's random numbers, those of transforms for instance, come from a generator of the pass's own, so
    a seed gives the same pictures in every run.

    Parameters
    ----------
    dataset : has ``len(dataset)`` and ``dataset[i]``; or an `IterableDataset`.
    batch_size : samples in a batch. None: samples come one by one and are not stacked.
    shuffle : visit the samples in a new random order each epoch.
    sampler : the indices of an epoch, in place of `shuffle`.
    batch_sampler : lists of indices, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    num_workers : 0, or any other number for one thread.
    collate_fn : makes a batch of a list of samples, in place of `default_collate`.
    drop_last : leave out the last batch if it is smaller than the others.
    worker_init_fn : called with 0, the number of the worker, in its thread when a pass begins.
    generator : a `minicnn.Generator` for the random orders. None: the one that `minicnn.manual_seed` sets.
    prefetch_factor : batches that the worker is ahead, 2 unless given.
    seed : of a generator for this loader, in place of `generator`.
    pin_memory, timeout, multiprocessing_context, persistent_workers, pin_memory_device, in_order :
        accepted so that PyTorch scripts run; without processes they change nothing.

    Yields
    ------
    list of Tensors, such as images (N, 1, 28, 28) float32 and labels (N,) int64.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
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
        self.iterable = isinstance(dataset, IterableDataset)
        self.num_workers = whole_number("DataLoader: num_workers", num_workers, 0)
        if timeout < 0:
            raise ValueError(f"DataLoader: timeout must be >= 0, got {timeout!r}")
        of_workers = {
            "prefetch_factor": prefetch_factor,
            "persistent_workers": persistent_workers or None,
            "multiprocessing_context": multiprocessing_context,
        }
        for name, value in of_workers.items():
            if num_workers == 0 and value is not None:
                raise ValueError(f"DataLoader: {name} needs num_workers > 0, got {value!r}")
        if self.iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader: an IterableDataset excludes shuffle, sampler and batch_sampler")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler and shuffle exclude each other, got both")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last, got both"
            )
        if batch_size is None and drop_last:
            raise ValueError("DataLoader: batch_size=None and drop_last exclude each other, got both")
        if generator is not None and seed is not None:
            raise ValueError("DataLoader: generator and seed exclude each other, got both")
        if not self.iterable and not hasattr(dataset, "__getitem__"):
            raise TypeError(f"DataLoader: dataset must have __getitem__, got {type(dataset).__name__}")
        self.dataset = dataset
        self.shuffle = bool(shuffle)
        self.drop_last = drop_last
        self.pin_memory = pin_memory
        self.timeout = timeout
        self.collate_fn = collate_fn
        self.worker_init_fn = worker_init_fn
        self.persistent_workers = persistent_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        if seed is not None:
            generator = random.Generator().manual_seed(whole_number("DataLoader: seed", seed, 0))
        random.generator(generator)  # says what is wrong with it
        self.generator = generator
        if sampler is None:
            sampler = (
                dataset  # its samples stand for their own indices
                if self.iterable
                else RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self._indices())  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        # Orders are drawn here and now, and not when the worker comes to them.
        batches = map(self._batch, self._pass())
        own = random.spawned(random.generator(self.generator))

        def pull() -> Any:
            with random.drawing_from(own):
                return next(batches, END)

        def start() -> None:
            if self.worker_init_fn is not None:
                with random.drawing_from(own):
                    self.worker_init_fn(0)

        return _ahead(start, pull, self.prefetch_factor) if self.prefetch_factor else _in_turn(pull)

    def _indices(self) -> Iterable[Any]:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _pass(self) -> Iterator[Any]:
        """The indices of a new pass; in arrays where `dataset.batch` is all that gets to see them."""
        indices = self._indices()
        if isinstance(indices, BatchSampler) and self.collate_fn is None and takes_batches(self.dataset):
            return indices.arrays()
        return iter(indices)

    def _batch(self, index: Any) -> Any:
        """What comes for an index, or for the list of a batch's indices."""
        if self.batch_sampler is None:
            sample = index if self.iterable else self.dataset[index]
            return (self.collate_fn or default_convert)(sample)
        if self.collate_fn is None and not self.iterable:
            return fetch(self.dataset, index)
        samples = index if self.iterable else [self.dataset[i] for i in index]
        return (self.collate_fn or default_collate)(samples)


def _in_turn(pull: Callable[[], Any]) -> Iterator[Any]:
    """What `pull` gives until it gives END."""
    while (batch := pull()) is not END:
        yield batch


def _ahead(start: Callable[[], None], pull: Callable[[], Any], depth: int) -> Iterator[Any]:
    """The same, after `start`, in a thread that is up to `depth` batches ahead."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="minicnn-loader")
    try:
        pool.submit(start).result()
        pending: deque[Future] = deque(pool.submit(pull) for _ in range(depth))
        while (batch := pending.popleft().result()) is not END:
            pending.append(pool.submit(pull))
            yield batch
    finally:
        # Also when the consumer leaves early. Not waited for: the thread ends after the batch it is at.
        pool.shutdown(wait=False, cancel_futures=True)
