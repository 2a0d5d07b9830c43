"""Module: the base of every layer and model.

A Module's parameters are those of its attributes that are Parameters, its children those that are Modules. So
there is nothing to register, and `parameters`, `state_dict` and `print` only look at the attributes, in the
order in which they were first set.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from minicnn.autograd import no_grad
from minicnn.device import device, placed
from minicnn.nn.hooks import Handle, Hooks
from minicnn.nn.parameter import Parameter, is_lazy
from minicnn.nn.tree import Tree
from minicnn.tensor import Tensor


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found missing and unexpected, when it was not strict."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module(Tree):
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
    _hooks: Hooks | None = None  # made when the first hook is registered

    def __init__(self) -> None:
        super().__init__()
        self.training = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return self._hooks.call(self, args, kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # the state

    def _state(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers; shared ones under each of their names."""
        yield from ((prefix + name, param) for name, param in self._own(Parameter))
        yield from ((prefix + name, buffer) for name, buffer in self._own_buffers() if self._persistent[name])
        for name, child in self._own(Module):
            yield from child._state(f"{prefix}{name}.")

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Dotted name -> Tensor of every parameter and persistent buffer; they share the module's memory.

        With `keep_vars` they are the parameters and buffers themselves. `destination` is a dict to add to.
        """
        state: dict[str, Any] = OrderedDict() if destination is None else destination
        for name, tensor in self._state(prefix):
            state[name] = tensor if keep_vars else tensor.detach()
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy values into the parameters and persistent buffers, whose dtypes stay.

        Parameters
        ----------
        state_dict : mapping of str to Tensor
            As `state_dict` gives it.
        strict : bool
            Whether the names must be exactly this module's.
        assign : bool
            Take over the memory and the dtypes instead of copying.

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
        if not any(str(name).endswith("num_batches_tracked") for name in state_dict):  # PyTorch before 0.4.1
            missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        unexpected = [name for name in state_dict if name not in own]
        pairs = {name: (own[name], state_dict[name]) for name in own if name in state_dict}
        faults = [f"missing key: {name}" for name in missing if strict]
        faults += [f"unexpected key: {name}" for name in unexpected if strict]
        for name, (mine, given) in pairs.items():
            if not isinstance(given, Tensor):
                faults.append(f"{name}: expected a Tensor, got {type(given).__name__}")
            elif not is_lazy(mine) and given.shape != mine.shape:
                faults.append(f"size mismatch: {name} has shape {mine.shape}, got {given.shape}")
        if faults:
            raise RuntimeError(
                f"load_state_dict: the values do not fit {type(self).__name__}:\n\t" + "\n\t".join(faults)
            )
        with no_grad():
            for mine, given in pairs.values():
                if assign:
                    mine.data = given
                else:
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

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Move parameters, buffers and gradients to a device, and convert those of floating point numbers.

        ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(tensor)``, which takes both of a Tensor.
        The Parameters stay the same objects. What an optimizer remembers of them stays where it is, so create
        it afterwards.
        """
        for argument in args[:2]:
            if isinstance(argument, Tensor):
                dtype, device = argument.dtype, argument.device
            elif is_place(argument):
                device = argument
            elif not isinstance(argument, bool):
                dtype = argument
        where = None if device is None else placed("Module.to", device)
        return self._convert(None if dtype is None else np.dtype(dtype), where)

    def _convert(self, dtype: np.dtype | None, where: Any = None) -> Self:
        if dtype is not None and dtype.kind != "f":
            raise TypeError(f"Module.to: expected a floating point dtype, got {dtype}")
        if dtype is not None and dtype.itemsize < 4:
            raise NotImplementedError(f"Module.to: {dtype} is not there; float32 and float64 are")
        for tensor in (*self.parameters(), *self.buffers()):
            new = dtype if tensor.dtype.kind == "f" else None
            grad = tensor.grad
            tensor.data = tensor.data.to(dtype=new, device=where)
            if grad is not None:
                tensor.grad = grad.to(dtype=new, device=where)
        return self

    def type(self, dst_type: Any) -> Self:
        """Convert as `to` does."""
        return self._convert(np.dtype(dst_type))

    def float(self) -> Self:
        """Convert floating point parameters and buffers to float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert floating point parameters and buffers to float64."""
        return self.to(np.float64)

    def half(self) -> Self:
        """Not there: `float` and `double` are."""
        return self.to(np.float16)

    bfloat16 = half

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Move to a GPU, that in use or another one."""
        return self.to("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    # hooks

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call ``hook(module, args)`` before forward; what it returns, if not None, takes the place of args.

        With `with_kwargs` it is ``hook(module, args, kwargs)``, and returns both.
        """
        return self._own_hooks().before.add(hook, prepend, with_kwargs)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> Handle:
        """Call ``hook(module, args, output)`` after forward; what it returns, if not None, is the output.

        With `with_kwargs` it is ``hook(module, args, kwargs, output)``.
        """
        if always_call:
            raise NotImplementedError("register_forward_hook: always_call is not there; use try and finally")
        return self._own_hooks().after.add(hook, prepend, with_kwargs)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are there.

        Both are tuples, of the positional inputs and of the outputs, None where there is no gradient. What
        the hook returns, if not None, takes the place of grad_input.
        """
        return self._own_hooks().backward.add(hook, prepend, False)

    def register_backward_hook(self, hook: Callable) -> Handle:
        """`register_full_backward_hook` for older programs, with a warning.

        PyTorch gives the gradients of the inputs of the module's last operation, such as those of a weight.
        """
        message = "register_backward_hook gives grad_input as register_full_backward_hook does; use that one"
        warnings.warn(message, FutureWarning, stacklevel=2)
        return self.register_full_backward_hook(hook)

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    # how it prints

    def extra_repr(self) -> str:
        """What stands between the brackets: a layer's settings."""
        return ""

    def _get_name(self) -> str:
        """What it is called where it prints."""
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().splitlines()
        children = self._repr_children()
        if not children:
            inside = (
                extra[0] if len(extra) == 1 else "".join(f"\n  {line}" for line in extra) + "\n" * bool(extra)
            )
        else:
            inside = "".join(f"\n  {line}" for line in (*extra, *children)) + "\n"
        return f"{self._get_name()}({inside})"

    def _repr_children(self) -> list[str]:
        return [indented(f"({name}): {module!r}") for name, module in self._own(Module)]


def is_place(argument: Any) -> bool:
    """Whether an argument of `to` is a device: "cpu", "cuda:0", the number of a GPU or a device itself."""
    return (
        type(argument) is int
        or isinstance(argument, device)
        or (isinstance(argument, str) and argument.partition(":")[0] in ("cpu", "cuda"))
    )


def indented(text: str) -> str:
    """All lines but the first moved to the right."""
    return text.replace("\n", "\n  ")
