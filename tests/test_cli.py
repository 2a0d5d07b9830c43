"""The command, called as its users call it, on a folder of sixty small pictures."""

import errno
import json
import os
import re
import signal
import struct
import sys
from functools import partial
from subprocess import PIPE, Popen

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file as load_arrays

from layout import HEAVY, ROOT, run_alone
from minicnn.cli import main
from minicnn.training import Trainer
from minicnn.training.run import CURVES, FILES, HISTORY, SETTINGS, WEIGHTS


def bars(count, seed):
    """Pictures of a bar whose height on the page tells the label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint8) % 10
    images = rng.integers(0, 30, size=(count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label, 4:24] = 255
    return images, labels


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("idx")
    for part, count, seed in (("train", 40, 1), ("t10k", 20, 2)):
        images, labels = bars(count, seed)
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
    return str(folder)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, data):
    """A run that is only read."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    assert (
        main(["train", "twolayer", "--epochs", "3", "--batch-size", "8", "--data", data, "--out", str(out)])
        == 0
    )
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def two_layer_scores(weights, images):
    """The net written out: twice a 3x3 convolution with padding 1, ReLU and 2x2 maximum; then a matrix."""
    x = ((images / np.float32(255) - 0.1307) / 0.3081)[:, None]
    tensors = list(weights.values())
    convolutions = sorted((w for w in tensors if w.ndim == 4), key=lambda w: w.shape[1])
    biases = {len(b): b for b in tensors if b.ndim == 1}
    for w in convolutions:
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        x = np.einsum("nchwij,ocij->nohw", windows, w, optimize=True) + biases[len(w)][:, None, None]
        n, c, h, w_ = x.shape
        x = np.maximum(x, 0).reshape(n, c, h // 2, 2, w_ // 2, 2).max((3, 5))
    (matrix,) = (w for w in tensors if w.ndim == 2)
    return x.reshape(len(x), -1) @ matrix.T + biases[10]


OF_LENET5 = (
    b'{"model": "lenet5", "size": 32, "photos": false, "classes": ["1"], "batch_size": 1, "data": null}'
)


def test_train_keeps_a_run_whose_accuracy_is_true(trained, data):
    assert {path.name for path in trained.iterdir()} == set(FILES)
    assert (trained / CURVES).read_bytes().startswith(b"\x89PNG")
    history = json.loads((trained / HISTORY).read_text())
    assert {len(values) for values in history.values()} == {3}
    assert history["loss"][2] < history["loss"][0]
    settings = json.loads((trained / SETTINGS).read_text())
    expected = {"model": "twolayer", "epochs": 3, "batch_size": 8, "optimizer": "adam", "lr": 1e-3, "seed": 0}
    assert settings.items() >= expected.items()
    assert os.path.samefile(settings["data"], data)
    images, labels = bars(20, 2)
    told = two_layer_scores(load_arrays(trained / WEIGHTS), images).argmax(1)
    assert history["val_accuracy"][-1] == pytest.approx((told == labels).mean())


def test_train_says_what_it_does(tmp_path, data, capsys):
    out = tmp_path / "run"
    command = ["train", "twolayer", "--epochs", "2", "--optimizer", "sgd", "--lr", "0.05", "--seed", "7"]
    assert main([*command, "--data", data, "--out", str(out)]) == 0
    said, complaints = capsys.readouterr()
    assert "error" not in complaints
    assert "twolayer: 50,186 parameters" in said
    assert "40 training and 20 test images" in said
    assert "2 epochs in batches of 64, sgd with learning rate 0.05, momentum 0.9, seed 7" in said
    assert len(re.findall(r"^epoch [12]/2  loss \d", said, re.M)) == 2
    history = json.loads((out / HISTORY).read_text())
    assert f"test accuracy {100 * history['val_accuracy'][-1]:.2f} %" in said
    assert str(out) in said.splitlines()[-1]


def test_the_same_seed_gives_the_same_weights(tmp_path, data, trained):
    weights = {}
    for seed in ("0", "1"):
        out = tmp_path / seed
        command = ["train", "twolayer", "--epochs", "3", "--batch-size", "8", "--seed", seed]
        assert main([*command, "--data", data, "--out", str(out)]) == 0
        weights[seed] = (out / WEIGHTS).read_bytes()
    assert weights["0"] == (trained / WEIGHTS).read_bytes() != weights["1"]


def test_an_earlier_run_is_kept(tmp_path, monkeypatch, data, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["train", "twolayer", "--epochs", "1", "--data", data]
    assert main(command) == 0
    first = tmp_path / "runs" / "twolayer"
    before = contents(first)
    assert main([*command, "--seed", "1"]) == 0
    assert contents(first) == before
    assert contents(tmp_path / "runs" / "twolayer-2").keys() == before.keys()
    capsys.readouterr()
    assert main([*command, "--out", "runs/twolayer"]) == 2
    assert "runs/twolayer already holds a run" in capsys.readouterr().err
    assert contents(first) == before
    assert main([*command, "--out", "runs/twolayer", "--overwrite", "--seed", "1"]) == 0
    assert contents(first)[WEIGHTS] == contents(tmp_path / "runs" / "twolayer-2")[WEIGHTS] != before[WEIGHTS]


def test_evaluate(trained, capsys):
    assert main(["evaluate", str(trained)]) == 0
    said = capsys.readouterr().out
    history = json.loads((trained / HISTORY).read_text())
    accuracy, loss = history["val_accuracy"][-1], history["val_loss"][-1]
    assert f"test accuracy {100 * accuracy:.2f} %, loss {loss:.4f}" in said
    rows = [line.split()[:3] for line in said.splitlines()[-10:]]
    assert [row[:2] for row in rows] == [[str(digit), "2"] for digit in range(10)]
    assert sum(int(row[2]) for row in rows) == round(20 * accuracy)


def test_predict_goes_on_after_a_bad_picture(trained, tmp_path, capsys):
    """A square in the middle is already in MNIST's form, so the network sees it as it is."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 4:24] = 255
    Image.fromarray(image).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no picture")
    names = [str(tmp_path / name) for name in ("missing.png", "bad.png", "good.png")]
    assert main(["predict", str(trained), *names]) == 1
    said, complaints = capsys.readouterr()
    z = two_layer_scores(load_arrays(trained / WEIGHTS), image[None])[0]
    probability = 100 * np.exp(z.max()) / np.exp(z).sum()
    assert said == f"{names[2]}: {z.argmax()} ({probability:.1f} %)\n"
    missing, bad = complaints.splitlines()
    assert missing.startswith("minicnn: error:") and names[0] in missing
    assert bad.startswith("minicnn: error:") and names[1] in bad
    assert main(["predict", str(trained), names[2]]) == 0


@pytest.mark.parametrize(("model", "parameters"), [("lenet5", "61,706"), ("simplecnn_cifar", "2,122,186")])
def test_summary(model, parameters, capsys):
    assert main(["summary", model]) == 0
    assert parameters in capsys.readouterr().out


def failure(arguments, capsys):
    """The one line of an error."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    complaints = re.sub("minicnn: compiling .*\n", "", capsys.readouterr().err)
    assert code == 2
    assert complaints.startswith("minicnn: error: ")
    assert complaints.count("\n") == 1
    return complaints


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train lenet", "no model 'lenet'; did you mean 'lenet5'?\n"),
        ("summary xyz", "no model 'xyz'. The models are"),
        ("train unet", "unet is no classifier; examples/segment_digits.py shows"),
        ("train yolov1", "examples/detect_digits.py shows"),
        ("train lenet5 --size 28", "lenet5 takes pictures of 32x32, got size 28"),
        ("train resnet18 --size 0", "--size: expected 1 or more"),
        ("train lenet5 --epochs 0", "--epochs: expected 1 or more, got 0"),
        ("train lenet5 --epochs many", "invalid whole number value: 'many'"),
        ("train lenet5 --batch-size -1", "expected 1 or more"),
        ("train lenet5 --lr nan", "--lr: expected a number above 0, got nan"),
        ("train lenet5 --lr 0", "expected a number above 0"),
        ("train lenet5 --seed -3", "expected 0 or more"),
        ("train lenet5 --momentum 0.9", "--momentum is for --optimizer sgd, not for adam"),
        ("train lenet5 --optimizer sgd --momentum 1", "expected a number from 0 to below 1"),
        ("train lenet5 --optimizer lion", "invalid choice: 'lion'"),
        ("train lenet5 --data nowhere", "nowhere"),
        ("train", "required: MODEL"),
        ("paint", "invalid choice: 'paint'"),
        ("evaluate nowhere", "nowhere is no run: it has no settings.json"),
        ("predict nowhere picture.png", "nowhere is no run"),
    ],
)
def test_errors_are_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in failure(arguments.split(), capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (SETTINGS, b"[]"),
        (SETTINGS, b'{"model": "resnet1000"}'),
        (SETTINGS, b'{"model": "twolayer", "data": 5}'),
        (SETTINGS, b"\xff"),
        (SETTINGS, b'{"model": "twolayer", "size": 28, "photos": false, "classes": 10, "data": null}'),
        (SETTINGS, OF_LENET5),  # whose weights these are not
        (WEIGHTS, b"PK\x03\x04"),
        (WEIGHTS, None),
    ],
)
def test_damaged_runs_are_named(trained, tmp_path, capsys, name, content):
    for file, original in contents(trained).items():
        (tmp_path / file).write_bytes(original)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    said = failure(["evaluate", str(tmp_path)], capsys)
    assert str(tmp_path / (WEIGHTS if content == OF_LENET5 else name)) in said


