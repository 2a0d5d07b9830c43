// Sampling of pictures x (N, C, H, W) at any places, rows and columns (N, OH, OW): each result blends four
// cells.
//
// Some 12 FLOP a result, for 8 bytes of results and gradients that are read or written in a row; the cells
// lie where the places say, mostly near each other, so the caches help. Memory is the limit. No kernel here
// uses shared memory.

#include "common.cuh"

// The four cells around a place: above and left of it, and how far it is below and right of that one.
struct Place {
    int h, w;
    real down, across;

    // A place that touches no cell goes to -2, -2; so does one too far away for an int, and one that is NaN,
    // which down or across keep.
    __device__ Place(real row, real column, int H, int W)
        : h(-2), w(-2), down(row - row), across(column - column) {
        if (!(row >= -1 && row < H && column >= -1 && column < W)) return;
        h = int(floor(row));
        w = int(floor(column));
        down = row - h;
        across = column - w;
    }
};

// One channel of one picture.
struct Plane {
    const real* cells;
    int H, W;

    // What a cell adds: nothing if it has no weight (whatever stands in it), or is outside; NaN if the
    // weight is.
    __device__ real part(int h, int w, real weight) const {
        return weight == 0 || h < 0 || h >= H || w < 0 || w >= W ? 0 * weight : cells[h * W + w] * weight;
    }
};

// grid (N*OH*OW / 256, some of the channels), block 256. A thread finds its place once, for all its channels;
// neighbours write neighbours. Some 12 FLOP, with the tests of `part`, for 4 bytes written and four cells.
extern "C" __global__ void sample(
    const real* __restrict__ x, const real* rows, const real* columns, real* __restrict__ y, int C, int H,
    int W, int count, int all) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= all) return;
    int n = i / count, r = i % count;
    Place at(rows[i], columns[i], H, W);
    real s = at.down, t = at.across;
    for (int c = blockIdx.y; c < C; c += gridDim.y) {
        Plane plane = {x + (n * C + c) * H * W, H, W};
        real nw = plane.part(at.h, at.w, (1 - s) * (1 - t)), ne = plane.part(at.h, at.w + 1, (1 - s) * t);
        real sw = plane.part(at.h + 1, at.w, s * (1 - t)), se = plane.part(at.h + 1, at.w + 1, s * t);
        y[(n * C + c) * count + r] = nw + ne + (sw + se);
    }
}

// The gradients of the places. grid N*OH*OW / 256, block 256: a thread sums over the channels of its place,
// so nothing is added to what another thread writes. 14 FLOP for 4 bytes of dy and four cells.
extern "C" __global__ void sample_place_gradient(
    const real* dy, const real* x, const real* rows, const real* columns, real* d_rows, real* d_columns,
    int C, int H, int W, int count, int all) {
    FOR_EACH(i, all) {
        int n = i / count, r = i % count;
        Place at(rows[i], columns[i], H, W);
        real s = at.down, t = at.across, by_row = 0, by_column = 0;
        for (int c = 0; c < C; c++) {
            Plane plane = {x + (n * C + c) * H * W, H, W};
            real nw = plane.part(at.h, at.w, 1), ne = plane.part(at.h, at.w + 1, 1);
            real sw = plane.part(at.h + 1, at.w, 1), se = plane.part(at.h + 1, at.w + 1, 1);
            real grad = dy[(n * C + c) * count + r];
            by_row += grad * ((1 - t) * (sw - nw) + t * (se - ne));
            by_column += grad * ((1 - s) * (ne - nw) + s * (se - sw));
        }
        d_rows[i] = by_row;
        d_columns[i] = by_column;
    }
}

// ---- The gradient of x. Which results took a cell is known only from the places, and results that add to
// cells would have to use atomics, which add in any order. So each cell gathers, from lists of results in a
// fixed order: one list for each upper left cell that a place may have, (H + 1) (W + 1) with those above and
// left of the picture.

// first (N, H + 1, W + 1), full of -1, and next (N, count): the lists, by numbers of results; -1 ends one.
// grid N, block 32: one warp puts the results of a picture before those there are, 32 at a time, the last
// ones first. Of lanes with the same list, each points to the next lane, the last one to the old beginning,
// and the first begins. Some 20 operations for 12 bytes, and 8 of `first`; but as each step needs the one
// before, it is the way to memory and back that takes the time.
extern "C" __global__ void list_results(
    const real* rows, const real* columns, int* first, int* next, int H, int W, int count) {
    rows += blockIdx.x * count;
    columns += blockIdx.x * count;
    first += blockIdx.x * (H + 1) * (W + 1);
    next += blockIdx.x * count;
    int lane = threadIdx.x;
    for (int begin = (count - 1) / 32 * 32; begin >= 0; begin -= 32) {
        int r = begin + lane, list = -1;
        if (r < count) {
            Place at(rows[r], columns[r], H, W);
            if (at.h >= -1) list = (at.h + 1) * (W + 1) + at.w + 1;
        }
        unsigned same = __match_any_sync(0xffffffff, list), before = (1u << lane) - 1, after = ~before << 1;
        if (list >= 0) next[r] = same & after ? begin + __ffs(same & after) - 1 : first[list];
        __syncwarp();  // the old beginning has been read
        if (list >= 0 && !(same & before)) first[list] = r;
        __syncwarp();  // the new one can be
    }
}

// dx, one thread a cell: from the four lists whose results may have taken it. grid N*C*H*W / 256, block 256.
// About 6 FLOP for each result of a list and 16 bytes, those of the places mostly from the cache.
extern "C" __global__ void sample_gradient(
    const real* dy, const real* rows, const real* columns, const int* first, const int* next, real* dx,
    int C, int H, int W, int count, int cells) {
    FOR_EACH(i, cells) {
        int w = i % W, h = i / W % H, plane = i / (H * W), n = plane / C;
        real sum = 0;
        for (int corner = 0; corner < 4; corner++) {
            int top = h - corner / 2, left = w - corner % 2;  // of the places of this list
            int r = first[(n * (H + 1) + top + 1) * (W + 1) + left + 1];
            for (; r >= 0; r = next[n * count + r]) {
                real down = rows[n * count + r] - top, across = columns[n * count + r] - left;
                sum += dy[plane * count + r] * (top < h ? down : 1 - down) * (left < w ? across : 1 - across);
            }
        }
        dx[i] = sum;
    }
}
