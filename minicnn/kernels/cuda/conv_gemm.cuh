// Convolution as a product of matrices; the second, im2col, exists only tile by tile, in shared memory.
//
//     result (O, cells) = weight (O, K) columns (K, cells)          K = taps * C/G, per group
//     dweight (O, K)    = dy (O, cells) columns' (cells, K)

#pragma once
#include "conv.cuh"
#include "gemm.cuh"

// result (N, O, OH, OW) = source (N, C, H, W) convolved with weight, here as (G, taps, C/G, O/G): lanes of a
// warp then read neighbours; plus bias (O) if any, activated.
//
// Grid: (tiles of cells * phases, tiles of O/G, groups). The sum runs over blocks of DEEP channels, and in
// each over the taps, so a thread finds out once for DEEP channels where its cell looks, and what it fetches
// is still in L1 from the tap before. Lanes of a warp have neighbouring cells: reads and writes are
// coalesced.
//
// Block: THREADS. Shared memory: two buffers of either factor, (ROWS + COLUMNS + 2 PAD) * 128 bytes (33, 25
// or 13 KB with PAD 4). A number fetched serves as often as in gemm.cuh: 32 operations a byte for 128 x 128.
template <class Tile>
__device__ void convolve(
    const real* source, const real* weight, const real* bias, int activation, real* result, Shape s) {
    constexpr int ROWS = Tile::ROWS, COLUMNS = Tile::COLUMNS;
    constexpr int A_STEP = THREADS / ROWS, B_STEP = THREADS / COLUMNS;  // layers the block fetches at once
    __align__(16) __shared__ Layer<Tile, ROWS> a[2][DEEP];
    __align__(16) __shared__ Layer<Tile, COLUMNS> b[2][DEEP];

    const int phases = s.transposed ? s.SH * s.SW : 1, group = blockIdx.z;
    const Cells cells(s, blockIdx.x % phases);
    const int first_cell = blockIdx.x / phases * COLUMNS, first_row = blockIdx.y * ROWS;
    if (first_cell >= cells.count) return;  // phases differ by a row or a column
    const int OG = s.O / s.groups, CG = s.C / s.groups, plane = s.H * s.W;

    const int a_row = threadIdx.x % ROWS, a_layer = threadIdx.x / ROWS;
    const int b_column = threadIdx.x % COLUMNS, b_layer = threadIdx.x / COLUMNS;
    const bool has_row = first_row + a_row < OG, has_cell = first_cell + b_column < cells.count;
    const Cell cell(cells, first_cell + b_column);
    const int i0 = cell.i * cells.down.step(), j0 = cell.j * cells.across.step();
    const real* picture = source + (cell.n * s.C + group * CG) * plane;
    const real* filters = weight + group * s.KH * s.KW * CG * OG + first_row + a_row;

    int c = 0, kh = 0, kw = -1;
    auto next = [&] {  // on to the next tap that this phase sees through; false if there is none
        do {
            if (++kw < s.KW) continue;
            kw = 0;
            if (++kh < s.KH) continue;
            kh = 0;
            c += DEEP;
        } while (c < CG && !(cells.down.sees(kh) && cells.across.sees(kw)));
        return c < CG;
    };
    real a_next[DEEP / A_STEP], b_next[DEEP / B_STEP];
    auto fetch = [&] {
        const int h = i0 + cells.down.offset(kh), w = j0 + cells.across.offset(kw);
        const bool inside = has_cell && h >= 0 && h < s.H && w >= 0 && w < s.W;
#pragma unroll
        for (int i = 0; i < DEEP / A_STEP; i++) {
            const int layer = c + a_layer + i * A_STEP;
            const int at = ((kh * s.KW + kw) * CG + layer) * OG;
            a_next[i] = has_row && layer < CG ? filters[at] : real(0);
        }
#pragma unroll
        for (int i = 0; i < DEEP / B_STEP; i++) {
            const int layer = c + b_layer + i * B_STEP;
            b_next[i] = inside && layer < CG ? picture[layer * plane + h * s.W + w] : real(0);
        }
    };
    auto put = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < DEEP / A_STEP; i++) {
            const int layer = a_layer + i * A_STEP;
            a[buffer][layer][Tile::place(layer, a_row)] = Tile::round(a_next[i]);
        }
