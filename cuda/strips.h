// A picture on the GPU: a warp draws it strip by strip in shared memory, lane = pixel, and sends
// each strip off whole. What a pixel looks like is in pixels.cuh; nothing here is a rule.
//
// Strips and not whole pictures, because shared memory decides how many warps a multiprocessor
// holds: 3 KB a warp leave room for forty. Sprite after sprite and not pixel after pixel, because
// most pixels are black.
#pragma once
#include "pixels.cuh"

#ifndef SIZE
#define SIZE 64 // pixels of a side of the pictures that are drawn with a step
#endif
#ifndef CHANNELS
#define CHANNELS 3 // of those pictures: 3 red, green, blue, or 1 grey
#endif

constexpr int ROW_BYTES = 3 * SIZE;
constexpr int FRAME_BYTES = CHANNELS * SIZE * SIZE;
constexpr int ROWS = 3072 / ROW_BYTES < SIZE / 2 ? 3072 / ROW_BYTES : SIZE / 2; // of a strip
constexpr int STRIPS = (SIZE + ROWS - 1) / ROWS; // the last one may be lower
constexpr int STRIP_BYTES = (ROWS * ROW_BYTES + 15) / 16 * 16;

struct Scratch { // what a warp keeps in shared memory
    Arena arena;
    Sprite list[MAX_SPRITES];
    alignas(16) uint8_t strip[STRIP_BYTES];
};

HD int wrapped(int i, int size) { return i < 0 ? i + size : i >= size ? i - size : i; }

HD constexpr int box_width(Kind kind) { // the widest there is, in a picture of this size
    const int extent = kind <= Kind::LARGE            ? ROCK_EXTENT[int(kind)]
                       : kind == Kind::BULLET         ? BULLET_EXTENT
                       : kind == Kind::FLAME          ? FLAME_EXTENT
                       : kind == Kind::HULL           ? HULL_EXTENT
                       : kind == Kind::GUN            ? GUN_EXTENT
                       : SHIELD_EXTENT > BLAST_EXTENT ? SHIELD_EXTENT
                                                      : BLAST_EXTENT;
    return (2 * extent * SIZE >> 16) + 1;
}

struct Rows { // of a picture
    int top, count;
};

// How far below the top of the strip a sprite's box begins, from 0 to SIZE - 1 around the torus.
HD int below_top(const Sprite &s, Rows rows) { return wrapped(s.first_y - rows.top, SIZE); }

HD bool meets(const Sprite &s, Rows rows) {
    const int start = below_top(s, rows);
    return start < rows.count || start + s.width > SIZE;
}

template <Kind kind> HD Paint paint(const Sprite &s, float dx, float dy) {
    return is_octagon(kind) ? octagon(s, dx, dy)
           : is_dart(kind)  ? dart(s, dx, dy)
                            : ring(s, dx, dy);
}

// Blends what of a sprite lies in a strip; the lanes are laid out as its box, as many rows as fit.
template <Kind kind> HD void draw_sprite(Sprite s, Rows rows, uint8_t *strip, Warp warp) {
    constexpr int ACROSS = box_width(kind), DOWN = 32 / ACROSS;
    static_assert(ACROSS <= 32 && ACROSS + ROWS <= SIZE, "a box is at most a warp wide");
    constexpr View view = {SIZE, float(SIZE) / 64.0f, 64.0f / float(SIZE)};
    const int kx = warp.lane % ACROSS, lane_y = warp.lane / ACROSS;
    const int start = below_top(s, rows);
    const int above = start < rows.count ? 0 : SIZE - start; // rows of the box above the strip
    const int first_row = start < rows.count ? start : 0;
    const int end = min(int(s.width), rows.count - first_row + above);
    const float dx = (s.offset_x + float(kx)) * view.pitch;
    uint8_t *column = strip + 3 * wrapped(s.first_x + kx, SIZE);
    if (kx < s.width && lane_y < DOWN) {
        for (int ky = above + lane_y; ky < end; ky += DOWN) {
            const Paint seen = paint<kind>(s, dx, (s.offset_y + float(ky)) * view.pitch);
            const int opaque = opacity(seen.coverage, s.alpha);
            uint8_t *pixel = column + ROW_BYTES * (first_row + ky - above);
            for (int c = 0; c < 3; c++) {
                pixel[c] = blend(pixel[c], s.colour[c], opaque, seen.shade);
            }
        }
    }
    __syncwarp(); // sprites overlap: one after another
}

