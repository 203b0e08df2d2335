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

// A field that is a byte in memory. On a GPU four of them stay in the register that they came in,
// where one alone would take a register of its own.
#ifdef __CUDACC__
#define BYTE(name) uint32_t name : 8
#else
#define BYTE(name) uint8_t name
#endif

// Before a loop that is not to be unrolled: what counts on a GPU is that the hot code fits into the
// cache for instructions.
#ifdef __CUDACC__
#define ROLLED _Pragma("unroll 1")
#else
#define ROLLED
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
HD float magnitude(float x) { return fabsf(x); }
HD float least(float a, float b) { return fminf(a, b); }
HD float most(float a, float b) { return fmaxf(a, b); }
#else
HD float square_root(float x) { return __builtin_sqrtf(x); }
HD float magnitude(float x) { return __builtin_fabsf(x); }
HD float least(float a, float b) { return a < b ? a : b; }
HD float most(float a, float b) { return a > b ? a : b; }
#endif

// Bytes 1 and 3: the upper ones of two numbers of 16 bits.
HD uint32_t upper_bytes(uint32_t x) {
#ifdef __CUDACC__
    return __byte_perm(x, 0, 0x4341);
#else
    return x >> 8 & 0x00ff00ffu;
#endif
}

struct alignas(8) Pair {
    float a, b;
};

// One of a table of eight.
HD Pair pick(const Pair *table, int index) {
#ifdef __CUDACC__
    return table[index];
#else
    // A row of pixels picks many at a time: selections vectorise everywhere, gathers do not.
    const auto select = [index](float t0, float t1, float t2, float t3, float t4, float t5,
                                float t6, float t7) {
        const float a = index & 1 ? t1 : t0, b = index & 1 ? t3 : t2;
        const float c = index & 1 ? t5 : t4, d = index & 1 ? t7 : t6;
        const float low = index & 2 ? b : a, high = index & 2 ? d : c;
        return index & 4 ? high : low;
    };
    const Pair *t = table;
    return {select(t[0].a, t[1].a, t[2].a, t[3].a, t[4].a, t[5].a, t[6].a, t[7].a),
            select(t[0].b, t[1].b, t[2].b, t[3].b, t[4].b, t[5].b, t[6].b, t[7].b)};
#endif
}
