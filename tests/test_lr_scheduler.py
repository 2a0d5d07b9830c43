"""Learning rate schedulers against torch.optim.lr_scheduler, step by step, and what they refuse."""

import math
import warnings

import pytest
import torch

import minicnn as mc
from minicnn import nn, optim

STEPS = 50


def halved(epoch):
    return 0.5 ** (epoch // 7)


class Wave:
    """A callable with a state of its own, which state_dict keeps."""

    def __init__(self):
        self.height = 0.5

    def __call__(self, epoch):
        return 1 + self.height * math.sin(epoch)


CASES = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [3, 11, 11, 40]}),
    ("MultiStepLR", {"milestones": [2, 5], "gamma": 0.7}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.7, "total_iters": 13}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.3, "end_factor": 0.8, "total_iters": 23}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 60}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("PolynomialLR", {"total_iters": 33, "power": 1.7}),
    ("CosineAnnealingLR", {"T_max": 50}),
    ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 1}),
    ("CosineAnnealingWarmRestarts", {"T_0": 9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.001}),
    ("LambdaLR", {"lr_lambda": halved}),
    ("LambdaLR", {"lr_lambda": [halved, lambda epoch: 1 / (1 + epoch)]}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95}),
    ("MultiplicativeLR", {"lr_lambda": Wave()}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 50}),
    ("OneCycleLR", {"max_lr": [0.4, 0.9], "epochs": 5, "steps_per_epoch": 11, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 50, "three_phase": True, "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 50, "div_factor": 10, "final_div_factor": 100}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 50, "base_momentum": [0.7, 0.8], "max_momentum": 0.99}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 50, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 6}),
    ("CyclicLR", {"base_lr": [0.01, 0.1], "max_lr": 0.3, "step_size_up": 5, "step_size_down": 8}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "mode": "exp_range", "gamma": 0.97}),
    (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "scale_fn": halved, "scale_mode": "iterations"},
    ),
]
ALL = pytest.mark.parametrize(("name", "settings"), CASES)
OPTIMIZERS = [("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.1})]


def optimizers(name="SGD", settings=OPTIMIZERS[0][1]):
    """The same optimizer of two groups in both libraries."""
    made = []
    for library, leaf in ((optim, lambda: nn.Parameter(mc.ones(2))), (torch.optim, lambda: torch.ones(2))):
        groups = [{"params": [leaf()]}, {"params": [leaf()], "lr": 0.03}]
        made.append(getattr(library, name)(groups, **settings))
    return made


def schedulers(name, settings, pair):
    libraries = optim.lr_scheduler, torch.optim.lr_scheduler
    return [getattr(lib, name)(optimizer, **settings) for lib, optimizer in zip(libraries, pair, strict=True)]


def settings_of(optimizer):
    """What schedulers change."""
    keys = "lr", "momentum", "betas", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"
    return [{key: group[key] for key in keys if key in group} for group in optimizer.param_groups]


def follow(pair, made, steps=STEPS, arguments=lambda step: ()):
    """Steps of both, with equal settings after each."""
    assert settings_of(pair[0]) == settings_of(pair[1])
    for step in range(steps):
        for optimizer, scheduler in zip(pair, made, strict=True):
            optimizer.step()
            scheduler.step(*arguments(step))
        assert settings_of(pair[0]) == settings_of(pair[1]), step
        assert made[0].get_last_lr() == made[1].get_last_lr()
        assert getattr(made[0], "last_epoch", None) == getattr(made[1], "last_epoch", None)


@ALL
def test_every_step(name, settings):
    for optimizer in OPTIMIZERS if name in ("OneCycleLR", "CyclicLR") else OPTIMIZERS[:1]:
        pair = optimizers(*optimizer)  # only these two change Adam's betas
        follow(pair, schedulers(name, settings, pair))


@ALL
def test_a_resumed_schedule_is_the_same(name, settings):
    """A new scheduler with the state of the old, on an optimizer with the state of the old."""
    pair = optimizers()
    first, theirs = schedulers(name, settings, pair)
    follow(pair, (first, theirs), 17)
    ours = optimizers()[0]
    scheduler = getattr(optim.lr_scheduler, name)(ours, **settings)
    scheduler.load_state_dict(first.state_dict())
    ours.load_state_dict(pair[0].state_dict())
    assert scheduler.get_last_lr() == first.get_last_lr()
    follow((ours, pair[1]), (scheduler, theirs), 30)


@ALL
def test_state_has_pytorchs_keys(name, settings):
    ours, theirs = (scheduler.state_dict() for scheduler in schedulers(name, settings, optimizers()))
    inside = {"_get_lr_called_within_step"}  # of PyTorch's own bookkeeping
    kept = {"base_momentums", "max_momentums"} if name == "OneCycleLR" else set()
    assert ours.keys() - kept == theirs.keys() - inside


def test_states_keep_what_objects_hold():
    scheduler = optim.lr_scheduler.LambdaLR(optimizers()[0], [Wave(), halved])
    scheduler.lr_lambdas[0].height = 0.25
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"height": 0.25}, None]
    other = optim.lr_scheduler.LambdaLR(optimizers()[0], [Wave(), halved])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].height == 0.25
    assert other.lr_lambdas[1] is halved


