// Activations. One thread a number, with a stride; two or three transfers to one operation, so memory is the
// limit.

#include "common.cuh"

extern "C" __global__ void relu(const real* x, real* y, int n) {
    FOR_EACH(i, n) y[i] = x[i] < 0 ? real(0) : x[i];  // NaN stays NaN
}

extern "C" __global__ void relu_gradient(const real* dy, const real* y, real* dx, int n) {
    FOR_EACH(i, n) dx[i] = y[i] <= 0 ? real(0) : dy[i];
}

extern "C" __global__ void tanh_gradient(const real* dy, const real* y, real* dx, int n) {
    FOR_EACH(i, n) dx[i] = dy[i] * (1 - y[i] * y[i]);
}
