// Sprites: what is drawn, where, in which order.
#pragma once
#include "shapes.cuh"

// First pixel, wrapped, and width of a box, on one axis.
HD Vector box(uint32_t x, int extent, const View &view, float &offset) {
    const int p = int(uint64_t(x) * uint32_t(view.size) >> 16); // in 1/65536 pixel
    const int first = (p - extent * view.size) >> 16;
    offset = float((first << 16) + 32768 - p) / 65536.0f;
    return {first < 0 ? first + view.size : first, (2 * extent * view.size >> 16) + 1};
}

HD Look rock_sprite(const Rock &rock, const Core &core) {
    const bool ghost = core.wave_timer > 0;
    Look look = {Kind(rock.size), {}, ghost ? GHOST_ALPHA : 256, rock.x, rock.y};
    look.extent = by_size(ROCK_EXTENT, rock.size);
    look.size = units(look.extent);
    if (ghost) {
        const int grown = WAVE_TICKS + GHOST_START - core.wave_timer;
        look.size = look.size * (float(grown) / float(WAVE_TICKS + GHOST_START));
    }
    const float inverse = 1.0f / look.size;
    const Vector way = DIRECTIONS.of[rock.angle];
    look.a = float(way.x) / 16384.0f * inverse;
    look.b = float(way.y) / 16384.0f * inverse;
    paint_in(look, ROCK_COLOURS[core.wave < 6 ? core.wave - 1 : 5]);
    return look;
}

HD Look bullet_sprite(const Bullet &bullet) {
    const int alpha = BULLET_ALPHA[0] + BULLET_ALPHA[1] * bullet.life;
    return ring_look(Kind::BULLET, bullet.x, bullet.y, BULLET_EXTENT, 0.0f, units(BULLET_DISC),
                     BULLET_COLOUR, alpha < 256 ? alpha : 256);
}

HD Look flame_sprite(const Core &ship) {
    return dart_look(Kind::FLAME, ship, FLAME_EXTENT, FLAME_COLOUR);
}

HD Look hull_sprite(const Core &ship) {
    return dart_look(Kind::HULL, ship, HULL_EXTENT, ship_colour(ship));
}

// The light at the nose.
HD Look gun_sprite(const Core &ship, const Tuning &tuning) {
    const Vector nose = along(GUN_AT, 4 * ship.ship_heading);
    const int alpha = ship.cooldown * 256 / tuning.cooldown;
    return ring_look(Kind::GUN, ship.ship_x + uint32_t(nose.x), ship.ship_y + uint32_t(nose.y),
                     GUN_EXTENT, 0.0f, units(GUN_DISC), GUN_COLOUR, alpha < 256 ? alpha : 256);
}

// The blast of a dying ship, or the shield of a new one.
HD Look halo_sprite(const Core &ship) {
    if (ship.dying > 0) {
        const float left = float(ship.dying) / float(DEATH_TICKS);
        const float r0 = units(BLAST_RADIUS[0]), r1 = units(BLAST_RADIUS[1]);
        const float w0 = units(BLAST_WIDTH[0]), w1 = units(BLAST_WIDTH[1]);
        return ring_look(Kind::HALO, ship.ship_x, ship.ship_y, BLAST_EXTENT,
                         r0 + (r1 - r0) * (1.0f - left), w0 + (w1 - w0) * left, ship_colour(ship),
                         256);
    }
    const float left = float(ship.shield) / float(SHIELD_TICKS);
    const float r0 = units(SHIELD_RADIUS[0]), r1 = units(SHIELD_RADIUS[1]);
    return ring_look(Kind::HALO, ship.ship_x, ship.ship_y, SHIELD_EXTENT, r0 + (r1 - r0) * left,
                     units(SHIELD_WIDTH), SHIELD_COLOUR, SHIELD_ALPHA);
}

// Fills `list` in the order of drawing (large and medium rocks, bullets, flame, hull, gun, small
// rocks, halo); returns how many.
template <class Lanes>
HD int sprites(const typename Lanes::Objects &objects, const Core &core, const Tuning &tuning,
               const View &view, Sprite *list, Lanes lanes) {
    const auto of_size = [&](int size) {
        return lanes.rocks_where([&](int i) { return get_rock(objects, i).size == size; });
    };
    const uint32_t large = of_size(3), medium = of_size(2), small = of_size(1);
    const uint32_t bullets =
        lanes.bullets_where([&](int i) { return get_bullet(objects, i).life != 0; }) << ROCK_SLOTS;
    const bool ship = alive(core), halo = core.dying > 0 || (ship && core.shield > 0);
    const uint32_t parts = uint32_t(ship && core.thrusting) | uint32_t(ship) << 1 |
                           uint32_t(ship && core.cooldown > 0) << 2 | uint32_t(halo) << 3;
    const int under = count(large | medium | bullets), over = under + count(parts & 7);
    lanes.objects(
        large | medium | small | bullets,
        [&](int i) { return rock_sprite(get_rock(objects, i), core); },
        [&](int i) { return bullet_sprite(get_bullet(objects, i)); },
        [&](int i, const Look &look) {
            const bool l = large >> i & 1, m = medium >> i & 1, s = small >> i & 1;
            const uint32_t alike = l ? large : m ? medium : s ? small : bullets;
            const int first = l ? 0 : m ? count(large) : s ? over : count(large | medium);
            list[first + count(alike & ((1u << i) - 1))] = framed(look, view);
        });
    const int last = over + count(small);
    lanes.each(4, [&](int k) {
        if ((parts >> k & 1) == 0) return;
        const Look look = k == 0   ? flame_sprite(core)
                          : k == 1 ? hull_sprite(core)
                          : k == 2 ? gun_sprite(core, tuning)
                                   : halo_sprite(core);
        list[k == 3 ? last : under + count(parts & ((1u << k) - 1))] = framed(look, view);
    });
    return last + int(halo);
}