#pragma unroll
        for (int i = 0; i < DEEP / B_STEP; i++) {
            const int layer = b_layer + i * B_STEP;
            b[buffer][layer][Tile::place(layer, b_column)] = Tile::round(b_next[i]);
        }
    };

    Tile tile;
    sum_products(tile, a, b, next, fetch, put);
    tile.each([&](int row, int column, real sum) {
        if (first_row + row >= OG || first_cell + column >= cells.count) return;
        const Cell at(cells, first_cell + column);
        const int o = group * OG + first_row + row;
        const int oh = cells.down.result(at.i), ow = cells.across.result(at.j);
        result[((at.n * s.O + o) * s.OH + oh) * s.OW + ow] = bias ? sum + bias[o] : sum;
    });
    activate_tile<Tile>(activation, [&](int row, int column) -> real* {
        if (first_row + row >= OG || first_cell + column >= cells.count) return nullptr;
        const Cell at(cells, first_cell + column);
        const int o = group * OG + first_row + row;
        const int oh = cells.down.result(at.i), ow = cells.across.result(at.j);
        return result + ((at.n * s.O + o) * s.OH + oh) * s.OW + ow;
    });
}

// What a column of a weight gradient sees of a window: so far from its first cell, so many rows down and
// across.
struct Tap {
    int offset, down, across;
};

