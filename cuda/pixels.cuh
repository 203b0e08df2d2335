// Pixels: how much of a pixel a shape covers, and what is seen then. Float32, each operation
// rounded by itself (compile without fused multiply-add): every machine gets the same bytes.
#pragma once
#include "sprites.cuh"

struct Paint {
    int coverage; // 0 ... 256
    int shade;    // a factor of the colour, in 1/256
};

HD int clip(float coverage) { return int(least(most(coverage, 0.0f), 256.0f)); }

// (dx, dy) is the way from the object to the centre of the pixel, in units.
HD Paint octagon(const Sprite &s, float dx, float dy) {
    const float u = dx * s.axis_x + dy * s.axis_y, v = dx * s.axis_y - dy * s.axis_x;
    const int octant =
        (u < 0.0f ? 1 : 0) | (v < 0.0f ? 2 : 0) | (magnitude(v) > magnitude(u) ? 4 : 0);
    const Pair m = pick(EDGES.of[int(s.kind())], octant);
    const float g = m.a * u + m.b * v; // 1 on the outline
    return {clip((1.0f - g) * s.steepness + 128.0f), 128 + int(128.0f * least(g, 1.0f))};
}

HD Paint dart(const Sprite &s, float dx, float dy) {
    const float u = dx * s.axis_x + dy * s.axis_y, w = magnitude(dx * s.axis_y - dy * s.axis_x);
    const int (*planes)[3] = s.kind() == Kind::HULL ? HULL_PLANES : FLAME_PLANES;
    float d[2];
    for (int i = 0; i < 2; i++) {
        const int *p = planes[i];
        d[i] = float(p[0]) / 4096.0f * u + float(p[1]) / 4096.0f * w - float(p[2]) / 4096.0f;
    }
    return {clip(128.0f - most(d[0], d[1]) * s.steepness), 256};
}

HD Paint ring(const Sprite &s, float dx, float dy) {
    const float d = magnitude(square_root(dx * dx + dy * dy) - s.radius()) - s.half_width();
    return {clip(128.0f - d * s.steepness), 256};
}

HD int opacity(int coverage, int alpha) { return coverage * alpha >> 8; }

HD uint8_t blend(int under, int colour, int opaque, int shade) {
    // 16 bits hold every product: at most 255 * 256.
    const uint16_t c = uint16_t(colour * shade) >> 8;
    return uint8_t(uint16_t(under * (256 - opaque) + c * opaque) >> 8);
}

// Grey, for those who want one channel: the luma of ITU-R BT.601 in 1/256.
HD uint8_t grey(int r, int g, int b) { return uint8_t((77 * r + 150 * g + 29 * b + 128) >> 8); }
