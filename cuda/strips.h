// A picture on the GPU: a warp draws it strip by strip in shared memory, lane = pixel, and sends
// each strip off whole. What a pixel looks like is in pixels.cuh; nothing here is a rule.
//
// Strips and not whole pictures, because shared memory decides how many warps a multiprocessor
// holds: 4 KB a warp leave room for as many as its registers do. Sprite after sprite and not pixel
// after pixel, because most pixels are black.
#pragma once
#include "pixels.cuh"

#ifndef SIZE
#define SIZE 64 // pixels of a side of the pictures that are drawn with a step
#endif
#ifndef CHANNELS
#define CHANNELS 3 // of those pictures: 3 red, green, blue, or 1 grey
#endif

constexpr float PITCH = 64.0f / float(SIZE); // units a pixel
constexpr int ROW_BYTES = 3 * SIZE;
constexpr int FRAME_BYTES = CHANNELS * SIZE * SIZE;
#ifndef BUDGET
#define BUDGET 4224 // bytes of a strip at most
#endif
constexpr int ROWS = BUDGET / ROW_BYTES < SIZE / 2 ? BUDGET / ROW_BYTES : SIZE / 2; // of a strip
constexpr int STRIPS = (SIZE + ROWS - 1) / ROWS; // the last one may be lower
constexpr int STRIP_BYTES = (ROWS * ROW_BYTES + 15) / 16 * 16;

struct Scratch { // what a warp keeps in shared memory
    Sprite list[MAX_SPRITES];
    alignas(16) uint8_t strip[STRIP_BYTES];
};

HD constexpr int lesser(int a, int b) { return a < b ? a : b; }
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
HD int below_top(const Sprite &s, Rows rows) {
    return wrapped(wrapped(s.first_y, SIZE) - rows.top, SIZE);
}

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
template <Kind kind, class Lanes>
HD void draw_sprite(Sprite s, Rows rows, uint8_t *strip, Lanes lanes) {
    s.kind = kind; // as the compiler now knows
    constexpr int ACROSS = box_width(kind), DOWN = 32 / ACROSS;
    static_assert(ACROSS <= 32 && ACROSS + ROWS <= SIZE, "a box is at most a warp wide");
    const int start = below_top(s, rows);
    const int above = start < rows.count ? 0 : SIZE - start; // rows of the box above the strip
    const int first_row = start < rows.count ? start : 0;
    const int end = lesser(s.width, rows.count - first_row + above);
    lanes.each(32, [&](int lane) { // one sprite after another: they overlap
        const int kx = lane % ACROSS, lane_y = lane / ACROSS;
        if (kx >= s.width || lane_y >= DOWN) return;
        const float dx = (s.offset_x + float(kx)) * PITCH;
        float y = float(above + lane_y);
        uint8_t *pixel =
            strip + 3 * wrapped(s.first_x + kx, SIZE) + ROW_BYTES * (first_row + lane_y);
        for (int ky = above + lane_y; ky < end; ky += DOWN) {
            const Paint seen = paint<kind>(s, dx, (s.offset_y + y) * PITCH);
            const int opaque = opacity(seen.coverage, s.alpha);
            for (int c = 0; c < 3; c++) {
                pixel[c] = blend(pixel[c], s.colour[c], opaque, seen.shade);
            }
            y += float(DOWN), pixel += ROW_BYTES * DOWN;
        }
    });
}

template <Kind kind, class Lanes>
HD void draw_all(uint32_t which, const Sprite *list, Rows rows, uint8_t *strip, Lanes lanes) {
    for (; which != 0; which &= which - 1) {
        draw_sprite<kind>(list[lowest(which)], rows, strip, lanes);
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

template <class Lanes> HD void send(const uint8_t *strip, Rows rows, uint8_t *image, Lanes lanes) {
    Packet *to = reinterpret_cast<Packet *>(image + CHANNELS * SIZE * rows.top);
    const int packets = CHANNELS * SIZE * rows.count / int(sizeof(Packet));
    lanes.each(32, [&](int lane) {
        for (int i = lane; i < packets; i += 32) {
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
    });
}

// Draws every `parts`-th strip of the picture of an arena, beginning with `part`.
template <class Lanes>
HD void draw_picture(Scratch &scratch, const typename Lanes::Objects &objects, const Core &core,
                     const Tuning &tuning, uint8_t *image, int part, int parts, Lanes lanes) {
    const Sprite *list = scratch.list;
    const int n = sprites(objects, core, tuning, view_of(SIZE), scratch.list, lanes);
    const auto all = [&](Kind kind) {
        return lanes.where(lesser(n, 32), [&](int i) { return list[i].kind == kind; });
    };
    const uint32_t large = all(Kind::LARGE), medium = all(Kind::MEDIUM), small = all(Kind::SMALL);
    const uint32_t bullets = all(Kind::BULLET);
    const int ship = count(large | medium | small | bullets); // what follows belongs to it
    for (int k = part; k < STRIPS; k += parts) {
        const Rows rows = {k * ROWS, lesser(ROWS, SIZE - k * ROWS)};
        uint8_t *strip = scratch.strip;
        lanes.each(32, [&](int lane) {
            for (int i = lane; i < STRIP_BYTES / 16; i += 32) {
                reinterpret_cast<uint4 *>(strip)[i] = uint4{0, 0, 0, 0};
            }
        });
        const uint32_t here = lanes.where(ship, [&](int i) { return meets(list[i], rows); });
        draw_all<Kind::LARGE>(large & here, list, rows, strip, lanes);
        draw_all<Kind::MEDIUM>(medium & here, list, rows, strip, lanes);
        draw_all<Kind::SMALL>(small & here, list, rows, strip, lanes);
        draw_all<Kind::BULLET>(bullets & here, list, rows, strip, lanes);
        for (int i = ship; i < n; i++) {
            const Sprite &s = list[i];
            if (!meets(s, rows)) continue;
            switch (s.kind) {
            case Kind::FLAME: draw_sprite<Kind::FLAME>(s, rows, strip, lanes); break;
            case Kind::HULL: draw_sprite<Kind::HULL>(s, rows, strip, lanes); break;
            case Kind::GUN: draw_sprite<Kind::GUN>(s, rows, strip, lanes); break;
            default: draw_sprite<Kind::HALO>(s, rows, strip, lanes);
            }
        }
        send(strip, rows, image, lanes);
    }
}