@ALL
def test_last_epoch(name, settings):
    for last_epoch in (0, 1, 12):
        pair = optimizers()
        follow(pair, schedulers(name, settings, pair), last_epoch + 1)
        follow(pair, schedulers(name, {**settings, "last_epoch": last_epoch}, pair), 20)


def test_last_epoch_needs_the_rates_of_the_start():
    with pytest.raises(KeyError, match=r"StepLR: expected 'initial_lr' in param_groups\[0\] .*last_epoch 3"):
        optim.lr_scheduler.StepLR(optimizers()[0], 5, last_epoch=3)


@ALL
def test_a_given_epoch(name, settings):
    pair = optimizers()
    made = schedulers(name, settings, pair)
    for epoch in (5, 3, 27):
        for scheduler in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scheduler.step(epoch)
        assert settings_of(pair[0]) == settings_of(pair[1])
    if name != "CosineAnnealingWarmRestarts":
        with pytest.warns(UserWarning, match="epoch is deprecated"):
            made[0].step(4)


def test_warm_restarts_take_fractions():
    pair = optimizers()
    made = schedulers("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}, pair)
    follow(pair, made, arguments=lambda step: (step * 0.31,))


# schedulers made of schedulers


def combined(library, optimizer):
    """A warm-up, a cosine, and steps with a chain inside."""
    warmup = library.LinearLR(optimizer, start_factor=0.1, total_iters=8)
    cosine = library.CosineAnnealingLR(optimizer, T_max=20)
    rest = library.StepLR(optimizer, step_size=4)
    return library.SequentialLR(optimizer, [warmup, cosine, rest], milestones=[8, 30])


def chained(library, optimizer):
    parts = library.ConstantLR(optimizer, total_iters=4), library.ExponentialLR(optimizer, gamma=0.9)
    return library.ChainedScheduler([*parts, library.CosineAnnealingLR(optimizer, T_max=17)])


def nested(library, optimizer):
    first = library.SequentialLR(
        optimizer,
        [library.ConstantLR(optimizer, 0.5, 3), library.MultiStepLR(optimizer, [0, 5])],
        milestones=[4],
    )
    return library.SequentialLR(
        optimizer, [first, library.PolynomialLR(optimizer, 9), library.LambdaLR(optimizer, halved)], [10, 20]
    )


def cycle_last(library, optimizer):
    return library.SequentialLR(
        optimizer,
        [library.ExponentialLR(optimizer, 0.9), library.CosineAnnealingWarmRestarts(optimizer, 5, 2)],
        [6],
    )


@pytest.mark.filterwarnings("ignore::UserWarning")  # a sequence in a sequence counts a step too many
@pytest.mark.parametrize("make", [combined, chained, nested, cycle_last])
def test_combinations(make):
    pair = optimizers()
    made = make(optim.lr_scheduler, pair[0]), make(torch.optim.lr_scheduler, pair[1])
    follow(pair, made, 21)
    ours = optimizers()[0]
    resumed = make(optim.lr_scheduler, ours)
    resumed.load_state_dict(made[0].state_dict())
    ours.load_state_dict(pair[0].state_dict())
    follow((ours, pair[1]), (resumed, made[1]))


def test_two_schedulers_on_one_optimizer():
    pair = optimizers()
    exponential = schedulers("ExponentialLR", {"gamma": 0.97}, pair)
    steps = schedulers("StepLR", {"step_size": 6}, pair)
    for _ in range(4):
        follow(pair, exponential, 3)
        follow(pair, steps, 4)


# the metric


@pytest.mark.parametrize(
    "settings",
    [
        {"patience": 2},
        {"patience": 0, "factor": 0.5, "min_lr": 0.01},
        {"mode": "max", "patience": 1, "cooldown": 3},
        {"threshold": 0.1, "threshold_mode": "abs", "patience": 3, "min_lr": [0.001, 0.02]},
        {"mode": "max", "threshold": 0.05, "threshold_mode": "abs", "patience": 1},
        {"mode": "max", "threshold": 0.1, "patience": 1, "eps": 0.01},
    ],
)
def test_plateau(settings):
    pair = optimizers()
    made = schedulers("ReduceLROnPlateau", settings, pair)
    metrics = [1 / (1 + step) + 0.3 * math.sin(step) for step in range(STEPS)]
    metrics[20] = float("nan")
    follow(pair, made, arguments=lambda step: (metrics[step],))
    for key in ("best", "num_bad_epochs", "cooldown_counter", "in_cooldown", "last_epoch"):
        assert getattr(made[0], key) == getattr(made[1], key)
    assert made[0].state_dict().keys() == made[1].state_dict().keys() - {"mode_worse"}
    resumed = optim.lr_scheduler.ReduceLROnPlateau(pair[0], **settings)
    resumed.load_state_dict(made[0].state_dict())
    follow(pair, (resumed, made[1]), 10, arguments=lambda step: (metrics[step],))


def test_plateau_takes_a_tensor_and_more_groups():
    optimizer = optimizers()[0]
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    optimizer.add_param_group({"params": [nn.Parameter(mc.ones(1))], "lr": 1.0})
    for _ in range(2):
        scheduler.step(mc.tensor(2.0))
    assert scheduler.get_last_lr() == [0.1 * 0.1, 0.03 * 0.1, 0.1]
    with pytest.warns(UserWarning, match="epoch is deprecated"):
        scheduler.step(1.0, epoch=8)
    assert scheduler.last_epoch == 8
