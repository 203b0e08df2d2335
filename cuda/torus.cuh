// The torus is the integers: coordinates wrap because uint32 does.
#pragma once
#include "random.cuh"

HD Vector along(int32_t length, int angle) { // y points down, angles turn counter-clockwise as seen
    return {int32_t(int64_t(COSINES[angle & 255]) * length >> 14),
            int32_t(int64_t(-SINES[angle & 255]) * length >> 14)};
}

HD int32_t gap(uint32_t a, uint32_t b) { // the shortest way from b to a on one axis
    return int32_t(a - b);
}

// reach in 1/1024 unit
HD bool touches(uint32_t ax, uint32_t ay, uint32_t bx, uint32_t by, int reach) {
    const int32_t dx = gap(ax, bx) >> 16, dy = gap(ay, by) >> 16;
    return uint32_t(dx * dx) + uint32_t(dy * dy) < uint32_t(reach * reach);
}
