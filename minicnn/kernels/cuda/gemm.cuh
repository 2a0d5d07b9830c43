// A product of matrices, tile by tile.
//
// A block of 256 threads makes a tile of ROWS x COLUMNS numbers, DEEP products to each at a time: it fetches
// DEEP x ROWS numbers of the first factor and DEEP x COLUMNS of the second, and multiplies every one with
// every one. So each number fetched from memory is used COLUMNS or ROWS times, and 128 x 128 tiles of float
// do 128 * 128 * 16 * 2 operations to 2 * 128 * 16 * 4 bytes: 32 to a byte, where an H200 needs about 14 (67
// TFLOP/s, 4.8 TB/s). Of any size it is ROWS * COLUMNS * 2 to (ROWS + COLUMNS) * 4 bytes: 21 for 64 x 128, 11
// for 32 x 64; for double, with twice the bytes, half of that.
//
// How the tile lies in registers, and who multiplies (the threads, or tensor cores), is up to the class Tile:
//     Number, round(x)          what a factor is in shared memory
//     PAD, place(k, i)          where row i of layer k is there, so that lanes meet in few banks
//     add(a, b)                 sum += a b for the DEEP layers
//     each(f)                   f(row, column, sum) for each number of this thread

#pragma once
#include "activate.cuh"

constexpr int THREADS = 256;
constexpr int DEEP = 64 / sizeof(real);     // 16 floats or 8 doubles
constexpr int TOGETHER = 8 / sizeof(real);  // blocks a multiprocessor has registers for

// One layer of a factor in shared memory; a factor has two buffers of DEEP layers.
template <class Tile, int SIZE>
using Layer = typename Tile::Number[SIZE + Tile::PAD];

// All the products of a tile. While those of one buffer are summed, the numbers for the other are on their
// way from memory into registers, by `fetch`; when they have come, `put` puts them there. One barrier a step
// does. `next` goes on to the next DEEP layers, and says whether there are any.
template <class Tile, class Next, class Fetch, class Put>
__device__ void sum_products(
    Tile& tile, const Layer<Tile, Tile::ROWS> (*a)[DEEP], const Layer<Tile, Tile::COLUMNS> (*b)[DEEP],
    Next next, Fetch fetch, Put put) {
    bool more = next();
    if (more) {
        fetch();
        put(0);
    }
    __syncthreads();
    for (int buffer = 0; more; buffer ^= 1) {
        more = next();
        if (more) fetch();
        tile.add(a[buffer], b[buffer]);
        if (more) put(buffer ^ 1);
        __syncthreads();
    }
}

// 16 x 16 threads, each with ROWS/16 x COLUMNS/16 sums in registers: with 8 x 8, two times 8 numbers from
// shared memory make 64 products, and shared memory (128 bytes a cycle) keeps up with the multipliers (128 a
// cycle). A thread's rows and columns come in runs of four, which are read at once: 16 bytes of float.
template <int R, int C>
struct RegisterTile {
    static constexpr int ROWS = R, COLUMNS = C, PAD = 4, DOWN = R / 16, ACROSS = C / 16;
    typedef real Number;
    real sums[DOWN][ACROSS] = {};

    static __device__ real round(real x) { return x; }
    static __device__ int place(int, int i) { return i; }

    // where the i-th of a thread's COUNT rows, or columns, is
    template <int COUNT>
    static __device__ int at(int thread, int i) {
        constexpr int RUN = COUNT < 4 ? COUNT : 4;
        return i / RUN * 16 * RUN + thread * RUN + i % RUN;
    }

    __device__ void add(const real (*a)[R + PAD], const real (*b)[C + PAD]) {
        const int down = threadIdx.x / 16, across = threadIdx.x % 16;
#pragma unroll
        for (int k = 0; k < DEEP; k++) {
            real x[DOWN], y[ACROSS];
#pragma unroll
            for (int i = 0; i < DOWN; i++) x[i] = a[k][at<DOWN>(down, i)];
#pragma unroll
            for (int j = 0; j < ACROSS; j++) y[j] = b[k][at<ACROSS>(across, j)];
#pragma unroll
            for (int i = 0; i < DOWN; i++)
#pragma unroll
                for (int j = 0; j < ACROSS; j++) sums[i][j] += x[i] * y[j];
        }
    }

    template <class F>
    __device__ void each(F f) const {
        const int down = threadIdx.x / 16, across = threadIdx.x % 16;
#pragma unroll
        for (int j = 0; j < ACROSS; j++)
#pragma unroll
            for (int i = 0; i < DOWN; i++) f(at<DOWN>(down, i), at<ACROSS>(across, j), sums[i][j]);
    }
};

// A thread's share of SIZE rows (or columns) of a matrix. Lanes take neighbours in memory: layers if those
// are neighbours, else rows; a warp then reads whole sectors of 32 bytes either way.
template <class Tile, int SIZE>
struct Strip {
    const real* from;
    int count, step, layer_step;  // rows there are, and how far it is to the next row, and the next layer
    real next[SIZE * DEEP / THREADS];

    __device__ int row(int i) const {
        const int at = threadIdx.x + i * THREADS;
        return layer_step == 1 ? at / DEEP : at % SIZE;
    }
    __device__ int layer(int i) const {
        const int at = threadIdx.x + i * THREADS;
        return layer_step == 1 ? at % DEEP : at / SIZE;
    }

