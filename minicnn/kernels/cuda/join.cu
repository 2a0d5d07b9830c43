// Arrays put together: one launch copies up to 128 of them, whose addresses come as an argument by value.

#include "common.cuh"

constexpr int PIECES = 128;  // as in join.py; 3072 bytes

struct Piece {
    const real* from;
    long long wide, begin;  // numbers in a row of it, and where they begin in a row of the whole
};

struct Pieces {
    Piece piece[PIECES];
};

// whole (rows, width) from pieces (rows, wide) beside each other.
//
// Grid: blocks that share a piece (1024 at most), by pieces; block: 256 threads on neighbouring numbers of a
// piece, which are neighbours in the whole, too; no shared memory. Each number is read once and written once,
// 8 bytes for no operation but those that find its place: memory is the limit.
extern "C" __global__ void join(Pieces pieces, real* whole, int rows, int width) {
    const Piece piece = pieces.piece[blockIdx.y];
    const int wide = int(piece.wide);
    whole += piece.begin;
    FOR_EACH(i, rows * wide) whole[i / wide * width + i % wide] = piece.from[i];
}
