"""Sampling at any places: each cell of the result blends, or takes, cells of x that a grid points at."""

from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for

FAR = 1e9  # from any picture


class GridSample(Function):
    """x (N, C, H, W) at the places of a grid (N, OH, OW, 2): across and down, from -1 to 1.

    Source: Jaderberg et al., Spatial transformer networks, 2015, section 3.3.
    """

    def forward(self, x, grid, nearest, padding, align_corners):
        if x.ndim != 4 or grid.ndim != 4 or grid.shape[3] != 2 or len(x) != len(grid):
            raise RuntimeError(
                "grid_sample: expected input (N, C, H, W) and grid (N, OH, OW, 2), "
                f"got {x.shape} and {grid.shape}"
            )
        if x.dtype != grid.dtype:
            raise RuntimeError(f"grid_sample: expected one dtype, got input {x.dtype} and grid {grid.dtype}")
        if 0 in x.shape[2:]:
            raise RuntimeError(f"grid_sample: expected a picture with cells, got input {x.shape}")
        xp = array_module(x)
        columns, self.across = places(xp, grid[..., 0], x.shape[3], padding, align_corners, nearest)
        rows, self.down = places(xp, grid[..., 1], x.shape[2], padding, align_corners, nearest)
        self.nearest, self.size = nearest, x.shape[2:]
        self.rows, self.columns = (xp.rint(rows), xp.rint(columns)) if nearest else (rows, columns)
        self.x = x if self.needs[1] and not nearest else None
        return kernels_for(x).sample(x, self.rows, self.columns)

    def backward(self, grad):
        xp, kernels = array_module(grad), kernels_for(grad)
        at = self.rows, self.columns
        dx = kernels.sample_gradient(grad, *at, self.size) if self.needs[0] else None
        if not self.needs[1]:
            return dx, None
        if self.nearest:
            return dx, xp.zeros((*at[0].shape, 2), grad.dtype)
        d_rows, d_columns = kernels.sample_place_gradient(grad, self.x, *at)
        return dx, xp.stack([d_columns * self.across, d_rows * self.down], -1)


def places(xp, grid, size, padding, align_corners, nearest):
    """Where along an axis of `size` cells a grid points at, and the derivative of that.

    -1 and 1 are the outer edges, or with align_corners the centres, of the first and last cells. Numbers that
    are not finite end where they do in PyTorch on a CPU: blended with zeros they are NaN.
    """
    slope = (size - 1) / 2 if align_corners else size / 2
    at = grid + 1
    # Rounded once, as there: at whole places it decides on which side of a cell the gradient is taken.
    wider = xp.float64 if at.dtype == xp.float32 else getattr(xp, "longdouble", xp.float64)
    at = (at.astype(wider) * slope - (0 if align_corners else 0.5)).astype(grid.dtype)
    if padding == "zeros":
        near = xp.fmin(xp.fmax(at, -FAR), FAR)  # of a number and NaN, the number
        return near if nearest else near + (at - at), slope
    sign = 1
    if padding == "reflection":
        at, sign = reflected(xp, at, *((0, size - 1) if align_corners else (-0.5, size)))
    inside = (at > 0) & (at < size - 1)
    return xp.fmin(xp.fmax(at, 0), size - 1), xp.where(inside, slope * sign, 0).astype(grid.dtype)


def reflected(xp, at, low, span):
    """Folded into the range from `low` on that is `span` long, and the signs of the derivative of that."""
    if not span:
        return xp.zeros_like(at), 0
    far = abs(at - low)
    lap = far - xp.trunc(far / (2 * span)) * (2 * span)
    return xp.minimum(lap, 2 * span - lap) + low, xp.where((at < low) == (lap < span), -1, 1)
