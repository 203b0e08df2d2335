// Random numbers without a generator: a hash of who asks, when and what for.
#pragma once
#include "lanes.cuh"

enum class Site : uint32_t { // the places in the rules that draw
    SHIP_X,
    SHIP_Y,
    WAVE_BEARING,
    ROCK_BEARING,
    ROCK_DISTANCE,
    ROCK_COURSE,
    ROCK_SPEED,
    ROCK_ANGLE,
    ROCK_SPIN,
    SPLIT_COURSE,
};

// A bijection in which each bit of h moves half the bits of the result.
HD uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x21f0aaadu;
    h ^= h >> 15;
    h *= 0xd35a2d97u;
    return h ^ h >> 15;
}

HD uint32_t draw(const Core &core, Site site, int index) {
    const uint32_t words[5] = {uint32_t(core.seed), uint32_t(core.seed >> 32), core.episode,
                               core.tick, uint32_t(site) * 256u + uint32_t(index)};
    uint32_t h = 0;
    for (uint32_t word : words) h = mix((h ^ word) + 0x9e3779b9u);
    return h;
}

HD uint32_t below(uint32_t bits, uint32_t n) { // 0 ... n - 1
    return uint32_t(uint64_t(bits) * n >> 32);
}
