// The state as a vector of numbers, obs_type="state": mirage_env/observations.py lists them.
#pragma once
#include "lanes.cuh"

constexpr int SHIP_NUMBERS = 12, ROCK_NUMBERS = 8, BULLET_NUMBERS = 5;
constexpr int VECTOR = SHIP_NUMBERS + ROCK_SLOTS * ROCK_NUMBERS + BULLET_SLOTS * BULLET_NUMBERS;
constexpr float RADIANS = 6.283185307179586 / 256; // in 1/256 turn

// One rounding, as of the exact quotient: UNIT is a power of two.
template <class T> HD float in_units(T raw) { return float(raw) * (1.0f / UNIT); }

// cosines: float32 [256], and the sines after them.
HD void write_vector(const LaneObject &object, const Core &core, const float *cosines, float *out,
                     Warp warp) {
    const float *sines = cosines + 256;
    float *rocks = out + SHIP_NUMBERS, *bullets = rocks + ROCK_SLOTS * ROCK_NUMBERS;
    warp.rocks([&](int i) {
        const Rock rock = get_rock(object, i);
        const bool there = rock.size != 0;
        float4 *to = reinterpret_cast<float4 *>(rocks + ROCK_NUMBERS * i);
        to[0] = {float(rock.size), in_units(rock.x), in_units(rock.y), in_units(rock.vx)};
        to[1] = {in_units(rock.vy), there ? cosines[rock.angle] : 0.0f,
                 there ? sines[rock.angle] : 0.0f, float(rock.spin) * RADIANS};
    });
    warp.bullets([&](int i) {
        const Bullet bullet = get_bullet(object, i);
        float *to = bullets + BULLET_NUMBERS * i;
        to[0] = float(bullet.life);
        to[1] = in_units(bullet.x), to[2] = in_units(bullet.y);
        to[3] = in_units(bullet.vx), to[4] = in_units(bullet.vy);
    });
    warp.each(1, [&](int) {
        const int angle = 256 / HEADINGS * core.ship_heading;
        float4 *to = reinterpret_cast<float4 *>(out);
        to[0] = {in_units(core.ship_x), in_units(core.ship_y), in_units(core.ship_vx),
                 in_units(core.ship_vy)};
        to[1] = {cosines[angle], sines[angle], float(core.cooldown), float(core.shield)};
        to[2] = {float(core.dying), float(core.lives), float(core.wave < 255 ? core.wave : 255),
                 float(core.wave_timer)};
    });
}
static_assert(VECTOR % 4 == 0 && SHIP_NUMBERS % 4 == 0, "numbers are written four at a time");