// partial (parts, O, K): dweight, K = (C/G, KH, KW), of each part of the cells of dy (N, O, OH, OW); x (N, C,
// H, W). And biases (parts, O), if wanted: dbias. From part to part it is part_size numbers in both.
//
// Grid: (tiles of K, tiles of O/G, groups * parts), and for dbias ROWS / 8 blocks more in each row of tiles,
// which sum dy beside the others: a warp a channel. Here the cells are what is summed over: a weight gradient
// has few tiles but many cells, so `parts` blocks share each tile, and `sum_parts` adds their sums in a fixed
// order. A layer is a cell. Lanes fetch neighbouring cells of one row of dy, or of one channel and tap of x.
//
// Block, shared memory and operations a byte are those of `convolve`, with 12 bytes of shared memory more for
// the tap of each column; a block of dbias does one addition for 4 bytes.
template <class Tile>
__device__ void weight_gradient(
    const real* dy, const real* x, real* partial, real* biases, int part_size, int cells_each, Shape s) {
    constexpr int ROWS = Tile::ROWS, COLUMNS = Tile::COLUMNS;
    constexpr int STEP = THREADS / DEEP;  // rows, or columns, the block fetches at once
    __align__(16) __shared__ Layer<Tile, ROWS> a[2][DEEP];
    __align__(16) __shared__ Layer<Tile, COLUMNS> b[2][DEEP];
    __shared__ Tap taps[COLUMNS];

    const int OG = s.O / s.groups, CG = s.C / s.groups, plane = s.H * s.W, K = CG * s.KH * s.KW;
    const int group = blockIdx.z % s.groups, part = blockIdx.z / s.groups;
    const int first_row = blockIdx.y * ROWS, first_column = blockIdx.x * COLUMNS;
    const int count = s.N * s.OH * s.OW;
    const int begin = part * cells_each, end = min(begin + cells_each, count);

    const int beyond = int(blockIdx.x) - (K + COLUMNS - 1) / COLUMNS;
    if (beyond >= 0) {
        const int row = first_row + beyond * (THREADS / 32) + threadIdx.x / 32, o = group * OG + row;
        if (row >= OG) return;
        const int first_cell = begin + threadIdx.x % 32;
        const real sum = warp_sum(channel_share(dy, o, s.O, s.OH * s.OW, first_cell, end, 32));
        if (threadIdx.x % 32 == 0) biases[part * part_size + o] = sum;
        return;
    }

    for (int column = threadIdx.x; column < COLUMNS; column += THREADS) {
        const int k = first_column + column;
        const int down = k / s.KW % s.KH * s.DH, across = k % s.KW * s.DW;
        taps[column].offset = k / (s.KH * s.KW) * plane + down * s.W + across;
        taps[column].down = k < K ? down : s.H + s.PT;  // beyond the last row
        taps[column].across = across;
    }
    __syncthreads();

    const int layer = threadIdx.x % DEEP, first = threadIdx.x / DEEP;
    const int start = begin + layer;
    int n = start / (s.OH * s.OW), oh = start / s.OW % s.OH, ow = start % s.OW;
    real a_next[ROWS / STEP], b_next[COLUMNS / STEP];
    int step = begin - DEEP;
    auto next = [&] { return (step += DEEP) < end; };
    auto fetch = [&] {
        const bool inside = step + layer < end;
        const int h0 = oh * s.SH - s.PT, w0 = ow * s.SW - s.PL;
        const real* gradient = dy + ((n * s.O + group * OG + first_row) * s.OH + oh) * s.OW + ow;
        const real* picture = x + (n * s.C + group * CG) * plane;
#pragma unroll
        for (int i = 0; i < ROWS / STEP; i++) {
            const int row = first + i * STEP;
            a_next[i] = inside && first_row + row < OG ? gradient[row * s.OH * s.OW] : real(0);
        }
#pragma unroll
        for (int i = 0; i < COLUMNS / STEP; i++) {
            const Tap tap = taps[first + i * STEP];
            const int h = h0 + tap.down, w = w0 + tap.across;
            const bool seen = inside && h >= 0 && h < s.H && w >= 0 && w < s.W;
            b_next[i] = seen ? picture[h0 * s.W + w0 + tap.offset] : real(0);
        }
        for (ow += DEEP; ow >= s.OW; ow -= s.OW)  // on to the cell that is DEEP further
            if (++oh == s.OH) {
                oh = 0;
                n++;
            }
    };
    auto put = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < ROWS / STEP; i++)
            a[buffer][layer][Tile::place(layer, first + i * STEP)] = Tile::round(a_next[i]);
#pragma unroll
        for (int i = 0; i < COLUMNS / STEP; i++)
            b[buffer][layer][Tile::place(layer, first + i * STEP)] = Tile::round(b_next[i]);
    };

    Tile tile;
    sum_products(tile, a, b, next, fetch, put);
    tile.each([&](int row, int column, real sum) {
        if (first_row + row >= OG || first_column + column >= K) return;
        const int o = group * OG + first_row + row;
        partial[part * part_size + o * K + first_column + column] = sum;
    });
}

// The kernels for one size of tile.
#define CONVOLUTION_KERNELS(Tile, rows, columns)                                                             \
    extern "C" __global__ void __launch_bounds__(THREADS, TOGETHER) convolve_##rows##x##columns(             \
        const real* source, const real* weight, const real* bias, int activation, real* result,              \
        SHAPE_PARAMETERS) {                                                                                  \
        convolve<Tile<rows, columns>>(source, weight, bias, activation, result, SHAPE);                      \
    }                                                                                                        \
    extern "C" __global__ void __launch_bounds__(THREADS, TOGETHER) weight_gradient_##rows##x##columns(      \
        const real* dy, const real* x, real* partial, real* biases, int part_size, int cells_each,           \
        SHAPE_PARAMETERS) {                                                                                  \
        weight_gradient<Tile<rows, columns>>(dy, x, partial, biases, part_size, cells_each, SHAPE);          \
    }
