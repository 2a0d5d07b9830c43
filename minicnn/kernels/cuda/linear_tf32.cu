// The products of matrices of fully connected layers on tensor cores: factors rounded to TF32, sums in float.
// Grid and block as of `product` in gemm.cuh, shared memory and intensity as in tensor_core.cuh.

#include "tensor_core.cuh"

PRODUCT_KERNEL(TensorTile, 32, 64)
PRODUCT_KERNEL(TensorTile, 64, 128)
PRODUCT_KERNEL(TensorTile, 128, 128)
