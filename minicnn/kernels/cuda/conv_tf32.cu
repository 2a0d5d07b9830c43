// Convolution as an implicit product of matrices on tensor cores: factors rounded to TF32, sums in float.

#include "conv_gemm.cuh"
#include "tensor_core.cuh"

// 2 x 4 warps, each with ROWS/2 x COLUMNS/4 sums: with 64 x 32, a warp reads 24 numbers a lane from shared
// memory for 16 instructions of 1024 products. Eight lanes read neighbours of a layer, four lanes the layers
// k to k + 3; and 16 lanes put 16 layers when a weight gradient is fetched. `place` moves each layer so that
// both meet 32 different banks.
template <int R, int C>
struct TensorTile {
    static constexpr int ROWS = R, COLUMNS = C, PAD = 0, DOWN = R / 2 / 16, ACROSS = C / 4 / 8;
    typedef unsigned Number;
    float sums[DOWN][ACROSS][4] = {};

    static __device__ unsigned round(real x) { return tf32(float(x)); }
    static __device__ int place(int k, int i) { return i ^ (k % 4 * 8 + k / 4 * 2); }

    __device__ void add(const unsigned (*a)[R], const unsigned (*b)[C]) {
        const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
        const int row = threadIdx.x / 128 * (R / 2) + g, column = threadIdx.x / 32 % 4 * (C / 4) + g;
#pragma unroll
        for (int k = 0; k < DEEP; k += 8) {
            unsigned x[DOWN][4], y[ACROSS][2];
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int part = 0; part < 4; part++) {
                    const int layer = k + t + part / 2 * 4;
                    x[i][part] = a[layer][place(layer, row + i * 16 + part % 2 * 8)];
                }
#pragma unroll
            for (int j = 0; j < ACROSS; j++)
#pragma unroll
                for (int part = 0; part < 2; part++) {
                    const int layer = k + t + part * 4;
                    y[j][part] = b[layer][place(layer, column + j * 8)];
                }
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int j = 0; j < ACROSS; j++) multiply_add(sums[i][j], x[i], y[j]);
        }
    }

    template <class F>
    __device__ void each(F f) const {
        const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
        const int row = threadIdx.x / 128 * (R / 2) + g, column = threadIdx.x / 32 % 4 * (C / 4) + 2 * t;
#pragma unroll
        for (int j = 0; j < ACROSS; j++)
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int part = 0; part < 4; part++)
                    f(row + i * 16 + part / 2 * 8, column + j * 8 + part % 2, real(sums[i][j][part]));
    }
};

CONVOLUTION_KERNELS(TensorTile, 32, 64)
CONVOLUTION_KERNELS(TensorTile, 64, 128)
CONVOLUTION_KERNELS(TensorTile, 128, 128)
