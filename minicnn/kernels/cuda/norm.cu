// Normalisation of x (N, C, P). A handful of operations a number read, 0.4 to 1.5 FLOP a byte where a GPU has
// time for ten times as many: memory is the limit, so what counts is how often x is read, and that
// neighbouring threads read neighbouring numbers.
//
// Batch normalisation reads x twice forward (moments; result) and dy and x twice backward (sums; result):
// between the two stands a sum over the whole batch, which all blocks must have ended. A group of group
// normalisation is small enough to stay in the registers of one warp or block, so there each array is read
// once.
//
// Sums are added in a fixed order, block by block and thread by thread, never by atomics: each run gives the
// same bits.

#include "common.cuh"

constexpr int THREADS = 256;  // of a block of the kernels over channels; the same in norm.py
constexpr int CHUNK = 8;      // numbers a thread of channel_moments reads before it counts with them
constexpr int HELD = 8;       // numbers of a group that a thread keeps in registers; the same in norm.py

// ---- Sums over channels. grid (C / width, slices), block THREADS.
//
// A block takes `width` neighbouring channels and, of the N*P numbers of each, a slice of `share`. Thread t
// belongs to channel t % width. Where P is large, width is 1 and a warp reads 32 places in a row; where P is
// small (1 in a layer of features), that would be 32 lines of memory for 32 numbers, so width is 32 and a
// warp reads 32 channels in a row. A channel of several slices gives a row of partial results each, for a
// small second kernel. Shared memory: channel_total's, 3 KB for moments and 2 KB for sums.

// The steps of a thread through the numbers j = n*P + p of its channel, without a division each.
struct Walk {
    int n, p, samples, places;

    __device__ Walk(int first, int step, int P)
        : n(first / P), p(first % P), samples(step / P), places(step % P) {}

    __device__ int at(int c, int C, int P) const { return (n * C + c) * P + p; }

    __device__ void go_on(int P) {
        n += samples;
        p += places;
        if (p >= P) p -= P, n++;
    }
};

// Of some numbers: how many, their mean, and the sum of their squared distances from it.
struct Moments {
    real count, mean, squares;
};

struct Sums {
    real weight, bias;
};

// Those of two sets of numbers together. Nothing large is subtracted, unlike in mean(x*x) - mean(x)**2.
// Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances,
// 1979.
__device__ Moments together(Moments a, Moments b) {
    real count = a.count + b.count, part = count > 0 ? b.count / count : 0, apart = b.mean - a.mean;
    return {count, a.mean + apart * part, a.squares + b.squares + apart * apart * a.count * part};
}

__device__ Sums together(Sums a, Sums b) { return {a.weight + b.weight, a.bias + b.bias}; }

// All threads of a channel together, for the first `width` threads: the upper half joins the lower, time and
// again. Shared memory: one T a thread.
template <typename T>
__device__ T channel_total(T own, int width) {
    __shared__ T slot[THREADS];
    int t = threadIdx.x;
    slot[t] = own;
    for (int half = blockDim.x / 2; half >= width; half /= 2) {
        __syncthreads();
        if (t < half) slot[t] = together(slot[t], slot[t + half]);
    }
    return slot[t];  // that of threads below `width`, which wrote it themselves
}

// Mean and variance of each channel in one read. A thread takes CHUNK numbers to registers, their mean, and
// their distances from that; chunks, threads and slices then join. All counts from the channel's first
// number, so that no digits are lost where the mean is large against the spread. About 6 FLOP for 4 bytes.
extern "C" __global__ void channel_moments(
    const real* x, real* mean, real* var, int N, int C, int P, int width, int share) {
    int c = blockIdx.x * width + threadIdx.x % width, step = blockDim.x / width;
    int begin = blockIdx.y * share, end = min(begin + share, N * P), first = begin + int(threadIdx.x) / width;
    real pivot = c < C ? x[c * P] : real(0);
    Moments own = {0, 0, 0};
    Walk walk(first, step, P);
    for (int j = first; j < end && c < C; j += CHUNK * step) {
        real v[CHUNK], sum = 0, squares = 0;
        int count = 0;
#pragma unroll
        for (int k = 0; k < CHUNK; k++) {
            bool there = j + k * step < end;
            v[k] = there ? x[walk.at(c, C, P)] - pivot : real(0);
            count += there;
            sum += v[k];
            walk.go_on(P);
        }
        real centre = sum / count;
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            if (k < count) squares += (v[k] - centre) * (v[k] - centre);
        own = together(own, {real(count), centre, squares});
    }
    own = channel_total(own, width);
    if (int(threadIdx.x) >= width || c >= C) return;
    bool whole = gridDim.y == 1;
    mean[blockIdx.y * C + c] = whole ? pivot + own.mean : own.mean;
    var[blockIdx.y * C + c] = whole ? own.squares / own.count : own.squares;
}

