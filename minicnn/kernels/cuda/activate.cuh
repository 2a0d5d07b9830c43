// The activations that a layer applies to its own result, numbered as in gemm.py: this saves a launch, and
// the way to memory and back.

#pragma once
#include "common.cuh"

__device__ inline real sigmoid(real x) {
    real e = exp(-abs(x));  // which does not overflow
    return (x < 0 ? e : real(1)) / (1 + e);
}

__device__ inline real activated(real x, int activation) {
    switch (activation) {
        case 1: return x < 0 ? real(0) : x;
        case 2: return tanh(x);
        case 3: return sigmoid(x);
        default: return x;
    }
}