def test_a_diverging_training_keeps_the_earlier_run(trained, tmp_path, data, capsys):
    out = tmp_path / "run"
    command = ["train", "twolayer", "--batch-size", "8", "--lr", "1e30", "--data", data, "--out", str(out)]
    assert re.search(r"the loss is \w+ in epoch 1, step \d", failure(command, capsys))
    assert not out.exists()
    out.mkdir()
    for file, original in contents(trained).items():
        (out / file).write_bytes(original)
    failure([*command, "--overwrite"], capsys)
    assert contents(out) == contents(trained)


def test_a_late_divergence_says_what_is_kept(tmp_path, data, capsys, monkeypatch):
    def lose(self, *arguments):
        if self.history.epochs == 1:
            raise FloatingPointError("the loss is nan")
        return train_epoch(self, *arguments)

    train_epoch = Trainer._train_epoch
    monkeypatch.setattr(Trainer, "_train_epoch", lose)
    out = tmp_path / "run"
    said = failure(["train", "twolayer", "--data", data, "--out", str(out)], capsys)
    assert f"the loss is nan; what 1 epoch gave is in {out}" in said
    assert len(json.loads((out / HISTORY).read_text())["loss"]) == 1


def test_a_full_disk_keeps_the_earlier_run(trained, tmp_path, data, capsys, monkeypatch):
    for file, original in contents(trained).items():
        (tmp_path / file).write_bytes(original)
    synced = []

    def fill_up(file):
        synced.append(file)
        if len(synced) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill_up)
    command = ["train", "twolayer", "--epochs", "1", "--data", data, "--out", str(tmp_path), "--overwrite"]
    said = failure(command, capsys)
    assert os.strerror(errno.ENOSPC) in said and str(tmp_path) in said
    assert contents(tmp_path) == contents(trained)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_keeps_what_is_there(tmp_path, data):
    out = tmp_path / "run"
    command = [sys.executable, "-W", "error", "-m", "minicnn", "train", "twolayer", "--epochs", "100000"]
    command += ["--data", data, "--out", str(out)]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also by what a shell put aside
    process = Popen(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True, preexec_fn=heard)
    next(line for line in process.stdout if line.startswith("epoch 2/"))
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in complaints
    told = complaints.splitlines()[-1]
    assert told.startswith("minicnn: interrupted") and str(out) in told
    assert contents(out).keys() == set(FILES)
    epochs = len(json.loads((out / HISTORY).read_text())["loss"])
    assert epochs >= 2
    assert f"interrupted after {epochs} epochs" in told
    assert main(["evaluate", str(out)]) == 0


