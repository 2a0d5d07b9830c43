// The end of sums that several blocks share: each has left a part, and the parts are added.

#include "common.cuh"

// result (n) = sum over the parts of partial (parts, n) in a fixed order: the same bits each time. Plus bias
// (columns) if any, to each row of so many numbers.
//
// Grid: n / 32; block: 32 numbers x 16 threads, of which each adds every 16th part. One addition to 4 bytes.
extern "C" __global__ void sum_parts(
    const real* partial, const real* bias, real* result, int parts, int n, int columns) {
    __shared__ real sums[16][32];
    const int at = blockIdx.x * 32 + threadIdx.x;
    real sum = 0;
    if (at < n)
        for (int part = threadIdx.y; part < parts; part += 16) sum += partial[part * n + at];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || at >= n) return;
    for (int i = 1; i < 16; i++) sum += sums[i][threadIdx.x];
    result[at] = bias ? sum + bias[at % columns] : sum;
}

// partial (parts, O): for each part of the cells, the sum of each channel of dy (N, O, pixels).
//
// Grid: (O, parts); block: 256 threads on neighbouring cells. One addition to 4 bytes.
extern "C" __global__ void channel_sums(
    const real* dy, real* partial, int N, int O, int pixels, int cells_each) {
    const int o = blockIdx.x, part = blockIdx.y;
    const int end = min((part + 1) * cells_each, N * pixels);
    real sum = 0;
    for (int cell = part * cells_each + threadIdx.x; cell < end; cell += blockDim.x)
        sum += dy[(cell / pixels * O + o) * pixels + cell % pixels];
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[part * O + o] = sum;
}
