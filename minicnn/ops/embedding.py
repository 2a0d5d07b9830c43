"""Rows of a table."""

from minicnn.autograd import Function
from minicnn.device import array_module, may_look
from minicnn.ops.order import add_at


class Embedding(Function):
    """table[index] for a table (V, D) and indices of any shape; the row `padding` gets no gradient."""

    def forward(self, table, index, padding=None):
        if index.dtype.kind not in "iu":
            raise RuntimeError(f"embedding: expected integer indices, got {index.dtype}")
        if index.size and may_look(index) and not 0 <= index.min() <= index.max() < len(table):
            raise IndexError(
                f"embedding: expected indices from 0 to {len(table) - 1}, got {index.min()} to {index.max()}"
            )
        self.like, self.index, self.padding = table.shape, index, padding
        return table[index]

    def backward(self, grad):
        out = array_module(grad).zeros(self.like, grad.dtype)
        add_at(out, self.index, grad)
        if self.padding is not None:
            out[self.padding] = 0
        return out
