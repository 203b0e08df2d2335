// A picture on the host, drawn sprite by sprite and row by row so that the compiler vectorises a
// row. What a pixel looks like is in pixels.cuh; nothing here is a rule.
#pragma once
#include "pixels.cuh"
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

constexpr int LANES = 8; // pixels of a row at a time
typedef uint16_t Eight __attribute__((vector_size(2 * LANES)));

// Writes each of eight numbers three times, once for each colour of its pixel.
HD void thrice(const uint16_t *from, uint16_t *to) {
    Eight v;
    std::memcpy(&v, from, sizeof v);
    const Eight parts[3] = {__builtin_shufflevector(v, v, 0, 0, 0, 1, 1, 1, 2, 2),
                            __builtin_shufflevector(v, v, 2, 3, 3, 3, 4, 4, 4, 5),
                            __builtin_shufflevector(v, v, 5, 5, 6, 6, 6, 7, 7, 7)};
    std::memcpy(to, parts, sizeof parts);
}

// Draws a sprite in chunks of `chunk` pixels of a row.
template <int chunk, Paint (*shape)(const Sprite &, float, float)>
HD void draw_rows(const Sprite &sprite, const View &view, uint8_t *image) {
    const Sprite s = sprite; // a copy that no store into the image can change
    const int n = view.size, alpha = s.alpha;
    const float pitch = view.pitch;
    uint16_t colour[3 * chunk];
    for (int k = 0; k < 3 * chunk; k++) colour[k] = uint16_t(s.channel(k % 3));
    for (int ky = 0, y = s.first_y; ky < s.width; ky++, y++) {
        if (y >= n) y -= n;
        const float dy = (s.offset_y + float(ky)) * pitch;
        int x = s.first_x;
        for (int k0 = 0; k0 < s.width; k0 += chunk, x += chunk) {
            if (x >= n) x -= n;
            // Pixels beyond the box are computed along and kept out by an opacity of 0.
            int32_t covered[chunk], shaded[chunk];
            for (int k = 0; k < chunk; k++) {
                const Paint paint = shape(s, (s.offset_x + float(k0 + k)) * pitch, dy);
                covered[k] = k0 + k < s.width ? opacity(paint.coverage, alpha) : 0;
                shaded[k] = paint.shade;
            }
            uint16_t opaque[chunk], shade[chunk], opaque3[3 * chunk], shade3[3 * chunk];
            for (int k = 0; k < chunk; k++) opaque[k] = uint16_t(covered[k]);
            for (int k = 0; k < chunk; k++) shade[k] = uint16_t(shaded[k]);
            for (int k = 0; k < chunk; k += LANES) {
                thrice(opaque + k, opaque3 + 3 * k);
                thrice(shade + k, shade3 + 3 * k);
            }
            uint8_t *row = image + size_t(3) * n * y, *at = row + 3 * x, pixels[3 * chunk];
            const int over = x + chunk > n ? 3 * (x + chunk - n) : 0; // bytes that wrap
            if (over == 0) {
                std::memcpy(pixels, at, sizeof pixels);
            } else {
                std::memcpy(pixels, at, sizeof pixels - over);
                std::memcpy(pixels + sizeof pixels - over, row, over);
            }
            for (int k = 0; k < 3 * chunk; k++) {
                pixels[k] = blend(pixels[k], colour[k], opaque3[k], shade3[k]);
            }
            if (over == 0) {
                std::memcpy(at, pixels, sizeof pixels);
            } else {
                std::memcpy(at, pixels, sizeof pixels - over);
                std::memcpy(row, pixels + sizeof pixels - over, over);
            }
        }
    }
}

template <Paint (*shape)(const Sprite &, float, float)>
HD void draw(const Sprite &s, const View &view, uint8_t *image) {
    if (s.width <= LANES)
        draw_rows<LANES, shape>(s, view, image);
    else
        draw_rows<2 * LANES, shape>(s, view, image);
}

FOR_EACH_CPU inline void draw_octagon(const Sprite &s, const View &view, uint8_t *image) {
    draw<octagon>(s, view, image);
}
FOR_EACH_CPU inline void draw_dart(const Sprite &s, const View &view, uint8_t *image) {
    draw<dart>(s, view, image);
}
FOR_EACH_CPU inline void draw_ring(const Sprite &s, const View &view, uint8_t *image) {
    draw<ring>(s, view, image);
}

inline void picture(const Arena &arena, const Tuning &tuning, const View &view, uint8_t *image) {
    Sprite list[MAX_SPRITES];
    const int n = sprites(arena.objects, arena.core, tuning, view, list, Serial{});
    std::memset(image, 0, size_t(3) * view.size * view.size);
    for (int i = 0; i < n; i++) {
        if (is_octagon(list[i].kind()))
            draw_octagon(list[i], view, image);
        else if (is_dart(list[i].kind()))
            draw_dart(list[i], view, image);
        else
            draw_ring(list[i], view, image);
    }
}

class Painter { // draws pictures of one size, in colours or in grey
  public:
    Painter(int size, int channels)
        : view_(view_of(size)), colours_(channels == 1 ? size_t(3) * size * size : 0) {}

    void draw(const Arena &arena, const Tuning &tuning, uint8_t *image) {
        if (colours_.empty()) {
            picture(arena, tuning, view_, image);
            return;
        }
        picture(arena, tuning, view_, colours_.data());
        const uint8_t *pixel = colours_.data();
        for (int i = 0; i < view_.size * view_.size; i++, pixel += 3) {
            image[i] = grey(pixel[0], pixel[1], pixel[2]);
        }
    }

  private:
    View view_;
    std::vector<uint8_t> colours_; // a picture on its way to grey
};
