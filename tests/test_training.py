"""The trainer against loops written out by hand, and what it shows."""

import io
import sys

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn import nn, optim
from minicnn.autograd import is_grad_enabled
from minicnn.data import DataLoader, TensorDataset
from minicnn.training import Trainer

RNG = np.random.default_rng(5)
X = RNG.normal(size=(10, 3)).astype(np.float32)
Y = (X @ RNG.normal(size=(3, 4))).argmax(1)
CUTS = ((0, 4), (4, 8), (8, 10))  # batches of unequal size


def batches(x=X, y=Y):
    return [(mc.tensor(x[a:b]), mc.tensor(y[a:b])) for a, b in CUTS]


def dataset(x=X, y=Y):
    return TensorDataset(mc.tensor(x), mc.tensor(y))


def net():
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4))


def trainer_of(model, lr=0.1, **more):
    return Trainer(model, optim.SGD(model.parameters(), lr=lr), **more)


def scores(model, x=X):
    """The outputs of `net`, from its weights alone."""
    w1, b1, w2, b2 = (p.array for p in model.parameters())
    return np.maximum(x @ w1.T + b1, 0) @ w2.T + b2


def cross_entropy(z, y=Y):
    return (np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]).mean()


def weights(model):
    return [p.array.copy() for p in model.parameters()]