// The slices of channel_moments, one after the other. A thread a channel, grid C / 256, block 256, no shared
// memory; neighbours read neighbours. About 10 FLOP for the 8 bytes of a slice.
extern "C" __global__ void join_moments(
    const real* x, const real* means, const real* squares, real* mean, real* var, int numbers, int P,
    int share, int slices, int C) {
    FOR_EACH(c, C) {
        Moments all = {0, 0, 0};
        for (int s = 0; s < slices; s++) {
            real count = min(share, numbers - s * share);
            all = together(all, {count, means[s * C + c], squares[s * C + c]});
        }
        mean[c] = x[c * P] + all.mean;
        var[c] = all.squares / all.count;
    }
}

// dweight = sum of dy (x - mean) rstd, dbias = sum of dy, for each channel in one read. The mean and rstd of
// a number of channel c and sample n stand at n * G + c / size: with G = 0 and size = 1, each channel has its
// own. 5 FLOP for 8 bytes.
extern "C" __global__ void channel_sums(
    const real* dy, const real* x, const real* mean, const real* rstd, real* dweight, real* dbias, int N,
    int C, int P, int G, int size, int width, int share) {
    int c = blockIdx.x * width + threadIdx.x % width, step = blockDim.x / width;
    int begin = blockIdx.y * share, end = min(begin + share, N * P), first = begin + int(threadIdx.x) / width;
    Sums own = {0, 0};
    Walk walk(first, step, P);
#pragma unroll 4
    for (int j = first; j < end && c < C; j += step, walk.go_on(P)) {
        int i = walk.at(c, C, P), g = walk.n * G + c / size;
        own = together(own, {dy[i] * ((x[i] - mean[g]) * rstd[g]), dy[i]});
    }
    own = channel_total(own, width);
    if (int(threadIdx.x) >= width || c >= C) return;
    dweight[blockIdx.y * C + c] = own.weight;
    dbias[blockIdx.y * C + c] = own.bias;
}

// The slices of channel_sums. Grid and block as of join_moments, no shared memory. 2 FLOP for 8 bytes.
extern "C" __global__ void join_sums(
    const real* weights, const real* biases, real* dweight, real* dbias, int slices, int C) {
    FOR_EACH(c, C) {
        Sums all = {0, 0};
        for (int s = 0; s < slices; s++) all = together(all, {weights[s * C + c], biases[s * C + c]});
        dweight[c] = all.weight;
        dbias[c] = all.bias;
    }
}

// ---- Results of batch normalisation. grid (C*P / 256, some of the samples), block 256, no shared memory.
//
// A thread stays at one place of one channel, whose numbers it reads once, and goes through the samples: for
// any P, a warp reads and writes 32 numbers in a row, and the division that finds the channel is made once.

// y = (x - mean) rstd weight + bias; weight and bias may be null. 3 FLOP for 8 bytes.
extern "C" __global__ void batch_norm(
    const real* __restrict__ x, const real* weight, const real* bias, const real* mean, const real* rstd,
    real* __restrict__ y, int N, int C, int P) {
    int place = blockIdx.x * blockDim.x + threadIdx.x, plane = C * P;
    if (place >= plane) return;
    int c = place / P;
    real m = mean[c], scale = weight ? weight[c] * rstd[c] : rstd[c], b = bias ? bias[c] : real(0);
#pragma unroll 4
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        int i = n * plane + place;
        y[i] = (x[i] - m) * scale + b;
    }
}

// dx = rstd weight (dy - dbias / count - xhat dweight / count), or rstd weight dy where mean and rstd are
// constant. 5 FLOP for 12 bytes.
extern "C" __global__ void batch_norm_gradient(
    const real* __restrict__ dy, const real* __restrict__ x, const real* weight, const real* mean,
    const real* rstd, const real* dweight, const real* dbias, bool constant, real* __restrict__ dx, int N,
    int C, int P) {
    int place = blockIdx.x * blockDim.x + threadIdx.x, plane = C * P;
    if (place >= plane) return;
    int c = place / P;
    real m = mean[c], scale = weight ? weight[c] * rstd[c] : rstd[c], count = real(N) * P;
    real slope = dweight[c] * rstd[c] / count, shift = dbias[c] / count;
#pragma unroll 4
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        int i = n * plane + place;
        dx[i] = (constant ? dy[i] : dy[i] - shift - (x[i] - m) * slope) * scale;
    }
}

