"""How operations run: recorded or not, and without NumPy's warnings."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from contextvars import ContextVar, Token, copy_context
from typing import Any, TypeVar

import numpy as np

Call = TypeVar("Call", bound=Callable[..., Any])

recording: ContextVar[bool] = ContextVar("recording", default=True)


def is_grad_enabled() -> bool:
    """Whether operations are recorded now."""
    return recording.get()


class set_grad_enabled(ContextDecorator):  # noqa: N801 (PyTorch's name)
    """Record operations, or not, from here on; as a ``with`` block or a decorator, inside it only."""

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self.tokens: list[Token[bool]] = [recording.set(self.mode)]

    def _recreate_cm(self) -> "set_grad_enabled":  # called by a decorated function, before each call
        return set_grad_enabled(self.mode)

    def __call__(self, function: Any) -> Any:
        recording.reset(self.tokens.pop())  # a decorator acts during the calls, not where it stands
        return super().__call__(function)

    def __enter__(self) -> None:
        if not self.tokens:
            self.tokens.append(recording.set(self.mode))

    def __exit__(self, *error: object) -> None:
        recording.reset(self.tokens.pop())


class _Mode(ContextDecorator):
    mode: bool

    def __call__(self, function: Any) -> Any:
        if not inspect.isgeneratorfunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            """Run the generator in this mode, but not the loop that it feeds."""
            generator, sent = function(*args, **kwargs), None
            while True:
                with self._recreate_cm():
                    try:
                        value = generator.send(sent)
                    except StopIteration as stop:
                        return stop.value
                sent = yield value

        return steps

    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)  # a decorator without brackets

    def __init__(self) -> None:
        self.tokens: list[Token[bool]] = []

    def _recreate_cm(self) -> "_Mode":  # a decorated function may call itself
        return type(self)()

    def __enter__(self) -> None:
        self.tokens.append(recording.set(self.mode))

    def __exit__(self, *error: object) -> None:
        recording.reset(self.tokens.pop())


class no_grad(_Mode):  # noqa: N801 (PyTorch's name)
    """Do not record operations inside: ``with mc.no_grad():`` or ``@mc.no_grad()``."""

    mode = False


class enable_grad(_Mode):  # noqa: N801 (PyTorch's name)
    """Record operations inside, also within `no_grad`."""

    mode = True


class inference_mode(_Mode):  # noqa: N801 (PyTorch's name)
    """As `no_grad`: do not record operations inside; ``inference_mode(False)`` records them."""

    def __new__(cls, mode: Any = True) -> Any:
        return cls()(mode) if callable(mode) else object.__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = not mode

    def _recreate_cm(self) -> "inference_mode":
        return inference_mode(not self.mode)


def _setting_of_errstate() -> tuple[ContextVar, Any]:
    """The context variable that `numpy.errstate` sets, and its value for "ignore"."""
    before = copy_context()
    with np.errstate(all="ignore"):
        inside = copy_context()
    return next((var, value) for var, value in inside.items() if before.get(var) is not value)


# As in PyTorch, log(0), 1 / 0 and overflow warn nobody. To set NumPy's variable takes half the time of
# np.errstate, which would be a fifth of a small operation.
errors, IGNORED = _setting_of_errstate()


def quiet(function: Call) -> Call:
    """Let NumPy not warn inside a function."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        token = errors.set(IGNORED)
        try:
            return function(*args, **kwargs)
        finally:
            errors.reset(token)

    return call  # type: ignore[return-value]
