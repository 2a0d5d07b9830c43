// Pooling: the largest number of each window, or its mean.
//
// Intensity: a 2x2 window with stride 2 takes 16 bytes in and 4 (mean) or 8 (largest, index) out, for four
// operations. That is under 1/4 operation a byte, far less than would keep the arithmetic units busy: what
// counts is that each byte comes from memory once. Windows that overlap read numbers again, but from the
// cache.

#include "span.cuh"

// One axis: `size` cells, and `count` windows on it.
struct Axis {
    int size, count, kernel, stride, before, dilation;

    __device__ int start(int o) const { return o * stride - before; }  // less than 0 in the padding

    // The first tap in the plane: as many steps of the dilation from the start as lead out of the padding.
    __device__ int first(int o) const {
        int at = start(o);
        return at < 0 ? at + (dilation - 1 - at) / dilation * dilation : at;
    }

    __device__ int end(int o) const { return min(start(o) + kernel * dilation, size); }

    // The cells that a mean is over; those in the padding may count, those beyond it never do.
    __device__ int cells(int o, bool padded, int after) const {
        return padded ? min(kernel, size + after - start(o)) : end(o) - max(start(o), 0);
    }

    // The windows that see a cell, unless there is dilation: from one to the other.
    __device__ int first_window(int cell) const {
        int beyond = cell + before - kernel;  // less than 0: the first window sees it
        return beyond < 0 ? 0 : beyond / stride + 1;
    }
    __device__ int last_window(int cell) const {
        return cell + before < 0 ? -1 : min((cell + before) / stride, count - 1);
    }
};

// One thread a result: grid n / 256, rounded up and 65536 at most, block 256, no shared memory. Neighbours in
// a warp have neighbouring windows.
extern "C" __global__ void max_pool2d(const real* x, real* y, int* index, int H, int W, int OH, int OW,
                                      int KH, int KW, int SH, int SW, int PT, int PL, int DH, int DW, int n) {
    Axis down{H, OH, KH, SH, PT, DH}, across{W, OW, KW, SW, PL, DW};
    FOR_EACH(i, n) {
        int ow = i % OW, oh = i / OW % OH;
        const real* plane = x + i / (OH * OW) * (H * W);
        int top = down.first(oh), bottom = down.end(oh), left = across.first(ow), right = across.end(ow);
        int at = top * W + left;
        real best = plane[at];
        for (int h = top; h < bottom; h += DH)
            for (int w = left; w < right; w += DW) {
                real value = plane[h * W + w];
                if (value > best || value != value) best = value, at = h * W + w;  // the latter: NaN
            }
        y[i] = best;
        index[i] = at;
    }
}

// One block a plane (grid N*C), about four cells a thread (block: 64 to 1024). It is not told which windows
// there were, only where each result came from. So it first finds each row's and each column's span of
// results (span.cuh), two ints each in shared memory, 16 KB at most; where a plane has very many, 2^down rows
// or 2^across columns share a span. Then the cells gather. From memory dy and index come once, 2 bytes a cell
// of a 2x2 window, and 4 go out, for two comparisons or so.
extern "C" __global__ void max_pool2d_gradient(const real* dy, const int* index, real* dx, int H, int W,
                                               int OH, int OW, int down, int across) {
    DYNAMIC_SHARED(int, spans);
    int rows = ((H - 1) >> down) + 1, columns = ((W - 1) >> across) + 1;
    int *top = spans, *bottom = top + rows, *left = bottom + rows, *right = left + columns;
    dy += blockIdx.x * (OH * OW), index += blockIdx.x * (OH * OW), dx += blockIdx.x * (H * W);
    for (int b = threadIdx.x; b < rows; b += blockDim.x) top[b] = bottom[b] = evenly(b << down, H, OH);
    for (int b = threadIdx.x; b < columns; b += blockDim.x) left[b] = right[b] = evenly(b << across, W, OW);
    __syncthreads();
    for (int i = threadIdx.x; i < OH * OW; i += blockDim.x) {
        int row = index[i] / W >> down, column = index[i] % W >> across;
        widen(top + row, bottom + row, i / OW);
        widen(left + column, right + column, i % OW);
    }
    __syncthreads();
    for (int cell = threadIdx.x; cell < H * W; cell += blockDim.x) {
        int row = cell / W >> down, column = cell % W >> across;
        real sum = 0;
        for (int oh = top[row]; oh <= bottom[row]; oh++)
            for (int ow = left[column]; ow <= right[column]; ow++)
                if (index[oh * OW + ow] == cell) sum += dy[oh * OW + ow];
        dx[cell] = sum;
    }
}

// One thread a result, grid and block as of max_pool2d. A mean has no dilation.
extern "C" __global__ void avg_pool2d(const real* x, real* y, int H, int W, int OH, int OW, int KH, int KW,
                                      int SH, int SW, int PT, int PL, int PB, int PR, bool padded,
                                      int divisor, int n) {
    Axis down{H, OH, KH, SH, PT, 1}, across{W, OW, KW, SW, PL, 1};
    FOR_EACH(i, n) {
        int ow = i % OW, oh = i / OW % OH;
        const real* plane = x + i / (OH * OW) * (H * W);
        int bottom = down.end(oh), right = across.end(ow);
        real sum = 0;
        for (int h = down.first(oh); h < bottom; h++)
            for (int w = across.first(ow); w < right; w++) sum += plane[h * W + w];
        y[i] = sum / real(divisor ? divisor : down.cells(oh, padded, PB) * across.cells(ow, padded, PR));
    }
}

// One thread a cell: it gathers from the windows that see it, so that no two threads write to one place. Grid
// and block alike, over cells; a division and a sum for each window, 5 bytes a cell of 2x2 windows.
extern "C" __global__ void avg_pool2d_gradient(const real* dy, real* dx, int H, int W, int OH, int OW, int KH,
                                               int KW, int SH, int SW, int PT, int PL, int PB, int PR,
                                               bool padded, int divisor, int n) {
    Axis down{H, OH, KH, SH, PT, 1}, across{W, OW, KW, SW, PL, 1};
    FOR_EACH(i, n) {
        int w = i % W, h = i / W % H;
        const real* plane = dy + i / (H * W) * (OH * OW);
        int bottom = down.last_window(h), right = across.last_window(w);
        real sum = 0;
        for (int oh = down.first_window(h); oh <= bottom; oh++)
            for (int ow = across.first_window(w); ow <= right; ow++) {
                int count = divisor ? divisor : down.cells(oh, padded, PB) * across.cells(ow, padded, PR);
                sum += plane[oh * OW + ow] / real(count);
            }
        dx[i] = sum;
    }
}
