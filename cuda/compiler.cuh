// What differs between the host's compiler and nvcc.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define HD __device__ __forceinline__
// In global memory, which the first-level cache serves: lanes look up different entries, and
// constant memory would answer them one after another.
#define TABLE __device__ constexpr
#else
#define HD inline __attribute__((always_inline))
#define TABLE constexpr
#endif
#define CONSTANT constexpr

HD int lowest(uint32_t bits) { // the place of the lowest bit that is set; bits is not 0
#ifdef __CUDACC__
    return __ffs(int(bits)) - 1;
#else
    return __builtin_ctz(bits);
#endif
}

HD int count(uint32_t bits) {
#ifdef __CUDACC__
    return __popc(bits);
#else
    return __builtin_popcount(bits);
#endif
}

#ifdef __CUDACC__
HD float square_root(float x) { return __fsqrt_rn(x); }
#else
HD float square_root(float x) { return __builtin_sqrtf(x); }
#endif

HD float magnitude(float x) { return x < 0.0f ? -x : x; }
HD float least(float a, float b) { return a < b ? a : b; }
HD float most(float a, float b) { return a > b ? a : b; }

// table[index][axis] of a table of eight.
HD float pick(const float (*table)[2], int index, int axis) {
#ifdef __CUDACC__
    return table[index][axis];
#else
    // A row of pixels picks many at a time: selections vectorise everywhere, gathers do not.
    const float t0 = table[0][axis], t1 = table[1][axis], t2 = table[2][axis], t3 = table[3][axis];
    const float t4 = table[4][axis], t5 = table[5][axis], t6 = table[6][axis], t7 = table[7][axis];
    const float a = index & 1 ? t1 : t0, b = index & 1 ? t3 : t2;
    const float c = index & 1 ? t5 : t4, d = index & 1 ? t7 : t6;
    const float low = index & 2 ? b : a, high = index & 2 ? d : c;
    return index & 4 ? high : low;
#endif
}
