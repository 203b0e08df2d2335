// Sprites: what is drawn, where, in which order.
#pragma once
#include "shapes.cuh"

// First pixel and width of a box, on one axis.
HD Vector box(uint32_t x, int extent, const View &view, float &offset) {
    const int p = int(uint64_t(x) * uint32_t(view.size) >> 16); // in 1/65536 pixel
    const int first = (p - extent * view.size) >> 16;
    offset = float((first << 16) + 32768 - p) / 65536.0f;
    return {first, (2 * extent * view.size >> 16) + 1};
}

HD Sprite rock_sprite(const Rock &rock, const Core &core, const View &view) {
    const int size = rock.size, angle = rock.angle;
    const bool ghost = core.wave_timer > 0;
    Sprite s = sprite_at(Kind(size), rock.x, rock.y, by_size(ROCK_EXTENT, size), view);
    float radius = units(by_size(ROCK_EXTENT, size));
    if (ghost) {
        const int grown = WAVE_TICKS + GHOST_START - core.wave_timer;
        radius = radius * (float(grown) / float(WAVE_TICKS + GHOST_START));
    }
    const float inverse = 1.0f / radius;
    s.axis_x = float(COSINES[angle]) / 16384.0f * inverse;
    s.axis_y = float(-SINES[angle]) / 16384.0f * inverse;
    s.steepness = 256.0f * radius * view.scale;
    s.alpha = ghost ? GHOST_ALPHA : 256;
    paint_in(s, ROCK_COLOURS[core.wave < 6 ? core.wave - 1 : 5]);
    return s;
}

HD Sprite bullet_sprite(const Bullet &bullet, const View &view) {
    Sprite s = ring_sprite(Kind::BULLET, bullet.x, bullet.y, BULLET_EXTENT, 0.0f,
                           units(BULLET_DISC), view);
    const int alpha = BULLET_ALPHA[0] + BULLET_ALPHA[1] * bullet.life;
    s.alpha = uint16_t(alpha < 256 ? alpha : 256);
    paint_in(s, BULLET_COLOUR);
    return s;
}

HD Sprite flame_sprite(const Core &ship, const View &view) {
    return dart_sprite(Kind::FLAME, ship, FLAME_EXTENT, FLAME_COLOUR, view);
}

HD Sprite hull_sprite(const Core &ship, const View &view) {
    return dart_sprite(Kind::HULL, ship, HULL_EXTENT, ship_colour(ship), view);
}

// The light at the nose.
HD Sprite gun_sprite(const Core &ship, const Tuning &tuning, const View &view) {
    const Vector nose = along(GUN_AT, 4 * ship.ship_heading);
    Sprite s = ring_sprite(Kind::GUN, ship.ship_x + uint32_t(nose.x),
                           ship.ship_y + uint32_t(nose.y), GUN_EXTENT, 0.0f, units(GUN_DISC), view);
    const int alpha = ship.cooldown * 256 / tuning.cooldown;
    s.alpha = uint16_t(alpha < 256 ? alpha : 256);
    paint_in(s, GUN_COLOUR);
    return s;
}

// The blast of a dying ship, or the shield of a new one.
HD Sprite halo_sprite(const Core &ship, const View &view) {
    if (ship.dying > 0) {
        const float left = float(ship.dying) / float(DEATH_TICKS);
        const float r0 = units(BLAST_RADIUS[0]), r1 = units(BLAST_RADIUS[1]);
        const float w0 = units(BLAST_WIDTH[0]), w1 = units(BLAST_WIDTH[1]);
        Sprite s = ring_sprite(Kind::HALO, ship.ship_x, ship.ship_y, BLAST_EXTENT,
                               r0 + (r1 - r0) * (1.0f - left), w0 + (w1 - w0) * left, view);
        paint_in(s, ship_colour(ship));
        return s;
    }
    const float left = float(ship.shield) / float(SHIELD_TICKS);
    const float r0 = units(SHIELD_RADIUS[0]), r1 = units(SHIELD_RADIUS[1]);
    Sprite s = ring_sprite(Kind::HALO, ship.ship_x, ship.ship_y, SHIELD_EXTENT,
                           r0 + (r1 - r0) * left, units(SHIELD_WIDTH), view);
    s.alpha = SHIELD_ALPHA;
    paint_in(s, SHIELD_COLOUR);
    return s;
}

// Fills `list` in the order of drawing (large, medium, small rocks, bullets, flame, hull, gun,
// halo); returns how many.
template <class Lanes>
HD int sprites(const typename Lanes::Objects &objects, const Core &core, const Tuning &tuning,
               const View &view, Sprite *list, Lanes lanes) {
    int n = 0, place = 0;
    const uint32_t all = lanes.rocks_where([&](int i) { return get_rock(objects, i).size != 0; });
    const uint32_t large = lanes.rocks_where([&](int i) { return get_rock(objects, i).size == 3; });
    const uint32_t medium =
        lanes.rocks_where([&](int i) { return get_rock(objects, i).size == 2; });
    lanes.rocks([&](int i) {
        const Rock rock = get_rock(objects, i);
        const uint32_t before = (1u << i) - 1;
        if (rock.size == 3) place = count(large & before);
        if (rock.size == 2) place = count(large) + count(medium & before);
        if (rock.size == 1) place = count(large | medium) + count(all & ~large & ~medium & before);
        if (rock.size != 0) list[place] = rock_sprite(rock, core, view);
    });
    n = count(all);
    const uint32_t flying =
        lanes.bullets_where([&](int i) { return get_bullet(objects, i).life != 0; });
    lanes.bullets([&](int i) {
        const Bullet bullet = get_bullet(objects, i);
        if (bullet.life != 0)
            list[n + count(flying & ((1u << i) - 1))] = bullet_sprite(bullet, view);
    });
    n += count(flying);
    const bool ship = alive(core), flame = ship && core.thrusting, gun = ship && core.cooldown > 0;
    const bool halo = core.dying > 0 || (ship && core.shield > 0);
    lanes.each(1, [&](int) {
        int k = n;
        if (flame) list[k++] = flame_sprite(core, view);
        if (ship) list[k++] = hull_sprite(core, view);
        if (gun) list[k++] = gun_sprite(core, tuning, view);
        if (halo) list[k++] = halo_sprite(core, view);
    });
    return n + flame + ship + gun + halo;
}