def test_an_interrupt_in_an_epoch_keeps_its_steps_too(trained, tmp_path, data, capsys, monkeypatch):
    def interrupted(self, *arguments):
        before = self.history.epochs
        result = train_epoch(self, *arguments) if stop > 0 else None
        if before == stop:
            raise KeyboardInterrupt
        return result

    train_epoch = Trainer._train_epoch
    monkeypatch.setattr(Trainer, "_train_epoch", interrupted)
    command = ["train", "twolayer", "--epochs", "3", "--batch-size", "8", "--data", data, "--out"]
    for stop, name in ((2, "late"), (0, "early")):
        assert main([*command, str(tmp_path / name)]) == 130
        assert f"interrupted after {stop} epochs" in capsys.readouterr().err
        assert main(["evaluate", str(tmp_path / name)]) == 0
    assert (tmp_path / "late" / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()
    assert not (tmp_path / "early" / CURVES).exists()
    before = contents(tmp_path / "late")
    assert main([*command, str(tmp_path / "late"), "--overwrite"]) == 130
    assert contents(tmp_path / "late") == before


def test_help_and_version(capsys):
    assert main([]) == 2
    assert "minicnn train lenet5" in capsys.readouterr().out
    for arguments, said in (
        (["--version"], r"minicnn (\d+\.\d+|\(from source)"),
        (["train", "--help"], "--batch-size"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert re.search(said, capsys.readouterr().out)


def test_starting_is_light():
    _, modules = run_alone(
        "from minicnn.cli import main; sys.stdout = None; main([]); sys.stdout = sys.__stdout__"
    )
    assert "minicnn" in modules
    assert modules & HEAVY == set()
