// Convolution as an implicit product of matrices on tensor cores: factors rounded to TF32, sums in float.
// Grid and block as in conv_gemm.cuh, shared memory and intensity as in tensor_core.cuh.

#include "conv_gemm.cuh"
#include "tensor_core.cuh"

CONVOLUTION_KERNELS(TensorTile, 32, 64)
CONVOLUTION_KERNELS(TensorTile, 64, 128)
CONVOLUTION_KERNELS(TensorTile, 128, 128)