    __device__ void fetch(int begin, int end) {
#pragma unroll
        for (int i = 0; i < SIZE * DEEP / THREADS; i++) {
            const int k = begin + layer(i);
            next[i] = row(i) < count && k < end ? from[row(i) * step + k * layer_step] : real(0);
        }
    }
    __device__ void put(Layer<Tile, SIZE>* layers) const {
#pragma unroll
        for (int i = 0; i < SIZE * DEEP / THREADS; i++)
            layers[layer(i)][Tile::place(layer(i), row(i))] = Tile::round(next[i]);
    }
};

// The activation of a tile that its block has just written, from the cache: as a part of `each`, once for
// every number in a register, it would be as long as all the rest. `place` says where a number is, or null.
// Blocks of the largest tiles have no registers to remember it by; there the activation is another launch.
template <class Tile, class Place>
__device__ void activate_tile(int activation, Place place) {
    if (Tile::ROWS >= 128 || !activation) return;
    __syncthreads();
#pragma unroll 1
    for (int i = threadIdx.x; i < Tile::ROWS * Tile::COLUMNS; i += THREADS)
        if (real* at = place(i / Tile::COLUMNS, i % Tile::COLUMNS)) *at = activated(*at, activation);
}

// The sum of the layers from begin to end of 32 rows side by side, in the threads of the first warp: each
// warp adds some of the layers.
__device__ inline real row_sum(const real* row, bool exists, int layer_step, int begin, int end) {
    __shared__ real shares[THREADS / 32][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    real sum = 0;
    if (exists)
        for (int k = begin + warp; k < end; k += THREADS / 32) sum += row[k * layer_step];
    shares[warp][lane] = sum;
    __syncthreads();
    for (int i = 1; warp == 0 && i < THREADS / 32; i++) sum += shares[i][lane];
    return sum;
}

// c (parts, count, M, N) = a (count, M, K) b (count, K, N), of each part of the K layers; plus bias (N) if
// any, activated. And sums (parts, M), if wanted: of the rows of a, which is one matrix and has them side by
// side. From part to part it is part_size numbers in both.
//
// Grid: (tiles of N, tiles of M, parts times matrices, from the `first` on), and for the sums ROWS / 32
// blocks more in each row of tiles. The steps say how a and b lie, so that nobody has to be transposed;
// a_matrix or b_matrix is 0 where one matrix meets a whole stack.
//
// Block: THREADS. Shared memory: two buffers of either factor, (ROWS + COLUMNS + 2 PAD) * 128 bytes (33, 25
// or 13 KB with PAD 4), and 256 numbers for the sums. Operations a byte stand at the top; a block of sums
// does one addition for 4 bytes.
template <class Tile>
__device__ void product(
    const real* a, const real* b, const real* bias, int activation, real* c, real* sums, int M, int N, int K,
    int a_row, int a_layer, int b_layer, int b_column, int a_matrix, int b_matrix, int first, int parts,
    int part_size, int layers_each) {
    __align__(16) __shared__ Layer<Tile, Tile::ROWS> left[2][DEEP];
    __align__(16) __shared__ Layer<Tile, Tile::COLUMNS> right[2][DEEP];
    const int first_row = blockIdx.y * Tile::ROWS, first_column = blockIdx.x * Tile::COLUMNS;
    const int part = blockIdx.z % parts, matrix = first + blockIdx.z / parts;
    const int begin = part * layers_each, end = min(begin + layers_each, K);
    a += matrix * a_matrix + first_row * a_row;
    b += matrix * b_matrix + first_column * b_column;
    c += part * part_size + matrix * M * N;
    const int beyond = int(blockIdx.x) - (N + Tile::COLUMNS - 1) / Tile::COLUMNS;
    if (beyond >= 0) {
        const int row = beyond * 32 + threadIdx.x % 32;
        const real sum = row_sum(a + row * a_row, first_row + row < M, a_layer, begin, end);
        if (threadIdx.x < 32 && first_row + row < M) sums[part * part_size + first_row + row] = sum;
        return;
    }
    Strip<Tile, Tile::ROWS> rows{a, M - first_row, a_row, a_layer};
    Strip<Tile, Tile::COLUMNS> columns{b, N - first_column, b_column, b_layer};

    int k = begin - DEEP;
    Tile tile;
    auto next = [&] { return (k += DEEP) < end; };
    auto fetch = [&] {
        rows.fetch(k, end);
        columns.fetch(k, end);
    };
    auto put = [&](int buffer) {
        rows.put(left[buffer]);
        columns.put(right[buffer]);
    };
    sum_products(tile, left, right, next, fetch, put);
    tile.each([&](int i, int j, real sum) {
        const int row = first_row + i, column = first_column + j;
        if (row < M && column < N) c[row * N + column] = bias ? sum + bias[column] : sum;
    });
    activate_tile<Tile>(activation, [&](int i, int j) -> real* {
        const int row = first_row + i, column = first_column + j;
        return row < M && column < N ? c + row * N + column : nullptr;
    });
}

// The kernel for one size of tile.
#define PRODUCT_KERNEL(Tile, R, C)                                                                           \
    extern "C" __global__ void __launch_bounds__(THREADS, TOGETHER) product_##R##x##C(                       \
        const real* a, const real* b, const real* bias, int activation, real* c, real* sums, int M, int N,   \
        int K, int a_row, int a_layer, int b_layer, int b_column, int a_matrix, int b_matrix, int first,     \
        int parts, int part_size, int layers_each) {                                                         \
        product<Tile<R, C>>(                                                                                 \
            a, b, bias, activation, c, sums, M, N, K, a_row, a_layer, b_layer, b_column, a_matrix, b_matrix, \
            first, parts, part_size, layers_each);                                                           \
    }
