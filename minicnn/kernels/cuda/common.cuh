// What all kernels share: the loop over numbers, and sums over a warp and a block.
//
// Above a kernel, or at the top of its file, stands how it is started (grid: blocks; block: threads of each;
// shared memory of each) and its intensity: operations to the bytes that come from memory or go there,
// counted for float; a double has twice as many. An H200 has time for about 14 operations a byte (67 TFLOP/s
// of float, 4.8 TB/s): with fewer, memory is the limit.

#pragma once

#ifndef EMULATED
#define DYNAMIC_SHARED(type, name)                              \
    extern __shared__ __align__(16) unsigned char name##_bytes[]; \
    type* name = reinterpret_cast<type*>(name##_bytes)
#endif

typedef REAL real;

// for (i of this thread; i < n; the next one of this thread): neighbours in a warp take neighbours in memory.
// `launch_over` starts n / 256 blocks for it, rounded up and 65536 at most, of 256 threads.
#define FOR_EACH(i, n) \
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)

// The sum over the 32 lanes of a warp, in each lane: five exchanges, no shared memory. With fewer lanes (a
// power of 2), over each so many neighbours; all 32 have to call it all the same.
template <typename T>
__device__ T warp_sum(T value, int lanes = 32) {
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffff, value, distance);
    return value;
}

// The largest of a warp, or of so many neighbours, in the same way. A NaN beside a number is passed over.
template <typename T>
__device__ T warp_max(T value, int lanes = 32) {
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value = fmax(value, __shfl_xor_sync(0xffffffff, value, distance));
    return value;
}

// The sum over a block of up to 1024 threads, a multiple of 32, in each thread. Shared memory: 32 numbers.
template <typename T>
__device__ T block_sum(T value) {
    __shared__ T partial[32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    value = warp_sum(value);
    __syncthreads();  // whoever still reads the sums of the last call
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    return warp_sum(lane < warps ? partial[lane] : T(0));
}
