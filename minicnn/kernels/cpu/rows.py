"""What a row of numbers comes to, in vectors: its largest, its sum, sums of squares and products.

A sum runs over short stretches in the numbers' own precision, one for each lane, and these are added up in
float64. Its order depends on the row's length alone.
"""

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import hmax, hsum, lanes, load, load_part, maximum

STRETCH = 4096  # numbers summed in their own precision


@jit
def highest(v):
    """The largest number; any, if there is a NaN."""
    L = lanes(v)
    if v.size < L:
        largest = v[0]
        for i in range(1, v.size):
            largest = max(largest, v[i])
        return largest
    best = load(v, v.size - L)
    for i in range(0, v.size - L, L):
        best = maximum(best, load(v, i))
    return hmax(best)


@jit
def total(v):
    """The sum."""
    L, out = lanes(v), 0.0
    for lo in range(0, v.size, STRETCH):
        hi = min(lo + STRETCH, v.size)
        whole = hi - (hi - lo) % L
        sums = load_part(hi - whole, v, whole)
        for i in range(lo, whole, L):
            sums += load(v, i)
        out += hsum(sums)
    return out


@jit
def squares(v, mean):
    """The sum of the squared distances from the mean."""
    L, out = lanes(v), 0.0
    for lo in range(0, v.size, STRETCH):
        hi = min(lo + STRETCH, v.size)
        whole = hi - (hi - lo) % L
        sums = load_part(0, v, lo)  # zero
        for i in range(lo, whole, L):
            distance = load(v, i) - mean
            sums += distance * distance
        for i in range(whole, hi):
            out += (v[i] - mean) * (v[i] - mean)
        out += hsum(sums)
    return out


@jit
def total_and_products(v, x, mean):
    """The sum of v, and that of v (x - mean)."""
    L, out, products = lanes(v), 0.0, 0.0
    for lo in range(0, v.size, STRETCH):
        hi = min(lo + STRETCH, v.size)
        whole = hi - (hi - lo) % L
        sums = load_part(hi - whole, v, whole)
        more = sums * (load_part(hi - whole, x, whole) - mean)
        for i in range(lo, whole, L):
            some = load(v, i)
            sums += some
            more += some * (load(x, i) - mean)
        out += hsum(sums)
        products += hsum(more)
    return out, products
