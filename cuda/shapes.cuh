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

enum class Shape : int32_t { OCTAGON, DART, RING };

struct Sprite {
    int first_x, first_y, width; // of the box, in pixels; what leaves the picture wraps
    float offset_x, offset_y;    // from the object to the centre of the first pixel, in pixels
    Shape shape;
    int kind;             // an octagon's size, a dart's: 0 hull, 1 flame
    float axis_x, axis_y; // forward; an octagon's is divided by its radius
    float radius, half_width;
    float steepness; // coverage gained in a unit across the edge
    int alpha;
    const int *colour;
};

constexpr int MAX_SPRITES = ROCK_SLOTS + BULLET_SLOTS + 4;

HD float units(int length) { return float(length) / 1024.0f; }

// In sprites.cuh: the first pixel and the width of a box on one axis.
HD Vector box(uint32_t x, int extent, const View &view, float &offset);

HD Sprite sprite_at(uint32_t x, uint32_t y, int extent, const View &view) {
    Sprite s = {};
    const Vector across = box(x, extent, view, s.offset_x), down = box(y, extent, view, s.offset_y);
    s.first_x = across.x, s.first_y = down.x, s.width = across.y;
    s.steepness = 256.0f * view.scale;
    s.alpha = 256;
    return s;
}

HD Sprite ring_sprite(uint32_t x, uint32_t y, int extent, float radius, float half_width,
                      const View &view) {
    Sprite s = sprite_at(x, y, extent, view);
    s.shape = Shape::RING;
    s.radius = radius, s.half_width = half_width;
    return s;
}

HD Sprite dart_sprite(const Core &ship, int kind, int extent, const int *colour, const View &view) {
    Sprite s = sprite_at(ship.ship_x, ship.ship_y, extent, view);
    const int angle = 4 * ship.ship_heading;
    s.shape = Shape::DART, s.kind = kind;
    s.axis_x = float(COSINES[angle]) / 16384.0f, s.axis_y = float(-SINES[angle]) / 16384.0f;
    s.colour = colour;
    return s;
}

HD const int *ship_colour(const Core &ship) {
    return SHIP_COLOURS[ship.lives < 3 ? ship.lives : 3];
}