// ---- Groups. x is (N*G, F): the F = C/G*P numbers of a group lie in a row. Layer norm: G = P = 1.
//
// A team of blockDim.x threads a group, a warp or a whole block: block (32, 8) and grid N*G / 8, or block
// (team, 1) and grid N*G. A thread keeps HELD numbers in registers, the team 256 to 8192; so mean, variance
// and result take one read. Longer groups are read again, mostly from the caches; where they are also
// few, much of the GPU has nothing to do. Shared memory: 32 numbers, in block_sum.

// Some numbers of a row: number i of it is number k of this thread.
struct Row {
    const real* row;
    real held[HELD];

    __device__ Row(const real* row, int F) : row(row) {
#pragma unroll
        for (int k = 0; k < HELD; k++) {
            int i = threadIdx.x + k * blockDim.x;
            held[k] = i < F ? row[i] : real(0);
        }
    }

    __device__ real operator()(int i, int k) const { return k < HELD ? held[k] : row[i]; }
};

// visit(i, k) for each number of this thread. The first loop is unrolled, so that each k is a register by
// itself.
template <typename Visit>
__device__ void each(int F, Visit visit) {
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        int i = threadIdx.x + k * blockDim.x;
        if (i < F) visit(i, k);
    }
    for (int i = threadIdx.x + HELD * blockDim.x; i < F; i += blockDim.x) visit(i, HELD);
}

__device__ real team_sum(real value) { return blockDim.x == 32 ? warp_sum(value) : block_sum(value); }

// The channel of number i of a group that begins at channel `first`.
__device__ int channel(int first, int i, int P) { return first + (P == 1 ? i : i / P); }

// y = (x - mean) rstd weight + bias, and mean and rstd (N*G); weight and bias (C) may be null. 8 FLOP for 8
// bytes.
extern "C" __global__ void __launch_bounds__(1024) group_norm(
    const real* x, const real* weight, const real* bias, real eps, real* y, real* mean, real* rstd,
    int groups, int G, int size, int P) {
    int j = blockIdx.x * blockDim.y + threadIdx.y, first = j % G * size, F = size * P;
    if (j >= groups) return;  // the whole team, so nobody waits for it
    Row row(x + j * F, F);
    real pivot = x[j * F], sum = 0, squares = 0;  // small sums also where the mean is large
    each(F, [&](int i, int k) { sum += row(i, k) - pivot; });
    real m = pivot + team_sum(sum) / F;
    each(F, [&](int i, int k) { squares += (row(i, k) - m) * (row(i, k) - m); });
    real r = 1 / sqrt(team_sum(squares) / F + eps);
    each(F, [&](int i, int k) {
        int c = channel(first, i, P);
        y[j * F + i] = (row(i, k) - m) * r * (weight ? weight[c] : real(1)) + (bias ? bias[c] : real(0));
    });
    if (threadIdx.x == 0) mean[j] = m, rstd[j] = r;
}

// dx = rstd (d - mean of d - xhat (mean of d xhat)), d = dy weight. 10 FLOP for 12 bytes.
extern "C" __global__ void __launch_bounds__(1024) group_norm_gradient(
    const real* dy, const real* x, const real* weight, const real* mean, const real* rstd, real* dx,
    int groups, int G, int size, int P) {
    int j = blockIdx.x * blockDim.y + threadIdx.y, first = j % G * size, F = size * P;
    if (j >= groups) return;
    Row grad(dy + j * F, F), row(x + j * F, F);
    real m = mean[j], r = rstd[j], sum = 0, along = 0;
    auto d = [&](int i, int k) { return grad(i, k) * (weight ? weight[channel(first, i, P)] : real(1)); };
    each(F, [&](int i, int k) {
        sum += d(i, k);
        along += d(i, k) * (row(i, k) - m);
    });
    real shift = team_sum(sum) / F, slope = team_sum(along) * r * r / F;
    each(F, [&](int i, int k) { dx[j * F + i] = (d(i, k) - shift - (row(i, k) - m) * slope) * r; });
}
