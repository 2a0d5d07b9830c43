// Random numbers without a state: Philox4x32-10 turns a key and the number of a place into four words that
// look random. So each thread finds the words of its place alone, and finds the same ones again later.
//
// Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, 2011.

#pragma once
#include "common.cuh"

struct Words {
    unsigned at[4];
};

// Ten rounds of two products of 32 bits, whose halves change places.
__device__ inline Words philox(Words counter, unsigned key, unsigned other_key) {
    unsigned* c = counter.at;
    for (int round = 0; round < 10; round++) {
        const unsigned high = __umulhi(0xD2511F53u, c[0]), low = 0xD2511F53u * c[0];
        const unsigned other_high = __umulhi(0xCD9E8D57u, c[2]), other_low = 0xCD9E8D57u * c[2];
        c[0] = other_high ^ c[1] ^ key;
        c[1] = other_low;
        c[2] = high ^ c[3] ^ other_key;
        c[3] = low;
        key += 0x9E3779B9u;        // the golden ratio, and sqrt(3) - 1
        other_key += 0xBB67AE85u;
    }
    return counter;
}