class Spy(nn.Module):
    """Hands its input on, and notes in which state the model was."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.given = []

    def forward(self, x):
        self.given.append(x)
        self.seen.append((self.training, is_grad_enabled()))
        return x


def test_fit_is_the_loop_one_would_write():
    model = net()
    twin = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.array))
    history = trainer_of(model).fit(batches(), 3, validation=batches(), verbose=False)
    sgd = torch.optim.SGD(twin.parameters(), lr=0.1)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for epoch in range(3):
        losses, right = [], 0
        for a, b in CUTS:
            sgd.zero_grad()
            out = twin(x[a:b])
            loss = torch.nn.functional.cross_entropy(out, y[a:b])
            loss.backward()
            sgd.step()
            losses.append(loss.item() * (b - a))
            right += (out.argmax(1) == y[a:b]).sum().item()
        with torch.no_grad():
            out = twin(x)
            after = torch.nn.functional.cross_entropy(out, y).item()
        assert history["loss"][epoch] == pytest.approx(sum(losses) / 10, rel=1e-5)
        assert history["accuracy"][epoch] == pytest.approx(right / 10)
        assert history["val_loss"][epoch] == pytest.approx(after, rel=1e-5)
        assert history["val_accuracy"][epoch] == pytest.approx((out.argmax(1) == y).float().mean().item())
    for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(ours.array, theirs.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("data", [batches(), dataset(), DataLoader(dataset(), batch_size=3)])
def test_evaluate_and_predict_take_batches_data_sets_and_loaders(data):
    model = net()
    trainer = Trainer(model)
    z = scores(model)
    measured = trainer.evaluate(data)
    assert set(measured) == {"loss", "accuracy"}
    assert measured["loss"] == pytest.approx(cross_entropy(z), rel=1e-5)
    assert measured["accuracy"] == pytest.approx((z.argmax(1) == Y).mean())
    outputs = trainer.predict(data)
    assert not outputs.requires_grad
    np.testing.assert_allclose(outputs.array, z, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("data", [X, mc.tensor(X), [X[:7], X[7:]]])
def test_predict_needs_no_targets(data):
    model = net()
    outputs = Trainer(model).predict(data, batch_size=4)
    np.testing.assert_allclose(outputs.array, scores(model), rtol=1e-4, atol=1e-6)


def test_fit_takes_data_sets_and_learns():
    model = net()
    history = Trainer(model, optim.Adam(model.parameters(), lr=0.05)).fit(
        dataset(), 60, validation=dataset(), batch_size=5, verbose=False
    )
    assert history["val_accuracy"][-1] == (scores(model).argmax(1) == Y).mean() == 1
    assert all(rate > 0 for rate in history["images_per_second"])


def test_a_data_set_is_shuffled_for_training_only():
    spy = Spy()
    trainer = trainer_of(nn.Sequential(spy, net()))
    trainer.fit(dataset(), 2, validation=dataset(), batch_size=10, verbose=False)
    first, before, second, after = (x.array for x in spy.given)
    assert not np.array_equal(first, second)
    for shuffled in (first, second):
        assert not np.array_equal(shuffled, X)
        np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(X, axis=0))
    np.testing.assert_array_equal(before, X)
    np.testing.assert_array_equal(after, X)


def test_shuffled_training_is_reproducible_from_the_seed():
    results = []
    for seed in (1, 1, 2):
        mc.manual_seed(seed)
        model = net()
        trainer_of(model).fit(dataset(), 2, batch_size=3, verbose=False)
        results.append(weights(model))
    assert all(np.array_equal(a, b) for a, b in zip(results[0], results[1], strict=True))
    assert not np.array_equal(results[0][0], results[2][0])


def test_modes_and_gradients_are_as_each_task_needs_and_restored():
    spy, frozen = Spy(), nn.Dropout(0.5)
    model = nn.Sequential(spy, nn.Linear(3, 4), frozen)
    frozen.eval()
    trainer = trainer_of(model)
    trainer.fit(batches(), 1, validation=batches(), verbose=False)
    assert spy.seen == [(True, True)] * 3 + [(False, False)] * 3
    assert (model.training, spy.training, frozen.training) == (True, True, False)
    model.eval()
    trainer.fit(batches(), 1, verbose=False)
    trainer.evaluate(batches())
    trainer.predict(X)
    assert not model.training
    assert is_grad_enabled()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops_before_the_step(bad):
    mc.manual_seed(3)
    model = net()
    poisoned = X.copy()
    poisoned[9] = bad
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 3.*learning rate below 0\.1"):
        trainer_of(model).fit(batches(poisoned), 2, verbose=False)
    mc.manual_seed(3)
    same = net()
    trainer_of(same).fit(batches()[:2], 1, verbose=False)
    assert all(np.array_equal(a, b) for a, b in zip(weights(model), weights(same), strict=True))


def test_a_bad_validation_loss_stops_too():
    model = net()
    trainer = trainer_of(model)
    saved = []
    with pytest.raises(FloatingPointError, match="validation after epoch 1"):
        trainer.fit(batches(), 2, batches(np.full_like(X, np.nan)), verbose=False, on_epoch_end=saved.append)
    assert saved == []


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ([], "train is empty"),
        (TensorDataset(mc.zeros(0, 3), mc.zeros(0)), "train is empty"),
        (iter(()), "no batches"),
        ([(X[:2], Y[:2]), (X[:0], Y[:0])], r"batch 2 is empty, x is \(0, 3\)"),
        ((mc.tensor(X), mc.tensor(Y)), r"expected batches \(x, y\), got Tensor.*TensorDataset"),
        ([(X, Y, Y)], r"expected batches \(x, y\)"),
    ],
)
def test_bad_batches_are_named(train, said):
    with pytest.raises(ValueError, match=said):
        trainer_of(net()).fit(train, 1, verbose=False)


def test_other_bad_arguments_are_named():
    trainer = trainer_of(net())
    with pytest.raises(ValueError, match="gives them only once"):
        trainer.fit(iter(batches()), 2, verbose=False)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        trainer.fit(batches(), 0)
    with pytest.raises(ValueError, match="validation is empty"):
        trainer.fit(batches(), 1, validation=[])
    with pytest.raises(ValueError, match="no optimizer"):
        Trainer(net()).fit(batches(), 1)
    with pytest.raises(ValueError, match="no samples"):
        trainer.predict(X[:0])


def test_metrics_are_means_over_samples():
    model = net()

    def distance(outputs, targets):
        return abs(outputs.array.argmax(1) - targets.array).mean()

    measured = Trainer(model, metrics=["accuracy", distance]).evaluate(batches())
    assert list(measured) == ["loss", "accuracy", "distance"]
    assert measured["distance"] == pytest.approx(abs(scores(model).argmax(1) - Y).mean())
    assert list(Trainer(model, metrics=()).evaluate(batches())) == ["loss"]
    with pytest.raises(ValueError, match="accuracy, got 'acc'"):
        Trainer(model, metrics=["acc"])
    with pytest.raises(ValueError, match="two figures are named 'distance'"):
        Trainer(model, metrics=[distance, distance])


def test_another_loss_and_one_hot_targets():
    model = net()
    one_hot = np.eye(4, dtype=np.float32)[Y]
    measured = Trainer(model, loss=nn.MSELoss()).evaluate([(X, one_hot)])
    z = scores(model)
    assert measured["loss"] == pytest.approx(((z - one_hot) ** 2).mean(), rel=1e-5)
    assert measured["accuracy"] == pytest.approx((z.argmax(1) == Y).mean())


def test_interrupted_and_continued():
    class Interrupts(list):
        passes = 0

        def __iter__(self):
            self.passes += 1
            yield from self[:1] if self.passes == 2 else self[:]
            if self.passes == 2:
                raise KeyboardInterrupt

        def __getitem__(self, index):
            return list(list.__iter__(self))[index]

    trainer = trainer_of(net())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(Interrupts(batches()), 5, verbose=False)
    assert trainer.history.epochs == len(trainer.history["loss"]) == 1
    lengths = []
    again = trainer.fit(batches(), 2, verbose=False, on_epoch_end=lambda h: lengths.append(h.epochs))
    assert again is trainer.history
    assert lengths == [2, 3]


def test_a_line_an_epoch(capsys):
    history = trainer_of(net()).fit(batches(), 2, validation=batches())
    out, err = capsys.readouterr()
    assert err == ""
    first, second = out.splitlines()
    assert first.startswith(
        f"epoch 1/2  loss {history['loss'][0]:.4f}  accuracy {history['accuracy'][0]:.4f}"
    )
    assert f"val_accuracy {history['val_accuracy'][1]:.4f}" in second
    trainer_of(net()).fit(batches(), 2, verbose=False)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    trainer_of(net()).fit(batches(), 2)
    shown = terminal.getvalue()
    assert shown.isascii()
    assert "epoch 2/2 |" in shown
    assert "/3 [" in shown
    assert "loss " in shown and "accuracy " in shown and " images/s" in shown
    assert len(capsys.readouterr().out.splitlines()) == 2
    terminal.truncate(0)
    trainer_of(net()).fit(batches(), 1, verbose=False)
    assert terminal.getvalue() == ""
