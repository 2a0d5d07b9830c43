"""The optimizers' kernels: the reference against PyTorch, the fast ones against the reference."""

import numpy as np
import pytest
import torch

from emulator import kernels as emulated
from kernel_cases import DTYPES, assert_near, for_python, matrices, numbers
from minicnn.kernels import cpu, reference
from minicnn.kernels.cpu import lists

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, emulated], ids=["reference", "cpu", "cuda"])
FAST = pytest.mark.parametrize("kernels", [cpu, emulated], ids=["cpu", "cuda"])
DTYPE = pytest.mark.parametrize("dtype", DTYPES)


def sgd_steps(kernels, arrays, *settings):
    """Three steps with a gradient that changes; the parameter and buffer after them."""
    param, grad, buffer = (None if a is None else a.copy(order="K") for a in arrays)
    lr, momentum, dampening, decay, nesterov, maximize = settings
    for step in range(3):
        kernels.sgd_step(
            [param],
            [np.asarray(grad * (1 + step))],
            None if buffer is None else [buffer],
            *(lr, momentum, dampening, decay, nesterov, maximize, step == 0),
        )
    return param, buffer


def adam_steps(kernels, arrays, *settings):
    param, grad, m, v = (a.copy(order="K") for a in arrays)
    for step in range(1, 4):
        kernels.adam_step([param], [np.asarray(grad * step)], [m], [v], None, *settings, step)
    return param, m, v


def amsgrad_steps(kernels, arrays, *settings):
    param, grad, m, v, most = (a.copy(order="K") for a in arrays)
    for step in range(1, 4):
        kernels.adam_step([param], [np.asarray(grad / step)], [m], [v], [most], *settings, step)
    return param, m, v, most


def rmsprop_steps(kernels, arrays, *settings):
    param, grad, *state = (None if a is None else a.copy(order="K") for a in arrays)
    lists = [None if a is None else [a] for a in state]
    for step in range(1, 4):
        kernels.rmsprop_step([param], [np.asarray(grad * step)], *lists, *settings)
    return [param, *(a for a in state if a is not None)]


def adagrad_steps(kernels, arrays, *settings):
    param, grad, total = (a.copy(order="K") for a in arrays)
    for step in range(1, 4):
        kernels.adagrad_step([param], [np.asarray(grad * step)], [total], *settings, step)
    return param, total


def torch_steps(kind, param, grad, rule, shrinks=False):
    """The same three steps by one of PyTorch's optimizers."""
    leaf = torch.tensor(param, requires_grad=True)
    optimizer = kind([leaf], **rule, foreach=False)
    for step in range(1, 4):
        leaf.grad = torch.tensor(grad / step if shrinks else grad * step)
        optimizer.step()
    return leaf.detach().numpy()


SGD = [  # lr, momentum, dampening, weight_decay, nesterov, maximize
    (0.1, 0.0, 0.0, 0.0, False, False),
    (0.1, 0.0, 0.0, 0.2, False, True),
    (0.1, 0.9, 0.3, 0.1, False, False),
    (0.1, 0.9, 0.0, 0.1, True, True),
]
ADAM = [  # lr, beta1, beta2, eps, weight_decay, decoupled, maximize
    (0.1, 0.9, 0.999, 1e-8, 0.0, False, False),
    (0.1, 0.8, 0.95, 1e-3, 0.1, False, True),
    (0.1, 0.9, 0.99, 1e-8, 0.1, True, False),
    (0.1, 0.0, 0.0, 1e-2, 0.1, True, True),
]
SHAPES = pytest.mark.parametrize("shape", [(), (1,), (3, 0), (3, 5, 7), (33,)])


@FAST
@DTYPE
@SHAPES
@pytest.mark.parametrize("rule", SGD)
def test_sgd(kernels, rule, shape, dtype):
    arrays = [numbers(*shape, dtype=dtype, seed=s) for s in range(3)]
    if not rule[1]:
        arrays[2] = None
    names = "lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"
    expected = torch_steps(torch.optim.SGD, *arrays[:2], dict(zip(names, rule, strict=True)))
    told = sgd_steps(reference, arrays, *rule)
    assert_near(told[0], expected)
    for ours, theirs in zip(sgd_steps(kernels, arrays, *rule), told, strict=True):
        assert ours is theirs is None or not assert_near(ours, theirs)


@FAST
@DTYPE
@SHAPES
@pytest.mark.parametrize("rule", ADAM)
def test_adam(kernels, rule, shape, dtype):
    arrays = [
        *(numbers(*shape, dtype=dtype, seed=s) for s in range(2)),
        np.zeros(shape, dtype),
        np.zeros(shape, dtype),
    ]
    lr, beta1, beta2, eps, decay, decoupled, maximize = rule
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    options = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": decay, "maximize": maximize}
    told = adam_steps(reference, arrays, *rule)
    assert_near(told[0], torch_steps(kind, *arrays[:2], options))
    for ours, theirs in zip(adam_steps(kernels, arrays, *rule), told, strict=True):
        assert_near(ours, theirs)


