"""Optimizers and schedules

Compared over 50 steps: the loss of each step, the parameters after them, the learning rates and momenta.
`parameters` is a list of Parameters, `w` and `b` are two of them.
"""

from .row import Row, row


def optimizer(name: str, *settings: str) -> Row:
    """An optimizer with each of the settings."""
    return row(f"optim.{name}", *(f"optim.{name}({given})" for given in settings), kind="optimizer")


def schedule(name: str, *settings: str) -> Row:
    """A schedule with each of the settings."""
    calls = [f"lr_scheduler.{name}(optimizer, {given})" for given in settings]
    return row(f"lr_scheduler.{name}", *calls, kind="schedule", dtypes=("float64",))


ROWS = [
    optimizer(
        "SGD",
        "parameters",
        "parameters, lr=0.1, momentum=0.9",
        "parameters, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True",
        "parameters, 0.1, momentum=0.8, dampening=0.3, maximize=True",
        "[{'params': [w], 'lr': 0.3}, {'params': [b], 'momentum': 0.5}], lr=0.1",
    ),
    optimizer(
        "Adam",
        "parameters",
        "parameters, lr=0.01, betas=(0.8, 0.99), eps=1e-6",
        "parameters, lr=0.1, weight_decay=0.1, amsgrad=True",
        "parameters, 0.1, maximize=True",
    ),
    optimizer(
        "AdamW", "parameters", "parameters, lr=0.1, weight_decay=0.3", "parameters, lr=0.1, amsgrad=True"
    ),
    optimizer(
        "RMSprop",
        "parameters",
        "parameters, lr=0.01, alpha=0.9, eps=0.01, weight_decay=0.1",
        "parameters, lr=0.01, momentum=0.8, centered=True",
    ),
    optimizer(
        "Adagrad",
        "parameters",
        "parameters, lr=0.1, lr_decay=0.05, weight_decay=0.1",
        "parameters, lr=0.1, initial_accumulator_value=0.3, eps=1e-6",
    ),
    schedule("StepLR", "10", "step_size=7, gamma=0.5"),
    schedule("MultiStepLR", "[10, 30]", "milestones=[5, 5, 20], gamma=0.3"),
    schedule("ExponentialLR", "0.9", "gamma=0.97"),
    schedule("CosineAnnealingLR", "50", "T_max=20, eta_min=0.001"),
    schedule("CosineAnnealingWarmRestarts", "T_0=8", "T_0=5, T_mult=2, eta_min=0.001"),
    schedule("LinearLR", "start_factor=0.1", "start_factor=0.5, end_factor=0.8, total_iters=20"),
    schedule("ConstantLR", "factor=0.5, total_iters=9"),
    schedule("PolynomialLR", "total_iters=30", "total_iters=20, power=2"),
    schedule(
        "LambdaLR",
        "lr_lambda=lambda step: 0.95 ** step",
        "[lambda step: 0.9 ** step, lambda step: 1 / (step + 1)]",
    ),
    schedule("MultiplicativeLR", "lr_lambda=lambda step: 0.95"),
    schedule(
        "OneCycleLR",
        "max_lr=0.5, total_steps=60",
        "max_lr=[0.5, 0.2], epochs=10, steps_per_epoch=5, pct_start=0.2, anneal_strategy='linear'",
        "0.1, total_steps=51, three_phase=True, div_factor=10, cycle_momentum=False",
    ),
    schedule(
        "CyclicLR",
        "base_lr=0.01, max_lr=0.1, step_size_up=7",
        "base_lr=0.01, max_lr=0.1, step_size_up=4, mode='triangular2', cycle_momentum=False",
        "base_lr=0.01, max_lr=0.1, step_size_up=4, step_size_down=6, mode='exp_range', gamma=0.97",
    ),
    schedule(
        "ReduceLROnPlateau",
        "'min', factor=0.5, patience=3",
        "mode='max', patience=5, threshold=0.01, cooldown=2, min_lr=0.001",
    ),
    row(
        "lr_scheduler.SequentialLR",
        "lr_scheduler.SequentialLR(optimizer, [lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5), "
        "lr_scheduler.ExponentialLR(optimizer, 0.9)], milestones=[5])",
        kind="schedule",
        dtypes=("float64",),
    ),
    row(
        "lr_scheduler.ChainedScheduler",
        "lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(optimizer, 0.1, 9), "
        "lr_scheduler.ExponentialLR(optimizer, 0.9)])",
        kind="schedule",
        dtypes=("float64",),
    ),
]
