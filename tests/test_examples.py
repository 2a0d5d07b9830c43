"""The examples run, and what their headers claim holds."""

import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minicnn as mc

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_mnist(tmp_path):
    """The accuracy in the header is reached, give or take a quarter of a point."""
    script = EXAMPLES / "mnist.py"
    claimed = float(re.search(r"([\d.]+) % of the test digits", script.read_text()).group(1))
    command = [sys.executable, "-W", "error", str(script)]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    reached = float(re.search(r"test accuracy ([\d.]+) %", shown).group(1))
    assert reached == pytest.approx(claimed, abs=0.25)


# The others take minutes; here they run on few pictures.


def example(name):
    """The example as a module."""
    spec = util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_picture(path):
    with Image.open(path) as picture:
        return picture.format == "PNG" and min(picture.size) > 200


def test_canvases_of_digits():
    """Boxes are as small as the digits allow, and nothing is outside them."""
    script = example("detect_digits")
    canvas, target = script.paint(mc.data.MNIST(train=False), np.random.default_rng(3))
    outside = canvas.copy()
    for x1, y1, x2, y2 in (target["boxes"] * script.SIDE).round().to(mc.int64).tolist():
        inside = canvas[y1:y2, x1:x2]
        assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
        outside[y1:y2, x1:x2] = 0
    assert not outside.any()


def test_detect_digits_on_a_gpu(cuda):
    script = example("detect_digits")
    pictures, targets = mc.rand(1, 1, 32, 32), [{"labels": mc.tensor([3])}]
    found, there = script.detect(script.make_model().to(cuda), [(pictures, targets)], threshold=-9.0)
    assert len(found) == 1 and found[0]["boxes"].is_cuda and there == targets


@pytest.mark.slow
def test_detect_digits(tmp_path):
    history, precision = example("detect_digits").main(800, epochs=4, picture=tmp_path / "found.png")
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert precision > 0.2
    assert is_picture(tmp_path / "found.png")


def test_segment_digits(tmp_path):
    script = example("segment_digits")
    picture, mask = script.paint(mc.data.MNIST(train=False), np.random.default_rng(3))
    assert picture.shape == mask.shape == (48, 48) and set(np.unique(mask)) == {0, 1}
    assert (picture[mask == 1] > 127).all()
    history, iou = script.main(pictures=160, epochs=4, picture=tmp_path / "found.png")
    assert history["loss"][-1] < history["loss"][0]
    assert iou > 0.15  # everything called digit would give 0.04
    assert is_picture(tmp_path / "found.png")


def test_small_nets(tmp_path):
    curves = example("small_nets").main((640, 200), epochs=(1, 2), picture=tmp_path / "curves.png")
    assert [len(accuracies) for accuracies in curves.values()] == [1, 2]
    assert curves["ViT"][1] > 0.15
    assert is_picture(tmp_path / "curves.png")


def test_transfer_between_digits():
    script = example("transfer")
    results = script.on_digits(backbone_each=50, each=5, test_each=20, epochs=2)
    assert list(results) == ["frozen", "fine-tuned", "from nothing"]
    assert all(history.epochs == 2 and accuracy > 0.1 for history, accuracy in results.values())


def test_what_transfer_trains():
    script = example("transfer")
    mc.manual_seed(0)
    for name, parameters in (("resnet20", 59), ("mobilenet_v2", 158)):  # head with bias
        model = mc.models.create(name, num_classes=7)
        before = dict(model.named_parameters())
        script.replace_head(model, 3)
        after = dict(model.named_parameters())
        changed = [key for key in before if before[key] is not after[key]]
        assert len(after) == parameters and changed == list(after)[-2:]
        assert [len(after[key]) for key in changed] == [3, 3]
        script.extract_features(model)
        assert [key for key, one in after.items() if one.requires_grad] == changed
        model.requires_grad_(True)
        groups = script.fine_tune(model)
        trained = [key for key, one in after.items() if one.requires_grad]
        assert trained == list(after)[(len(after) - 2) // 2 :]
        assert [group["lr"] for group in groups] == [1e-3, 1e-2]


def test_transfer_to_pictures_in_folders(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for part, count in (("train", 10), ("val", 4)):
        for name, colour in {"grass": (30, 180, 40), "sky": (20, 40, 220)}.items():
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.array(colour) + rng.integers(-20, 20, (36, 40, 3))
                path = tmp_path / part / name / f"{i}.png"
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    weights = tmp_path / "weights.safetensors"
    mc.save(mc.models.resnet18(num_classes=7).state_dict(), weights)
    script = example("transfer")
    command = ["--model", "resnet18", "--weights", str(weights), "--data", str(tmp_path)]
    more = ["--size", "32", "--epochs", "3", "--picture", str(tmp_path / "curves.png")]
    results = script.main([*command, *more])
    assert results["frozen"][1] > 0.9  # two colours
    assert is_picture(tmp_path / "curves.png")
    with pytest.raises(SystemExit):
        script.main(command[:4])
    assert "--model, --weights and --data go together" in capsys.readouterr().err
