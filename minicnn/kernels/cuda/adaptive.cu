// Adaptive pooling: windows that share the plane evenly. Where they begin and end, tables say.
//
// A window may be the whole plane, so a few neighbouring threads work on each result (group.cuh). Grid:
// results * lanes / 256, rounded up; block: 256 threads; no shared memory. Intensity: an operation for each
// number read, 1/4 operation a byte: memory is the limit.

#include "group.cuh"

// The cells of the window (oh, ow), counted row by row.
struct Cells {
    int top, left, wide, count;

    __device__ Cells(const int* rows, const int* columns, int oh, int ow)
        : top(rows[2 * oh]), left(columns[2 * ow]), wide(columns[2 * ow + 1] - left),
          count((rows[2 * oh + 1] - top) * wide) {}

    __device__ int place(int c, int W) const { return (top + c / wide) * W + left + c % wide; }
};

// Whether a at one place is to be the result rather than b at another: NaN, the last one, or the larger
// number, of equals the first. That is what a single thread finds that looks at one cell after the other, as
// in pool.cu.
__device__ inline bool beats(real a, int at_a, real b, int at_b) {
    if (a != a) return b == b || at_a > at_b;
    return a > b || (a == b && at_a < at_b);
}

// rows (OH, 2) and columns (OW, 2): where the windows begin and end.
extern "C" __global__ void adaptive_max_pool2d(const real* x, const int* rows, const int* columns, real* y,
                                               int* index, int H, int W, int OH, int OW, int lanes, int n) {
    Group group(lanes, n);
    Cells cells(rows, columns, group.result / OW % OH, group.result % OW);
    const real* plane = x + group.result / (OH * OW) * (H * W);
    int at = cells.place(0, W);
    real best = plane[at];
    for (int c = group.lane; c < cells.count; c += lanes) {
        int place = cells.place(c, W);
        if (beats(plane[place], place, best, at)) best = plane[place], at = place;
    }
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
        real other = __shfl_xor_sync(0xffffffff, best, distance);
        int place = __shfl_xor_sync(0xffffffff, at, distance);
        if (beats(other, place, best, at)) best = other, at = place;
    }
    if (group.writes) y[group.result] = best, index[group.result] = at;
}

extern "C" __global__ void adaptive_avg_pool2d(const real* x, const int* rows, const int* columns, real* y,
                                               int H, int W, int OH, int OW, int lanes, int n) {
    Group group(lanes, n);
    Cells cells(rows, columns, group.result / OW % OH, group.result % OW);
    const real* plane = x + group.result / (OH * OW) * (H * W);
    real sum = 0;
    for (int c = group.lane; c < cells.count; c += lanes) sum += plane[cells.place(c, W)];
    sum = warp_sum(sum, lanes);
    if (group.writes) y[group.result] = sum / real(cells.count);
}

// One thread a cell, which gathers from the windows that see it: above[h] and beside[w] say which. As the
// windows share the cells, the cells share the windows, so these are the same tables with size and count
// exchanged.
//
// Grid: cells / 256, rounded up and 65536 at most; block: 256 threads. A division and a sum for each window
// of a cell; 4 bytes go out, and dy comes in once, as the caches serve the other cells of a window.
extern "C" __global__ void adaptive_avg_pool2d_gradient(const real* dy, const int* rows, const int* columns,
                                                        const int* above, const int* beside, real* dx, int H,
                                                        int W, int OH, int OW, int n) {
    FOR_EACH(i, n) {
        int w = i % W, h = i / W % H;
        const real* plane = dy + i / (H * W) * (OH * OW);
        real sum = 0;
        for (int oh = above[2 * h]; oh < above[2 * h + 1]; oh++)
            for (int ow = beside[2 * w]; ow < beside[2 * w + 1]; ow++)
                sum += plane[oh * OW + ow] / real(Cells(rows, columns, oh, ow).count);
        dx[i] = sum;
    }
}