@FAST
@DTYPE
@SHAPES
@pytest.mark.parametrize("rule", ADAM)
def test_amsgrad(kernels, rule, shape, dtype):
    zeros = [np.zeros(shape, dtype) for _ in range(3)]
    arrays = [*(numbers(*shape, dtype=dtype, seed=s) for s in range(2)), *zeros]
    lr, beta1, beta2, eps, decay, decoupled, maximize = rule
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    options = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": decay, "maximize": maximize}
    told = amsgrad_steps(reference, arrays, *rule)
    assert_near(told[0], torch_steps(kind, *arrays[:2], {**options, "amsgrad": True}, shrinks=True))
    for ours, theirs in zip(amsgrad_steps(kernels, arrays, *rule), told, strict=True):
        assert_near(ours, theirs)


RMSPROP = [  # centered, lr, alpha, eps, weight_decay, momentum, maximize
    (False, 0.1, 0.99, 1e-8, 0.0, 0.0, False),
    (False, 0.1, 0.9, 1e-3, 0.1, 0.8, True),
    (True, 0.1, 0.9, 1e-2, 0.1, 0.0, False),
    (True, 0.1, 0.5, 1e-2, 0.0, 0.7, False),
]


@FAST
@DTYPE
@SHAPES
@pytest.mark.parametrize("rule", RMSPROP)
def test_rmsprop(kernels, rule, shape, dtype):
    centered, *settings = rule
    square, mean, buffer = (np.zeros(shape, dtype) for _ in range(3))
    arrays = [*(numbers(*shape, dtype=dtype, seed=s) for s in range(2)), square]
    arrays += [mean if centered else None, buffer if settings[4] else None]
    names = "lr", "alpha", "eps", "weight_decay", "momentum", "maximize"
    options = {"centered": centered, **dict(zip(names, settings, strict=True))}
    told = rmsprop_steps(reference, arrays, *settings)
    assert_near(told[0], torch_steps(torch.optim.RMSprop, *arrays[:2], options))
    for ours, theirs in zip(rmsprop_steps(kernels, arrays, *settings), told, strict=True):
        assert_near(ours, theirs)


ADAGRAD = [  # lr, lr_decay, eps, weight_decay, maximize
    (0.1, 0.0, 1e-10, 0.0, False),
    (0.1, 0.3, 1e-2, 0.1, True),
]


@FAST
@DTYPE
@SHAPES
@pytest.mark.parametrize("rule", ADAGRAD)
def test_adagrad(kernels, rule, shape, dtype):
    arrays = [*(numbers(*shape, dtype=dtype, seed=s) for s in range(2)), np.full(shape, 0.2, dtype)]
    names = "lr", "lr_decay", "eps", "weight_decay", "maximize"
    options = {"initial_accumulator_value": 0.2, **dict(zip(names, rule, strict=True))}
    told = adagrad_steps(reference, arrays, *rule)
    assert_near(told[0], torch_steps(torch.optim.Adagrad, *arrays[:2], options))
    for ours, theirs in zip(adagrad_steps(kernels, arrays, *rule), told, strict=True):
        assert_near(ours, theirs)


@pytest.mark.parametrize("size", [32767, 65536, 100003, 200001])
def test_large_parameters_are_shared_among_threads(size):
    arrays = [numbers(size, seed=s) for s in range(2)]
    state = [np.zeros(size, np.float32)] * 2
    lr, beta1, beta2, eps, decay, _, _ = ADAM[1]
    options = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": decay, "maximize": True}
    assert_near(adam_steps(cpu, arrays + state, *ADAM[1])[0], torch_steps(torch.optim.Adam, *arrays, options))
    largest = amsgrad_steps(cpu, arrays + state + state[:1], *ADAM[1])[0]
    assert_near(largest, torch_steps(torch.optim.Adam, *arrays, {**options, "amsgrad": True}, shrinks=True))
    rule = {"lr": 0.1, "alpha": 0.5, "eps": 1e-2, "momentum": 0.7, "centered": True}
    moved = rmsprop_steps(cpu, [*arrays, *state, state[0]], *RMSPROP[3][1:])[0]
    assert_near(moved, torch_steps(torch.optim.RMSprop, *arrays, rule))
    moved = adagrad_steps(cpu, [*arrays, state[0]], *ADAGRAD[0])[0]
    assert_near(moved, torch_steps(torch.optim.Adagrad, *arrays, {"lr": 0.1}))
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True, "maximize": True}
    assert_near(
        sgd_steps(cpu, arrays + state[:1], *SGD[3])[0], torch_steps(torch.optim.SGD, *arrays, options)
    )


