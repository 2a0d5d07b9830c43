"""The trainer on a GPU, beside itself on the CPU; emulated where there is none."""

import numpy as np
import pytest

import minicnn as mc
from minicnn import nn, optim
from minicnn.cli import main
from minicnn.data import MNIST, DataLoader, TensorDataset, datasets, transforms
from minicnn.data.resident import Resident, resident
from minicnn.device import placed
from minicnn.training import Trainer
from minicnn.training import batches as feeding

RNG = np.random.default_rng(9)
X = RNG.normal(size=(22, 5)).astype(np.float32)
Y = (X @ RNG.normal(size=(5, 4))).argmax(1)
DATA = TensorDataset(mc.tensor(X), mc.tensor(Y))


class Net(nn.Module):
    """Counts how often Python goes through it."""

    def __init__(self, *more):
        super().__init__()
        mc.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), *more, nn.Linear(8, 4)
        )
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.layers(x)


def trained(model, device, epochs=3, **settings):
    """The model, after some epochs of five batches of four and one of two; and their history."""
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.7)
    loader = DataLoader(DATA, 4, shuffle=True, seed=5)
    own = Trainer(model, optimizer, scheduler=scheduler, device=device, **settings)
    return own.fit(loader, epochs, validation=DATA, verbose=False)


def values(model):
    return {name: x.numpy(force=True).copy() for name, x in model.state_dict().items()}


def test_learns_what_the_cpu_learns(cuda):
    models = Net(), Net()
    ours, theirs = (trained(model, device) for model, device in zip(models, (cuda, "cpu"), strict=True))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-4)
    for name, x in values(models[1]).items():
        np.testing.assert_allclose(values(models[0])[name], x, rtol=1e-3, atol=1e-5)
    assert all(p.is_cuda for p in models[0].parameters())


def test_steps_are_captured_and_change_nothing(cuda, monkeypatch):
    model, twin = Net(), Net()
    ours = trained(model, cuda)
    monkeypatch.setattr(feeding, "Captured", lambda step: step)
    theirs = trained(twin, cuda)
    assert ours["loss"] == theirs["loss"] and ours["accuracy"] == theirs["accuracy"]
    for name, x in values(twin).items():
        np.testing.assert_array_equal(values(model)[name], x)
    # an epoch: a step as it is, the capture, the smaller last batch; and the validation
    assert model.calls == 3 * (3 + 1) and twin.calls == 3 * (6 + 1)


def test_batches_of_one_size_are_captured(cuda):
    model = Net()
    own = Trainer(model, optim.SGD(model.parameters(), lr=0.1), device=cuda)
    cuts = [(0, 4), (4, 6), (6, 10), (10, 12), (12, 16), (16, 18)]
    own.fit([(mc.tensor(X[a:b]), mc.tensor(Y[a:b])) for a, b in cuts], 1, verbose=False)
    assert model.calls == 2 + 3  # a step as it is and the capture; and all of the other size


def test_a_graph_gathers_its_batch(cuda, monkeypatch):
    """What lies on the GPU is not taken apart by Python: a step is one launch."""
    gathered, batch = [], Resident.batch
    monkeypatch.setattr(Resident, "batch", lambda data, rows: gathered.append(len(rows)) or batch(data, rows))
    trained(Net(), cuda, epochs=2)
    assert gathered == 2 * [4, 4, 2, 22]  # as it is, the capture, the smaller last one; and the validation


@pytest.mark.parametrize("metrics", [("accuracy",), (lambda outputs, targets: outputs.detach().mean(),)])
def test_measuring_is_captured_unless_a_metric_is_the_users(metrics, cuda):
    """Of a function by the user nobody knows whether it does more than to compute."""
    models = Net(), Net()
    loader = DataLoader(DATA, 4)
    ours, theirs = (
        Trainer(m, metrics=metrics, device=d).evaluate(loader)
        for m, d in zip(models, (cuda, "cpu"), strict=True)
    )
    assert ours == pytest.approx(theirs, rel=1e-4) and models[0].calls == (3 if "accuracy" in metrics else 6)


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        ([[0, 1], []], ValueError, "evaluate: batch 2 is empty"),
        (type("Promise", (list,), {"__len__": lambda self: 3})(), ValueError, "there are no batches"),
        ([[0, 21], [22]], IndexError, "numbers of 22 samples, got 22"),
        ([[-1, -23]], IndexError, "numbers of 22 samples, got -23"),
    ],
)
def test_batches_that_are_none(chosen, error, message, cuda):
    """A GPU by itself would take another sample for one that does not exist."""
    with pytest.raises(error, match=message):
        Trainer(Net(), device=cuda).evaluate(DataLoader(DATA, batch_sampler=chosen))


def test_nothing_waits_for_the_gpu_within_an_epoch(cuda, real_gpu, monkeypatch):
    if real_gpu:
        pytest.skip("the emulated GPU tells who waits")
    from emulator import cupy

    waits, get, number = [], cupy.ndarray.get, cupy.ndarray.__float__
    monkeypatch.setattr(cupy.ndarray, "get", lambda x: waits.append(x) or get(x))
    monkeypatch.setattr(cupy.ndarray, "__float__", lambda x: waits.append(x) or number(x))
    trained(Net(), cuda, epochs=1)
    few = len(waits)
    trained(Net(), cuda, epochs=3)
    assert few <= 4 and len(waits) - few <= 12  # loss and accuracy, of the training and of the validation


def test_gradients_that_are_clipped_are_captured(cuda):
    models = Net(), Net()
    ours, theirs = (trained(m, d, clip_norm=0.5) for m, d in zip(models, (cuda, "cpu"), strict=True))
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert models[0].calls == 3 * (3 + 1)


