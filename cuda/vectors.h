// The state as a vector of numbers, obs_type="state": mirage_env/observations.py lists them.
#pragma once
#include "arena.cuh"

constexpr int SHIP_NUMBERS = 12, ROCK_NUMBERS = 8, BULLET_NUMBERS = 5;
constexpr int VECTOR = SHIP_NUMBERS + ROCK_SLOTS * ROCK_NUMBERS + BULLET_SLOTS * BULLET_NUMBERS;
constexpr float RADIANS = 6.283185307179586 / 256; // in 1/256 turn

// One rounding, as of the exact quotient: UNIT is a power of two.
template <class T> HD float in_units(T raw) { return float(raw) * (1.0f / UNIT); }

// cosines: float32 [256], and the sines after them.
HD void write_vector(const Objects &o, const Core &core, const float *cosines, float *out,
                     Warp warp) {
    const float *sines = cosines + 256;
    float *rocks = out + SHIP_NUMBERS, *bullets = rocks + ROCK_SLOTS * ROCK_NUMBERS;
    if (warp.lane < ROCK_SLOTS) {
        const Rock rock = get_rock(o, warp.lane);
        const bool there = rock.size != 0;
        float *to = rocks + ROCK_NUMBERS * warp.lane;
        to[0] = rock.size;
        to[1] = in_units(rock.x), to[2] = in_units(rock.y);
        to[3] = in_units(rock.vx), to[4] = in_units(rock.vy);
        to[5] = there ? cosines[rock.angle] : 0.0f, to[6] = there ? sines[rock.angle] : 0.0f;
        to[7] = float(rock.spin) * RADIANS;
    } else {
        const int i = warp.lane - ROCK_SLOTS;
        const Bullet bullet = get_bullet(o, i);
        float *to = bullets + BULLET_NUMBERS * i;
        to[0] = bullet.life;
        to[1] = in_units(bullet.x), to[2] = in_units(bullet.y);
        to[3] = in_units(bullet.vx), to[4] = in_units(bullet.vy);
    }
    if (warp.lane == 0) {
        const int angle = 256 / HEADINGS * core.ship_heading;
        const float ship[SHIP_NUMBERS] = {in_units(core.ship_x),
                                          in_units(core.ship_y),
                                          in_units(core.ship_vx),
                                          in_units(core.ship_vy),
                                          cosines[angle],
                                          sines[angle],
                                          float(core.cooldown),
                                          float(core.shield),
                                          float(core.dying),
                                          float(core.lives),
                                          float(core.wave < 255 ? core.wave : 255),
                                          float(core.wave_timer)};
        for (int k = 0; k < SHIP_NUMBERS; k++) out[k] = ship[k];
    }
}
static_assert(ROCK_SLOTS + BULLET_SLOTS == 32, "a lane for each object");
