"""What the learning rate schedulers refuse, with PyTorch's kinds of errors."""

import pytest
import torch

import minicnn as mc
from minicnn import nn, optim
from test_lr_scheduler import OPTIMIZERS, halved, optimizers


def test_the_order_of_steps():
    scheduler = optim.lr_scheduler.StepLR(optimizers()[0], 3)
    with pytest.warns(UserWarning, match=r"StepLR.step\(\) was called before optimizer.step\(\)"):
        scheduler.step()
    scheduler.step()


def refused(name, *arguments, optimizer=("SGD", OPTIMIZERS[0][1]), **settings):
    def call(library, optimizer):
        return getattr(library, name)(optimizer, *arguments, **settings)

    return call


def schedules(make):
    return lambda library, o: library.SequentialLR(o, *make(library, o))


def plateau_with_one_more_group(library, optimizer):
    scheduler = library.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.1, 0.1])
    optimizer.add_param_group({"params": [(nn.Parameter(mc.ones(1)) if library is OURS else torch.ones(1))]})
    for _ in range(3):
        scheduler.step(1.0)


def too_many_steps(library, optimizer):
    scheduler = library.OneCycleLR(optimizer, 0.1, 3)
    optimizer.step()
    for _ in range(4):
        scheduler.step()


OURS = optim.lr_scheduler


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda lib, o: lib.StepLR("optimizer", 3), TypeError, "StepLR: expected an Optimizer, got str"),
        (
            lambda lib, o: lib.ReduceLROnPlateau(o.param_groups),
            TypeError,
            "ReduceLROnPlateau: expected an Optimizer, got list",
        ),
        (refused("LambdaLR", [halved]), ValueError, "one lr_lambda for each of 2 parameter groups, got 1"),
        (
            refused("MultiplicativeLR", 0.9),
            TypeError,
            "MultiplicativeLR: .*lr_lambda as a function, got float",
        ),
        (refused("ConstantLR", 1.5), ValueError, "ConstantLR: factor must be between 0 and 1, got 1.5"),
        (refused("LinearLR", 0), ValueError, "start_factor must be above 0 and at most 1, got 0"),
        (refused("LinearLR", 0.5, 1.5), ValueError, "end_factor must be between 0 and 1, got 1.5"),
        (refused("CosineAnnealingWarmRestarts", 0), ValueError, "T_0 as an int of at least 1, got 0"),
        (
            refused("CosineAnnealingWarmRestarts", 2, 1.5),
            ValueError,
            "T_mult as an int of at least 1, got 1.5",
        ),
        (refused("CosineAnnealingWarmRestarts", 2, 1, "0"), ValueError, "eta_min as a number, got '0'"),
        (refused("OneCycleLR", 0.1), ValueError, "expected total_steps, or both epochs and steps_per_epoch"),
        (refused("OneCycleLR", 0.1, epochs=3), ValueError, "both epochs and steps_per_epoch"),
        (refused("OneCycleLR", 0.1, 0), ValueError, "total_steps as a positive int, got 0"),
        (refused("OneCycleLR", 0.1, epochs=3, steps_per_epoch=2.5), ValueError, "steps_per_epoch .*got 2.5"),
        (
            refused("OneCycleLR", 0.1, 9, pct_start=2.0),
            ValueError,
            "pct_start as a float from 0 to 1, got 2.0",
        ),
        (refused("OneCycleLR", 0.1, 9, anneal_strategy="no"), ValueError, '"cos" or "linear", got \'no\''),
        (refused("OneCycleLR", [0.1], 9), ValueError, "one max_lr for each of 2 parameter groups, got 1"),
        (too_many_steps, ValueError, "OneCycleLR: this is step 4, but total_steps is 3"),
        (refused("CyclicLR", 0.1, 0.2, mode="square"), ValueError, "CyclicLR: expected mode .*got 'square'"),
        (schedules(lambda lib, o: ([], [])), ValueError, "SequentialLR: expected at least one scheduler"),
        (schedules(lambda lib, o: ([o], [])), TypeError, "SequentialLR: expected a scheduler at 0, got SGD"),
        (
            schedules(lambda lib, o: ([lib.StepLR(o, 2)], [3])),
            ValueError,
            "expected 0 milestones between 1 schedulers, got 1",
        ),
        (
            schedules(lambda lib, o: ([lib.ReduceLROnPlateau(o)], [])),
            ValueError,
            "ReduceLROnPlateau, at 0, cannot take part",
        ),
        (
            schedules(lambda lib, o: ([lib.StepLR(optimizers()[lib is not OURS], 2)], [])),
            ValueError,
            "the scheduler at 0 belongs to another optimizer",
        ),
        (
            lambda lib, o: schedules(lambda lib, o: ([lib.StepLR(o, 2)], []))(lib, o).step(3),
            TypeError,
            "takes no epoch|takes 1 positional",
        ),
        (refused("ReduceLROnPlateau", factor=1.0), ValueError, "factor must be below 1, got 1.0"),
        (refused("ReduceLROnPlateau", "best"), ValueError, 'mode "min" or "max", got \'best\''),
        (refused("ReduceLROnPlateau", threshold_mode="no"), ValueError, "threshold_mode .* got 'no'"),
        (refused("ReduceLROnPlateau", min_lr=[0]), ValueError, "min_lr for each of 2 .*, got 1"),
        (plateau_with_one_more_group, RuntimeError, "min_lrs for each of 3 parameter groups, got 2"),
    ],
)
def test_schedulers_refuse(make, kind, words):
    pair = optimizers()
    with pytest.raises(kind, match=words):
        make(optim.lr_scheduler, pair[0])
    with pytest.raises(kind):
        make(torch.optim.lr_scheduler, pair[1])


@pytest.mark.parametrize(("name", "arguments"), [("OneCycleLR", (0.1, 9)), ("CyclicLR", (0.1, 0.2))])
def test_momentum_to_cycle(name, arguments):
    for library, optimizer in zip((optim, torch.optim), optimizers("Adagrad", {"lr": 0.1}), strict=True):
        kind = getattr(library.lr_scheduler, name)
        with pytest.raises(ValueError, match="momentum"):
            kind(optimizer, *arguments)
        kind(optimizer, *arguments, cycle_momentum=False)