def test_what_cannot_be_captured_is_trained_all_the_same(cuda):
    models, right = (Net(), Net()), lambda outputs, targets: (outputs.argmax(1) == targets).sum().item()
    ours, theirs = (trained(m, d, metrics=[right]) for m, d in zip(models, (cuda, "cpu"), strict=True))
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert models[0].calls > models[1].calls  # the captures that failed


def test_dropout(cuda):
    model = Net(nn.Dropout(0.5))
    history = trained(model, cuda)
    assert all(map(np.isfinite, history["loss"])) and model.calls == 3 * (3 + 1)


def test_a_loss_that_is_not_finite_ends_the_epoch(cuda):
    model = Net()
    model.layers[0].weight.data.fill_(np.inf)
    with pytest.raises(FloatingPointError, match=r"loss is nan in epoch 1, so training"):
        trained(model, cuda)


def test_auto_is_the_gpu_and_states_come_along(cuda):
    model = Net()
    optimizer = optim.Adagrad(model.parameters())  # its state is there from the start
    own = Trainer(model, optimizer)
    own.fit(DATA, 1, verbose=False)
    assert own.device == placed("", "cuda") and all(m["sum"].is_cuda for m in optimizer.state.values())
    outputs = own.predict(X)
    assert outputs.shape == (22, 4) and not outputs.is_cuda
    assert Trainer(model, device="cpu").evaluate(DATA)["loss"] == pytest.approx(own.evaluate(DATA)["loss"])


def test_no_gpu():
    assert Trainer(Net()).device.type == "cpu"
    with pytest.raises(RuntimeError, match="Trainer: cuda is not available"):
        Trainer(Net(), device="cuda")


def test_lists_of_targets_are_moved(cuda):
    seen = []

    def loss(outputs, targets):
        seen.extend(part for one in targets for part in one.values())
        return outputs.sum()

    batch = mc.tensor(X[:2]), [{"boxes": mc.ones(1, 4)}, {"boxes": mc.zeros(2, 4)}]
    Trainer(Net(), metrics=(), loss=loss, device=cuda).evaluate([batch])
    assert len(seen) == 2 and all(x.is_cuda for x in seen)


class Colours(datasets.vision.PicturesInMemory):
    """Twelve pictures of noise."""

    classes = ("a", "b")

    def read(self):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (12, 6, 5, 3), np.uint8), [int(i) for i in rng.integers(0, 2, 12)]


NORMAL = transforms.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
KNOWN = {
    "digits": lambda: MNIST(train=False),
    "padded": lambda: MNIST(train=False, transform=transforms.Pad(2)),
    "three channels": lambda: MNIST(
        train=False, transform=transforms.Compose([transforms.Grayscale(3), NORMAL])
    ),
    "colours": lambda: Colours("", transform=transforms.Compose([transforms.ToTensor(), NORMAL])),
    "sides": lambda: Colours(
        "", transform=transforms.Compose([transforms.Pad((1, 0, 2, 3), 7), transforms.ToTensor()])
    ),
    "torchvision's digits": lambda: datasets.MNIST("", train=False, transform=transforms.ToTensor()),
    "tensors": lambda: DATA,
}


@pytest.mark.parametrize("name", KNOWN)
def test_batches_are_made_on_the_gpu(name, cuda):
    loaders = [DataLoader(KNOWN[name](), 5, shuffle=True, seed=3) for _ in range(2)]
    there = resident(loaders[0], placed("", cuda))
    assert type(there.dataset) is Resident and len(there) == len(loaders[1])
    if name != "tensors":
        assert there.dataset.columns[0].dtype == np.uint8
    for _, ours, theirs in zip(range(2), there, loaders[1], strict=False):
        for x, y in zip(ours, theirs, strict=True):
            assert x.is_cuda and x.dtype == y.dtype
            np.testing.assert_array_equal(x.numpy(force=True), y.numpy())


class Changed(Colours):
    def __getitem__(self, index):
        return super().__getitem__(index)


OTHERS = {
    "a list": lambda: [(mc.tensor(X), mc.tensor(Y))],
    "chance": lambda: DataLoader(
        Colours("", transform=transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()]))
    ),
    "a function": lambda: DataLoader(MNIST(train=False, transform=lambda x: x * 2)),
    "a subclass": lambda: DataLoader(Changed("", transform=transforms.ToTensor())),
    "PIL pictures": lambda: DataLoader(Colours("")),
    "own batches": lambda: DataLoader(DATA, collate_fn=lambda rows: rows),
    "too large": lambda: DataLoader(TensorDataset(mc.zeros(1000, 1000, dtype=mc.uint8))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_batches_come_from_the_cpu(name, cuda, monkeypatch):
    batches = OTHERS[name]()
    if name == "too large":
        monkeypatch.setattr("minicnn.data.resident.SHARE", 1e-6)
    assert resident(batches, placed("", cuda)) is batches


def test_the_command(cuda, tmp_path, monkeypatch, capsys):
    data = MNIST(train=False)
    monkeypatch.setattr("minicnn.data.packaged.read_mnist", lambda *_: (data.images[:40], data.targets[:40]))
    runs = {}
    for device in ("cpu", "cuda"):
        out = tmp_path / device
        arguments = ["train", "lenet5", "--epochs", "1", "--batch-size", "16", "--device", device]
        assert main([*arguments, "--out", str(out)]) == 0
        runs[device] = mc.load(out / "model.safetensors")
    for name, x in runs["cpu"].items():
        np.testing.assert_allclose(runs["cuda"][name].numpy(), x.numpy(), atol=2e-4)
    assert capsys.readouterr().out.count("test accuracy") == 2


def test_the_command_without_a_gpu(capsys):
    assert main(["train", "lenet5", "--device", "cuda"]) == 2
    assert "--device cuda: " in capsys.readouterr().err
