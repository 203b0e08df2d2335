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
    Pair of[4][8];
};

constexpr Edges edges_as_floats() {
    Edges edges = {};
    for (int i = 0; i < 4 * 8; i++) {
        const int (&edge)[2] = ROCK_EDGES[i / 8][i % 8];
        edges.of[i / 8][i % 8] = {float(edge[0]) / 4096.0f, float(edge[1]) / 4096.0f};
    }
    return edges;
}

TABLE Edges EDGES = edges_as_floats();

enum class Kind : uint8_t { SMALL = 1, MEDIUM, LARGE, BULLET, FLAME, HULL, GUN, HALO };

HD constexpr bool is_octagon(Kind kind) { return kind <= Kind::LARGE; }
HD constexpr bool is_dart(Kind kind) { return kind == Kind::FLAME || kind == Kind::HULL; }

// What is neither an octagon nor a dart is a ring. 32 bytes: a warp reads one in two loads.
struct alignas(16) Sprite {
    uint16_t first_x, first_y; // of the box, in pixels; what leaves the picture wraps
    uint16_t width;
    uint16_t alpha;           // 0 ... 256
    uint32_t colour;          // red, green and blue from the lowest byte on; above them the kind
    float steepness;          // coverage gained in a unit across the edge
    float offset_x, offset_y; // from the object to the centre of the first pixel, in pixels
    float axis_x, axis_y;     // forward, an octagon's divided by its radius; or
    HD Kind kind() const { return Kind(colour >> 24); }
    HD int channel(int c) const { return int(colour >> 8 * c & 255); } // 0 red, 1 green, 2 blue
    HD float radius() const { return axis_x; }                         // those of a ring
    HD float half_width() const { return axis_y; }
};

constexpr int MAX_SPRITES = ROCK_SLOTS + BULLET_SLOTS + 4;

HD float units(int length) { return float(length) / 1024.0f; }

// In sprites.cuh: the first pixel and the width of a box on one axis.
HD Vector box(uint32_t x, int extent, const View &view, float &offset);

// Something to draw that has no place in a picture yet.
struct Look {
    Kind kind;
    uint8_t colour[3];
    int alpha;
    uint32_t x, y;
    int extent; // of half its box, in 1/1024 unit
    float size; // the radius of an octagon, whose coordinates are in radii; else 1
    float a, b; // the axis, or a ring's radius and half of its width: as in Sprite
};

HD void paint_in(Look &look, const int *colour) {
    for (int c = 0; c < 3; c++) look.colour[c] = uint8_t(colour[c]);
}

HD Look dart_look(Kind kind, const Core &ship, int extent, const int *colour) {
    const int angle = 4 * ship.ship_heading;
    Look look = {kind, {}, 256, ship.ship_x, ship.ship_y, extent, 1.0f};
    const Vector way = DIRECTIONS.of[angle];
    look.a = float(way.x) / 16384.0f, look.b = float(way.y) / 16384.0f;
    paint_in(look, colour);
    return look;
}

HD Look ring_look(Kind kind, uint32_t x, uint32_t y, int extent, float radius, float half_width,
                  const int *colour, int alpha) {
    Look look = {kind, {}, alpha, x, y, extent, 1.0f, radius, half_width};
    paint_in(look, colour);
    return look;
}

// In sprites.cuh: the first pixel and the width of a box on one axis.
HD Vector box(uint32_t x, int extent, const View &view, float &offset);

HD Sprite framed(const Look &look, const View &view) {
    Sprite s = {};
    const Vector across = box(look.x, look.extent, view, s.offset_x);
    const Vector down = box(look.y, look.extent, view, s.offset_y);
    s.first_x = uint16_t(across.x), s.first_y = uint16_t(down.x), s.width = uint16_t(across.y);
    s.alpha = uint16_t(look.alpha);
    s.colour = uint32_t(look.kind) << 24;
    for (int c = 0; c < 3; c++) s.colour |= uint32_t(look.colour[c]) << 8 * c;
    s.steepness = 256.0f * look.size * view.scale;
    s.axis_x = look.a, s.axis_y = look.b;
    return s;
}

HD const int *ship_colour(const Core &ship) {
    return SHIP_COLOURS[ship.lives < 3 ? ship.lives : 3];
}
