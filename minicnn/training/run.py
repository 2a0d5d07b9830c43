"""A run: the folder that keeps a trained model, how it was trained, and what its epochs showed."""

import json
import os
from pathlib import Path
from typing import Any

from minicnn import nn
from minicnn.interop.atomic import write_files
from minicnn.interop.safetensors import load_file, to_bytes
from minicnn.training.history import History, picture
from minicnn.training.recipes import create

WEIGHTS = "model.safetensors"
HISTORY = "history.json"
SETTINGS = "settings.json"
CURVES = "curves.png"
FILES = (WEIGHTS, HISTORY, SETTINGS, CURVES)
# of the settings that tell how to use the model
KINDS = {"model": str, "size": int, "photos": bool, "classes": list, "batch_size": int, "data": str | None}


def holds_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a file of a run is in the folder."""
    return any((Path(folder) / name).exists() for name in FILES)


def save_run(
    folder: str | os.PathLike[str], model: nn.Module, history: History, settings: dict[str, Any]
) -> list[str]:
    """Write the files of a run; those of an earlier one are replaced all together, or none is.

    Parameters
    ----------
    folder : path
        Where; it is made if it is not there.
    settings : dict
        How the model is trained, for JSON; "model" is its name for `minicnn.models.create`, "size" the side
        of its pictures, "classes" the classes' names, "photos" whether the pictures are no digits;
        see KINDS.

    Returns
    -------
    list of str
        The names of the files written; curves only when there is an epoch to show.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        WEIGHTS: to_bytes(model.state_dict()),
        HISTORY: history.to_json().encode(),
        SETTINGS: (json.dumps(settings, indent=2, allow_nan=False) + "\n").encode(),
    }
    if history.epochs:
        contents[CURVES] = picture(history.plot())
    write_files({folder / name: content for name, content in contents.items()})
    return list(contents)


def load_run(folder: str | os.PathLike[str]) -> tuple[nn.Module, dict[str, Any]]:
    """The trained model of a run, in evaluation mode, and the settings it was trained with.

    Raises
    ------
    OSError
        There is no such folder, or a file is missing.
    ValueError
        A file is damaged, or the weights do not fit the model.
    """
    folder = Path(folder)
    if not (folder / SETTINGS).exists():
        raise FileNotFoundError(f"{folder} is no run: it has no {SETTINGS}; 'minicnn train' makes runs")
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        for key, kind in KINDS.items():
            if not isinstance(settings[key], kind):
                raise TypeError(f"{key} is {settings[key]!r}")
        model = create(settings["model"], settings["size"], len(settings["classes"]))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f"{folder / SETTINGS} is damaged or not of a run: {error}") from error
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        raise ValueError(f"{folder / WEIGHTS} does not fit the model {settings['model']}: {error}") from error
    return model.eval(), settings
