// Dropout: the random numbers, the decision and the product in one launch. Nothing of it goes to memory, as
// the way back finds the same random numbers again.
//
// A word of philox is the share of a fate: its upper 24 bits, in [0, 1). Fate f has word f / 32 % 4 of the
// place f / 128 * 32 + f % 32: a thread then uses its four words for numbers that are 32 apart, and a warp
// reads and writes neighbours each time.
//
// 8 bytes to a number, for about 30 operations on whole numbers: memory and arithmetic take about as long. No
// shared memory.

#include "philox.cuh"

typedef unsigned long long Count;

// y = x * scale, or x * 0 with probability p, by the words from the place `first` on; each so many numbers in
// a row share a fate. Four numbers a thread, with a stride.
__device__ void drop(const real* x, real* y, Count key, Count first, int together, float p, real scale,
                     int n) {
    const int warps = (n + 127) / 128;
    FOR_EACH(thread, warps * 32) {
        int known = -1;  // the place whose words we have
        Words words;
        for (int j = 0; j < 4; j++) {
            const int i = thread / 32 * 128 + j * 32 + thread % 32;
            if (i >= n) break;
            const int fate = together == 1 ? i : i / together, place = fate / 128 * 32 + fate % 32;
            if (place != known) {
                const Count at = first + place;
                words = philox({unsigned(at), unsigned(at >> 32), 0, 0}, unsigned(key), unsigned(key >> 32));
                known = place;
            }
            const float share = (words.at[fate / 32 % 4] >> 8) * (1.0f / (1 << 24));
            y[i] = x[i] * (share >= p ? scale : real(0));
        }
    }
}

// state (3): the key, the place that comes next, and how many blocks have ended, which is 0 before and after.
// fates (2): key and first place, for the way back.
//
// Grid: ceil(n / 1024) blocks, 65536 at most; block: 256 threads. The state lies in the GPU's memory, where a
// launch that a graph repeats finds the place that the last one left; it is the last block to end that moves
// it on.
extern "C" __global__ void dropout(const real* x, real* y, unsigned long long* state,
                                   unsigned long long* fates, int together, float p, real scale, int n) {
    const Count key = state[0], first = state[1];
    drop(x, y, key, first, together, p, scale, n);
    __syncthreads();  // by now each thread has read where it begins
    if (threadIdx.x > 0) return;
    __threadfence();
    if (atomicAdd(&state[2], Count(1)) + 1 < gridDim.x) return;
    fates[0] = key;
    fates[1] = first;
    const int count = (n + together - 1) / together;
    state[1] = first + (count + 127) / 128 * 32;
    state[2] = 0;
}

// Its gradient, by the same fates. Grid and block as before.
extern "C" __global__ void dropout_gradient(const real* dy, real* dx, const unsigned long long* fates,
                                            int together, float p, real scale, int n) {
    drop(dy, dx, fates[0], fates[1], together, p, scale, n);
}
