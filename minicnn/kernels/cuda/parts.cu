// The end of sums that several blocks share: each has left a part, and the parts are added.

#include "conv.cuh"

// result (n), and after it more (m) if any, = sum over the parts of partial (parts, n + m) in a fixed order:
// the same bits each time. Plus bias (columns) if any, to each row of so many numbers of the result,
// which may be activated then.
//
// Grid: (n + m) / 32, rounded up; block: 32 numbers x 16 threads, of which each adds every 16th part; shared
// memory: their sums, 2 KB. One addition to 4 bytes: memory is the limit.
extern "C" __global__ void sum_parts(
    const real* partial, const real* bias, int activation, real* result, real* more, int parts, int n, int m,
    int columns) {
    __shared__ real sums[16][32];
    const int at = blockIdx.x * 32 + threadIdx.x;
    real sum = 0;
    if (at < n + m)
        for (int part = threadIdx.y; part < parts; part += 16) sum += partial[part * (n + m) + at];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || at >= n + m) return;
    for (int i = 1; i < 16; i++) sum += sums[i][threadIdx.x];
    if (at >= n)
        more[at - n] = sum;
    else
        result[at] = activated(bias ? sum + bias[at % columns] : sum, activation);
}

// partial (parts, O): for each part of the cells, the sum of each channel of dy (N, O, pixels).
//
// Grid: (O, parts); block: 256 threads on neighbouring cells; shared memory: block_sum's 32 numbers. One
// addition to 4 bytes.
extern "C" __global__ void channel_sums(
    const real* dy, real* partial, int N, int O, int pixels, int cells_each) {
    const int o = blockIdx.x, begin = blockIdx.y * cells_each, end = min(begin + cells_each, N * pixels);
    const real sum = block_sum(channel_share(dy, o, O, pixels, begin + threadIdx.x, end, blockDim.x));
    if (threadIdx.x == 0) partial[blockIdx.y * O + o] = sum;
}
