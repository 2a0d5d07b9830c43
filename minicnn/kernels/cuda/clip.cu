// Gradients kept small: a launch for up to 128 of them, whose addresses come as an argument by value.

#include "common.cuh"

constexpr int PIECES = 128;  // as in clip.py; 2048 bytes

struct Piece {
    real* numbers;
    long long count;
};

struct Pieces {
    Piece piece[PIECES];
};

// partial (pieces, blocks): of each piece, the sum of the squares that a block has seen.
//
// Grid: blocks that share a piece (128 at most), by pieces; block: 256 threads on neighbours; shared memory:
// block_sum's 32 doubles. Two operations to 4 bytes: memory is the limit.
extern "C" __global__ void squares(Pieces pieces, double* partial) {
    const Piece piece = pieces.piece[blockIdx.y];
    double sum = 0;
    FOR_EACH(i, int(piece.count)) sum += double(piece.numbers[i]) * double(piece.numbers[i]);
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// norm () = the root of the sum of partial (count), in a fixed order. One block of 256 threads; shared memory
// as of `squares`. An addition to 8 bytes, which are few.
extern "C" __global__ void root(const double* partial, real* norm, int count) {
    double sum = 0;
    FOR_EACH(i, count) sum += partial[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) *norm = real(sqrt(sum));
}

// Each number times the factor (). Grid and block as of `squares`, no shared memory; an operation to 8 bytes.
extern "C" __global__ void scale(Pieces pieces, const real* factor) {
    const Piece piece = pieces.piece[blockIdx.y];
    const real by = *factor;
    FOR_EACH(i, int(piece.count)) piece.numbers[i] *= by;
}
