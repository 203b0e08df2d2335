// A picture on the host: three planes, drawn row by row so that the compiler vectorises a row, and
// interleaved at the end. What a pixel looks like is in pixels.cuh; nothing here is a rule.
#pragma once
#include "pixels.cuh"
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "default")))
#else
#define FOR_EACH_CPU
#endif

constexpr int CHUNK = 16; // pixels of a row at a time: a row of the largest rock at 64 x 64

struct Planes {
    int size = 0, stride = 0;
    std::vector<uint8_t> bytes;

    void clear(int wanted) {
        if (wanted != size) {
            size = wanted, stride = wanted + CHUNK; // room for a chunk that begins in the last column
            bytes.resize(size_t(3) * size * stride);
        }
        std::memset(bytes.data(), 0, bytes.size());
    }
    uint8_t *row(int plane, int y) { return bytes.data() + (size_t(plane) * size + y) * stride; }
};

// Draws a sprite in chunks of `lanes` pixels of a row.
template <int lanes, Paint (*shape)(const Sprite &, float, float)>
HD void draw_rows(const Sprite &s, const View &view, Planes &planes) {
    const int n = view.size, alpha = s.alpha;
    int y = s.first_y < 0 ? s.first_y + n : s.first_y;
    const int first_x = s.first_x < 0 ? s.first_x + n : s.first_x;
    for (int ky = 0; ky < s.width; ky++, y++) {
        if (y >= n) y -= n;
        const float dy = (s.offset_y + float(ky)) * view.pitch;
        int x = first_x;
        for (int k0 = 0; k0 < s.width; k0 += lanes, x += lanes) {
            if (x >= n) x -= n;
            // Pixels beyond the box are computed along and kept out by a coverage of 0.
            uint16_t coverage[lanes], shade[lanes];
            for (int k = 0; k < lanes; k++) {
                const Paint paint = shape(s, (s.offset_x + float(k0 + k)) * view.pitch, dy);
                coverage[k] = uint16_t(k0 + k < s.width ? paint.coverage : 0);
                shade[k] = uint16_t(paint.shade);
            }
            const int over = x + lanes - n; // columns that wrap
#pragma GCC unroll 3
            for (int plane = 0; plane < 3; plane++) {
                uint8_t *row = planes.row(plane, y);
                if (over > 0) std::memcpy(row + n, row, over);
                uint8_t pixels[lanes];
                std::memcpy(pixels, row + x, lanes);
                const int colour = s.colour[plane];
                for (int k = 0; k < lanes; k++) {
                    pixels[k] = blend(pixels[k], colour, coverage[k], shade[k], alpha);
                }
                std::memcpy(row + x, pixels, lanes);
                if (over > 0) std::memcpy(row, row + n, over);
            }
        }
    }
}

template <Paint (*shape)(const Sprite &, float, float)>
HD void draw(const Sprite &s, const View &view, Planes &planes) {
    if (s.width <= 8) draw_rows<8, shape>(s, view, planes);
    else draw_rows<CHUNK, shape>(s, view, planes);
}

FOR_EACH_CPU inline void draw_octagon(const Sprite &s, const View &view, Planes &planes) {
    draw<octagon>(s, view, planes);
}
FOR_EACH_CPU inline void draw_dart(const Sprite &s, const View &view, Planes &planes) {
    draw<dart>(s, view, planes);
}
FOR_EACH_CPU inline void draw_ring(const Sprite &s, const View &view, Planes &planes) {
    draw<ring>(s, view, planes);
}

FOR_EACH_CPU inline void interleave(Planes &planes, uint8_t *__restrict image) {
    const int n = planes.size;
    for (int y = 0; y < n; y++) {
        const uint8_t *red = planes.row(0, y), *green = planes.row(1, y), *blue = planes.row(2, y);
        for (int x = 0; x < n; x++, image += 3) image[0] = red[x], image[1] = green[x], image[2] = blue[x];
    }
}

inline void picture(const Arena &arena, const Tuning &tuning, const View &view, Planes &planes, uint8_t *image) {
    Sprite list[MAX_SPRITES];
    const int n = sprites(arena.objects, arena.core, tuning, view, list, Serial{});
    planes.clear(view.size);
    for (int i = 0; i < n; i++) {
        switch (list[i].shape) {
        case Shape::OCTAGON: draw_octagon(list[i], view, planes); break;
        case Shape::DART: draw_dart(list[i], view, planes); break;
        case Shape::RING: draw_ring(list[i], view, planes); break;
        }
    }
    interleave(planes, image);
}
