// Tensor cores: a warp's product of small matrices in one instruction (from sm_80 on).

#pragma once
#include "gemm.cuh"

#ifndef EMULATED

// x as TF32, a float with 10 bits behind the point instead of 23: at most 0.05 % off.
__device__ inline unsigned tf32(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}

// sum (16, 8) += a (16, 8) b (8, 8). Of these, lane 4*g + t holds
//     a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)      b: (t, g), (t + 4, g)
//     sum: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
__device__ inline void multiply_add(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif

// 2 x 4 warps, each with ROWS/2 x COLUMNS/4 sums: with 64 x 32, a warp reads 24 numbers a lane from shared
// memory for 16 instructions of 1024 products. Eight lanes read neighbours of a layer, four lanes the layers
// k to k + 3; and 16 lanes put 16 layers when a weight gradient is fetched. `place` moves each layer so that
// both meet 32 different banks.
//
// Without PAD a block has 32, 24 or 12 KB of shared memory for its factors. Operations a byte are those of
// gemm.cuh, 32 for 128 x 128, where these cores would need about 100 (495 TFLOP/s on an H200): they can be
// busy only as far as L2 has what other blocks fetch, too.
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
