// Convolution as an implicit product of matrices, with all digits; conv_gemm.cuh tells how. And sums over
// pictures.

#include "conv_gemm.cuh"

// 16 x 16 threads, each with ROWS/16 x COLUMNS/16 sums in registers: with 8 x 8, two times 8 numbers from
// shared memory make 64 products, and shared memory (128 bytes a cycle) keeps up with the multipliers (128 a
// cycle). A thread's rows and columns come in runs of four, which are read at once: 16 bytes of float.
template <int R, int C>
struct RegisterTile {
    static constexpr int ROWS = R, COLUMNS = C, PAD = 4, DOWN = R / 16, ACROSS = C / 16;
    typedef real Number;
    real sums[DOWN][ACROSS] = {};

    static __device__ real round(real x) { return x; }
    static __device__ int place(int, int i) { return i; }

    // the place along an axis of `count` for each of 16 threads
    template <int COUNT>
    static __device__ int at(int thread, int i) {
        constexpr int RUN = COUNT < 4 ? COUNT : 4;
        return i / RUN * 16 * RUN + thread * RUN + i % RUN;
    }

    __device__ void add(const real (*a)[R + PAD], const real (*b)[C + PAD]) {
        const int down = threadIdx.x / 16, across = threadIdx.x % 16;
#pragma unroll
        for (int k = 0; k < DEEP; k++) {
            real x[DOWN], y[ACROSS];
#pragma unroll
            for (int i = 0; i < DOWN; i++) x[i] = a[k][at<DOWN>(down, i)];
#pragma unroll
            for (int j = 0; j < ACROSS; j++) y[j] = b[k][at<ACROSS>(across, j)];
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int j = 0; j < ACROSS; j++) sums[i][j] += x[i] * y[j];
        }
    }

    template <class F>
    __device__ void each(F f) const {
        const int down = threadIdx.x / 16, across = threadIdx.x % 16;
#pragma unroll
        for (int j = 0; j < ACROSS; j++)
#pragma unroll
            for (int i = 0; i < DOWN; i++) f(at<DOWN>(down, i), at<ACROSS>(across, j), sums[i][j]);
    }
};

CONVOLUTION_KERNELS(RegisterTile, 32, 64)
CONVOLUTION_KERNELS(RegisterTile, 64, 128)
CONVOLUTION_KERNELS(RegisterTile, 128, 128)

// result (n) = sum over the parts of partial (parts, n), in a fixed order: the same bits each time.
//
// Grid: n / 32; block: 32 numbers x 16 threads, of which each adds every 16th part. One addition to 4 bytes.
extern "C" __global__ void sum_parts(const real* partial, real* result, int parts, int n) {
    __shared__ real sums[16][32];
    const int at = blockIdx.x * 32 + threadIdx.x;
    real sum = 0;
    if (at < n)
        for (int part = threadIdx.y; part < parts; part += 16) sum += partial[part * n + at];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || at >= n) return;
    for (int i = 1; i < 16; i++) sum += sums[i][threadIdx.x];
    result[at] = sum;
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
