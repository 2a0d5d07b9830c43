"""What a Module is made of: attributes that are parameters, buffers and modules, and the walk over them."""

from collections.abc import Callable, Iterator, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any

from minicnn.nn.parameter import Parameter
from minicnn.tensor import Tensor

if TYPE_CHECKING:
    from minicnn.nn.module import Module


class Tree:
    """The base of `Module`, which calls, saves and prints it."""

    _persistent: dict[str, bool]  # names of the attributes that are buffers -> whether state_dict has them

    def __init__(self) -> None:
        self._persistent = {}

    # attributes

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = vars(self)
        if isinstance(value, Parameter | Tree):
            if "_persistent" not in attributes:
                kind = "parameter" if isinstance(value, Parameter) else "module"
                raise AttributeError(f"cannot assign {kind} {name!r} before Module.__init__() call")
            self._persistent.pop(name, None)
        elif value is not None and name in attributes:
            self._check_kind(name, attributes[name], value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._persistent.pop(name, None)

    def _check_kind(self, name: str, old: Any, new: Any) -> None:
        """Raise TypeError where something else would take the place of a parameter, layer or buffer."""
        got = type(new).__name__
        if isinstance(old, Parameter):
            raise TypeError(f"cannot assign {got} as parameter {name!r} (expected a Parameter or None)")
        if isinstance(old, Tree):
            raise TypeError(f"cannot assign {got} as child module {name!r} (expected a Module or None)")
        if name in vars(self).get("_persistent", ()) and not isinstance(new, Tensor):
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
        self._persistent[name] = persistent
        setattr(self, name, tensor)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Set an attribute that is a child, also under a name such as "0"."""
        if module is not None and not isinstance(module, Tree):
            raise TypeError(f"add_module: expected {name!r} to be a Module, got {type(module).__name__}")
        self._check_name(name)
        setattr(self, name, module)

    register_module = add_module

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: expected a name as a str, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f'{type(self).__name__}: a name cannot be empty or contain ".", got {name!r}')
        replaceable = name in vars(self) and isinstance(vars(self)[name], Tensor | Tree | None)
        if hasattr(self, name) and not replaceable:
            raise KeyError(f"{type(self).__name__}: attribute {name!r} already exists")

    # what is inside

    def _own(self, kind: type) -> list[tuple[str, Any]]:
        """Attributes of a kind with their names."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kind)]

    def _own_buffers(self) -> list[tuple[str, Tensor]]:
        return [(name, vars(self)[name]) for name in self._persistent if vars(self)[name] is not None]

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, with their dotted names; its own is `prefix`.

        Each comes once, unless not remove_duplicate; those in the set `memo` are left out and added to it.
        """
        seen = set() if memo is None else memo
        stack: list[tuple[str, Any]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module not in seen:
                if remove_duplicate:
                    seen.add(module)
                yield name, module
                stack += [(dotted(name, child), below) for child, below in reversed(module._own(Tree))]

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly below, each once, with their names."""
        seen = set()
        for name, module in self._own(Tree):
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules directly below, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All Parameters with their dotted names; shared ones once, unless not remove_duplicate."""
        own = partial(Tree._own, kind=Parameter)
        return self._named_tensors(prefix, recurse, remove_duplicate, own)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All Parameters, shared ones once."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their dotted names; shared ones once, unless not remove_duplicate."""
        return self._named_tensors(prefix, recurse, remove_duplicate, Tree._own_buffers)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, shared ones once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_tensors(
        self,
        prefix: str,
        recurse: bool,
        once: bool,
        own: Callable[["Tree"], list[tuple[str, Any]]],
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        places: Any = [(prefix, self)]
        if recurse:
            places = self.named_modules(prefix=prefix, remove_duplicate=once)
        for path, module in places:
            for name, tensor in own(module):
                if tensor not in seen:
                    if once:
                        seen.add(tensor)
                    yield dotted(path, name), tensor

    # one thing inside

    def get_submodule(self, target: str) -> "Module":
        """The module of a dotted name; itself for ""."""
        module: Any = self
        for name in target.split(".") if target else []:
            if not isinstance(getattr(module, name, None), Tree):
                raise AttributeError(
                    f"get_submodule: {type(module).__name__} has no module {name!r} ({target!r})"
                )
            module = getattr(module, name)
        return module

    def set_submodule(self, target: str, module: "Module") -> None:
        """Put a module in the place of a dotted name."""
        path, _, name = target.rpartition(".")
        if not target:
            raise ValueError("set_submodule: expected a name, got an empty one")
        setattr(self.get_submodule(path), name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter of a dotted name."""
        return self._get("get_parameter", target, lambda module, name: dict(module._own(Parameter))[name])

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name."""
        return self._get("get_buffer", target, lambda module, name: dict(module._own_buffers())[name])

    def _get(self, what: str, target: str, pick: Callable[["Tree", str], Any]) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        try:
            return pick(module, name)
        except KeyError:
            raise AttributeError(f"{what}: {type(module).__name__} has no {name!r} ({target!r})") from None

    @property
    def _modules(self) -> "Attributes":
        """The modules directly below, by name; setting an item sets the attribute."""
        return Attributes(self, lambda module: module._own(Tree))

    @property
    def _parameters(self) -> "Attributes":
        """The module's own Parameters, by name."""
        return Attributes(self, lambda module: module._own(Parameter))

    @property
    def _buffers(self) -> "Attributes":
        """The module's own buffers, by name."""
        return Attributes(self, Tree._own_buffers)


class Attributes(MutableMapping):
    """Attributes of one kind as a dict, for programs that reach for PyTorch's inner ones."""

    def __init__(self, owner: Tree, own: Callable[[Tree], list[tuple[str, Any]]]) -> None:
        self.owner, self.own = owner, own

    def __getitem__(self, name: str) -> Any:
        return dict(self.own(self.owner))[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)

    def __delitem__(self, name: str) -> None:
        delattr(self.owner, name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.own(self.owner)))

    def __len__(self) -> int:
        return len(self.own(self.owner))

    def keys(self) -> Any:
        return dict(self.own(self.owner)).keys()

    def __repr__(self) -> str:
        return repr(dict(self.items()))


def dotted(path: str, name: str) -> str:
    """The name of something inside the module at `path`."""
    return f"{path}.{name}" if path else name
