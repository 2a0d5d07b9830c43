"""What tests of plans share."""

import numpy as np

import minicnn as mc


def steps_of(compiled):
    return [step.function.__name__ for plan in compiled.plans.values() for step in plan.steps]


def with_gradient(function, x, seed=0):
    """The result and the gradient of x, for a seeded gradient of the result."""
    x = mc.tensor(x, requires_grad=True)
    out = function(x)
    grad = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    out.backward(mc.tensor(grad))
    return out.detach().numpy(), x.grad.numpy()
