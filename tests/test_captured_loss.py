"""A model and its loss in one plan, replayed by one call each way, as the Trainer has them."""

import numpy as np
import pytest

import minicnn as mc
from minicnn.nn import functional as F
from test_captured import network


def compiled_step(reduction="mean", smoothing=0.0, weight=None, scale=1.0):
    """A model, and a compiled function of a batch that gives its loss and its scores."""
    model = network(channels=6)
    model(mc.randn(2, 2, 17, 15))

    def step(x, y):
        scores = model(x)
        loss = F.cross_entropy(scores, y, weight, label_smoothing=smoothing, reduction=reduction)
        return loss * scale if scale != 1 else loss, scores.detach()

    return model, step, mc.compile(step)


def captured(compiled):
    """The captured form of the plan that was made last."""
    *_, plan = compiled.plans.values()
    return plan.captured


def batch(dtype=np.int64, count=20):
    return mc.randn(count, 2, 17, 15), mc.tensor(mc.randint(0, 50, (count,)).numpy().astype(dtype))


def result(step, model, x, y, factor=1.0):
    """The loss, the scores and all gradients, as arrays of their own."""
    model.zero_grad()
    loss, scores = step(x, y)
    assert not scores.requires_grad
    (loss * factor if factor != 1 else loss).backward()
    return [a.detach().numpy().copy() for a in (loss, scores, *(p.grad for p in model.parameters()))]


def check(got, wanted):
    for ours, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-5 * max(abs(theirs).max(), 1e-3))


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"smoothing": 0.1, "reduction": "sum"},
        {"weight": mc.tensor(np.linspace(0.5, 2, 50, dtype=np.float32))},
    ],
    ids=["mean", "smoothed sum", "weighted"],
)
def test_the_same_as_the_model_and_the_loss(settings, dtype):
    model, step, compiled = compiled_step(**settings)
    for _ in range(7):
        x, y = batch(dtype)
        check(result(compiled, model, x, y), result(step, model, x, y))
    assert captured(compiled).forward and captured(compiled).backward
    assert "CrossEntropy" in str(compiled)


def test_gradients_of_other_than_1():
    model, step, compiled = compiled_step()
    for factor in (1, 1, 1, 1, 3, 1, 0.5, 1):
        x, y = batch()
        check(result(compiled, model, x, y, factor), result(step, model, x, y, factor))
    assert captured(compiled).backward


def test_a_loss_that_is_scaled_inside_goes_step_by_step():
    model, step, compiled = compiled_step(scale=0.5)
    for _ in range(5):
        x, y = batch()
        check(result(compiled, model, x, y), result(step, model, x, y))
    assert captured(compiled) is None


def test_in_evaluation():
    model, step, compiled = compiled_step()
    with mc.no_grad():
        for _ in range(5):
            x, y = batch()
            check([a.numpy() for a in compiled(x, y)], [a.numpy() for a in step(x, y)])
    assert captured(compiled).forward


def test_targets_that_are_no_classes():
    model, step, compiled = compiled_step()
    for _ in range(4):
        result(compiled, model, *batch())
    x, y = batch()
    wrong = mc.tensor(y.numpy().copy())
    wrong.array[3] = 50
    for _ in range(2):
        with pytest.raises(IndexError, match="target 50 is out of bounds for 50 classes"):
            compiled(x, wrong)
        check(result(compiled, model, x, y), result(step, model, x, y))
    ignored = mc.tensor(y.numpy().copy())
    ignored.array[::2] = -100
    check(result(compiled, model, x, ignored), result(step, model, x, ignored))


def test_functions_that_are_compiled_on_their_own_too():
    model = network(channels=6)
    model(mc.randn(2, 2, 17, 15))
    parts = mc.compile(model), mc.compile(F.cross_entropy)

    def step(x, y):
        scores = parts[0](x)
        return parts[1](scores, y), scores.detach()

    compiled = mc.compile(step)
    for _ in range(6):
        x, y = batch()
        wanted = [a.detach().numpy() for a in (F.cross_entropy(model(x), y), model(x))]
        check(result(compiled, model, x, y)[:2], wanted)
    assert captured(compiled).forward
    model[0].bias.requires_grad_(False)  # they are looked through
    compiled(*batch())
    assert len(compiled.plans) == 1 and len(compiled.recordings) == 1


def test_the_trainer_has_both_in_one_plan():
    mc.manual_seed(0)
    data = mc.data.TensorDataset(*batch(count=60))
    model = network(channels=6)
    model(mc.randn(2, 2, 17, 15))
    trainer = mc.Trainer(model, mc.optim.SGD(model.parameters(), lr=0.01), device="cpu")
    trainer.fit(data, 2, data, batch_size=20, verbose=False)
    (whole,) = [f for f in compiled_by(trainer) if f.plans]
    training, evaluation = whole.plans.values()
    assert training.captured.backward and evaluation.captured.forward


@pytest.mark.parametrize("name", ["looks at a number", "multiplies", "of pairs"])
def test_the_trainer_has_the_model_alone_in_a_plan(name):
    x, y = batch(count=60)
    model = network(channels=6)
    model(x[:2])
    losses = {
        "looks at a number": lambda outputs, y: (loss := F.cross_entropy(outputs, y)) * min(loss.item(), 1),
        "multiplies": lambda outputs, y: F.cross_entropy(outputs, y) * 2,
        "of pairs": lambda outputs, y: F.cross_entropy(outputs, y["classes"]),
    }
    trainer = mc.Trainer(model, mc.optim.SGD(model.parameters(), lr=0.01), losses[name], (), device="cpu")
    parts = [slice(i, i + 20) for i in (0, 20, 40)]
    batches = [(x[part], {"classes": y[part]} if name == "of pairs" else y[part]) for part in parts]
    for _ in range(3):
        trainer.fit(batches, 1, verbose=False)
    (alone,) = [plan for plan in trainer._compiled[model].plans.values() if plan is not None]
    assert alone.captured.backward and "CrossEntropy" not in str(trainer._compiled[model])


def compiled_by(trainer):
    """All compiled functions of a trainer."""
    found = [part for f in trainer._compiled.values() for part in (f, *getattr(f, "args", ()))]
    return [part for part in found if hasattr(part, "plans")]
