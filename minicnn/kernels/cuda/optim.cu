// Optimizer steps, of all parameters in one launch. reference/optim.py has the formulas.
//
// A net has many small parameters, and a launch takes longer than the step of one. So a kernel gets a table
// of them, `slots`, as an argument by value: a launch carries up to 4 KB of arguments along.
//
// grid: blocks that share the numbers of a parameter (2048 at most), by parameters; block: 256 threads; no
// shared memory. Blocks that find nothing to do in a small parameter end at once.
//
// Adam reads four numbers and writes three for about 15 operations: half an operation a byte. Memory is the
// limit, and all that can be done is to touch each number once, neighbours by neighbours.
//
// `numbers` (learning rate and the like) lie in memory: a launch that was recorded in a CUDA graph is
// repeated with its arguments as they were, but finds there what has been put in since.

#include "common.cuh"

constexpr int SLOTS = 80;  // as in optim.py; 3840 bytes

struct Slot {
    real* param;
    const real* grad;
    real* state[3];  // null where there is none
    long long count;
};

struct Slots {
    Slot slot[SLOTS];
};

struct Numbers {
    real number[10];  // as in replay.py
};

// The numbers for the next launch: 40 bytes out for no operation. grid: 1; block: 1 thread.
extern "C" __global__ void put(real* numbers, Numbers given) {
    for (int k = 0; k < 10; k++) numbers[k] = given.number[k];
}

// Without momentum. sign: -1 to maximize. 5 operations for 12 bytes.
extern "C" __global__ void sgd(Slots slots, const real* numbers) {
    const real lr = numbers[0], decay = numbers[1], sign = numbers[2];
    const Slot slot = slots.slot[blockIdx.y];
    real* p = slot.param;
    FOR_EACH(i, int(slot.count)) p[i] -= lr * (sign * slot.grad[i] + decay * p[i]);
}

// With it. keep: momentum, or 0 in the first step, which does not read the buffer; damp: 1 - dampening. 8 to
// 10 operations for 20 bytes.
extern "C" __global__ void sgd_momentum(Slots slots, const real* numbers) {
    const real lr = numbers[0], decay = numbers[1], sign = numbers[2], momentum = numbers[3];
    const real keep = numbers[4], damp = numbers[5], nesterov = numbers[6];
    const Slot slot = slots.slot[blockIdx.y];
    real *p = slot.param, *buffer = slot.state[0];
    FOR_EACH(i, int(slot.count)) {
        real d = sign * slot.grad[i] + decay * p[i];
        real b = buffer[i] = keep != 0 ? keep * buffer[i] + damp * d : damp * d;
        p[i] -= lr * (nesterov != 0 ? d + momentum * b : b);
    }
}

// shrink multiplies the parameter (AdamW), decay adds to the gradient (Adam); rest1 = 1 - beta1. The third
// state is the largest v so far (AMSGrad); NaN counts as the largest. 28 bytes, 36 with it; see above.
extern "C" __global__ void adam(Slots slots, const real* numbers) {
    const real rate = numbers[0], decay = numbers[1], sign = numbers[2], shrink = numbers[3];
    const real rest1 = numbers[4], beta2 = numbers[5], rest2 = numbers[6], bias2 = numbers[7];
    const real eps = numbers[8];
    const Slot slot = slots.slot[blockIdx.y];
    real *p = slot.param, *m = slot.state[0], *v = slot.state[1], *most = slot.state[2];
    FOR_EACH(i, int(slot.count)) {
        real old = shrink * p[i], d = sign * slot.grad[i] + decay * old;
        real mean = m[i] + rest1 * (d - m[i]), spread = beta2 * v[i] + rest2 * d * d;
        m[i] = mean;
        v[i] = spread;
        if (most) spread = most[i] = spread <= most[i] ? most[i] : spread;
        p[i] = old - rate * mean / (sqrt(spread) / bias2 + eps);
    }
}

// States: the mean square, the mean (null unless centered), the buffer (null without momentum). 12 to 19
// operations for 20 to 36 bytes.
extern "C" __global__ void rmsprop(Slots slots, const real* numbers) {
    const real lr = numbers[0], alpha = numbers[1], rest = numbers[2], eps = numbers[3], decay = numbers[4];
    const real sign = numbers[5], momentum = numbers[6];
    const Slot slot = slots.slot[blockIdx.y];
    real *p = slot.param, *square = slot.state[0], *mean = slot.state[1], *buffer = slot.state[2];
    FOR_EACH(i, int(slot.count)) {
        real d = sign * slot.grad[i] + decay * p[i];
        real spread = square[i] = alpha * square[i] + rest * d * d;
        if (mean) {
            real middle = mean[i] = mean[i] + rest * (d - mean[i]);
            spread -= middle * middle;
        }
        real move = d / (sqrt(spread) + eps);
        if (buffer) move = buffer[i] = momentum * buffer[i] + move;
        p[i] -= lr * move;
    }
}

// State: the sum of the squares. 10 operations for 20 bytes.
extern "C" __global__ void adagrad(Slots slots, const real* numbers) {
    const real rate = numbers[0], eps = numbers[1], decay = numbers[2], sign = numbers[3];
    const Slot slot = slots.slot[blockIdx.y];
    real *p = slot.param, *total = slot.state[0];
    FOR_EACH(i, int(slot.count)) {
        real d = sign * slot.grad[i] + decay * p[i];
        real sum = total[i] = total[i] + d * d;
        p[i] -= rate * d / (sqrt(sum) + eps);
    }
}
