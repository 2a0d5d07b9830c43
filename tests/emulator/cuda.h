// Lets a C++ compiler build a .cu file for the CPU, so that kernels run where there is no GPU.
//
// The threads of a block are fibers on one thread of the system: each runs until it waits (__syncthreads, or
// an exchange within a warp), then the next one does. Blocks run one after the other. So atomics are plain,
// and shared memory is static. A barrier that not all threads reach, or that they reach in different lines,
// ends the program.

#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>

#include <functional>
#include <memory>
#include <vector>

#define EMULATED 1
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct uint4 {
    unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace emulator {

constexpr int WARP = 32;
constexpr size_t STACK = 128 << 10;

enum class At { nowhere, block, warp, end };

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    dim3 index;
    At at = At::nowhere;
    int line = 0;
};

inline dim3 threads, blocks, block, thread;
inline std::vector<Fiber> fibers;
inline ucontext_t scheduler;
inline size_t current;
inline std::function<void()> body;
inline std::vector<char> dynamic_shared;
inline std::vector<uint64_t> exchanged;

[[noreturn]] inline void stop(const char* why, int line) {
    std::fprintf(stderr, "CUDA emulator: %s (line %d of the kernel's source)\n", why, line);
    std::abort();
}

inline void wait(At at, int line) {
    Fiber& self = fibers[current];
    self.at = at;
    self.line = line;
    swapcontext(&self.context, &scheduler);
    thread = fibers[current].index;
}

inline void run_fiber() {
    body();
    fibers[current].at = At::end;
    swapcontext(&fibers[current].context, &scheduler);
}

// Lets those go on that wait at a barrier which all others of their group have reached or left behind.
inline bool release(size_t begin, size_t end, At at) {
    int line = 0;
    for (size_t i = begin; i < end; i++) {
        Fiber& f = fibers[i];
        if (f.at == At::end) continue;
        if (f.at != at) return false;
        if (line && line != f.line) stop("threads wait at different barriers", f.line);
        line = f.line;
    }
    for (size_t i = begin; i < end; i++)
        if (fibers[i].at == at) fibers[i].at = At::nowhere;
    return line != 0;
}

inline void run_block(size_t count) {
    for (size_t i = 0; i < count; i++) {
        Fiber& f = fibers[i];
        f.at = At::nowhere;
        f.index.x = unsigned(i % threads.x);
        f.index.y = unsigned(i / threads.x % threads.y);
        f.index.z = unsigned(i / threads.x / threads.y);
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack.get();
        f.context.uc_stack.ss_size = STACK;
        f.context.uc_link = nullptr;
        makecontext(&f.context, run_fiber, 0);
    }
    for (bool moved = true; moved;) {
        moved = false;
        for (current = 0; current < count; current++)
            if (fibers[current].at == At::nowhere) {
                thread = fibers[current].index;
                swapcontext(&scheduler, &fibers[current].context);
            }
        for (size_t i = 0; i < count; i += WARP)
            moved |= release(i, i + WARP < count ? i + WARP : count, At::warp);
        if (!moved) moved = release(0, count, At::block);
    }
    for (size_t i = 0; i < count; i++)
        if (fibers[i].at != At::end) stop("a barrier was reached by some threads only", fibers[i].line);
}

inline void launch(dim3 grid, dim3 block_size, size_t shared, const std::function<void()>& kernel) {
    blocks = grid;
    threads = block_size;
    size_t count = size_t(threads.x) * threads.y * threads.z;
    while (fibers.size() < count) {
        fibers.emplace_back();
        fibers.back().stack.reset(new char[STACK]);
    }
    exchanged.assign(count, 0);
    body = kernel;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                block = {x, y, z};
                dynamic_shared.assign(shared + 16, char(0xcd));  // whatever was there before
                run_block(count);
            }
}

inline size_t lane() { return current % WARP; }

template <typename T>
T exchange(T value, size_t from, int line) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    std::memcpy(&exchanged[current], &value, sizeof(T));
    wait(At::warp, line);
    size_t source = current - lane() + from;
    T out = value;
    if (from < WARP && source < exchanged.size()) std::memcpy(&out, &exchanged[source], sizeof(T));
    wait(At::warp, line);
    return out;
}

