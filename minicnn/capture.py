"""A training step as one CUDA graph: `minicnn.cuda.graph`.

A step of a small network is a hundred launches of a few microseconds each, and Python needs longer to ask for
them than the GPU to do them. A graph takes down once what is launched, and repeats all of it at one request.

A replay works on the memory it was captured with. So inputs are copied to Tensors that stay, and what the
step takes on its way comes from a pool of its own, which nobody else takes from.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from minicnn.device import CPU, device_of, gpu, holding, is_array
from minicnn.memory import allocated, peak

HINT = (
    "while a step is captured, no number can be read on the CPU (item(), float(loss), print(loss)) "
    "or come from there (rand, randn, tensor([...]))"
)


class FromTheCPU(Exception):
    """Numbers come from the CPU while a step is captured. (CuPy may take a RuntimeError for full memory.)"""


class CaptureError(RuntimeError):
    """A step does what no CUDA graph can repeat."""


class Recording:
    """A step that has been captured for inputs of one kind.

    Attributes
    ----------
    before : list of callable
        What the CPU does before each replay but the first: count steps, look up learning rates.
    on_failure : list of callable
        What takes back what the capture has changed on the CPU.
    """

    def __init__(self, step: Callable[..., Any], args: tuple[Any, ...]) -> None:
        from minicnn.kernels.cuda.replay import Changing

        xp = gpu("graph")
        self.pool = xp.cuda.MemoryPool()
        peak.graphs.add(self)
        self.before: list[Callable[[], None]] = []
        self.on_failure: list[Callable[[], None]] = []
        self.changing = Changing()
        self.inputs = [a.detach().clone() if is_tensor(a) else a for a in args]
        self.fresh = True
        stream = xp.cuda.Stream(non_blocking=True)
        own = xp.cuda.using_allocator(lambda size: allocated(xp, self.pool, size))
        self.constants: list[Any] = []
        with stream, own, nothing_from_the_cpu(xp), holding(self.constants), self.changing.noting():
            token = _recording.set(self)
            stream.begin_capture()
            try:
                self.outputs = fixed(step(*self.inputs))
            except Exception as error:
                with suppress(Exception):  # the capture may be broken already
                    stream.end_capture()
                self.undo()
                raise CaptureError(f"graph: the step cannot be captured: {error}; {HINT}") from error
            finally:
                _recording.reset(token)
            self.graph = stream.end_capture()

    def replay(self, args: tuple[Any, ...]) -> bool:
        """Do the step for other inputs; False, and nothing done, if it would work on other memory by now."""
        if not self.fresh:
            with self.changing.comparing():
                for job in self.before:
                    job()
            if not self.changing.same:
                self.undo()
                return False
        self.fresh = False
        for mine, given in zip(self.inputs, args, strict=True):
            if is_tensor(mine):
                mine.array[...] = given.array
        self.changing.put()
        self.graph.launch()
        return True

    def undo(self) -> None:
        """Take back what the CPU has done for a step that is not to be."""
        for take_back in reversed(self.on_failure):
            take_back()


_recording: ContextVar[Recording | None] = ContextVar("recording", default=None)


def recording() -> Recording | None:
    """The capture that goes on here, if any."""
    return _recording.get()


class Graph:
    """What `graph` gives: called as the step is."""

    def __init__(self, step: Callable[..., Any], warmup: int) -> None:
        gpu("graph")
        if not callable(step):
            raise TypeError(f"graph: expected a function, got {type(step).__name__}")
        if not isinstance(warmup, int) or warmup < 1:
            raise ValueError(f"graph: expected a warmup of at least 1, got {warmup!r}")
        self.step, self.warmup = step, warmup
        self.calls: dict[tuple, int] = {}  # kind of the arguments -> calls so far without a graph
        self.recordings: dict[tuple, Recording] = {}

    def __call__(self, *args: Any) -> Any:
        for place, x in enumerate(args):
            if is_tensor(x) and device_of(x.array) is CPU:
                raise RuntimeError(
                    f"graph: expected Tensors on the GPU, but argument {place} is on {x.device}"
                )
        kind = tuple((x.shape, x.dtype) if is_tensor(x) else x for x in args)
        calls = self.calls[kind] = self.calls.get(kind, 0) + 1
        if calls <= self.warmup:
            return fixed(self.step(*args))
        known = self.recordings.get(kind)
        if known is None or not known.replay(args):
            self.recordings.pop(kind, None)
            known = self.recordings[kind] = Recording(self.step, args)
            known.replay(args)
        return known.outputs


def graph(step: Callable[..., Any], *, warmup: int = 2) -> Graph:
    """Let a step on the GPU run as one CUDA graph: ``step = cuda.graph(step)``, then ``loss = step(x, y)``.

    The first calls run as they are. The next one takes down what the GPU is asked for, and from then on only
    that is repeated: of the Python inside, optimizers alone go on to count their steps and to follow their
    learning rates. Every call is a step, and gives what the step without a graph gives, bit for bit.

    Parameters
    ----------
    step : callable
        A whole step: gradients to None, forward, loss, backward, optimizer. Its arguments are Tensors on the
        GPU, and hashable things; it gives Tensors, also in tuples, lists and dicts.
    warmup : int
        How many calls run as they are, for each kind of arguments (shapes, dtypes, values of what is no
        Tensor), before it is captured.

    Returns
    -------
    callable
        Its Tensors are the same ones after every replay, with new numbers: add them up or copy them.

    Raises
    ------
    CaptureError
        The step looks at a number, or takes some from the CPU. Nothing was done in that call.

    Notes
    -----
    The model has to stay where it is, and in its mode, and what is frozen stays frozen: after ``model.to``,
    or between training and evaluation, make a new graph. The step's memory is its own while the graph lives.
    """
    return Graph(step, warmup)


def is_tensor(x: Any) -> bool:
    """Whether it is a Tensor, which this file knows by its array."""
    return is_array(getattr(x, "array", None))


def fixed(outputs: Any) -> Any:
    """Tensors without their history."""
    if is_tensor(outputs):
        return outputs.detach()
    if isinstance(outputs, dict):
        return {key: fixed(value) for key, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        parts = [fixed(part) for part in outputs]
        return type(outputs)(*parts) if hasattr(outputs, "_fields") else type(outputs)(parts)
    return outputs


@contextmanager
def nothing_from_the_cpu(xp: Any) -> Iterator[None]:
    """Refuse copies from the CPU: a graph would repeat them from memory that has other contents by then."""

    def refuse(size: int) -> None:
        raise FromTheCPU(f"{size} bytes are copied from the CPU")

    xp.cuda.set_pinned_memory_allocator(refuse)
    try:
        yield
    finally:
        xp.cuda.set_pinned_memory_allocator(xp.get_default_pinned_memory_pool().malloc)
