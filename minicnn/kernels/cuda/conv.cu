// Convolution as an implicit product of matrices, with all digits; conv_gemm.cuh tells how, on which grid and
// with how much shared memory. By size of tile 11, 21 and 32 operations to a byte fetched; for double half.

#include "conv_gemm.cuh"

CONVOLUTION_KERNELS(RegisterTile, 32, 64)
CONVOLUTION_KERNELS(RegisterTile, 64, 128)
CONVOLUTION_KERNELS(RegisterTile, 128, 128)
