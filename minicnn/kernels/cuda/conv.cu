// Convolution as an implicit product of matrices, with all digits; conv_gemm.cuh tells how.

#include "conv_gemm.cuh"

CONVOLUTION_KERNELS(RegisterTile, 32, 64)
CONVOLUTION_KERNELS(RegisterTile, 64, 128)
CONVOLUTION_KERNELS(RegisterTile, 128, 128)
