"""`minicnn.compile`: a model or function that is recorded when it is called, and repeated from then on."""

import functools
import linecache
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.autograd import is_grad_enabled
from minicnn.device import kernels_chosen
from minicnn.nn import Module
from minicnn.plan.plan import Plan
from minicnn.plan.recorder import Recorder
from minicnn.plan.step import mark
from minicnn.plan.surroundings import Surroundings
from minicnn.plan.table import table
from minicnn.tape import listeners
from minicnn.tensor import Tensor

PLANS = 16  # kinds of arguments and states that have a plan; others run as they are,
IDLE = 100  # unless the plan used longest ago was not used in so many calls
KINDS = 64  # recordings in a row that were of no use until a function runs as it is for good
TRIES = 4  # recordings of one kind until two in a row agree
one_at_a_time = threading.Lock()


class CannotRepeat(Exception):
    """Arguments of a type that plans do not know."""


class CompiledFunction:
    """What `compile` gives for a function; its attributes are the function's.

    Parameters
    ----------
    function : callable
        A function of Tensors, or a module.
    fullgraph : bool
        Raise RuntimeError instead of a warning where the function cannot be repeated.
    quiet : bool
        Do not warn of it either.
    whole : bool
        Repeat only what can be captured (see captured.py): else the function runs as it is, with parts that
        are compiled on their own.
    """

    def __init__(
        self, function: Callable[..., Any], fullgraph: bool = False, quiet: bool = False, whole: bool = False
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function, self.fullgraph, self.warned, self.whole = function, fullgraph, quiet, whole
        self.surroundings = Surroundings(function)
        self.plans: dict[Any, Plan | None] = {}  # None: runs as it is
        self.recordings: dict[Any, list[Any]] = {}  # what was recorded of kinds that have no plan yet
        self.changed = 0  # recordings after which something was not as before
        self.calls = self.in_vain = 0  # all, and recordings since a plan was last repeated
        self.gave_up = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if listeners or self.gave_up or kernels_chosen() != "cpu":  # a part of what somebody else records
            return self.function(*args, **kwargs)
        given: list[Tensor] = []
        state = self.surroundings.look()
        try:
            kind = state, is_grad_enabled(), described((args, kwargs), given)
            plan = self.plans.get(kind)
        except (CannotRepeat, TypeError):
            state = None
        if state is None:
            return self.function(*args, **kwargs)
        self.calls += 1
        if plan is not None:
            plan.used, self.in_vain = self.calls, 0
            gains = plan.captured is not None if self.whole else plan.gains
            return plan(given) if gains else self.function(*args, **kwargs)
        if kind in self.plans or not self.room() or not one_at_a_time.acquire(blocking=False):
            return self.function(*args, **kwargs)
        try:
            return self.record(kind, given, args, kwargs)
        finally:
            one_at_a_time.release()

    def room(self) -> bool:
        """Whether there may be one more plan, for which one that is out of use may have to go."""
        if len(self.plans) < PLANS:
            return True
        kind = min(self.plans, key=self.last_use)
        if self.calls - self.last_use(kind) > IDLE:
            self.plans.pop(kind, None)
        return len(self.plans) < PLANS

    def last_use(self, kind: Any) -> int:
        """The number of the call that used a plan last; of those without one the first goes first."""
        plan = self.plans.get(kind)
        return 0 if plan is None else plan.used

    def record(self, kind: Any, given: list[Tensor], args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the function once more as it is, and make a plan if it did what it had done before."""
        recorder = Recorder(given, self.surroundings.sight.tensors)
        listeners.append(recorder)
        try:
            outputs = self.function(*args, **kwargs)
        finally:
            listeners.remove(recorder)
        template = recorder.finish(outputs)
        if len(self.recordings) == KINDS:  # the first is likely not to come again
            del self.recordings[next(iter(self.recordings))]
        known = self.recordings.setdefault(kind, [])
        known.append((recorder.signature(), mark(template)))
        self.changed += self.surroundings.look() != kind[0]
        self.in_vain += 1
        self.gave_up = self.changed == TRIES or self.in_vain == KINDS
        if self.changed == TRIES:
            recorder.refuse("changes what it relies on (attributes, globals) at each call")
        elif self.gave_up:
            recorder.refuse(f"was not called twice with the same shapes and settings in {KINDS} calls")
        elif recorder.fault is None and self.surroundings.look() == kind[0] and known[-1:] == known[-2:-1]:
            self.plans[kind] = Plan(
                recorder.steps, recorder.backward(), recorder.origins, recorder.shapes, template
            )
            del self.recordings[kind]
        elif len(known) == TRIES:
            recorder.refuse("does something else at each call")
        if recorder.fault is not None:
            self.plans[kind] = None
            self.tell(*recorder.fault)
        return outputs

    def tell(self, what: str, file: str, line: int) -> None:
        """Say once why the function is not repeated."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        message = (
            f"compile: {file}:{line} {what}, which cannot be repeated without Python; {name} runs as it is, "
            f"uncompiled: {linecache.getline(file, line).strip()}"
        )
        if self.fullgraph:
            raise RuntimeError(message)
        if not self.warned:
            self.warned = True
            warnings.warn_explicit(message, UserWarning, file, line)

    def __reduce__(self) -> Any:  # copies, also those of a module, make plans of their own
        return CompiledFunction, (self.function, self.fullgraph, self.warned, self.whole)

    def __str__(self) -> str:
        return table(self.function, [plan for plan in self.plans.values() if plan is not None])


class CompiledModule(Module):
    """What `compile` gives for a module: a module with the same parameters, below `_orig_mod`."""

    def __init__(self, module: Module, fullgraph: bool = False) -> None:
        super().__init__()
        self._orig_mod = module
        self.training = module.training
        self._compiled = CompiledFunction(module, fullgraph)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":  # not set yet
            raise AttributeError(name)
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) or "_compiled" not in vars(self):
            super().__setattr__(name, value)
        else:  # a new head, say, is the module's
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __str__(self) -> str:
        return str(self._compiled)


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: Any = None,
    backend: Any = None,
    mode: Any = None,
    options: Any = None,
    disable: bool = False,
) -> Any:
    """Make a model or a function faster: ``model = compile(model)``, ``@compile``.

    The first two calls with arguments of one kind run as they are and are recorded. What is recorded is then
    repeated, forward and backward, without Python for each operation, and with operations fused. Results are
    those of the function as it is, up to the rounding of fused operations. A single operation runs as it is.
    In convolutional networks our kernels' calls are recorded, too: a forward pass is one call, or one between
    what NumPy does, and so is a backward pass, in memory that was planned once.

    Parameters
    ----------
    model : Module or callable
        What to compile; Tensors come in and go out also in tuples, lists and dicts.
    fullgraph : bool
        Raise RuntimeError where the function has to run as it is, instead of a warning.
    disable : bool
        Return it as it is.
    dynamic, backend, mode, options
        Accepted for PyTorch's sake.

    Returns
    -------
    Module or callable
        Printed, it shows the plan.

    Warns
    -----
    UserWarning
        The function looks at numbers (``item()``, ``if x.sum() > 0``), or uses arrays from elsewhere. It then
        runs as it is; the message names the line.

    Notes
    -----
    Other shapes, another mode (`train`, `eval`, `no_grad`), frozen parameters and changed settings
    (attributes, globals, what is in a list or dict) are recorded anew. Models with hooks, prints or loggers
    run as they are, with arrays or objects whose changes could not be seen, too, and so do those on a GPU,
    where there is `cuda.graph`. Of several outputs each has a gradient of its own: none passes from the
    scores to features that are returned beside them (`retain_grad`).
    """
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, disable=disable)
    if not callable(model):
        raise TypeError(f"compile: expected a module or a function, got {type(model).__name__}")
    if disable:
        return model
    return (CompiledModule if isinstance(model, Module) else CompiledFunction)(model, fullgraph)


def described(value: Any, given: list[Tensor]) -> Any:
    """The kind of an argument: for Tensors all but the values. They are added to `given`."""
    if isinstance(value, Tensor):
        array = value.array
        if type(array) is not np.ndarray:
            raise CannotRepeat
        alias = (
            [array is x.array for x in given].index(True)
            if given and any(array is x.array for x in given)
            else -1
        )
        given.append(value)
        return array.shape, array.dtype, array.strides, value.tracked, alias
    if isinstance(value, tuple | list):
        return type(value), *[described(part, given) for part in value]
    if type(value) is dict:
        return tuple([(key, described(part, given)) for key, part in value.items()])
    if isinstance(value, np.ndarray) or hasattr(value, "__dict__"):
        raise CannotRepeat
    return type(value), value
