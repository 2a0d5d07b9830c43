// Resampling: each cell of y (planes, OH, OW) takes one cell of x (planes, H, W), or blends four.
//
// Which ones, the index vectors say, one for each axis; they are short and stay in the cache. Intensity: a
// pick moves 8 bytes and computes nothing; a blend does 12 operations, and as its four cells come mostly from
// the cache, for 5 (twice the size each way) to 20 bytes. Memory is the limit of both. No kernel here uses
// shared memory.

#include "group.cuh"
#include "span.cuh"

// One thread a result: grid n / 256, rounded up and 65536 at most, block 256.
extern "C" __global__ void pick(const real* x, const long long* rows, const long long* columns, real* y,
                                int H, int W, int OH, int OW, int n) {
    FOR_EACH(i, n) {
        int ow = i % OW, oh = i / OW % OH, plane = i / (OH * OW);
        y[i] = x[(plane * H + int(rows[oh])) * W + int(columns[ow])];
    }
}

// The same; row oh lies between rows top[oh] and bottom[oh], down[oh] of the way, and so across.
extern "C" __global__ void blend(const real* x, const long long* top, const long long* bottom,
                                 const real* down, const long long* left, const long long* right,
                                 const real* across, real* y, int H, int W, int OH, int OW, int n) {
    FOR_EACH(i, n) {
        int ow = i % OW, oh = i / OW % OH, plane = i / (OH * OW);
        const real* upper = x + (plane * H + int(top[oh])) * W;
        const real* lower = x + (plane * H + int(bottom[oh])) * W;
        int a = int(left[ow]), b = int(right[ow]);
        real v = down[oh], s = across[ow];
        real above = (1 - s) * upper[a] + s * upper[b], below = (1 - s) * lower[a] + s * lower[b];
        y[i] = (1 - v) * above + v * below;
    }
}

// The first and the last result for each cell of one axis: two rows of `size` ints.
__device__ void find_spans(const long long* low, const long long* high, int* spans, int count, int size) {
    for (int cell = threadIdx.x; cell < size; cell += blockDim.x)
        spans[cell] = spans[size + cell] = evenly(cell, size, count);
    __syncthreads();
    for (int o = threadIdx.x; o < count; o += blockDim.x) {
        widen(spans + low[o], spans + size + low[o], o);
        widen(spans + high[o], spans + size + high[o], o);
    }
}

// Spans (span.cuh) of the rows, then of the columns, 2H + 2W ints: a block of 1024 threads for each of the
// two (grid 2). Four comparisons for the 16 bytes that tell of a result.
extern "C" __global__ void spans(const long long* top, const long long* bottom, const long long* left,
                                 const long long* right, int* found, int OH, int OW, int H, int W) {
    if (blockIdx.x == 0) find_spans(top, bottom, found, OH, H);
    else find_spans(left, right, found + 2 * H, OW, W);
}

// The results that may have to do with a cell: `count` of them, row by row.
struct Results {
    int top, left, wide, count;

    __device__ Results(const int* spans, int h, int w, int H, int W)
        : top(spans[h]), left(spans[2 * H + w]), wide(spans[2 * H + W + w] - left + 1),
          count((spans[H + h] - top + 1) * wide) {}
};

// A few threads a cell (group.cuh) gather from the results that took it: grid cells * lanes / 256, rounded
// up, block 256. Intensity: an addition for each number of dy, and 4 bytes out a cell.
extern "C" __global__ void pick_gradient(const real* dy, const long long* rows, const long long* columns,
                                         const int* spans, real* dx, int H, int W, int OH, int OW, int lanes,
                                         int n) {
    Group group(lanes, n);
    int w = group.result % W, h = group.result / W % H;
    const real* plane = dy + group.result / (H * W) * (OH * OW);
    Results results(spans, h, w, H, W);
    real sum = 0;
    for (int r = group.lane; r < results.count; r += lanes) {
        int oh = results.top + r / results.wide, ow = results.left + r % results.wide;
        if (rows[oh] == h && columns[ow] == w) sum += plane[oh * OW + ow];
    }
    sum = warp_sum(sum, lanes);
    if (group.writes) dx[group.result] = sum;
}

// How much of a cell is in the result between low and high.
__device__ inline real weight(int cell, long long low, long long high, real share) {
    return (low == cell ? 1 - share : real(0)) + (high == cell ? share : real(0));
}

// The same. A result has to do with four cells, so four cells read it, three of them from the cache; about 7
// operations each time.
extern "C" __global__ void blend_gradient(const real* dy, const long long* top, const long long* bottom,
                                          const real* down, const long long* left, const long long* right,
                                          const real* across, const int* spans, real* dx, int H, int W,
                                          int OH, int OW, int lanes, int n) {
    Group group(lanes, n);
    int w = group.result % W, h = group.result / W % H;
    const real* plane = dy + group.result / (H * W) * (OH * OW);
    Results results(spans, h, w, H, W);
    real sum = 0;
    for (int r = group.lane; r < results.count; r += lanes) {
        int oh = results.top + r / results.wide, ow = results.left + r % results.wide;
        if ((top[oh] == h || bottom[oh] == h) && (left[ow] == w || right[ow] == w))
            sum += weight(h, top[oh], bottom[oh], down[oh]) * weight(w, left[ow], right[ow], across[ow]) *
                   plane[oh * OW + ow];
    }
    sum = warp_sum(sum, lanes);
    if (group.writes) dx[group.result] = sum;
}
