// The products of matrices of fully connected layers, with all digits; gemm.cuh tells how, on which grid and
// with how much shared memory. By size of tile 11, 21 and 32 operations to a byte fetched; for double half.

#include "gemm.cuh"

PRODUCT_KERNEL(RegisterTile, 32, 64)
PRODUCT_KERNEL(RegisterTile, 64, 128)
PRODUCT_KERNEL(RegisterTile, 128, 128)
