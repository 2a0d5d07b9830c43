"""What a row of numbers comes to, in vectors: its largest, its sum, sums of squares and products.

A sum runs over short stretches in the numbers' own precision, in several vectors that take turns: an addition
takes four times as long as it takes to begin the next one, that need not wait. These are added up in float64.
The order depends on the row's length alone.
"""

from minicnn.kernels.cpu.jit import jit
from minicnn.kernels.cpu.simd import hmax, hsum, lanes, load, load_part, maximum, tile

STRETCH = 4096  # numbers summed in their own precision
CHAINS = 4  # vectors that take turns


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
        hi, acc = min(lo + STRETCH, v.size), tile(1, CHAINS, v)
        in_turn, whole = hi - (hi - lo) % (CHAINS * L), hi - (hi - lo) % L
        for i in range(lo, in_turn, CHAINS * L):
            for k in range(CHAINS):
                acc[0, k] += load(v, i + k * L)
        for i in range(in_turn, whole, L):
            acc[0, 0] += load(v, i)
        acc[0, 1] += load_part(hi - whole, v, whole)
        out += hsum((acc[0, 0] + acc[0, 1]) + (acc[0, 2] + acc[0, 3]))
    return out


@jit
def squares(v, mean):
    """The sum of the squared distances from the mean."""
    L, out = lanes(v), 0.0
    for lo in range(0, v.size, STRETCH):
        hi, acc = min(lo + STRETCH, v.size), tile(1, CHAINS, v)
        in_turn, whole = hi - (hi - lo) % (CHAINS * L), hi - (hi - lo) % L
        for i in range(lo, in_turn, CHAINS * L):
            for k in range(CHAINS):
                distance = load(v, i + k * L) - mean
                acc[0, k] += distance * distance
        for i in range(in_turn, whole, L):
            distance = load(v, i) - mean
            acc[0, 0] += distance * distance
        for i in range(whole, hi):
            out += (v[i] - mean) * (v[i] - mean)
        out += hsum((acc[0, 0] + acc[0, 1]) + (acc[0, 2] + acc[0, 3]))
    return out


@jit
def total_and_products(v, x, mean):
    """The sum of v, and that of v (x - mean)."""
    L, out, products = lanes(v), 0.0, 0.0
    for lo in range(0, v.size, STRETCH):
        hi, acc, more = min(lo + STRETCH, v.size), tile(1, CHAINS, v), tile(1, CHAINS, v)
        in_turn, whole = hi - (hi - lo) % (CHAINS * L), hi - (hi - lo) % L
        for i in range(lo, in_turn, CHAINS * L):
            for k in range(CHAINS):
                some = load(v, i + k * L)
                acc[0, k] += some
                more[0, k] += some * (load(x, i + k * L) - mean)
        for i in range(in_turn, whole, L):
            some = load(v, i)
            acc[0, 0] += some
            more[0, 0] += some * (load(x, i) - mean)
        some = load_part(hi - whole, v, whole)
        acc[0, 1] += some
        more[0, 1] += some * (load_part(hi - whole, x, whole) - mean)
        out += hsum((acc[0, 0] + acc[0, 1]) + (acc[0, 2] + acc[0, 3]))
        products += hsum((more[0, 0] + more[0, 1]) + (more[0, 2] + more[0, 3]))
    return out, products
