// Convolution without tiles, for few channels: the first layers of a net, or narrow groups.
//
// A product of matrices would be mostly padding there: a tile is 32 rows or more and 16 channels deep, where
// LeNet-5 has 6 filters on 1 channel. So each thread makes FILTERS results of one cell, and uses what it
// reads of the source that often; the filters come from shared memory, the same number to all lanes at once.

#include "conv.cuh"

constexpr int CELLS = 64, PARTS = 4, FILTERS = 8;

// result (N, O, OH, OW) = source (N, C, H, W) convolved with weight, plus bias (O) if any, activated.
//
// Grid: (tiles of CELLS * phases, tiles of FILTERS, groups); block: CELLS * PARTS = 256 threads. Small nets
// have too few cells to fill a GPU, so PARTS threads share the taps of a cell; their sums meet in shared
// memory, 8 KB. That also holds the block's filters, taps * C/G * FILTERS numbers, 16 KB at most. 16
// operations to 4 bytes, most of which L1 has from another tap.
extern "C" __global__ void convolve_directly(
    const real* source, const real* weight, const real* bias, int activation, real* result,
    SHAPE_PARAMETERS) {
    DYNAMIC_SHARED(real, filters);
    __shared__ real sums[PARTS][FILTERS][CELLS];
    const Shape s = SHAPE;
    const int phases = transposed ? SH * SW : 1, group = blockIdx.z, OG = O / groups, CG = C / groups;
    const Cells cells(s, blockIdx.x % phases);
    const int first_cell = blockIdx.x / phases * CELLS, first_filter = blockIdx.y * FILTERS;
    if (first_cell >= cells.count) return;  // phases differ by a row or a column

    for (int i = threadIdx.x; i < KH * KW * CG * FILTERS; i += blockDim.x) {
        const int tap = i / FILTERS / CG, c = i / FILTERS % CG, filter = first_filter + i % FILTERS;
        filters[i] = filter < OG ? weight[weight_at(s, group, c, filter, tap)] : real(0);
    }
    __syncthreads();

    const int column = threadIdx.x % CELLS, part = threadIdx.x / CELLS;
    const Cell cell(cells, first_cell + column);
    const int i0 = cell.i * cells.down.step(), j0 = cell.j * cells.across.step(), plane = H * W;
    const real* picture = source + (cell.n * C + group * CG) * plane;
    const bool exists = first_cell + column < cells.count;
    real sum[FILTERS] = {};
    for (int tap = part; tap < KH * KW; tap += PARTS) {
        const int kh = tap / KW, kw = tap % KW;
        if (!exists || !cells.down.sees(kh) || !cells.across.sees(kw)) continue;
        const int h = i0 + cells.down.offset(kh), w = j0 + cells.across.offset(kw);
        if (h < 0 || h >= H || w < 0 || w >= W) continue;
#pragma unroll 4
        for (int c = 0; c < CG; c++) {
            const real seen = picture[c * plane + h * W + w];
#pragma unroll
            for (int f = 0; f < FILTERS; f++) sum[f] += seen * filters[(tap * CG + c) * FILTERS + f];
        }
    }
    for (int f = 0; f < FILTERS; f++) sums[part][f][column] = sum[f];
    __syncthreads();

    for (int f = part; f < FILTERS; f += PARTS) {  // each thread ends some of the filters
        const int o = group * OG + first_filter + f;
        if (!exists || first_filter + f >= OG) continue;
        real total = bias ? bias[o] : real(0);
        for (int i = 0; i < PARTS; i++) total += sums[i][f][column];
        const int oh = cells.down.result(cell.i), ow = cells.across.result(cell.j);
        result[((cell.n * O + o) * OH + oh) * OW + ow] = activated(total, activation);
    }
}
