// Softmax and cross-entropy: the loss and its gradient at once. reference/loss.py has the formulas.
//
// A row of logits (N, C) belongs to `lanes` neighbouring threads of a warp: as many as there are classes,
// rounded up to a power of 2, or all 32, which then go on with a stride. Neighbours read neighbouring
// classes, and what a row has in common (the largest logit, sums) they find out by exchanges within the warp,
// without shared memory.
//
// For each logit 4 bytes come from memory and 4 go there, for two exponentials and about ten other
// operations: one or two operations a byte, where a GPU could do ten and more. So memory is the limit, or, in
// a small net, the time that a launch takes. The rows are read three times over, but only the first time from
// memory: a warp finds them in its cache after that.
//
// Sums over rows are made in the same order every time, so the same numbers give the same bits. They are of
// doubles: there is one addition a row.

#include "common.cuh"

// What thread `first` of `step` finds when they share the rows: the sum of the targets' weights.
__device__ double some_weights(const long long* target, const real* weight, long long ignore_index, int N,
                               int C, int first, int step) {
    double sum = 0;
    for (int n = first; n < N; n += step) {
        long long t = target[n];
        if (t != ignore_index && t >= 0 && t < C) sum += weight ? weight[t] : real(1);
    }
    return sum;
}

// The sum of a few numbers, by the threads of a block.
__device__ double sum_of(const double* parts, int count) {
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
    return block_sum(sum);
}

// Before many rows: parts (blocks) of the sum of the targets' weights, which divides the mean.
// grid: blocks, 256 at most; block: 256 threads; shared memory: block_sum's 32 doubles; 8 bytes read for an
// addition.
extern "C" __global__ void weigh(const long long* target, const real* weight, long long ignore_index, int N,
                                 int C, double* parts) {
    int first = blockIdx.x * blockDim.x + threadIdx.x, step = blockDim.x * gridDim.x;
    double sum = block_sum(some_weights(target, weight, ignore_index, N, C, first, step));
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// The losses and the gradient. grid: 1 to 1024 blocks, which share the rows; block: up to 1024 threads,
// blockDim / lanes rows at a time; shared memory: block_sum's alone. One or two operations a byte, as above.
// keep = 1 - label smoothing, on_all = label smoothing / C.
//
// A single block does all in this one launch: `weights` and `sums` are null. Of several, each adds up the
// `parts` that `weigh` left in `weights`, and leaves the sum of its losses in `sums` for `finish`. Only one
// of `losses` (N), `sums` and `loss` is wanted; the others are null.
extern "C" __global__ void __launch_bounds__(1024)
cross_entropy(const real* logits, const long long* target, const real* weight, long long ignore_index,
              real keep, real on_all, bool mean, int N, int C, int lanes, const double* weights, int parts,
              real* losses, double* sums, real* loss, real* gradient) {
    double divisor = 1, sum = 0;
    if (mean && weights) divisor = sum_of(weights, parts);
    if (mean && !weights)
        divisor = block_sum(some_weights(target, weight, ignore_index, N, C, threadIdx.x, blockDim.x));
    real share = real(divisor != 0 ? 1 / divisor : 0);  // of the mean that a row has
    int rows = blockDim.x / lanes, lane = threadIdx.x % lanes;
    for (int first = blockIdx.x * rows; first < N; first += gridDim.x * rows) {
        int n = first + threadIdx.x / lanes;
        // All lanes of a warp must meet in the exchanges; those of a row that does not count look at no
        // class.
        long long t = n < N ? target[n] : ignore_index;
        bool counts = t != ignore_index && t >= 0 && t < C;
        int classes = counts ? C : 0;
        const real* z = logits + size_t(n) * C;
        real largest = counts ? z[t] : real(0);
        for (int c = lane; c < classes; c += lanes) largest = fmax(largest, z[c]);
        largest = warp_max(largest, lanes);
        real total = 0, shifted = 0, all_weights = 0;  // sums of exp(gap), weight gap, weight
        for (int c = lane; c < classes; c += lanes) {
            real w = weight ? weight[c] : real(1), gap = z[c] - largest;
            total += exp(gap);
            shifted += w * gap;
            all_weights += w;
        }
        total = warp_sum(total, lanes);
        shifted = warp_sum(shifted, lanes);
        all_weights = warp_sum(all_weights, lanes);
        if (n >= N) continue;

        real* dz = gradient + size_t(n) * C;
        real row = t == ignore_index ? real(0) : real(nan(""));  // a target that is no class has no loss
        if (counts) {
            real on_target = keep * (weight ? weight[t] : real(1)), log_total = log(total);
            row = on_target * (log_total - (z[t] - largest));
            if (on_all > 0) row += on_all * (all_weights * log_total - shifted);  // `shifted` may be infinite
            real scale = (on_target + on_all * all_weights) / total;
            for (int c = lane; c < C; c += lanes) {
                real d = exp(z[c] - largest) * scale - on_all * (weight ? weight[c] : real(1));
                dz[c] = (c == t ? d - on_target : d) * share;
            }
        } else {
            for (int c = lane; c < C; c += lanes) dz[c] = row;
        }
        if (lane == 0) {
            sum += row;
            if (losses) losses[n] = row;
        }
    }
    if (losses) return;
    sum = block_sum(sum);
    if (threadIdx.x == 0 && sums) sums[blockIdx.x] = sum;
    if (threadIdx.x == 0 && loss) *loss = real(divisor != 0 ? sum / divisor : nan(""));
}

// After many rows: the loss from the blocks' sums, and from the parts of the weights for the mean, else null.
// grid: 1; block: 256 threads; shared memory: block_sum's; an addition to 8 bytes.
extern "C" __global__ void finish(const double* sums, int blocks, const double* weights, int parts,
                                  real* loss) {
    double divisor = weights ? sum_of(weights, parts) : 1, sum = sum_of(sums, blocks);
    if (threadIdx.x == 0) *loss = real(divisor != 0 ? sum / divisor : nan(""));
}
