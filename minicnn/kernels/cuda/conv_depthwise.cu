// Depthwise convolution: each channel has a filter of its own, so there is nothing to share, and memory is
// the limit.
//
// 2 * taps operations to a number read and one written: with 3x3 taps 18 to 8 bytes, a sixth of what would
// keep the multipliers of a GPU busy. Neighbouring cells see the same numbers again, but those come from L1.

#include "conv.cuh"

constexpr int TAPS = 8;  // of a row of a filter that a block does at once

// result (N, O, OH, OW) = source (N, C, H, W) convolved with weight, plus bias (O) if any, activated.
//
// Grid: (N * O planes, parts of a plane, 64 at most); block: 256 threads, one a cell, with a stride; no
// shared memory. 2 * taps operations to 8 bytes, as above.
extern "C" __global__ void convolve_depthwise(
    const real* source, const real* weight, const real* bias, int activation, real* result,
    SHAPE_PARAMETERS) {
    const Shape s = SHAPE;
    const int n = blockIdx.x / O, o = blockIdx.x % O, OG = O / groups, CG = C / groups, group = o / OG;
    const real* picture = source + (n * C + group * CG) * H * W;
    for (int at = blockIdx.y * blockDim.x + threadIdx.x; at < OH * OW; at += gridDim.y * blockDim.x) {
        // with a whole row number as phase, an axis tells of any row, not of one phase only
        const int oh = at / OW, ow = at % OW;
        const Axis down = axis_down(s, transposed ? oh : 0), across = axis_across(s, transposed ? ow : 0);
        const int i0 = transposed ? 0 : oh * SH, j0 = transposed ? 0 : ow * SW;
        real sum = bias ? bias[o] : real(0);
        for (int kh = 0; kh < KH; kh++) {
            const int h = i0 + down.offset(kh);
            if (!down.sees(kh) || h < 0 || h >= H) continue;
            for (int kw = 0; kw < KW; kw++) {
                const int w = j0 + across.offset(kw);
                if (!across.sees(kw) || w < 0 || w >= W) continue;
                for (int c = 0; c < CG; c++) {
                    const real factor = weight[weight_at(s, group, c, o % OG, kh * KW + kw)];
                    sum += picture[(c * H + h) * W + w] * factor;
                }
            }
        }
        result[blockIdx.x * OH * OW + at] = activated(sum, activation);
    }
}

// partial (parts, O, C/G, KH, KW): dweight, of each part of the cells of dy (N, O, OH, OW); x (N, C, H, W).
// And biases (parts, O), if wanted: dbias. From part to part it is part_size numbers in both.
//
// Grid: (O * C/G, KH * ceil(KW / TAPS), parts), and for dbias one more row; block: 256 threads. A thread sums
// up to TAPS taps of a row, so it reads dy once for them: with 3 taps, 6 operations to 8 bytes. Shared
// memory: block_sum's 32 numbers. `sum_parts` adds the parts.
extern "C" __global__ void depthwise_weight_gradient(
    const real* dy, const real* x, real* partial, real* biases, int part_size, int cells_each,
    SHAPE_PARAMETERS) {
    const int OG = O / groups, CG = C / groups, o = blockIdx.x / CG, c = o / OG * CG + blockIdx.x % CG;
    const int kh = blockIdx.y % KH, first = blockIdx.y / KH * TAPS;
    const int begin = blockIdx.z * cells_each, end = min(begin + cells_each, N * OH * OW);
    if (int(blockIdx.y) == KH * ((KW + TAPS - 1) / TAPS)) {
        if (blockIdx.x % CG > 0) return;
        const real sum = block_sum(channel_share(dy, o, O, OH * OW, begin + threadIdx.x, end, blockDim.x));
        if (threadIdx.x == 0) biases[blockIdx.z * part_size + o] = sum;
        return;
    }
    real sums[TAPS] = {};
    for (int cell = begin + threadIdx.x; cell < end; cell += blockDim.x) {
        const int n = cell / (OH * OW), at = cell % (OH * OW);
        const int h = at / OW * SH + kh * DH - PT, w = at % OW * SW + first * DW - PL;
        if (h < 0 || h >= H) continue;
        const real gradient = dy[(n * O + o) * OH * OW + at];
        const real* row = x + ((n * C + c) * H + h) * W;
#pragma unroll
        for (int i = 0; i < TAPS; i++)
            if (first + i < KW && w + i * DW >= 0 && w + i * DW < W) sums[i] += gradient * row[w + i * DW];
    }
#pragma unroll
    for (int i = 0; i < TAPS; i++) {
        if (first + i >= KW) break;  // all threads, so that all others meet in block_sum
        const real sum = block_sum(sums[i]);
        if (threadIdx.x == 0)
            partial[blockIdx.z * part_size + (blockIdx.x * KH + kh) * KW + first + i] = sum;
    }
}
