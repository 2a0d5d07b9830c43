// A few neighbouring threads for each result, where a result looks at many numbers.
//
// With one thread a result, the 32 threads of a warp would read 32 places far from each other. With `lanes`
// threads a result (1, 2, 4, 8, 16 or 32, so that none straddles two warps) neighbours read neighbours, and
// even a handful of results keeps many threads busy. What the lanes found is put together by exchanges within
// the warp.

#pragma once

#include "common.cuh"

// Which of n results this thread works on, as which of its lanes. All 32 lanes of a warp take part in an
// exchange, so threads beyond the last result work on it, too; they are not `inside`, and do not write it.
struct Group {
    int lane, result;
    bool inside, writes;

    __device__ Group(int lanes, int n) : lane(threadIdx.x % lanes) {
        long long mine = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / lanes;
        result = int(min(mine, (long long)n - 1));
        inside = mine < n;
        writes = inside && lane == 0;
    }
};
