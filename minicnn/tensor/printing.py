"""How a Tensor prints: as in PyTorch."""

from collections.abc import Callable

import numpy as np

EDGE = 3  # elements shown at either end where there are more than MANY in all
MANY = 1000


def text(array: np.ndarray) -> str:
    """The elements in brackets; four digits after the point, unless all are whole or very unlike in size."""
    shown = array
    if array.size > MANY:
        ends = [np.r_[0:EDGE, n - EDGE : n] if n > 2 * EDGE else np.arange(n) for n in array.shape]
        shown = array[np.ix_(*ends)]
    return np.array2string(
        array,
        max_line_width=81,
        separator=", ",
        prefix="tensor(",
        threshold=MANY,
        edgeitems=EDGE,
        formatter={"float_kind": float_format(shown)},
    ).replace(", ...", ",  ...")


def float_format(values: np.ndarray) -> Callable[[np.floating], str]:
    """What writes one number, in the same width for all of these."""
    values = values[np.isfinite(values) & (values != 0)].astype(np.float64)
    low, high = (abs(values).min(), abs(values).max()) if values.size else (1, 1)
    whole = bool((values == np.ceil(values)).all())
    scientific = high / low > 1000 or high > 1e8 or (low < 1e-4 and not whole)

    def write(x: np.floating) -> str:
        if scientific:
            return f"{x:.4e}"
        return f"{x:.0f}" + "." * bool(np.isfinite(x)) if whole else f"{x:.4f}"

    width = max((len(write(x)) for x in values), default=0)
    return lambda x: write(x).rjust(width)
