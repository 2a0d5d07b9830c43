// Softmax along the middle axis of an array (A, K, B). reference/softmax.py has the formulas.
//
// A column of K numbers belongs to `lanes` neighbouring threads. Where B is 1 these are up to a warp, so that
// neighbours read neighbours. Else they are one, and its neighbour has the next column. What a column has in
// common is found by exchanges within the warp. Three passes, of which the first reads from memory; a few
// operations a byte, so memory is the limit.
//
// grid: A B lanes / 256, rounded up; block: 256 threads; no shared memory. Forward 8 bytes a number for about
// 7 operations, two of them exponentials; backward 12 bytes for 4.

#include "group.cuh"

extern "C" __global__ void softmax(const real* x, real* y, bool log_wanted, int lanes, int columns, int K,
                                   int B) {
    Group group(lanes, columns);
    size_t first = size_t(group.result / B) * K * B + group.result % B;
    real largest = x[first], total = 0;
    for (int k = group.lane; k < K; k += lanes) largest = fmax(largest, x[first + size_t(k) * B]);
    largest = warp_max(largest, lanes);
    for (int k = group.lane; k < K; k += lanes) total += exp(x[first + size_t(k) * B] - largest);
    total = warp_sum(total, lanes);
    if (!group.inside) return;
    real log_total = log(total);
    for (int k = group.lane; k < K; k += lanes) {
        real shifted = x[first + size_t(k) * B] - largest;
        y[first + size_t(k) * B] = log_wanted ? shifted - log_total : exp(shifted) / total;
    }
}

extern "C" __global__ void softmax_gradient(const real* dy, const real* y, real* dx, bool log_wanted,
                                            int lanes, int columns, int K, int B) {
    Group group(lanes, columns);
    size_t first = size_t(group.result / B) * K * B + group.result % B;
    real total = 0;
    for (int k = group.lane; k < K; k += lanes) {
        size_t at = first + size_t(k) * B;
        total += log_wanted ? dy[at] : dy[at] * y[at];
    }
    total = warp_sum(total, lanes);
    if (!group.inside) return;
    for (int k = group.lane; k < K; k += lanes) {
        size_t at = first + size_t(k) * B;
        dx[at] = log_wanted ? dy[at] - exp(y[at]) * total : y[at] * (dy[at] - total);
    }
}
