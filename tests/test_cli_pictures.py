"""The command on networks made for photographs, and on folders of pictures."""

import json

import numpy as np
import pytest
from PIL import Image

import minicnn as mc
from minicnn.cli import main
from minicnn.training.pictures import pictures
from minicnn.training.recipes import ELSEWHERE, digit_transform, input_size, recipe, side
from minicnn.training.run import HISTORY, SETTINGS
from test_cli import bars, failure, write_idx

COLOURS = {"blue sky": (20, 40, 220), "grass": (30, 180, 40), "rose": (210, 30, 40)}


def paint(folder, count, rng):
    """Noisy pictures of one colour, of several sizes, in a folder a colour."""
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            picture = np.array(colour) + rng.integers(-20, 20, (24 + i % 3, 30, 3))
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / name / f"{i}.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(3)
    paint(folder / "train", 11, rng)
    paint(folder / "val", 4, rng)
    return folder


def test_folders_for_training_and_validation(photos, tmp_path, capsys):
    out = str(tmp_path / "run")
    command = ["train", "resnet20", "--size", "16", "--epochs", "12", "--batch-size", "8"]
    assert main([*command, "--data", str(photos), "--out", out]) == 0
    said = capsys.readouterr().out
    assert "pictures of 16x16" in said
    assert "33 training and 12 test images" in said  # the last training picture would be a batch of one
    settings = json.loads((tmp_path / "run" / SETTINGS).read_text())
    assert settings["classes"] == sorted(COLOURS) and settings["size"] == 16 and settings["photos"]
    history = json.loads((tmp_path / "run" / HISTORY).read_text())
    assert history["val_accuracy"][-1] == 1
    assert main(["evaluate", out]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].startswith("test accuracy 100.00 %")
    assert rows[3:] == [f"{name:>8}       4       4  100.00 %" for name in COLOURS]
    picture = str(photos / "val" / "grass" / "0.png")
    assert main(["predict", out, picture, str(tmp_path / "none.png")]) == 1
    said, complaints = capsys.readouterr()
    assert said.startswith(f"{picture}: grass (")
    assert "none.png" in complaints
    paint(tmp_path / "more", 2, np.random.default_rng(4))
    assert main(["evaluate", out, "--data", str(tmp_path / "more")]) == 0
    assert "on 6 test images" in capsys.readouterr().out
    with_digits = tmp_path / "digits"
    with_digits.mkdir()
    write_idx(with_digits / "t10k-images-idx3-ubyte", np.zeros((4, 28, 28), np.uint8))
    assert "expected folders of pictures" in failure(["evaluate", out, "--data", str(with_digits)], capsys)
    (tmp_path / "more" / "rose").rename(tmp_path / "more" / "tulip")
    said = failure(["evaluate", out, "--data", str(tmp_path / "more")], capsys)
    assert "expected the classes blue sky, grass, rose, got blue sky, grass, tulip" in said


def test_every_fifth_picture_is_for_the_test(photos):
    """Where no folder is; a network for grey pictures gets grey ones."""
    root = str(photos / "train")
    train, test, whole = (
        pictures("simplecnn", root, True),
        pictures("simplecnn", root, False),
        pictures("simplecnn", root, False, whole=True),
    )
    paths = [path for path, _ in whole.samples]
    assert [path for path, _ in test.samples] == paths[4::5] and len(test) == 6
    assert sorted(train.samples + test.samples) == whole.samples and len(whole) == 33
    picture, label = test[5]
    assert picture.shape == (1, 28, 28) and label == test.targets[5] == 2
    red = np.array(Image.open(test.samples[5][0]).convert("L")).mean() / 255
    assert picture.mean().item() == pytest.approx((red - 0.449) / 0.226, abs=0.1)


def test_folders_that_do_not_fit_are_named(photos, tmp_path, capsys):
    paint(tmp_path / "a" / "train", 1, np.random.default_rng(4))
    command = ["train", "resnet20", "--out", str(tmp_path / "run"), "--data"]
    assert "has a folder train, but none of val, valid" in failure([*command, str(tmp_path / "a")], capsys)
    paint(tmp_path / "a" / "test", 1, np.random.default_rng(4))
    (tmp_path / "a" / "test" / "rose").rename(tmp_path / "a" / "test" / "tulip")
    said = failure([*command, str(tmp_path / "a")], capsys)
    assert "train and test differ in the classes rose, tulip" in said
    command = ["train", "vit_s_16", "--size", "40", "--data", str(photos), "--out", str(tmp_path / "run")]
    assert "vit_s_16 does not take pictures of 40x40: " in failure(command, capsys)
    command = ["train", "alexnet", "--size", "32", "--data", str(photos), "--out", str(tmp_path / "run")]
    assert "alexnet does not take pictures of 32x32: max_pool2d" in failure(command, capsys)
    assert not (tmp_path / "run").exists()


def test_pictures_of_another_size_are_refused(tmp_path, capsys):
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((4, 9, 9), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.zeros(4, np.uint8))
    said = failure(["train", "lenet5", "--data", str(tmp_path), "--out", str(tmp_path / "run")], capsys)
    assert "expected pictures (N, 28, 28) for lenet5, got (4, 9, 9)" in said
    assert not (tmp_path / "run").exists()


CLASSIFIERS = [name for name in mc.models.list() if name not in ELSEWHERE]
A_FAMILY_EACH = ("alexnet", "googlenet", "mobilenet_v2", "resnet18", "vit_s_16")


@pytest.mark.parametrize(
    "name",
    [name if name in A_FAMILY_EACH else pytest.param(name, marks=pytest.mark.slow) for name in CLASSIFIERS],
)
def test_every_classifier_takes_digits(name, undrawn):
    undrawn(0)
    size = side(name, None, photos=False)
    channels = recipe(name).channels
    digits = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)
    made = digit_transform(name, size).batch(digits)
    assert made.shape == (1, channels, size, size)
    assert np.array_equal(made[:, 0], made[:, -1])
    of_its_own = {"image_size": size} if name.startswith("vit") else {}
    model = mc.models.create(name, num_classes=10, **of_its_own).eval()
    with mc.no_grad():
        assert model(mc.tensor(made)).shape == (1, 10)
        if input_size(name)[1:] == (size, size):
            assert model(mc.zeros(1, *input_size(name))).shape == (1, 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "vit_s_16"])
def test_training_networks_for_photographs_on_digits(name, tmp_path):
    """One whose outputs are a tuple in training, one that is made for the size of its pictures."""
    for part in ("train", "t10k"):
        images, labels = bars(20, 1)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    out = str(tmp_path / "run")
    assert main(["train", name, "--data", str(tmp_path), "--out", out]) == 0
    assert main(["evaluate", out]) == 0
    assert json.loads((tmp_path / "run" / SETTINGS).read_text())["size"] == side(name, None, False)
