"""What a trainer is given, as pairs of Tensors where the model is; and a step that is captured for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from minicnn.capture import CaptureError, graph
from minicnn.data import DataLoader, Dataset
from minicnn.data.resident import Resident, numbers_of
from minicnn.device import CPU, device
from minicnn.optim import Optimizer
from minicnn.tensor import Tensor, tensor

Batches = Iterable[Any]  # of pairs (x, y)
Step = Callable[..., None]  # of x and y, or of the numbers of their samples


def batches_of(data: Batches | Dataset, batch_size: int, shuffle: bool, name: str) -> Batches:
    """A Dataset cut into batches; what are batches already, as they are."""
    if isinstance(data, Sized) and len(data) == 0:
        raise ValueError(f"{name} is empty: expected at least one batch")
    return DataLoader(data, batch_size=batch_size, shuffle=shuffle) if isinstance(data, Dataset) else data


def pairs_of(batches: Batches, who: str, where: device) -> Iterator[tuple[Tensor, Any]]:
    """The batches on a device, each checked to be a pair; arrays and numbers as Tensors."""
    for number, batch in enumerate(batches, 1):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ValueError(
                f"{who}: expected batches (x, y), got {type(batch).__name__} as batch {number}; "
                "for whole arrays give TensorDataset(x, y)"
            )
        x, y = as_tensor(batch[0]), batch[1]
        several = isinstance(y, tuple | list) and any(isinstance(one, Tensor | Mapping) for one in y)
        y = y if several or isinstance(y, Mapping) else as_tensor(y)
        yield (x, y) if where is CPU else (x.to(where), moved(y, where))


def as_tensor(x: Any) -> Tensor:
    """Numbers as a Tensor."""
    return x if isinstance(x, Tensor) else tensor(x)


def moved(value: Any, where: device) -> Any:
    """Tensors on a device, also inside lists and mappings."""
    if isinstance(value, Tensor):
        return value.to(where)
    if isinstance(value, Mapping):
        return {key: moved(part, where) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [moved(part, where) for part in value]
    return value


def each(step: Step, batches: Batches, who: str, where: device, capture: bool = True) -> Iterator[int]:
    """Take a step for each batch, on a GPU as a CUDA graph if wanted; the numbers of samples, one by one.

    Where the samples are on the GPU, the graph gathers them, too: then a step is one launch.
    """
    take: Step = step
    given: Iterator[tuple] = pairs_of(batches, who, where)
    data = batches.dataset if isinstance(batches, DataLoader) else None
    if isinstance(data, Resident) and len(data.columns) == 2:

        def take(chosen: Tensor) -> None:
            step(*data.batch(chosen.array))

        given = zip(numbers_of(data, batches), strict=True)
    take, number = Captured(take) if capture and where is not CPU else take, 0
    for number, batch in enumerate(given, 1):
        if len(batch[0]) == 0:
            raise ValueError(f"{who}: batch {number} is empty, x is {batch[0].shape}")
        take(*batch)
        yield len(batch[0])
    if number == 0:
        raise ValueError(f"{who}: there are no batches; mind that a generator gives them only once")


class Captured:
    """A step on the GPU that runs as a CUDA graph for batches of the first one's shape.

    Other batches, such as a smaller last one, take the step as it is; so do all if it cannot be captured, as
    with a metric that looks at a number. It is for one epoch: in the next, something may be frozen, or in
    another mode.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.graph: Step | None = graph(step, warmup=1)
        self.shapes: Any = None

    def __call__(self, *batch: Any) -> None:
        shapes = [x.shape for x in batch] if all(isinstance(x, Tensor) for x in batch) else None
        self.shapes = self.shapes or shapes
        if self.graph is None or shapes is None or shapes != self.shapes:
            self.step(*batch)
            return
        try:
            self.graph(*batch)
        except CaptureError:
            self.graph = None
            self.step(*batch)


def move_state(optimizer: Optimizer, where: device) -> None:
    """Bring what an optimizer remembers to a device."""
    for memory in optimizer.state.values():
        for key, value in memory.items():
            if isinstance(value, Tensor):
                memory[key] = value.to(where)
