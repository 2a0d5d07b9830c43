// How a gradient finds its way back: each cell gathers what belongs to it, in the same order every time. If
// results added to their cells instead, they would need atomics, which add in any order.
//
// A span is the first and the last of the `count` results along an axis that may have to do with a cell. It
// starts as a guess that is right where results are spread evenly, and results widen it, most of which then
// have nothing to do. Too wide a span costs time and changes nothing: who goes through it looks at each
// result.

#pragma once

#include "common.cuh"

__device__ inline int evenly(int cell, int size, int count) { return int((long long)cell * count / size); }

__device__ inline void widen(int* first, int* last, int result) {
    if (result < *first) atomicMin(first, result);  // first only ever falls: once low enough, it stays so
    if (result > *last) atomicMax(last, result);
}
