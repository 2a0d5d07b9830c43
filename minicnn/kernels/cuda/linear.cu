// The products of matrices of fully connected layers, with all digits; gemm.cuh tells how.

#include "gemm.cuh"

PRODUCT_KERNEL(RegisterTile, 32, 64)
PRODUCT_KERNEL(RegisterTile, 64, 128)
PRODUCT_KERNEL(RegisterTile, 128, 128)