inline bool vote(bool value, bool all, int line) {
    exchanged[current] = value;
    wait(At::warp, line);
    bool out = all;
    size_t first = current - lane();
    for (size_t i = first; i < first + WARP && i < exchanged.size(); i++)
        out = all ? out && exchanged[i] : out || exchanged[i];
    wait(At::warp, line);
    return out;
}

template <typename T>
unsigned match(T value, int line) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    exchanged[current] = 0;
    std::memcpy(&exchanged[current], &value, sizeof(T));
    wait(At::warp, line);
    unsigned out = 0;
    size_t first = current - lane();
    for (size_t i = first; i < first + WARP && i < exchanged.size(); i++)
        out |= unsigned(exchanged[i] == exchanged[current]) << (i - first);
    wait(At::warp, line);
    return out;
}

template <typename T>
T replace(T* at, T value) {
    T old = *at;
    *at = value;
    return old;
}

}  // namespace emulator

#define threadIdx emulator::thread
#define blockIdx emulator::block
#define blockDim emulator::threads
#define gridDim emulator::blocks
#define warpSize emulator::WARP
#define __syncthreads() emulator::wait(emulator::At::block, __LINE__)
#define __threadfence()
#define __syncwarp(...) emulator::wait(emulator::At::warp, __LINE__)
#define __shfl_sync(mask, value, lane) emulator::exchange(value, lane, __LINE__)
#define __shfl_xor_sync(mask, value, bits) emulator::exchange(value, emulator::lane() ^ (bits), __LINE__)
#define __shfl_down_sync(mask, value, by) emulator::exchange(value, emulator::lane() + (by), __LINE__)
#define __shfl_up_sync(mask, value, by) emulator::exchange(value, emulator::lane() - (by), __LINE__)
#define __any_sync(mask, value) emulator::vote(value, false, __LINE__)
#define __all_sync(mask, value) emulator::vote(value, true, __LINE__)
#define __match_any_sync(mask, value) emulator::match(value, __LINE__)
#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(emulator::dynamic_shared.data())

template <typename T>
T atomicAdd(T* at, T value) { return emulator::replace(at, T(*at + value)); }
template <typename T>
T atomicMax(T* at, T value) { return emulator::replace(at, *at < value ? value : *at); }
template <typename T>
T atomicMin(T* at, T value) { return emulator::replace(at, value < *at ? value : *at); }
template <typename T>
T atomicExch(T* at, T value) { return emulator::replace(at, value); }
template <typename T>
T atomicCAS(T* at, T expected, T value) { return emulator::replace(at, *at == expected ? value : *at); }
template <typename T>
T __ldg(const T* at) { return *at; }

// what minicnn/kernels/cuda/tensor_core.cuh has for a GPU
inline unsigned tf32(float x) {
    unsigned bits;
    std::memcpy(&bits, &x, sizeof bits);
    return std::isfinite(x) ? (bits + 0x1000) & ~0x1fffu : bits;  // to nearest, ties away from zero
}
inline void multiply_add(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    static float left[32][16][8], right[32][8][8];  // a pair for each warp
    size_t warp = emulator::current / emulator::WARP, g = emulator::lane() / 4, t = emulator::lane() % 4;
    for (size_t i = 0; i < 4; i++)
        std::memcpy(&left[warp][g + i % 2 * 8][t + i / 2 * 4], &a[i], sizeof(float));
    for (size_t i = 0; i < 2; i++) std::memcpy(&right[warp][t + i * 4][g], &b[i], sizeof(float));
    __syncwarp();
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 8; k++) sum[i] += left[warp][g + i / 2 * 8][k] * right[warp][k][2 * t + i % 2];
    __syncwarp();
}

// what CUDA has without a prefix
using std::abs, std::ceil, std::erf, std::exp, std::floor, std::fma, std::fmax, std::fmin, std::isfinite,
    std::isinf, std::isnan, std::log, std::log1p, std::nan, std::pow, std::sqrt, std::tanh;
inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline int __ffs(unsigned bits) { return bits ? __builtin_ctz(bits) + 1 : 0; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
template <typename T>
T min(T a, T b) { return b < a ? b : a; }
template <typename T>
T max(T a, T b) { return a < b ? b : a; }
