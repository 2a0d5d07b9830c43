"""How a Tensor prints: as in PyTorch."""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

DEFAULTS: dict[str, Any] = {
    "precision": 4,
    "threshold": 1000,
    "edgeitems": 3,
    "linewidth": 80,
    "sci_mode": None,
}
options = dict(DEFAULTS)
PROFILES = {
    "default": DEFAULTS,
    "short": DEFAULTS | {"precision": 2, "edgeitems": 2},
    "full": DEFAULTS | {"threshold": math.inf},
}


def set_printoptions(profile: str | None = None, **settings: Any) -> None:
    """How Tensors print: precision, threshold, edgeitems, linewidth, sci_mode; or a profile of these.

    Parameters
    ----------
    profile : {"default", "short", "full"}, optional
        Where to start from.
    **settings
        `precision` is the number of digits after the point; `edgeitems` elements at either end are shown
        where there are more than `threshold`; `linewidth` counts letters; `sci_mode` is True, False, or None
        to choose by the numbers.
    """
    if profile not in (None, *PROFILES):
        raise ValueError(f"set_printoptions: expected a profile of {list(PROFILES)}, got {profile!r}")
    unknown = settings.keys() - DEFAULTS.keys()
    if unknown:
        raise TypeError(f"set_printoptions: expected some of {list(DEFAULTS)}, got {sorted(unknown)}")
    options.update(PROFILES.get(profile or "", {}), **{k: v for k, v in settings.items() if v is not None})
    if "sci_mode" in settings:
        options["sci_mode"] = settings["sci_mode"]


def text(array: np.ndarray) -> str:
    """The elements in brackets; four digits after the point, unless all are whole or very unlike in size."""
    shown, many, edge = array, options["threshold"], options["edgeitems"]
    if array.size > many:
        ends = [np.r_[0:edge, n - edge : n] if n > 2 * edge else np.arange(n) for n in array.shape]
        shown = array[np.ix_(*ends)]
    width = 4 if shown.all() else 5  # of True and False
    return np.array2string(
        array,
        max_line_width=options["linewidth"] + 1,
        separator=", ",
        prefix="tensor(",
        threshold=sys.maxsize if many == math.inf else many,
        edgeitems=edge,
        formatter={"float_kind": float_format(shown), "bool": lambda x: str(x).rjust(width)},
    ).replace(", ...", ",  ...")


def float_format(values: np.ndarray) -> Callable[[np.floating], str]:
    """What writes one number, in the same width for all of these."""
    values = values[np.isfinite(values) & (values != 0)].astype(np.float64)
    low, high = (abs(values).min(), abs(values).max()) if values.size else (1, 1)
    whole = bool((values == np.ceil(values)).all())
    digits, scientific = options["precision"], options["sci_mode"]
    if scientific is None:
        scientific = high / low > 1000 or high > 1e8 or (low < 1e-4 and not whole)

    def write(x: np.floating) -> str:
        if scientific:
            return f"{x:.{digits}e}"
        return f"{x:.0f}" + "." * bool(np.isfinite(x)) if whole else f"{x:.{digits}f}"

    width = max((len(write(x)) for x in values), default=0)
    return lambda x: write(x).rjust(width)
