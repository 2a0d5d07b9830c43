"""Modules in lists, by name, and in a row."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self, overload

from minicnn.nn.arguments import integer
from minicnn.nn.fused import in_a_row
from minicnn.nn.module import Module, indented
from minicnn.tensor import Tensor

if TYPE_CHECKING:
    from minicnn.inspect import Summary
    from minicnn.optim import Optimizer
    from minicnn.training import History


class ModuleList(Module):
    """A list of modules, whose parameters are found.

    Parameters
    ----------
    modules : iterable of Module
        Its elements; their names are "0", "1", ...
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def __len__(self) -> int:
        return len(self._own(Module))

    def __iter__(self) -> Iterator[Any]:
        return iter([module for _, module in self._own(Module)])

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "ModuleList": ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        return self._own(Module)[self._position(index)][1]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._own(Module)[self._position(index)][0], module)

    def __delitem__(self, index: int | slice) -> None:
        kept = list(self)
        del kept[index if isinstance(index, slice) else self._position(index)]
        self._renew(kept)

    def append(self, module: Module) -> Self:
        """Put a module at the end."""
        self.add_module(str(len(self)), checked(type(self).__name__, module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put several modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before that at `index`; all are numbered anew."""
        modules = list(self)
        modules.insert(index, checked(type(self).__name__, module))
        self._renew(modules)
        return self

    def pop(self, key: int) -> Any:
        """Take a module out; those after it are numbered anew."""
        module = self[key]
        del self[key]
        return module

    def __add__(self, other: Iterable[Module]) -> Any:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def _position(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {len(self)} modules")
        return index % len(self)

    def _renew(self, modules: list[Module]) -> None:
        for name, _ in self._own(Module):
            delattr(self, name)
        for number, module in enumerate(modules):
            self.add_module(str(number), module)

    def _repr_children(self) -> list[str]:
        """Equal neighbours in one line, as PyTorch prints them: (0-2): 3 x Linear(...)."""
        lines = []
        start = 0
        for text, equal in groupby(map(repr, self)):
            count = len(list(equal))
            many = f"({start}-{start + count - 1}): {count} x {text}"
            lines.append(indented(many if count > 1 else f"({start}): {text}"))
            start += count
        return lines


class ModuleDict(Module):
    """Modules by name, whose parameters are found; a dict apart from that.

    Parameters
    ----------
    modules : mapping of str to Module, or iterable of pairs
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, checked("ModuleDict", module))

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def items(self) -> Any:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules, or put them in the place of those of their names."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleDict: expected names and modules, got {type(modules).__name__}")
        for key, module in pairs(modules):
            self[key] = module

    def pop(self, key: str) -> Any:
        """Take a module out."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for key in list(self):
            del self[key]


class Sequential(ModuleList):
    """Modules that are called one after the other, each with what the one before returned.

    Parameters
    ----------
    *modules : Module
        Named "0", "1", ...; or one dict, whose keys are the names.
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            super().__init__()
            for name, module in modules[0].items():
                self.add_module(name, checked("Sequential", module))
        else:
            super().__init__(modules)

    def forward(self, input: Any) -> Any:
        if type(input) is Tensor and input.is_cuda:
            return in_a_row(list(self), input)
        for module in self:
            input = module(input)
        return input

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...
    def __getitem__(self, index: int | slice) -> Any:
        return (
            Sequential(dict(self._own(Module)[index]))
            if isinstance(index, slice)
            else super().__getitem__(index)
        )

    def __add__(self, other: Iterable[Module]) -> "Sequential":
        if not isinstance(other, Sequential):
            raise ValueError(f"Sequential: expected a Sequential to add, got {type(other).__name__}")
        return Sequential(*self, *other)

    def __mul__(self, other: int) -> "Sequential":
        return Sequential(*list(self) * integer("Sequential", "a factor", other, 1, ValueError))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Self:
        return self.extend((self * other)[len(self) :])

    def _repr_children(self) -> list[str]:
        return Module._repr_children(self)

    # shortcuts to the Trainer, which stands on a floor above

    def fit(
        self,
        train: Any,
        epochs: int,
        optimizer: "Optimizer | None" = None,
        *,
        loss: Any = None,
        metrics: Any = ("accuracy",),
        **settings: Any,
    ) -> "History":
        """Train, with Adam unless given: ``Trainer(self, optimizer, loss, metrics).fit(train, epochs)``."""
        from minicnn.optim import Adam
        from minicnn.training import Trainer

        trainer = Trainer(self, optimizer or Adam(self.parameters()), loss, metrics)
        return trainer.fit(train, epochs, **settings)

    def evaluate(
        self, data: Any, *, loss: Any = None, metrics: Any = ("accuracy",), **settings: Any
    ) -> dict[str, float]:
        """The loss and the metrics: ``Trainer(self, None, loss, metrics).evaluate(data, **settings)``."""
        from minicnn.training import Trainer

        return Trainer(self, None, loss, metrics).evaluate(data, **settings)

    def predict(self, data: Any, **settings: Any) -> Tensor:
        """The outputs for all samples: ``Trainer(self).predict(data, **settings)``."""
        from minicnn.training import Trainer

        return Trainer(self).predict(data, **settings)

    def summary(self, input_size: tuple[int, ...], time: bool = False) -> "Summary":
        """The layers, what they see and cost: ``minicnn.summary(self, input_size, time)``."""
        from minicnn.inspect import summary

        return summary(self, input_size, time)


def checked(name: str, module: Any) -> Module:
    """The module; TypeError if it is none."""
    if not isinstance(module, Module):
        hint = (
            "; pass the modules one by one, Sequential(*modules)" if isinstance(module, list | tuple) else ""
        )
        raise TypeError(f"{name}: expected a Module, got {type(module).__name__}{hint}")
    return module


def pairs(source: Any) -> list[tuple[str, Any]]:
    """Names and values, from a dict or what is like one, or from pairs."""
    if isinstance(source, Mapping) or hasattr(source, "items"):
        return list(source.items())
    found = [tuple(pair) for pair in source]
    if any(len(pair) != 2 for pair in found):
        raise ValueError(f"update: expected pairs of a name and a value, got {found!r:.80}")
    return found
