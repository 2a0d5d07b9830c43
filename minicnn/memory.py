"""The memory of a GPU: where what CuPy takes comes from, and the most of it that was occupied."""

from typing import Any
from weakref import WeakSet


class OutOfMemoryError(RuntimeError):
    """The GPU's memory does not suffice."""


def allocated(cupy: Any, pool: Any, size: int) -> Any:
    """Memory of the GPU: where all that CuPy takes comes from."""
    full = cupy.cuda.memory.OutOfMemoryError
    try:
        try:
            memory = pool.malloc(size)
        except full:
            if pool is peak.pool:
                raise
            peak.pool.free_all_blocks()  # what the steps before a capture have left
            memory = pool.malloc(size)
    except full as error:
        free, total = cupy.cuda.runtime.memGetInfo()
        raise OutOfMemoryError(
            f"CUDA out of memory: {size / 2**20:.1f} MiB are wanted, of {total / 2**20:.1f} MiB "
            f"{free / 2**20:.1f} are free, and {pool.used_bytes() / 2**20:.1f} are held by Tensors of this "
            "program; take smaller batches, or let go of Tensors (loss.item() rather than loss)"
        ) from error
    peak.note(size)
    return memory


class Peak:
    """The most bytes that were occupied at one time.

    A pool adds up what is occupied when it is asked, one Tensor after the other. So it is asked only when
    there may be a new peak: if there is one should nothing have been given back since the last time.

    Attributes
    ----------
    pool : cupy.cuda.MemoryPool
        Where Tensors come from.
    graphs : WeakSet
        Captured steps, each with a `pool` of its own that it occupies as a whole.
    most : int
        Bytes, as of the last count.
    """

    BLOCK = 512  # bytes, of which CuPy gives whole ones

    def __init__(self) -> None:
        self.graphs: WeakSet[Any] = WeakSet()
        self.pool: Any = None
        self.most = self.bound = 0

    def note(self, size: int) -> None:
        """So many bytes have been taken."""
        self.bound += -(-size // self.BLOCK) * self.BLOCK
        if self.bound > self.most:
            self.count()

    def count(self) -> int:
        """The bytes that are occupied."""
        self.bound = self.pool.used_bytes() + self.of_graphs()
        self.most = max(self.most, self.bound)
        return self.bound

    def of_graphs(self) -> int:
        """Those of captured steps."""
        return sum(one.pool.total_bytes() for one in self.graphs)


peak = Peak()
