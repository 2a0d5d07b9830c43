"""Run the calls of a row with one library, and take down what came of it."""

import ast
import functools
import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

import minicnn as mc

from .row import Draw

IMPORTS = {  # PyTorch's name after "torch" for each name in calls
    "nn": "nn",
    "F": "nn.functional",
    "optim": "optim",
    "lr_scheduler": "optim.lr_scheduler",
}


def scope(library: ModuleType) -> dict[str, Any]:
    """The names that calls use, after one library's import lines."""
    paths = {name: importlib.import_module(f"{library.__name__}.{path}") for name, path in IMPORTS.items()}
    return {"torch": library, "np": np, "math": math, **paths}


SCOPES = {library: scope(library) for library in (mc, torch)}


@functools.cache
def compiled(call: str) -> tuple[Any, Any]:
    """The statements before the last, and the last, which is an expression."""
    tree = ast.parse(call)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), f"the last statement of {call!r} has no value"
    return compile(tree, call, "exec"), compile(ast.Expression(last.value), call, "eval")


def evaluate(call: str, names: dict[str, Any]) -> Any:
    """The value of the last statement."""
    before, last = compiled(call)
    exec(before, names)
    return eval(last, names)


def tensors(library: ModuleType, case: dict[str, Draw], dtype: str) -> dict[str, Any]:
    """The inputs of a case; floating point ones require grad."""
    made = {}
    for name, draw in case.items():
        array = draw.array(dtype, name)
        wanted = array.dtype.kind == "f" and not draw.constant
        made[name] = library.tensor(array, requires_grad=wanted)
    return made


def told(value: Any) -> Any:
    """A value in terms that are the same for both libraries."""
    if isinstance(value, mc.Tensor | torch.Tensor):
        return np.asarray(value.detach().cpu().numpy()), value.requires_grad
    if isinstance(value, torch.dtype | torch.device | np.dtype | mc.device):
        return str(value).removeprefix("torch.")
    if isinstance(value, list | tuple | torch.Size):
        return [told(part) for part in value]
    if isinstance(value, dict):
        return {key: told(part) for key, part in value.items()}
    return value


def tensors_in(value: Any) -> list[Any]:
    """The Tensors in a result, those that require grad."""
    if isinstance(value, list | tuple):
        return [found for part in value for found in tensors_in(part)]
    return [value] if isinstance(value, mc.Tensor | torch.Tensor) and value.requires_grad else []


def descend(library: ModuleType, results: Any) -> None:
    """Run backward from all results, each with a gradient of its own."""
    total: Any = 0
    for i, y in enumerate(tensors_in(results)):
        weights = np.cos(np.arange(y.numel()) + i).reshape(tuple(y.shape))
        total = total + (y * library.tensor(weights, dtype=y.dtype)).sum()
    if tensors_in(results):
        total.backward()


def gradients(inputs: dict[str, Any]) -> dict[str, Any]:
    return {f"gradient of {name}": told(x.grad) for name, x in inputs.items()}


def run_call(library: ModuleType, call: str, case: dict[str, Draw], dtype: str) -> dict[str, Any]:
    """Results, gradients, and the inputs afterwards."""
    inputs = tensors(library, case, dtype)
    results = evaluate(call, SCOPES[library] | inputs)
    descend(library, results)
    after = {f"{name} afterwards": told(x) for name, x in inputs.items()}
    return {"result": told(results), "grad": bool(tensors_in(results)), **gradients(inputs), **after}


def run_random(library: ModuleType, call: str, case: dict[str, Draw], dtype: str) -> dict[str, Any]:
    """Shape and dtype; mean and deviation, which the same distribution has up to chance."""
    values, requires_grad = told(evaluate(call, SCOPES[library] | tensors(library, case, dtype)))
    spread = values.astype(np.float64).std()
    return {
        "shape": values.shape,
        "dtype": str(values.dtype),
        "requires_grad": requires_grad,
        "mean": Chance(values.mean(), spread * 6 / max(values.size, 1) ** 0.5),
        "deviation": Chance(spread, spread * 8 / max(values.size, 1) ** 0.5),
    }


class Chance(float):
    """A number that is right within a tolerance of its own."""

    tolerance: float

    def __new__(cls, value: float, tolerance: float) -> "Chance":
        made = super().__new__(cls, value)
        made.tolerance = tolerance
        return made


def load(library: ModuleType, module: Any) -> None:
    """Set all parameters and buffers to drawn values."""
    state = {}
    for key, value in module.state_dict().items():
        values = Draw(tuple(value.shape), "positive" if "var" in key else "unit").array("float64", key)
        state[key] = library.tensor(values, dtype=value.dtype)
    module.load_state_dict(state)


def run_layer(library: ModuleType, call: str, case: dict[str, Draw], dtype: str) -> dict[str, Any]:
    """Twice in training and once in evaluation: results, all gradients, the state afterwards."""
    inputs = tensors(library, case, dtype)
    module = evaluate(call, dict(SCOPES[library])).to(getattr(library, dtype))
    load(library, module)
    results = [module(*inputs.values()), module(*inputs.values()), module.eval()(*inputs.values())]
    descend(library, results)
    weights = dict(module.named_parameters())
    return {
        "result": told(results),
        **gradients(inputs | weights),
        "state": told(dict(module.state_dict())),
        "text": str(module),
    }


STEPS = 50


def regression(library: ModuleType, dtype: str) -> tuple[list[Any], Callable[[], Any]]:
    """Two parameters, and a loss of them."""
    x, target = (library.tensor(Draw(shape, "share").array(dtype)) for shape in ((5, 4), (5, 3)))
    starts = (library.tensor(Draw(shape, "unit").array(dtype)) for shape in ((4, 3), (3,)))
    w, b = map(SCOPES[library]["nn"].Parameter, starts)
    return [w, b], lambda: ((x @ w + b).sigmoid() - target).square().mean()


def run_optimizer(library: ModuleType, call: str, case: dict[str, Draw], dtype: str) -> dict[str, Any]:
    """The losses of 50 steps, and the parameters after them."""
    parameters, loss = regression(library, dtype)
    w, b = parameters
    optimizer = evaluate(call, SCOPES[library] | {"parameters": parameters, "w": w, "b": b})
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        y = loss()
        y.backward()
        optimizer.step()
        losses.append(told(y))
    return {"losses": losses, "parameters": told(parameters)}


def run_schedule(library: ModuleType, call: str, case: dict[str, Draw], dtype: str) -> dict[str, Any]:
    """The learning rates and momenta of 50 steps, of two groups."""
    w, b = regression(library, dtype)[0]
    optimizer = SCOPES[library]["optim"].SGD(
        [{"params": [w], "lr": 0.1}, {"params": [b]}], lr=0.03, momentum=0.9
    )
    schedule = evaluate(call, SCOPES[library] | {"optimizer": optimizer})
    rates = []
    for step in range(STEPS):
        rates.append([(group["lr"], group["momentum"]) for group in optimizer.param_groups])
        optimizer.step()
        metric = [1 / (1 + min(step, 9))]  # no better from the ninth step on
        schedule.step(*(metric if "OnPlateau" in call else []))
    return {"rates": told(rates), "last": told(schedule.get_last_lr())}


RUNNERS: dict[str, Callable[[ModuleType, str, dict[str, Draw], str], dict[str, Any]]] = {
    "call": run_call,
    "random": run_random,
    "layer": run_layer,
    "optimizer": run_optimizer,
    "schedule": run_schedule,
}
