"""Parameters in lists and by name."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

from minicnn.nn.container import pairs
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter
from minicnn.tensor import Tensor


class Parameters(Module):
    """Base of the two below: Tensors become Parameters, other values are kept as they are."""

    _values: dict[str, None]  # the names of the attributes that are elements

    def __init__(self) -> None:
        super().__init__()
        self._values = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"{type(self).__name__} should not be called.")

    def __len__(self) -> int:
        return len(self._values)

    def _set(self, name: str, value: Any) -> None:
        wrap = isinstance(value, Tensor) and not isinstance(value, Parameter)
        if name not in self._values:
            self._check_name(name)
        setattr(self, name, Parameter(value) if wrap else value)
        self._values[name] = None

    def _told(self, dtypes_of_old: bool) -> str:
        lines = []
        for name in self._values:
            value = getattr(self, name)
            text = f"Object of type: {type(value).__name__}"
            if isinstance(value, Tensor):
                kind = {"float32": "torch.FloatTensor", "float64": "torch.DoubleTensor"}[str(value.dtype)]
                dtype = kind if dtypes_of_old else f"torch.{value.dtype}"  # PyTorch's words
                text = f"Parameter containing: [{dtype} of size {'x'.join(map(str, value.shape))}]"
            lines.append(f"  ({name}): {text}")
        return "\n".join(lines)


class ParameterList(Parameters):
    """A list of Parameters, which are found.

    Parameters
    ----------
    values : iterable of Parameter, Tensor or anything
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, value: Any) -> None:
        self._set(self._name(index), value)

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, name) for name in self._values)

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Put a value at the end."""
        self._set(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Put several values at the end."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(f"ParameterList: expected a list of Parameters, got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def _name(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexError(f"ParameterList: index {index} is out of range for {len(self)} values")
        return str(index % len(self))

    def extra_repr(self) -> str:
        return self._told(False)


class ParameterDict(Parameters):
    """Parameters by name, which are found; a dict apart from that.

    Parameters
    ----------
    parameters : mapping of str to Parameter, Tensor or anything; or iterable of pairs
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update({} if parameters is None else parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._values:
            raise KeyError(f"ParameterDict: there is no {key!r}")
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._set(key, value)

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        delattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def keys(self) -> Any:
        """The names."""
        return self._values.keys()

    def values(self) -> Iterator[Any]:
        """The values."""
        return (self[key] for key in self._values)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and values."""
        return ((key, self[key]) for key in self._values)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a name, or the default."""
        return getattr(self, key) if key in self else default

    def update(self, parameters: Any) -> None:
        """Add values, or put them in the place of those of their names."""
        if not isinstance(parameters, Iterable):
            raise TypeError(f"ParameterDict: expected names and values, got {type(parameters).__name__}")
        for key, value in pairs(parameters):
            self[key] = value

    def pop(self, key: str) -> Any:
        """Take a value out."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take all values out."""
        for key in list(self):
            del self[key]

    def extra_repr(self) -> str:
        return self._told(True)
