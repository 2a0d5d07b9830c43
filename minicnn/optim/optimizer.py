"""What all optimizers share: groups of parameters, the loop over them, and their state."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minicnn.autograd import enable_grad, note_write
from minicnn.capture import Recording, recording
from minicnn.device import check_same, device_of, move, room
from minicnn.tape import looked
from minicnn.tensor import Tensor

Arrays = Sequence[Any]
States = Sequence[dict[str, Any]]
Due = tuple[list[Tensor], list[Tensor], int]  # parameters, their gradients, the number of their group

# Settings that choose among PyTorch's implementations of one formula: kept, but here there is only one.
VARIANTS = {"foreach", "fused", "capturable", "differentiable"}


class Optimizer:
    """Base class: a subclass defines `update`, a step of parameters that are alike, and `check`.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize. A dict is a group with settings of its own: ``{"params": [...], "lr": 0.1}``.
        Pairs of a name and a Tensor, as from `named_parameters`, keep the names in the groups.
    defaults : dict
        The settings of groups that do not give their own.

    Attributes
    ----------
    param_groups : list of dict
        Each with "params" and all settings; they may be changed between steps.
    state : dict
        Parameter -> what its updates need to remember.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            hint = "; call its parameters()" if hasattr(params, "parameters") else ""
            hint = "; call it, with brackets" if callable(params) and not hint else hint
            raise TypeError(
                f"{type(self).__name__}: expected params as a list of Tensors or dicts, "
                f"got {type(params).__name__}{hint}"
            )
        if defaults.get("foreach") and defaults.get("fused"):
            raise RuntimeError(f"{type(self).__name__}: expected foreach or fused, got both")
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{type(self).__name__}: a step is not recorded, so differentiable must be False"
            )
        self.defaults = defaults
        self.stepped = False  # a scheduler that is stepped before the optimizer warns
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        groups = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def update(self, params: Arrays, grads: Arrays, states: States, group: dict[str, Any]) -> None:
        """Change the arrays of parameters in place.

        They are of one group, one device and one dtype, and took as many steps before.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError if a group's settings make no sense."""
        raise NotImplementedError(f"{type(self).__name__} does not define check")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters, with settings of their own.

        Raises
        ------
        TypeError
            Something else than Tensors, or a set, which has no order.
        ValueError
            A Tensor that is no leaf or in another group, or a setting out of its range.
        KeyError
            A group without "params".
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: expected a parameter group as a dict, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise KeyError(f"{name}: expected 'params' in a parameter group, got {[*param_group]}")
        given = param_group["params"]
        if isinstance(given, set):
            raise TypeError(f"{name}: a set has no order, so a saved state would not fit it; pass a list")
        rows = [given] if isinstance(given, Tensor) else list(given)
        params = [row[1] if isinstance(row, tuple) and len(row) == 2 else row for row in rows]
        group = {**self.defaults, **param_group, "params": params}
        names = [row[0] for row in rows if isinstance(row, tuple)]
        if names:
            group["param_names"] = names
        if len(names) not in (0, len(params)) or (
            self.param_groups and bool(names) != ("param_names" in self.param_groups[0])
        ):
            raise ValueError(f"{name}: expected names for all parameters or for none")
        known = {p for earlier in self.param_groups for p in earlier["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: can only optimize Tensors, got {type(p).__name__}")
            if p.node is not None:
                raise ValueError(f"{name}: can only optimize leaves, got the result of {p.node.name()}")
            if p in known:
                raise ValueError(f"{name}: a parameter of shape {p.shape} is in two groups")
        if len(set(params)) < len(params):
            message = f"{name}: a parameter is twice in its group, and each step changes it twice"
            warnings.warn(message, UserWarning, stacklevel=3)
        self.check(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients, or set them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients first; its result is returned.

        Raises
        ------
        RuntimeError
            A gradient differs from its parameter in shape or dtype.
        """
        looked("steps an optimizer")
        loss = None
        self.stepped = True
        if closure is not None:
            with enable_grad():
                loss = closure()
        due = [*self._due()]
        capture = recording()
        if capture is None:
            self._take(due)
        else:
            Repeated(self, due).take_part(capture)
        return loss

    def _due(self) -> Iterator[Due]:
        """The parameters that take a step, of each group; one that is there twice takes two."""
        for number, group in enumerate(self.param_groups):
            params = [p for p in group["params"] if p.grad is not None]
            rows = [params] if 0 < len(params) == len(set(params)) else [[p] for p in params]
            for row in rows:
                yield row, [p.grad for p in row], number

    def _take(self, due: list[Due]) -> None:
        """Take the steps: those of parameters that are alike in one go, which is one launch on a GPU."""
        for params, grads, number in due:
            arrays, gradients = [p.array for p in params], [grad.array for grad in grads]
            for array, grad in zip(arrays, gradients, strict=True):
                if grad.shape != array.shape or grad.dtype != array.dtype or type(grad) is not type(array):
                    self._check(array, grad)
            for rows in alike(arrays, gradients, [self.state[p] for p in params]):
                array, state = rows[0][0], rows[2][0]
                for key, value in state.items():
                    if isinstance(value, Tensor) and type(value.array) is not type(array):
                        roles = "a parameter", f"its {key}"
                        check_same(f"{type(self).__name__}.step", roles, (array, value.array))
                self.update(*rows, self.param_groups[number])
                note_write(*rows[0])  # so that a graph recorded before this step is known to be stale

    def _check(self, array: Any, grad: Any) -> None:
        """Raise RuntimeError unless the gradient of a parameter is as that is."""
        check_same(type(self).__name__, ("a parameter", "its gradient"), (array, grad))
        if grad.shape != array.shape or grad.dtype != array.dtype:
            raise RuntimeError(
                f"{type(self).__name__}.step: a parameter is {array.dtype} {array.shape}, "
                f"its gradient {grad.dtype} {grad.shape}"
            )

    # saving and loading

    def state_dict(self) -> dict[str, Any]:
        """All settings and memories, the parameters as their numbers in the order of the groups.

        Returns
        -------
        dict
            ``{"state": {number: {...}}, "param_groups": [{..., "params": [number, ...]}]}``
        """
        number = {p: i for i, p in enumerate(self._all())}
        groups = [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups]
        state = {number[p]: dict(memory) for p, memory in self.state.items() if memory}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and memories, copied, in the parameters' dtypes and on their devices.

        Raises
        ------
        ValueError
            They are of other parameters or another kind of optimizer; nothing has changed.
        """
        name = type(self).__name__
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected a dict, got {type(state_dict).__name__}")
        for part in ("param_groups", "state"):
            if part not in state_dict:
                raise KeyError(f"load_state_dict: expected {part!r} in the state of {name}")
        groups = [dict(group) for group in state_dict["param_groups"]]
        sizes = [[len(group["params"]) for group in gs] for gs in (self.param_groups, groups)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"load_state_dict: {name} has groups of {sizes[0]} parameters, got {sizes[1]}")
        params = dict(zip((i for group in groups for i in group["params"]), self._all(), strict=True))
        for mine, group in zip(self.param_groups, groups, strict=True):
            missing = sorted(self.defaults.keys() - group.keys() - VARIANTS)
            if missing:
                raise ValueError(f"load_state_dict: {name} needs the settings {missing}, which are not given")
            group["params"] = mine["params"]
            self.check(group)
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, memory in state_dict["state"].items():
            if number not in params:
                raise ValueError(
                    f"load_state_dict: there is no parameter {number}, only {len(params)} of them"
                )
            state[params[number]] = {
                key: copied(number, key, value, params[number])
                for key, value in memory.items()
                if value is not None  # PyTorch's word for a momentum that is still to come
            }
        self.param_groups, self.state = groups, state

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            settings = (f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
            text += f"\nParameter Group {i}\n" + "".join(settings)
        return text + ")"

    def _all(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]


class Repeated:
    """The steps of parameters that a CUDA graph repeats, and what is left for the CPU to do each time."""

    def __init__(self, optimizer: Optimizer, due: list[Due]) -> None:
        self.optimizer, self.due = optimizer, due
        self.remember()

    def take_part(self, capture: Recording) -> None:
        """Be captured, and asked before each replay."""
        capture.before.append(self.again)
        capture.on_failure.append(self.take_back)
        known, mine = sum(map(len, self.state.values())), self.optimizer.state
        self.optimizer._take(self.due)
        if sum(map(len, mine.values())) != known:
            name = type(self.optimizer).__name__
            raise RuntimeError(f"{name} has made its state, which each replay would make anew")

    def remember(self) -> None:
        """Keep the counts; the Tensors among the states change on the GPU alone."""
        self.state = {p: dict(memory) for p, memory in self.optimizer.state.items()}

    def again(self) -> None:
        """Before a replay: count the step, and give its launches the numbers of today."""
        self.remember()
        self.optimizer.stepped = True
        for params, grads, _ in self.due:
            for p, grad in zip(params, grads, strict=True):
                if p.grad is not grad:  # of a step without the graph
                    p.grad = grad
        self.optimizer._take(self.due)

    def take_back(self) -> None:
        """The step is not done."""
        self.optimizer.state = defaultdict(dict, self.state)


def alike(arrays: Arrays, grads: Arrays, states: States) -> Iterator[tuple[Arrays, Arrays, States]]:
    """The same, in lists of those that have a type and a dtype in common, and as many steps before."""
    kinds = [(type(a), a.dtype, len(s), s.get("step")) for a, s in zip(arrays, states, strict=True)]
    if kinds.count(kinds[0]) == len(kinds):
        yield arrays, grads, states
        return
    for kind in dict.fromkeys(kinds):
        chosen = [i for i, other in enumerate(kinds) if other == kind]
        yield [arrays[i] for i in chosen], [grads[i] for i in chosen], [states[i] for i in chosen]


def zeros_like(param: Any) -> Tensor:
    """A state of a parameter's array, at first 0."""
    array = room("zeros_like", device_of(param), param.shape, param.dtype)
    array.fill(0)
    return Tensor(array)


def arrays_of(states: States, key: str) -> Arrays:
    """One of the states of each parameter."""
    return [state[key].array for state in states]


def copied(number: Any, key: str, value: Any, p: Tensor) -> Any:
    """A part of a loaded state, for the parameter p; a Tensor must have its shape.

    The number of steps may be a Tensor of its own, as in PyTorch.
    """
    if key == "step":
        return int(value)
    if not isinstance(value, Tensor):
        return value
    if value.shape != p.shape:
        raise ValueError(
            f"load_state_dict: {key} of parameter {number} has shape {value.shape}, expected {p.shape}"
        )
    array = room("load_state_dict", p.device, p.shape, p.dtype)
    array[...] = move(value.array.astype(p.dtype, copy=False), p.device)
    return Tensor(array)


def check_range(name: str, group: dict[str, Any], *settings: str) -> None:
    """Raise unless these settings are numbers of at least 0."""
    for setting in settings:
        value = group[setting]
        check_number(name, setting, value)
        if not value >= 0:  # NaN too
            raise ValueError(f"{name}: {setting} must be at least 0, got {value}")


def check_number(name: str, setting: str, value: Any) -> None:
    """Raise TypeError unless it is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name}: expected {setting} as a number, got {value!r}")
