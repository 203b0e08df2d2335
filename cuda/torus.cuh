// The torus is the integers: coordinates wrap because uint32 does.
#pragma once
#include "random.cuh"

struct Directions {
    Vector of[256];
};

constexpr Directions directions() {
    Directions d = {};
    for (int angle = 0; angle < 256; angle++) d.of[angle] = {COSINES[angle], -SINES[angle]};
    return d;
}

// The way that an angle points, in 1/16384: y points down, angles turn counter-clockwise as seen.
TABLE Directions DIRECTIONS = directions();

HD Vector along(int32_t length, int angle) {
    const Vector way = DIRECTIONS.of[angle & 255];
    return {int32_t(int64_t(way.x) * length >> 14), int32_t(int64_t(way.y) * length >> 14)};
}

HD int32_t gap(uint32_t a, uint32_t b) { // the shortest way from b to a on one axis
    return int32_t(a - b);
}

// reach in 1/1024 unit
HD bool touches(uint32_t ax, uint32_t ay, uint32_t bx, uint32_t by, int reach) {
    const int32_t dx = gap(ax, bx) >> 16, dy = gap(ay, by) >> 16;
    return uint32_t(dx * dx) + uint32_t(dy * dy) < uint32_t(reach * reach);
}
