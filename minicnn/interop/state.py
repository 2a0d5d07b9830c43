"""The weights in a file of several things."""

from collections.abc import Mapping
from typing import Any

from minicnn.tensor import Tensor

WRAPPERS = ("state_dict", "model_state_dict", "model")  # where checkpoints keep a model's weights


def weights_in(content: Any, path: Any) -> dict[str, Tensor]:
    """The state_dict that a file holds, by itself or among other things.

    A model within DataParallel has "module." before all its names, which is left out.

    Raises
    ------
    ValueError : there is none.
    """
    places = [content]
    if isinstance(content, Mapping):
        places += [content[name] for name in WRAPPERS if name in content]
    for place in places:
        if isinstance(place, Mapping) and place and all(isinstance(x, Tensor) for x in place.values()):
            prefix = "module." if all(str(name).startswith("module.") for name in place) else ""
            return {str(name).removeprefix(prefix): value for name, value in place.items()}
    raise ValueError(
        f"{path}: expected a dict of names to Tensors, by itself or as {', '.join(WRAPPERS)}; "
        "save model.state_dict() in PyTorch"
    )
