// The makings of a sprite: a box of pixels and one of three shapes.
#pragma once
#include "tick.cuh"

struct View { // a picture of size x size pixels
    int size;
    float scale; // pixels a unit
    float pitch; // units a pixel
};

HD View view_of(int size) { return {size, float(size) / 64.0f, 64.0f / float(size)}; }

struct Edges { // ROCK_EDGES as floats
    float of[4][8][2];
};

constexpr Edges edges_as_floats() {
    Edges edges = {};
    for (int i = 0; i < 4 * 8 * 2; i++) {
        const int size = i / 16, octant = i / 2 % 8, axis = i % 2;
        edges.of[size][octant][axis] = float(ROCK_EDGES[size][octant][axis]) / 4096.0f;
    }
    return edges;
}

TABLE Edges EDGES = edges_as_floats();

enum class Kind : uint8_t { SMALL = 1, MEDIUM, LARGE, BULLET, FLAME, HULL, GUN, HALO };

HD constexpr bool is_octagon(Kind kind) { return kind <= Kind::LARGE; }
HD constexpr bool is_dart(Kind kind) { return kind == Kind::FLAME || kind == Kind::HULL; }

struct Sprite {               // 40 bytes; what is neither an octagon nor a dart is a ring
    int16_t first_x, first_y; // of the box, in pixels; what leaves the picture wraps
    uint16_t width;
    uint16_t alpha; // 0 ... 256
    uint8_t colour[3];
    Kind kind;
    float offset_x, offset_y; // from the object to the centre of the first pixel, in pixels
    float axis_x, axis_y;     // forward; an octagon's is divided by its radius
    float radius, half_width;
    float steepness; // coverage gained in a unit across the edge
};

constexpr int MAX_SPRITES = ROCK_SLOTS + BULLET_SLOTS + 4;

HD float units(int length) { return float(length) / 1024.0f; }

// In sprites.cuh: the first pixel and the width of a box on one axis.
HD Vector box(uint32_t x, int extent, const View &view, float &offset);

HD void paint_in(Sprite &s, const int *colour) {
    for (int c = 0; c < 3; c++) s.colour[c] = uint8_t(colour[c]);
}

HD Sprite sprite_at(Kind kind, uint32_t x, uint32_t y, int extent, const View &view) {
    Sprite s = {};
    const Vector across = box(x, extent, view, s.offset_x), down = box(y, extent, view, s.offset_y);
    s.first_x = int16_t(across.x), s.first_y = int16_t(down.x), s.width = uint16_t(across.y);
    s.steepness = 256.0f * view.scale;
    s.alpha = 256;
    s.kind = kind;
    return s;
}

HD Sprite ring_sprite(Kind kind, uint32_t x, uint32_t y, int extent, float radius, float half_width,
                      const View &view) {
    Sprite s = sprite_at(kind, x, y, extent, view);
    s.radius = radius, s.half_width = half_width;
    return s;
}

HD Sprite dart_sprite(Kind kind, const Core &ship, int extent, const int *colour,
                      const View &view) {
    Sprite s = sprite_at(kind, ship.ship_x, ship.ship_y, extent, view);
    const int angle = 4 * ship.ship_heading;
    s.axis_x = float(COSINES[angle]) / 16384.0f, s.axis_y = float(-SINES[angle]) / 16384.0f;
    paint_in(s, colour);
    return s;
}

HD const int *ship_colour(const Core &ship) {
    return SHIP_COLOURS[ship.lives < 3 ? ship.lives : 3];
}
