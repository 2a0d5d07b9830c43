// The geometry of a convolution, and of the transposed one that is its input gradient: both read a source
// (N, C, H, W) and make a result (N, O, OH, OW), so that one kernel does both.

#pragma once
#include "activate.cuh"

// the numbers of a convolution, as every kernel takes them: its parameters, and a Shape of them
#define SHAPE_PARAMETERS                                                                                \
    int N, int C, int H, int W, int O, int OH, int OW, int groups, int KH, int KW, int SH, int SW, int PT, \
        int PL, int DH, int DW, bool transposed
#define SHAPE Shape{N, C, H, W, O, OH, OW, groups, KH, KW, SH, SW, PT, PL, DH, DW, transposed}

struct Shape {
    int N, C, H, W, O, OH, OW, groups, KH, KW, SH, SW, PT, PL, DH, DW;
    bool transposed;
};

// Where a number of weight (O, C/G, KH, KW) lies: of a group, from a source channel to a result channel, at a
// tap. What the result is to a convolution, the source is to a transposed one.
__device__ inline int weight_at(const Shape& s, int group, int from, int to, int tap) {
    const int OG = s.O / s.groups, CG = s.C / s.groups;
    const int filter = s.transposed ? (group * CG + from) * OG + to : (group * OG + to) * CG + from;
    return filter * s.KH * s.KW + tap;
}

// Which source row a result row sees through tap k (or column; an axis is either).
//
//     convolution:   source = result * stride + k * dilation - padding
//     transposed:    source = (result + padding - k * dilation) / stride, where that is a whole number
//
// The second line is the first, turned around. Whether it is a whole number depends on the result row modulo
// the stride alone: its phase. A block does one phase, result = i * stride + phase, so all its threads use
// the same taps, and nothing is multiplied that would be thrown away.
struct Axis {
    int stride, padding, dilation, phase;
    bool transposed;

    // how many result rows of `size` this phase has, and where the i-th is
    __device__ int count(int size) const { return transposed ? (size - phase + stride - 1) / stride : size; }
    __device__ int result(int i) const { return transposed ? i * stride + phase : i; }

    // whether it sees anything through tap k; then i * step() + offset(k) is the source row
    __device__ bool sees(int k) const { return !transposed || stride == 1 || turned(k) % stride == 0; }
    __device__ int step() const { return transposed ? 1 : stride; }
    __device__ int offset(int k) const {
        if (!transposed) return k * dilation - padding;
        return stride == 1 ? turned(k) : turned(k) / stride;
    }
    __device__ int turned(int k) const { return phase + padding - k * dilation; }
};

__device__ inline Axis axis_down(const Shape& s, int phase) {
    return {s.SH, s.PT, s.DH, phase, s.transposed};
}

__device__ inline Axis axis_across(const Shape& s, int phase) {
    return {s.SW, s.PL, s.DW, phase, s.transposed};
}

// The cells of a phase, numbered through all pictures: neighbours in a row are neighbours.
struct Cells {
    Axis down, across;
    int rows, columns, count;

    __device__ Cells(const Shape& s, int phase)
        : down(axis_down(s, phase / s.SW)), across(axis_across(s, phase % s.SW)), rows(down.count(s.OH)),
          columns(across.count(s.OW)), count(s.N * rows * columns) {}
};

// Where one of them is: picture n, row i and column j of the phase.
struct Cell {
    int n, i, j;

    __device__ Cell(const Cells& cells, int number)
        : n(number / (cells.rows * cells.columns)), i(number / cells.columns % cells.rows),
          j(number % cells.columns) {}
};

// The sum over every `step`th cell of a channel of dy (N, O, pixels): the share of one of so many threads,
// which are on neighbouring cells.
__device__ inline real channel_share(const real* dy, int o, int O, int pixels, int begin, int end, int step) {
    real sum = 0;
#pragma unroll 4
    for (int cell = begin; cell < end; cell += step)
        sum += dy[(cell / pixels * O + o) * pixels + cell % pixels];
    return sum;
}