template <Kind kind>
HD void draw_all(uint32_t which, const Sprite *list, Rows rows, uint8_t *strip, Warp warp) {
    for (; which != 0; which &= which - 1) {
        draw_sprite<kind>(list[lowest(which)], rows, strip, warp);
    }
}

// What is sent at a time: as many bytes as divide every strip and every picture.
template <int bytes> struct Chunk;
template <> struct Chunk<16> {
    typedef uint4 Type;
};
template <> struct Chunk<4> {
    typedef uint32_t Type;
};
template <> struct Chunk<1> {
    typedef uint8_t Type;
};
constexpr int STEP_BYTES = CHANNELS * SIZE * ROWS, COMMON = FRAME_BYTES | STEP_BYTES;
typedef Chunk<COMMON % 16 == 0 ? 16 : COMMON % 4 == 0 ? 4 : 1>::Type Packet;

HD void send(const uint8_t *strip, Rows rows, uint8_t *image, Warp warp) {
    Packet *to = reinterpret_cast<Packet *>(image + CHANNELS * SIZE * rows.top);
    const int packets = CHANNELS * SIZE * rows.count / int(sizeof(Packet));
    for (int i = warp.lane; i < packets; i += 32) {
        if (CHANNELS == 3) {
            // Streamed past the cache, which is better used for the states of the arenas.
            __stcs(to + i, reinterpret_cast<const Packet *>(strip)[i]);
        } else {
            union {
                Packet packet;
                uint8_t greys[sizeof(Packet)];
            } out;
            const uint8_t *pixel = strip + 3 * sizeof(Packet) * i;
            for (uint8_t &g : out.greys) g = grey(pixel[0], pixel[1], pixel[2]), pixel += 3;
            __stcs(to + i, out.packet);
        }
    }
    __syncwarp();
}

// Draws every `parts`-th strip of the picture of the arena in `scratch`, beginning with `part`.
HD void draw_picture(Scratch &scratch, const Core &core, const Tuning &tuning, uint8_t *image,
                     int part, int parts, Warp warp) {
    const Sprite *list = scratch.list;
    const int n = sprites(scratch.arena.objects, core, tuning, view_of(SIZE), scratch.list, warp);
    __syncwarp();
    const Kind kind = warp.lane < n ? list[warp.lane].kind : Kind::HALO;
    const uint32_t large = warp.where(32, [&](int) { return kind == Kind::LARGE; });
    const uint32_t medium = warp.where(32, [&](int) { return kind == Kind::MEDIUM; });
    const uint32_t small = warp.where(32, [&](int) { return kind == Kind::SMALL; });
    const uint32_t bullets = warp.where(32, [&](int) { return kind == Kind::BULLET; });
    const int ship = count(large | medium | small | bullets); // what follows belongs to it
    for (int k = part; k < STRIPS; k += parts) {
        const Rows rows = {k * ROWS, min(ROWS, SIZE - k * ROWS)};
        uint8_t *strip = scratch.strip;
        for (int i = warp.lane; i < STRIP_BYTES / 16; i += 32) {
            reinterpret_cast<uint4 *>(strip)[i] = uint4{0, 0, 0, 0};
        }
        const uint32_t here = warp.where(ship, [&](int i) { return meets(list[i], rows); });
        __syncwarp();
        draw_all<Kind::LARGE>(large & here, list, rows, strip, warp);
        draw_all<Kind::MEDIUM>(medium & here, list, rows, strip, warp);
        draw_all<Kind::SMALL>(small & here, list, rows, strip, warp);
        draw_all<Kind::BULLET>(bullets & here, list, rows, strip, warp);
        for (int i = ship; i < n; i++) {
            const Sprite &s = list[i];
            if (!meets(s, rows)) continue;
            switch (s.kind) {
            case Kind::FLAME: draw_sprite<Kind::FLAME>(s, rows, strip, warp); break;
            case Kind::HULL: draw_sprite<Kind::HULL>(s, rows, strip, warp); break;
            case Kind::GUN: draw_sprite<Kind::GUN>(s, rows, strip, warp); break;
            default: draw_sprite<Kind::HALO>(s, rows, strip, warp);
            }
        }
        send(strip, rows, image, warp);
    }
}
