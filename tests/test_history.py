"""The history of a training: its epochs, its file and its curves."""

import json
import math

import numpy as np
import pytest

from minicnn.training import History


def small_history():
    history = History()
    history.append(loss=2.0, accuracy=0.25, seconds=1.5, images_per_second=100)
    history.append(
        loss=1.0, accuracy=0.5, val_loss=1.25, val_accuracy=0.375, seconds=1.0, images_per_second=150
    )
    return history


def test_history_keeps_epochs_in_step():
    history = small_history()
    assert history.epochs == 2
    assert history["loss"] == [2.0, 1.0]
    assert math.isnan(history["val_loss"][0])
    assert history["val_loss"][1] == 1.25
    lines = repr(history).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["epoch", *history]
    assert lines[2].split() == ["2", "1.0000", "0.5000", "1.0", "150", "1.2500", "0.3750"]
    assert repr(History()) == "History: no epochs yet"


def test_history_is_strict_json_and_comes_back(tmp_path):
    path = tmp_path / "history.json"
    history = small_history()
    history.save(path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    stored = json.loads(path.read_text(), parse_constant=refuse)
    assert stored["val_loss"] == [None, 1.25]
    again = History.load(path)
    assert again.keys() == history.keys()
    for name, values in history.items():
        np.testing.assert_array_equal(again[name], values)


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"loss": 3}', '{"loss": ["x"]}', '{"a": [1], "b": []}', "\0"]
)
def test_damaged_history_is_named(tmp_path, content):
    path = tmp_path / "history.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"history\.json"):
        History.load(path)


def test_curves(tmp_path):
    history = small_history()
    figure = history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    loss, accuracy = figure.axes
    assert [loss.get_title(), accuracy.get_title()] == ["Loss", "Accuracy"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        training, validation = axes.get_lines()
        np.testing.assert_array_equal(training.get_xydata(), np.column_stack([[1, 2], history[name]]))
        np.testing.assert_array_equal(validation.get_ydata(), history[f"val_{name}"])
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
        assert all(tick == round(tick) for tick in axes.get_xticks())
    history.plot(tmp_path / "curves.svg")
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()
    assert len(History().plot().axes) == 1
