"""The table of the dialect: every operation, how PyTorch is called, and with what.

It drives the comparison with PyTorch and the check of gradients (``test_dialect.py``); ``docs/dialect.md``
is made from it: ``python -m tests.dialect``. A file is a family: its docstring heads its part of the page.
"""

from . import (
    activation,
    attention,
    chance,
    comparison,
    conversion,
    convolution,
    creation,
    indexing,
    inplace,
    loss,
    modules,
    normalization,
    pointwise,
    pooling,
    product,
    reduction,
    resizing,
    shape,
    training,
)

FAMILIES = [
    creation,
    conversion,
    pointwise,
    comparison,
    inplace,
    reduction,
    shape,
    indexing,
    product,
    activation,
    convolution,
    pooling,
    normalization,
    loss,
    resizing,
    attention,
    modules,
    chance,
    training,
]
ROWS = [row for family in FAMILIES for row in family.ROWS]
