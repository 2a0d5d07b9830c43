"""Weights that are computed, before each forward pass, from parameters that are trained in their place."""

from typing import Any, TypeVar

from minicnn.autograd import no_grad
from minicnn.nn.arguments import integer
from minicnn.nn.conv import TransposedConv
from minicnn.nn.functional import normalize
from minicnn.nn.module import Module
from minicnn.nn.parameter import Parameter, is_lazy
from minicnn.tensor import Tensor, dot, mv, randn

Layer = TypeVar("Layer", bound=Module)


class Computed:
    """A hook that computes a parameter of a module; it has the names of what it computes it from."""

    function: str  # that made it
    parts: tuple[str, ...]

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module, module.training))

    def compute(self, module: Module, training: bool) -> Tensor:
        raise NotImplementedError

    def divided(self, weight: Tensor) -> list[Tensor]:
        """The first values of the parts: Parameters, and Tensors for buffers."""
        raise NotImplementedError

    def install(self, module: Layer) -> Layer:
        """Put the parts in the place of the parameter."""
        for hook, _ in module._own_hooks().before.values():
            if isinstance(hook, Computed) and hook.name == self.name:
                raise RuntimeError(
                    f"{self.function}: {self.name!r} of {type(module).__name__} is computed by "
                    f"{hook.function} already"
                )
        weight = getattr(module, self.name, None)
        if not isinstance(weight, Parameter):
            raise AttributeError(f"{self.function}: {type(module).__name__} has no parameter {self.name!r}")
        if is_lazy(weight):
            raise ValueError(
                f"{self.function}: expected a parameter {self.name!r} with values; it gets them in the first "
                "forward pass"
            )
        delattr(module, self.name)
        for part, value in zip(self.parts, self.divided(weight), strict=True):
            name = f"{self.name}_{part}"
            if isinstance(value, Parameter):
                module.register_parameter(name, value)
            else:
                module.register_buffer(name, value)
        setattr(module, self.name, weight.data)
        module.register_forward_pre_hook(self)
        return module

    def remove(self, module: Module) -> None:
        """Put the parameter, with the value it has now, in the place of its parts."""
        with no_grad():
            weight = self.compute(module, training=False)
        for name in (self.name, *(f"{self.name}_{part}" for part in self.parts)):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(weight))


class SpectralNorm(Computed):
    """weight = orig / its largest singular value, which u and v follow by power iteration."""

    function, parts = "spectral_norm", ("orig", "u", "v")

    def __init__(self, name: str, iterations: int, dim: int, eps: float) -> None:
        super().__init__(name)
        self.iterations = integer("spectral_norm", "n_power_iterations", iterations, 1, ValueError)
        self.dim, self.eps = dim, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The dimension `dim` down, all others across."""
        others = (d for d in range(weight.ndim) if d != self.dim)
        return weight.permute(self.dim, *others).flatten(1)

    def divided(self, weight: Tensor) -> list[Tensor]:
        sizes = self.matrix(weight.detach()).shape
        vectors = [normalize(randn(n, dtype=weight.dtype), dim=0, eps=self.eps) for n in sizes]
        return [Parameter(weight.data), *vectors]

    def compute(self, module: Module, training: bool) -> Tensor:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in self.parts)
        matrix = self.matrix(weight)
        if training:
            with no_grad():
                for _ in range(self.iterations):
                    v.copy_(normalize(mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(normalize(mv(matrix, v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # the next forward pass changes them, maybe before backward
        return weight / dot(u, mv(matrix, v))


class WeightNorm(Computed):
    """weight = g v / the norms of v."""

    function, parts = "weight_norm", ("g", "v")

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def norms(self, weight: Tensor) -> Tensor:
        """One for each index of the dimension `dim`, or one for all, in a shape to multiply with."""
        if self.dim is None or self.dim == -1:
            return weight.norm()
        others = [d for d in range(weight.ndim) if d != self.dim]
        return weight.square().sum(others, keepdim=True).sqrt()

    def divided(self, weight: Tensor) -> list[Tensor]:
        return [Parameter(self.norms(weight.detach())), Parameter(weight.data)]

    def compute(self, module: Module, training: bool) -> Tensor:
        g, v = (getattr(module, f"{self.name}_{part}") for part in self.parts)
        return v * (g / self.norms(v))


def spectral_norm(
    module: Layer,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Layer:
    """Divide a parameter by its largest singular value, as discriminators of GANs want it.

    Parameters
    ----------
    module : Module
        Its ``weight`` becomes the parameter ``weight_orig`` and the buffers ``weight_u`` and ``weight_v``.
    n_power_iterations : int
        How often u and v are improved in a forward pass in training.
    eps : float
        The least norm to divide by.
    dim : int, optional
        The dimension of the outputs: 0, or 1 for transposed convolutions.

    Source: Miyato et al., Spectral normalization for generative adversarial networks, 2018.
    """
    outputs = int(isinstance(module, TransposedConv)) if dim is None else dim
    return SpectralNorm(name, n_power_iterations, outputs, eps).install(module)


def weight_norm(module: Layer, name: str = "weight", dim: int | None = 0) -> Layer:
    """Train the length and the direction of a parameter apart.

    Parameters
    ----------
    module : Module
        Its ``weight`` becomes the parameters ``weight_g`` and ``weight_v``.
    dim : int or None
        Each index of this dimension has a length of its own; with None there is one for all.

    Source: Salimans and Kingma, Weight normalization, 2016.
    """
    return WeightNorm(name, dim).install(module)


def remove_spectral_norm(module: Layer, name: str = "weight") -> Layer:
    """Undo `spectral_norm`: the parameter keeps the value that it has now."""
    return removed(module, name, SpectralNorm)


def remove_weight_norm(module: Layer, name: str = "weight") -> Layer:
    """Undo `weight_norm`: the parameter keeps the value that it has now."""
    return removed(module, name, WeightNorm)


def removed(module: Layer, name: str, kind: type[Computed]) -> Layer:
    """The module without the hook of this kind that computes `name`."""
    before = module._own_hooks().before
    for key, (hook, _) in before.items():
        if isinstance(hook, kind) and hook.name == name:
            hook.remove(module)
            del before[key]
            return module
    raise ValueError(f"remove_{kind.function}: there is no {kind.function} of {name!r} in {module}")
