// Batch normalisation between its two passes over the batch: a few operations on each channel.

#include "common.cuh"

// rstd (C) = 1 / sqrt(var + eps); the running statistics (C), if any, move towards mean and var (C).
// keep: 1 - share; a share below 0 stands for 1 / batches. correction: of var, for a sample.
//
// One block of 256 threads, a few channels to each: the number of batches is read before one thread counts it
// up, and only the threads of one block can wait for each other. No shared memory; 28 bytes a channel for 10
// operations. So little work takes as long as a launch does.
extern "C" __global__ void update_and_invert(
    const real* mean, const real* var, real* running_mean, real* running_var, long long* batches, real* rstd,
    real keep, real share, real correction, real eps, int C) {
    const long long now = batches ? *batches + 1 : 1;
    __syncthreads();
    if (batches && threadIdx.x == 0) *batches = now;
    if (share < 0) {
        share = real(1) / real(now);
        keep = real(1) - share;
    }
    FOR_EACH(c, C) {
        if (running_mean) {
            running_mean[c] = keep * running_mean[c] + share * mean[c];
            running_var[c] = keep * running_var[c] + share * (correction * var[c]);
        }
        rstd[c] = real(1) / sqrt(var[c] + eps);
    }
}
