"""What the trainer does beyond the plain loop: schedules, clipping, the best epoch, other targets."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn import nn, optim
from minicnn.models.yolo import YOLO, ConvHead
from minicnn.training import Trainer

RNG = np.random.default_rng(5)
X = RNG.normal(size=(10, 3)).astype(np.float32)
Y = (X @ RNG.normal(size=(3, 4))).argmax(1)
CUTS = ((0, 4), (4, 8), (8, 10))  # batches of unequal size
BATCHES = [(X[a:b], Y[a:b]) for a, b in CUTS]


class Scores(NamedTuple):
    main: object
    second: object
    none: object


class TwoHeads(nn.Module):
    """Gives a tuple in training, as GoogLeNet does."""

    def __init__(self):
        super().__init__()
        self.main, self.second = nn.Linear(3, 4), nn.Linear(3, 4)

    def forward(self, x):
        return Scores(self.main(x), self.second(x), None) if self.training else self.main(x)


def twin_of(model, *layers):
    twin = torch.nn.Sequential(*layers)
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.array))
    return twin


def pytorch_batches():
    return [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in BATCHES]


def assert_equal_weights(model, twin):
    for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(ours.array, theirs.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_auxiliary_scores_count_three_tenths():
    model = TwoHeads()
    twin = twin_of(model, torch.nn.Linear(3, 4), torch.nn.Linear(3, 4))
    sgd = torch.optim.SGD(twin.parameters(), lr=0.1)
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1))
    history = trainer.fit(BATCHES, 1, validation=BATCHES, verbose=False)
    losses, right = 0, 0
    for x, y in pytorch_batches():
        main, second = twin[0](x), twin[1](x)
        loss = torch.nn.functional.cross_entropy(main, y)
        loss = loss + 0.3 * torch.nn.functional.cross_entropy(second, y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses += loss.item() * len(x)
        right += (main.argmax(1) == y).sum().item()
    assert history["loss"] == pytest.approx([losses / 10], rel=1e-5)
    assert history["accuracy"] == pytest.approx([right / 10])
    assert_equal_weights(model, twin)


def test_a_loss_of_ones_own_gets_the_whole_tuple():
    seen = []

    def loss(outputs, targets):
        seen.append(type(outputs))
        return nn.functional.cross_entropy(outputs.main if isinstance(outputs, Scores) else outputs, targets)

    model = TwoHeads()
    Trainer(model, optim.SGD(model.parameters(), lr=0.1), loss).fit(BATCHES, 1, BATCHES, verbose=False)
    assert seen == [Scores] * 3 + [mc.Tensor] * 3


def objects(count):
    """Pictures with one bright square, and where it is."""
    pictures, targets = np.zeros((count, 1, 16, 16), np.float32), []
    for picture in pictures:
        x, y = RNG.integers(0, 11, 2)
        picture[0, y : y + 5, x : x + 5] = 1
        box = mc.tensor([[x, y, x + 5, y + 5]], dtype=mc.float32) / 16
        targets.append({"boxes": box, "labels": mc.tensor([0])})
    return mc.tensor(pictures), targets


def test_a_detector_learns_from_a_list_of_dicts():
    backbone = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
    model = YOLO(backbone, ConvHead(8, num_classes=1, hidden=8))
    given = []

    def pictures_told(outputs, targets):
        given.append((len(outputs), [sorted(target) for target in targets]))
        return 0.5

    data = [objects(6), objects(2)]
    trainer = Trainer(model, optim.Adam(model.parameters(), lr=0.01), model.loss, [pictures_told])
    history = trainer.fit(data, 15, verbose=False)
    assert given[:2] == [(6, [["boxes", "labels"]] * 6), (2, [["boxes", "labels"]] * 2)]
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["pictures_told"] == [0.5] * 15
    measured = trainer.evaluate(data)["loss"]
    model.eval()
    apart = [model.loss(model(x), y).item() * len(x) for x, y in data]
    assert measured == pytest.approx(sum(apart) / 8, rel=1e-5)
    with pytest.raises(TypeError, match=r"accuracy: expected targets as a Tensor, got list; .*metrics=\(\)"):
        Trainer(model, loss=model.loss).evaluate(data)


def test_lists_of_numbers_are_targets_too():
    as_arrays = Trainer(model := nn.Linear(3, 4)).evaluate(BATCHES)
    assert Trainer(model).evaluate([(x.tolist(), y.tolist()) for x, y in BATCHES]) == as_arrays


def test_schedule_and_clipping_are_the_loop_one_would_write():
    model = nn.Linear(3, 4)
    twin = twin_of(model, torch.nn.Linear(3, 4))
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    Trainer(model, optimizer, scheduler=schedule, clip_norm=0.1).fit(BATCHES, 3, verbose=False)
    sgd = torch.optim.SGD(twin.parameters(), lr=0.5, momentum=0.9)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=4)
    for _ in range(3):
        for x, y in pytorch_batches():
            sgd.zero_grad()
            torch.nn.functional.cross_entropy(twin(x), y).backward()
            assert torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.1) > 0.1
            sgd.step()
        theirs.step()
    assert_equal_weights(model, twin)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(sgd.param_groups[0]["lr"])


def test_a_plateau_is_one_of_the_validation_loss():
    losses = iter([3.0, 2.0, 2.5, 1.0])  # of the validation, which is the better one in the second epoch only

    def loss(outputs, targets):
        return outputs.sum() * 0 + (1.0 if model.training else next(losses))

    model = nn.Linear(3, 4)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    rates = []
    Trainer(model, optimizer, loss, scheduler=schedule).fit(
        BATCHES, 4, [BATCHES[0]], verbose=False, on_epoch_end=lambda _: rates.append(schedule.get_last_lr())
    )
    assert rates == [[1.0], [1.0], [0.1], [0.1]]


@pytest.mark.parametrize(("name", "best"), [("val_accuracy", 1), ("val_loss", 2), ("loss", 3)])
def test_the_best_epoch_is_kept(name, best):
    """Also when Ctrl-C ends the training; batch normalisation's statistics belong to it."""
    figures = {
        "val_accuracy": [0.1, 0.9, 0.9, 0.2, 0.3],
        "val_loss": [3, 2, 1, 2, 3],
        "loss": [5, 4, 3, 2, 3],
    }
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    states = []

    def loss(outputs, targets):
        return outputs.sum() * 0.1 + figures["loss" if model.training else "val_loss"][len(states)] * 100

    def accuracy(outputs, targets):
        return figures["val_accuracy"][len(states)]

    def keep(history):
        states.append({key: value.array.copy() for key, value in model.state_dict().items()})
        if len(states) == 5:
            raise KeyboardInterrupt

    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1), loss, [accuracy])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit([BATCHES[0]], 9, [BATCHES[0]], verbose=False, on_epoch_end=keep, keep_best=name)
    kept = {key: value.array for key, value in model.state_dict().items()}
    same = [all(np.array_equal(kept[key], state[key]) for key in kept) for state in states]
    assert same == [epoch == best for epoch in range(5)]


def test_wrong_options_are_named():
    model = nn.Linear(3, 4)
    optimizer, another = (optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    schedule = optim.lr_scheduler.StepLR(another, 1)
    with pytest.raises(ValueError, match="a scheduler of the trainer's own optimizer"):
        Trainer(model, optimizer, scheduler=schedule)
    with pytest.raises(ValueError, match="clip_norm must be above 0, got 0"):
        Trainer(model, optimizer, clip_norm=0)
    with pytest.raises(ValueError, match="keep_best must be one of loss, accuracy, got 'val_accuracy'"):
        Trainer(model, optimizer).fit(BATCHES, 1, verbose=False, keep_best="val_accuracy")
