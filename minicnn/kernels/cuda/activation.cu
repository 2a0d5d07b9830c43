// Activations. One thread a number, with a stride. Formulas: reference/activation.py.
//
// Grid: n / 256 blocks, rounded up and 65536 at most; block: 256 threads; no shared memory. 8 bytes a number
// forward and 12 backward, for one operation (relu) to some dozens (gelu, mish): 1/12 to a few operations a
// byte, so memory is the limit.

#include "activate.cuh"

// The kernel NAME_forward: y[i] = a formula of x. What else it is called with stands in brackets.
#define UNPACK(...) __VA_ARGS__
#define FORWARD(name, numbers, formula)                                                        \
    extern "C" __global__ void name##_forward(const real* xs, real* ys, UNPACK numbers int n) { \
        FOR_EACH(i, n) {                                                                       \
            real x = xs[i];                                                                    \
            ys[i] = formula;                                                                   \
        }                                                                                      \
    }

// The kernel NAME_gradient: dx[i] = a formula of dy and of what is kept, which it calls x or y.
#define GRADIENT(name, kept, numbers, formula)                                                    \
    extern "C" __global__ void name##_gradient(const real* dys, const real* kept##s, real* dxs,   \
                                               UNPACK numbers int n) {                            \
        FOR_EACH(i, n) {                                                                          \
            real dy = dys[i], kept = kept##s[i];                                                  \
            dxs[i] = formula;                                                                     \
        }                                                                                         \
    }

const double PI = 3.14159265358979323846;

__device__ inline real limited(real x, real low, real high) { return x < low ? low : x > high ? high : x; }

__device__ inline real softplus(real x) { return log1p(exp(-abs(x))) + (x < 0 ? real(0) : x); }

// How much of the normal distribution is below x.
__device__ inline real normal(real x) { return real(0.5) * (1 + erf(x * real(sqrt(0.5)))); }

__device__ inline real density(real x) { return real(1 / sqrt(2 * PI)) * exp(real(-0.5) * x * x); }

// The tanh of gelu_tanh.
__device__ inline real bent(real x) { return tanh(real(sqrt(2 / PI)) * (x + real(0.044715) * x * x * x)); }

FORWARD(relu, (), x < 0 ? real(0) : x)  // NaN stays NaN
GRADIENT(relu, y, (), y <= 0 ? real(0) : dy)

FORWARD(leaky_relu, (real slope, ), x > 0 ? x : x * slope)
GRADIENT(leaky_relu, x, (real slope, ), x > 0 ? dy : dy * slope)

FORWARD(hardtanh, (real low, real high, ), limited(x, low, high))
GRADIENT(hardtanh, y, (real low, real high, ), y > low && y < high ? dy : real(0))

FORWARD(hardsigmoid, (), limited(x + 3, 0, 6) / 6)
GRADIENT(hardsigmoid, x, (), x > -3 && x < 3 ? dy * (1 / 6.0f) : real(0))  // float's digits in double, too

FORWARD(hardswish, (), x * limited(x + 3, 0, 6) / 6)
GRADIENT(hardswish, x, (), x <= -3 ? real(0) : x < 3 ? dy * (x / 3 + real(0.5)) : dy)

FORWARD(elu, (real alpha, real scale, real rate, ), x > 0 ? x * scale : expm1(x * rate) * (alpha * scale))
GRADIENT(elu, x, (real alpha, real scale, real rate, ),
         dy * (x > 0 ? scale : exp(x * rate) * (alpha * scale * rate)))

FORWARD(exp, (), exp(x))
GRADIENT(exp, y, (), dy * y)

FORWARD(tanh, (), tanh(x))
GRADIENT(tanh, y, (), dy * (1 - y * y))

FORWARD(sigmoid, (), sigmoid(x))
GRADIENT(sigmoid, y, (), dy * (y * (1 - y)))

FORWARD(log_sigmoid, (), -softplus(-x))
GRADIENT(log_sigmoid, x, (), dy * sigmoid(-x))

FORWARD(softplus, (real beta, real threshold, ), x * beta > threshold ? x : softplus(x * beta) / beta)
GRADIENT(softplus, x, (real beta, real threshold, ), x * beta > threshold ? dy : dy * sigmoid(x * beta))

FORWARD(silu, (), x * sigmoid(x))
GRADIENT(silu, x, (), dy * (sigmoid(x) * (1 + x * (1 - sigmoid(x)))))

FORWARD(mish, (), x * tanh(softplus(x)))
GRADIENT(mish, x, (), dy * (tanh(softplus(x)) + x * sigmoid(x) * (1 - tanh(softplus(x)) * tanh(softplus(x)))))

FORWARD(erf, (), erf(x))
GRADIENT(erf, x, (), dy * (real(2 / sqrt(PI)) * exp(-x * x)))

FORWARD(gelu, (), x * normal(x))
GRADIENT(gelu, x, (), dy * (normal(x) + x * density(x)))

FORWARD(gelu_tanh, (), x * real(0.5) * (1 + bent(x)))
GRADIENT(gelu_tanh, x, (),
         dy * real(0.5) * (1 + bent(x)) *
             (1 + x * (1 - bent(x)) * real(sqrt(2 / PI)) * (1 + real(3 * 0.044715) * x * x)))

// y = x where it is positive, else weight (C) x, for x (N, C, P). Grid and block as above; 8 bytes for a
// product.
extern "C" __global__ void prelu(const real* x, const real* weight, real* y, int C, int P, int n) {
    FOR_EACH(i, n) y[i] = x[i] > 0 ? x[i] : x[i] * weight[i / P % C];
}

// Its gradients. grid: C, a block for each channel; block: 256 threads, which share its N*P numbers; shared
// memory: block_sum's 32 doubles. 12 bytes for up to three products and sums.
extern "C" __global__ void prelu_gradient(const real* dy, const real* x, const real* weight, real* dx,
                                          real* dweight, int N, int C, int P) {
    int c = blockIdx.x;
    real w = weight[c];
    double sum = 0;
    for (int i = threadIdx.x; i < N * P; i += blockDim.x) {
        int at = (i / P * C + c) * P + i % P;
        bool positive = x[at] > 0;
        dx[at] = positive ? dy[at] : dy[at] * w;
        if (!positive) sum += dy[at] * x[at];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) dweight[c] = real(sum);
}
