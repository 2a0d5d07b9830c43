"""Module: the base of every layer and model.

A Module's parameters are those of its attributes that are Parameters, its children those that are Modules. So
there is nothing to register, and `parameters`, `state_dict` and `print` only look at the attributes, in the
order in which they were first set.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from minicnn.autograd import no_grad
from minicnn.nn.parameter import Parameter
from minicnn.tensor import Tensor


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found missing and unexpected, when it was not strict."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base class of layers and models: define ``__init__`` and ``forward``.

    Call ``super().__init__()`` first, then set layers and Parameters as attributes::

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(1, 8, kernel_size=3)
                self.fc = nn.Linear(8 * 13 * 13, 10)

            def forward(self, x):                       # (N, 1, 28, 28)
                x = F.max_pool2d(F.relu(self.conv(x)), 2)
                return self.fc(x.flatten(1))            # (N, 10)

    Attributes
    ----------
    training : bool
        Whether layers such as Dropout act as in training; `train` and `eval` set it.
    """

    training: bool
    _buffers: dict[str, bool]  # names of the attributes that are buffers -> whether state_dict has them

    def __init__(self) -> None:
        self.training = True
        self._buffers = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # attributes

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = vars(self)
        if isinstance(value, Parameter | Module):
            if "_buffers" not in attributes:
                kind = "parameter" if isinstance(value, Parameter) else "module"
                raise AttributeError(f"cannot assign {kind} {name!r} before Module.__init__() call")
            self._buffers.pop(name, None)
        elif value is not None and name in attributes:
            self._check_kind(name, attributes[name], value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._buffers.pop(name, None)

    def _check_kind(self, name: str, old: Any, new: Any) -> None:
        """Raise TypeError where something else would take the place of a parameter, layer or buffer."""
        got = type(new).__name__
        if isinstance(old, Parameter):
            raise TypeError(f"cannot assign {got} as parameter {name!r} (expected a Parameter or None)")
        if isinstance(old, Module):
            raise TypeError(f"cannot assign {got} as child module {name!r} (expected a Module or None)")
        if name in vars(self).get("_buffers", ()) and not isinstance(new, Tensor):
            raise TypeError(f"cannot assign {got} as buffer {name!r} (expected a Tensor or None)")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set an attribute that is a Parameter, or may become one."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter: expected {name!r} to be a Parameter, got {type(param).__name__}"
            )
        self._check_name(name)
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set an attribute that is state but not trained; only a persistent one is in `state_dict`."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: expected {name!r} to be a Tensor, got {type(tensor).__name__}")
        self._check_name(name)
        self._buffers[name] = persistent
        setattr(self, name, tensor)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Set an attribute that is a child, also under a name such as "0"."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: expected {name!r} to be a Module, got {type(module).__name__}")
        self._check_name(name)
        setattr(self, name, module)

    register_module = add_module

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: expected a name as a str, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f'{type(self).__name__}: a name cannot be empty or contain ".", got {name!r}')
        replaceable = name in vars(self) and isinstance(vars(self)[name], Tensor | Module | None)
        if hasattr(self, name) and not replaceable:
            raise KeyError(f"{type(self).__name__}: attribute {name!r} already exists")

    # what is inside

    def _own(self, kind: type) -> list[tuple[str, Any]]:
        """Attributes of a kind with their names."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kind)]

    def _own_buffers(self) -> list[tuple[str, Tensor]]:
        return [(name, vars(self)[name]) for name in self._buffers if vars(self)[name] is not None]

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, each once, with their dotted names; its own is `prefix`."""
        seen = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module not in seen:
                seen.add(module)
                yield name, module
                stack += [(dotted(name, child), below) for child, below in reversed(module._own(Module))]

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly below, each once, with their names."""
        seen = set()
        for name, module in self._own(Module):
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules directly below, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """All Parameters, shared ones once, with their dotted names."""
        return self._named_tensors(prefix, recurse, lambda module: module._own(Parameter))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All Parameters, shared ones once."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """All buffers, shared ones once, with their dotted names."""
        return self._named_tensors(prefix, recurse, Module._own_buffers)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, shared ones once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_tensors(
        self, prefix: str, recurse: bool, own: Callable[["Module"], list[tuple[str, Any]]]
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, tensor in own(module):
                if tensor not in seen:
                    seen.add(tensor)
                    yield dotted(path, name), tensor

    # the state

    def _state(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers; shared ones under each of their names."""
        yield from ((prefix + name, param) for name, param in self._own(Parameter))
        yield from ((prefix + name, buffer) for name, buffer in self._own_buffers() if self._buffers[name])
        for name, child in self._own(Module):
            yield from child._state(f"{prefix}{name}.")

    def state_dict(self, *, prefix: str = "") -> dict[str, Tensor]:
        """Dotted name -> Tensor of every parameter and persistent buffer; they share the module's memory."""
        return {name: tensor.detach() for name, tensor in self._state(prefix)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values into the parameters and persistent buffers, whose dtypes stay.

        Parameters
        ----------
        state_dict : mapping of str to Tensor
            As `state_dict` gives it.
        strict : bool
            Whether the names must be exactly this module's.

        Returns
        -------
        IncompatibleKeys
            The names that are missing and unexpected; both empty when strict.

        Raises
        ------
        RuntimeError
            Names or shapes do not fit; the message lists all of them, and nothing has changed.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"load_state_dict: expected a dict of names to Tensors, got {type(state_dict).__name__}"
            )
        own = dict(self._state(""))
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        pairs = {name: (own[name], state_dict[name]) for name in own if name in state_dict}
        faults = [f"missing key: {name}" for name in missing if strict]
        faults += [f"unexpected key: {name}" for name in unexpected if strict]
        for name, (mine, given) in pairs.items():
            if not isinstance(given, Tensor):
                faults.append(f"{name}: expected a Tensor, got {type(given).__name__}")
            elif given.shape != mine.shape:
                faults.append(f"size mismatch: {name} has shape {mine.shape}, got {given.shape}")
        if faults:
            raise RuntimeError(
                f"load_state_dict: the values do not fit {type(self).__name__}:\n\t" + "\n\t".join(faults)
            )
        with no_grad():
            for mine, given in pairs.values():
                mine.copy_(given)
        return IncompatibleKeys(missing, unexpected)

    # changes to all of it

    def apply(self, fn: Callable[["Module"], Any]) -> Self:
        """Call `fn` on every module below, children first, and on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Put this module and all below it in training mode, or in evaluation mode."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected mode as True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put this module and all below it in evaluation mode."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let gradients reach the parameters, or freeze them."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients, or set them to zero."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.zero_()

    def to(self, dtype: Any) -> Self:
        """Convert floating point parameters and buffers, and the gradients, to a floating point dtype.

        "cpu" is accepted and changes nothing.
        """
        if isinstance(dtype, str) and dtype == "cpu":
            return self
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            raise TypeError(f"Module.to: expected a floating point dtype, got {dtype}")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.kind == "f":
                tensor.data = tensor.data.to(dtype)
                if tensor.grad is not None:
                    tensor.grad = tensor.grad.to(dtype)
        return self

    def float(self) -> Self:
        """Convert floating point parameters and buffers to float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert floating point parameters and buffers to float64."""
        return self.to(np.float64)

    def cpu(self) -> Self:
        """Itself: it is on the CPU."""
        return self

    # how it prints

    def extra_repr(self) -> str:
        """What stands between the brackets: a layer's settings."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr().splitlines()
        children = self._repr_children()
        if not children:
            inside = (
                extra[0] if len(extra) == 1 else "".join(f"\n  {line}" for line in extra) + "\n" * bool(extra)
            )
        else:
            inside = "".join(f"\n  {line}" for line in (*extra, *children)) + "\n"
        return f"{type(self).__name__}({inside})"

    def _repr_children(self) -> list[str]:
        return [indented(f"({name}): {module!r}") for name, module in self._own(Module)]


def dotted(path: str, name: str) -> str:
    """The name of something inside the module at `path`."""
    return f"{path}.{name}" if path else name


def indented(text: str) -> str:
    """All lines but the first moved to the right."""
    return text.replace("\n", "\n  ")
