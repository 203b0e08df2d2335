// What differs between the host's compiler and nvcc, and the lanes that run an arena.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define HD __device__ __forceinline__
// In global memory, which the first-level cache serves: lanes look up different entries, and constant
// memory would answer them one after another.
#define TABLE __device__ constexpr
#else
#define HD inline __attribute__((always_inline))
#define TABLE constexpr
#endif
#define CONSTANT constexpr

// The rules are written over lanes: lane i works on rock i, bullet i or sprite i. A driver passes
// one of two kinds, and a rule does not know which:
//   each(n, f)   f(i) for every i < n, whatever the order
//   where(n, f)  the set of i < n for which f(i) holds, as bits
//   once(f)      f() a single time
// After each() and once(), what they wrote can be read by all.

#ifdef __CUDACC__
struct Warp { // the 32 threads of a warp, one lane each; n is at most 32
    int lane;
    template <class F> HD void each(int n, F f) const {
        if (lane < n) f(lane);
        __syncwarp();
    }
    template <class F> HD uint32_t where(int n, F f) const {
        return __ballot_sync(0xffffffffu, lane < n && f(lane));
    }
    template <class F> HD void once(F f) const {
        __syncwarp();
        if (lane == 0) f();
        __syncwarp();
    }
};
#else
struct Serial { // one thread is all the lanes
    template <class F> HD void each(int n, F f) const {
        for (int i = 0; i < n; i++) f(i);
    }
    template <class F> HD uint32_t where(int n, F f) const {
        uint32_t bits = 0;
        for (int i = 0; i < n; i++) bits |= uint32_t(bool(f(i))) << i;
        return bits;
    }
    template <class F> HD void once(F f) const { f(); }
};
#endif

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