@FAST
@pytest.mark.parametrize("i", range(5))
def test_steps_in_any_layout(kernels, i):
    grad = list(matrices(5, 9))[i]  # may be read-only: broadcast
    before = grad.copy()
    param, m, v = (np.asfortranarray(numbers(5, 9, seed=s)) for s in range(3))
    v = abs(v)
    copies = [np.ascontiguousarray(a) for a in (param, before, m, v)]
    reference.adam_step(*([a] for a in copies), None, *ADAM[1], 2)
    kernels.adam_step([param], [grad], [m], [v], None, *ADAM[1], 2)
    for ours, theirs in zip((param, grad, m, v), copies, strict=True):
        assert_near(ours, theirs)
    for told, (p, g, a, b) in ((reference, copies), (kernels, (param, grad, m, v))):
        told.adam_step([p], [g], [a], [b], [abs(a)], *ADAM[1], 2)
        told.rmsprop_step([p], [g], [9 + abs(a)], [a], None, *RMSPROP[2][1:])
        told.rmsprop_step([p], [g], [b], None, [a], *RMSPROP[1][1:])
        told.adagrad_step([p], [g], [b], *ADAGRAD[1], 2)
    for ours, theirs in zip((param, grad, m, v), copies, strict=True):
        assert_near(ours, theirs)
    kernels.sgd_step([param], [grad], None, 1.0, 0.0, 0.0, 0.0, False, False, True)
    assert_near(param, copies[0] - before)


@KERNELS
def test_first_step_does_not_read_the_buffer(kernels):
    param, grad, buffer = np.ones(5, np.float32), np.ones(5, np.float32), np.full(5, np.nan, np.float32)
    kernels.sgd_step([param], [grad], [buffer], 0.5, 0.9, 0.1, 0.0, False, False, True)
    assert (param == 0.5).all()
    assert (buffer == 1).all()


@FAST
def test_a_nan_gradient_is_not_lost(kernels):
    param, grad, m, v = (np.ones(40, np.float32) for _ in range(4))
    grad[7] = np.nan
    kernels.adam_step([param], [grad], [m], [v], None, *ADAM[0], 1)
    for a in (param, m, v):
        assert np.flatnonzero(np.isnan(a)).tolist() == [7]


@KERNELS
@DTYPE
def test_steps_of_many_parameters_are_the_steps_of_each(kernels, dtype):
    shapes = [(), (3, 5), (0, 2), (1100,), *[(i % 7, 3) for i in range(90)]]  # more than one launch takes

    def take(*groups):
        for group in groups:
            params, grads, m, v = zip(*group, strict=True)
            kernels.adam_step(params, grads, m, v, None, *ADAM[1], 3)
            kernels.sgd_step(params, grads, m, *SGD[2], False)
            kernels.rmsprop_step(params, grads, v, None, m, *RMSPROP[1][1:])
            kernels.adagrad_step(params, grads, v, *ADAGRAD[1], 3)

    together, alone = (
        [[numbers(*s, dtype=dtype, seed=i) ** (2 if i == 3 else 1) for i in range(4)] for s in shapes]
        for _ in "ab"
    )
    together, alone = ([[np.asarray(a) for a in row] for row in rows] for rows in (together, alone))
    take(together)
    take(*([row] for row in alone))
    for rows in zip(together, alone, strict=True):
        for a, b in zip(*rows, strict=True):
            assert a.tobytes() == b.tobytes()


parts = for_python(lists.parts)


@pytest.mark.parametrize("shape", [(3, 5), (4096,), (4097,), (2, 5000)])
def test_pieces_of_a_list(shape):
    arrays = [numbers(*s, seed=i) for i, s in enumerate([(7,), shape, (0, 2), (), (5, 3)])]
    copies = [a.copy() for a in arrays]
    table, count, size = lists.table_of(arrays, copies)
    assert count == sum(-(-a.size // lists.PIECE) for a in arrays)
    assert size == sum(a.size for a in arrays)
    for i, a in enumerate(arrays):
        pieces = [parts(table, i, np.float32(0), k, k + 1) for k in range(count)]
        for column in zip(*pieces, strict=True):
            np.testing.assert_array_equal(np.concatenate(column), a.reshape(-1))


def test_arrays_that_cannot_be_listed():
    row = np.zeros((4, 6), np.float32)
    fixed = row.copy()
    fixed.flags.writeable = False
    assert lists.table_of([row], [row.T]) is lists.table_of([row], [fixed]) is None
    with pytest.raises(ValueError, match="read-only"):
        cpu.sgd_step([fixed], [row], None, *SGD[0], True)
    with pytest.raises(ValueError, match="expected arrays of 24 float32, got 24 float64"):
        lists.table_of([row], [row.astype(np.float64)])
    with pytest.raises(ValueError, match="expected arrays of 24 float32, got 24 float64"):
        lists.table_of([row, row.astype(np.float64)])
