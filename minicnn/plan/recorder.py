"""What a function does to Tensors, written down while it is done."""

import random
import sys
from collections import OrderedDict
from threading import get_ident
from types import FrameType
from typing import Any
from weakref import ref

import numpy as np

from minicnn import ops
from minicnn.autograd import Function
from minicnn.autograd.custom import computed
from minicnn.autograd.graph import order, owner
from minicnn.plan.reach import in_library
from minicnn.plan.step import Apart, Custom, Same, Slot, Step, Write, rebuilt
from minicnn.tensor import Tensor

FROM_SHAPES = (ops.Blend, ops.Pick)  # their arrays of indices and weights follow from the shapes alone


class Recorder:
    """Listens to one call of a function.

    Parameters
    ----------
    arguments : list of Tensor
        The Tensors it is called with.
    tensors : list of Tensor
        The parameters and buffers that it may use.

    Attributes
    ----------
    steps : list of Step
        What was done.
    origins : list
        For each Slot where its value comes from: the place of an argument, a Tensor, or None for a step.
    shapes : list of tuple of int
        Of each value.
    fault : tuple or None
        What cannot be repeated, and the file and line of the user's program: (what, file, line).
    """

    def __init__(self, arguments: list[Tensor], tensors: list[Tensor]) -> None:
        self.thread, self.deaf = get_ident(), False
        self.steps: list[Step] = []
        self.nodes: dict[int, int] = {}  # id of a node -> its step
        self.origins: list[Any] = []
        self.shapes: list[tuple[int, ...]] = []
        self.fault: tuple[str, str, int] | None = None
        self.by_array: dict[int, Slot] = {}  # id of an array -> its value
        self.by_target: dict[int, Slot] = {}  # id of a node or leaf -> its value
        self.arrays: list[Any] = []  # weak references: without gradients most arrays may go
        self.alive: list[Any] = []  # the nodes and leaves that have an id in the tables
        self.roots: list[Function] = []  # the nodes of the outputs
        self.merged: set[int] = set()  # values that stand for memory that was written
        self.wrote = False
        self.tensors = {id(key): t for t in tensors for key in (t, t.array)}
        self.arguments, self.given = arguments, [(x.array, x.node) for x in arguments]
        self.dice = dice()
        for place, x in enumerate(arguments):
            if id(x.array) in self.tensors:
                self.refuse("passes a parameter to the function that uses it anyway")
            self.value(place, x.array, x.node or x)

    # what listeners are told

    def operation(self, node: Function, args: Any, settings: dict[str, Any], out: Tensor) -> None:
        """An operation on Tensors has run."""
        if not self.listening():
            return
        function = type(node)
        if not function.__module__.startswith("minicnn.ops."):
            self.refuse(f"runs {node.name()}, which is none of minicnn's operations")
            return
        self.add(function, node, args, settings, out)

    def add(
        self, function: type[Function], node: Any, args: tuple, settings: dict[str, Any], out: Tensor
    ) -> None:
        """Write down a step."""
        tracked = node is not None and out.node is node
        needs = [need if tracked else None for need in getattr(node, "needs", ())]  # views may have none
        followed = {id(need[0]) for need in needs if need is not None}
        constants = function in FROM_SHAPES
        args = tuple(self.template(value, followed, constants) for value in args)
        settings = self.template(settings, followed, constants)
        targets = tuple(None if need is None else self.by_target.get(id(need[0])) for need in needs)
        if len(targets) - targets.count(None) < sum(need is not None for need in needs):
            self.refuse("uses a Tensor with a gradient of its own, made inside or brought from elsewhere")
        slot = self.value(None, out.array, node if tracked else None)
        if tracked:
            self.nodes[id(node)] = len(self.steps)
        self.steps.append(Step(function, args, settings, targets, slot, tracked, out.array.shape))

    def custom(self, kind: type[Function], inputs: tuple[Any, ...]) -> Any:
        """A function that the user has written, with a derivative of its own, is to run."""
        if not self.listening():
            return computed(kind, inputs)
        self.deaf = True  # to the operations inside
        try:
            out = computed(kind, inputs)
        finally:
            self.deaf = False
        self.add(Custom, out.node, (kind, list(inputs)), {}, out)
        return out

    def write(self, memory: Any, index: Any, values: Any) -> None:
        """Memory was written."""
        if not self.listening():
            return
        self.wrote = True
        into, source = self.find(memory), self.find(values)
        if index is not ... or into is None or source is None:
            self.refuse("writes into a part of a Tensor")
        elif self.alone(into, memory) and (memory.shape, memory.dtype) == (values.shape, values.dtype):
            self.by_array[id(memory)] = source  # nobody else sees this memory: the new values take its place
            self.merged.add(source)
        elif into in self.merged:
            self.refuse("writes into memory that several Tensors share")
        else:
            out = self.value(None)
            self.steps.append(Step(Write, (into, source), {}, (None, None), out, False, memory.shape))

    def look(self, what: str) -> None:
        """The program looks at values."""
        if self.listening():
            self.refuse(what)

    # the end

    def finish(self, outputs: Any) -> Any:
        """The outputs with Slots in the place of Tensors."""
        template = self.outputs(outputs)
        if any(
            x.array is not a or x.node is not n for x, (a, n) in zip(self.arguments, self.given, strict=True)
        ):
            self.refuse("changes its argument in place")
        if self.wrote and any(step.tracked for step in self.steps):
            self.refuse("writes into memory while gradients are recorded")
        if dice() != self.dice:
            self.refuse("draws random numbers of Python's or NumPy's own")
        return template

    def backward(self) -> list[Step]:
        """The steps in the order in which the engine goes back through them from the outputs."""
        return [self.steps[self.nodes[id(node)]] for node in order(self.roots) if id(node) in self.nodes]

    def signature(self) -> tuple:
        """What two recordings of the same program have in common."""
        origins = [id(x) if isinstance(x, Tensor) else x for x in self.origins]
        return origins, [step.signature() for step in self.steps]

    # inside

    def listening(self) -> bool:
        return self.fault is None and not self.deaf and get_ident() == self.thread

    def value(self, origin: Any, array: Any = None, target: Any = None) -> Slot:
        """A new Slot."""
        slot = Slot(len(self.origins))
        self.origins.append(origin)
        self.shapes.append(getattr(array, "shape", ()))
        if array is not None:
            key = id(array)
            self.by_array[key] = slot
            self.arrays.append(ref(array, lambda _: self.by_array.pop(key, None)))
        if target is not None:
            self.by_target[id(target)] = slot
            self.alive.append(target)
        return slot

    def find(self, array: Any) -> Slot | None:
        """The Slot of an array, if it is known where it comes from."""
        if id(array) not in self.by_array and id(array) in self.tensors:
            tensor = self.tensors[id(array)]
            self.value(tensor, array, tensor.node or tensor)
        return self.by_array.get(id(array))

    def template(self, value: Any, followed: set[int], constants: bool) -> Any:
        """The same with Slots for Tensors and arrays."""
        if isinstance(value, Tensor):
            slot, target = self.find(value.array), id(value.node or value)
            return self.known(self.by_target.get(target) if target in followed else slot)
        if isinstance(value, np.ndarray):
            return value if constants else self.known(self.find(value))
        if isinstance(value, tuple | list):
            return rebuilt(value, [self.template(part, followed, constants) for part in value])
        if isinstance(value, dict):
            return {key: self.template(part, followed, constants) for key, part in value.items()}
        return value

    def known(self, slot: Slot | None) -> Slot:
        if slot is None:
            self.refuse(
                "uses an array that is no argument, parameter or buffer, "
                "nor the result of an operation that can be recorded"
            )
            return Slot(-1)
        return slot

    def alone(self, slot: Slot, memory: Any) -> bool:
        """Whether this memory is that of one step's result and nothing else."""
        known = [array for weak in self.arrays if (array := weak()) is not None]
        same = {id(array) for array in known if owner(array) is owner(memory)}
        return self.origins[slot] is None and same == {id(memory)}

    def outputs(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            for place, x in enumerate(self.arguments):
                if value is x:
                    return Same(place)
            if id(value) in self.tensors:
                return Same(self.known(self.find(value.array)))
            if shows(value, self.tensors, self.arguments):
                self.refuse("returns a view of an argument or parameter")
            if not value.tracked:
                return Apart(self.known(self.find(value.array)))
            slot = self.by_target.get(id(value.node))
            if slot is None or self.origins[slot] is not None:
                self.refuse("returns a Tensor with a gradient of its own")
                return Slot(-1)
            self.roots.append(value.node)  # type: ignore[arg-type]
            return slot
        if type(value) in (tuple, list) or hasattr(value, "_fields"):
            return rebuilt(value, [self.outputs(part) for part in value])
        if type(value) in (dict, OrderedDict):
            return type(value)((key, self.outputs(part)) for key, part in value.items())
        if value is not None and not isinstance(value, str | int | float | bool):
            self.refuse(f"returns something of the type {type(value).__name__}")
        return value

    def refuse(self, what: str) -> None:
        """Note the first thing that cannot be repeated, and where the user's program asks for it."""
        if self.fault is None:
            frame: FrameType | None = sys._getframe(1)
            while frame and in_library(frame.f_globals.get("__name__", "")):
                frame = frame.f_back
            self.fault = (what, frame.f_code.co_filename, frame.f_lineno) if frame else (what, "?", 0)


def dice() -> tuple:
    """The state of the random numbers that are not minicnn's."""
    return random.getstate(), repr(np.random.get_state(legacy=False))  # noqa: NPY002


def shows(value: Any, tensors: dict[int, Tensor], arguments: list[Tensor]) -> bool:
    """Whether a Tensor is a view, of a view ..., of an argument or parameter."""
    while value.origin is not None:
        value = value.origin[1]
        if id(value) in tensors or any(value is x for x in arguments):
            return True
    return False
