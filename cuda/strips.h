// A picture on the GPU: a warp draws it strip by strip in shared memory, lane = pixel, and sends
// each strip off whole. What a pixel looks like is in pixels.cuh; nothing here is a rule.
//
// Strips and not whole pictures, because shared memory decides how many warps a multiprocessor
// holds: 4 KB a warp leave room for as many as its registers do. Sprite after sprite and not pixel
// after pixel, because most pixels are black. One piece of code for each shape and not for each
// kind of object, with loops that stay rolled, because all that is hot has to fit into the cache
// for instructions: in an earlier version half of the time went by waiting for those.
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
constexpr int BUDGET = 3072; // bytes of a strip at most
constexpr int ROWS = BUDGET / ROW_BYTES < SIZE / 2 ? BUDGET / ROW_BYTES : SIZE / 2; // of a strip
constexpr int STRIPS = (SIZE + ROWS - 1) / ROWS; // the last one may be lower
constexpr int STRIP_BYTES = (ROWS * ROW_BYTES + 15) / 16 * 16;

struct Scratch { // what a warp keeps in shared memory
    Sprite list[MAX_SPRITES];
    uint16_t slices[MAX_SPRITES]; // of the boxes: SLICES
    alignas(16) uint8_t strip[STRIP_BYTES];
};

HD constexpr int lesser(int a, int b) { return a < b ? a : b; }
HD constexpr int greater(int a, int b) { return a > b ? a : b; }

struct Rows { // of a picture
    int top, count;
};

// Where a sprite's box begins, in rows below the top of the strip; negative above it. Around the
// torus a box meets a strip once, since together they are lower than a picture.
HD int top_of(const Sprite &s, Rows rows) {
    const int others = SIZE - rows.count; // rows that the strip leaves out: those count as above
    return int(uint32_t(s.first_y + SIZE - rows.top + others) % SIZE) - others;
}

HD bool meets(const Sprite &s, Rows rows) { return top_of(s, rows) + s.width > 0; }

struct Slices { // SLICES.of[width] = 1024 / width + 1, with which lanes are told apart by a product
    uint16_t of[33];
};

constexpr Slices slices_by_width() {
    Slices slices = {};
    for (int width = 1; width <= 32; width++) slices.of[width] = uint16_t(1024 / width + 1);
    return slices;
}

TABLE Slices SLICES = slices_by_width();
static_assert((2 * ROCK_EXTENT[3] * SIZE >> 16) + 1 <= 32, "a box is at most a warp wide");

// blend() of a pixel's three channels, two of them in one word.
HD void blend_pixel(uint8_t *pixel, uint32_t red_blue, uint32_t green, uint32_t opaque,
                    uint32_t shade) {
    const uint32_t clear = 256 - opaque, under = pixel[0] | uint32_t(pixel[2]) << 16;
    red_blue = under * clear + upper_bytes(red_blue * shade) * opaque;
    green = pixel[1] * clear + upper_bytes(green * shade) * opaque;
    pixel[0] = uint8_t(red_blue >> 8), pixel[1] = uint8_t(green >> 8);
    pixel[2] = uint8_t(red_blue >> 24);
}

// Blends what of a sprite lies in a strip. The lanes lie over its box, as many rows as fit.
template <Paint (*shape)(const Sprite &, float, float), class Lanes>
HD void draw_shape(const Sprite &s, int slice, Rows rows, uint8_t *strip, Lanes lanes) {
    const int top = top_of(s, rows), above = greater(-top, 0); // rows of the box above the strip
    const float end = float(lesser(s.width, rows.count - top));
    const int down = slice >> 5; // 32 / width
    const uint32_t red_blue = s.colour & 0x00ff00ff, green = s.colour >> 8 & 0xff;
    lanes.each(32, [&](int lane) { // one sprite after another: they overlap
        const int lane_y = lane * slice >> 10, kx = lane - lane_y * s.width; // lane / width
        const int x = int(uint32_t(s.first_x + kx) % SIZE);
        const float dx = (s.offset_x + float(kx)) * PITCH;
        uint8_t *pixel = strip + 3 * x + ROW_BYTES * (top + above + lane_y);
        float ky = lane_y < down ? float(above + lane_y) : end; // small integers: exact
        ROLLED
        for (; ky < end; ky += float(down), pixel += ROW_BYTES * down) {
            const Paint seen = shape(s, dx, (s.offset_y + ky) * PITCH);
            blend_pixel(pixel, red_blue, green, uint32_t(opacity(seen.coverage, s.alpha)),
                        uint32_t(seen.shade));
        }
    });
}

HD Sprite load(const Sprite &from) { // into registers, whole: what is drawn cannot change it
    union {
        uint4 halves[2];
        Sprite sprite;
    } read = {};
    const uint4 *halves = reinterpret_cast<const uint4 *>(&from);
    read.halves[0] = halves[0], read.halves[1] = halves[1];
    return read.sprite;
}

template <class Lanes>
HD void draw_sprite(const Sprite &s, int slice, Rows rows, uint8_t *strip, Lanes lanes) {
    if (is_octagon(s.kind())) {
        draw_shape<octagon>(s, slice, rows, strip, lanes);
    } else if (is_dart(s.kind())) {
        draw_shape<dart>(s, slice, rows, strip, lanes);
    } else {
        draw_shape<ring>(s, slice, rows, strip, lanes);
    }
}

// f(i) for every i < n, spread over the lanes.
template <class F, class Lanes> HD void spread(int n, Lanes lanes, F f) {
    lanes.each(32, [&](int lane) {
        for (int k = 0; k < n / 32; k++) f(32 * k + lane);
        if (lane < n % 32) f(n / 32 * 32 + lane);
    });
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
    spread(CHANNELS * SIZE * rows.count / int(sizeof(Packet)), lanes, [&](int i) {
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
    });
}

// Draws every `parts`-th strip of the picture of an arena, beginning with `part`.
template <class Lanes>
HD void draw_picture(Scratch &scratch, const typename Lanes::Objects &objects, const Core &core,
                     const Tuning &tuning, uint8_t *image, int part, int parts, Lanes lanes) {
    const Sprite *list = scratch.list;
    const int n = sprites(objects, core, tuning, view_of(SIZE), scratch.list, lanes);
    for (int first = 0; first < n; first += 32) {
        lanes.each(lesser(n - first, 32),
                   [&](int i) { scratch.slices[first + i] = SLICES.of[list[first + i].width]; });
    }
    ROLLED
    for (int k = part; k < STRIPS; k += parts) {
        const int left = SIZE - k * ROWS;
        const Rows rows = {k * ROWS, SIZE % ROWS == 0 || ROWS < left ? ROWS : left};
        uint8_t *strip = scratch.strip;
        spread(STRIP_BYTES / 16, lanes,
               [&](int i) { reinterpret_cast<uint4 *>(strip)[i] = uint4{0, 0, 0, 0}; });
        ROLLED
        for (int first = 0; first < n; first += 32) {
            uint32_t here = lanes.where(lesser(n - first, 32),
                                        [&](int i) { return meets(list[first + i], rows); });
            ROLLED
            for (; here != 0; here &= here - 1) {
                const int i = first + lowest(here);
                draw_sprite(load(list[i]), scratch.slices[i], rows, strip, lanes);
            }
        }
        send(strip, rows, image, lanes);
    }
}
