// Waves: new rocks around the ship, announced before they are solid.
#pragma once
#include "rocks.cuh"

HD Rock newcomer(const Core &ship, int bearing, int32_t distance, int32_t speed, int course,
                 int angle, int spin) {
    const Vector offset = along(distance, bearing), velocity = along(speed, course);
    return {ship.ship_x + uint32_t(offset.x),
            ship.ship_y + uint32_t(offset.y),
            velocity.x,
            velocity.y,
            3,
            uint8_t(angle),
            spin};
}

HD Rock place_in_pattern(const Core &core, const Tuning &tuning, int slot, int count, int bearing) {
    const bool odd = slot % 2;
    const int from_ship = bearing + slot * 256 / count;
    const int32_t distance = WAVE_NEAR + (WAVE_FAR - WAVE_NEAR) / 4 * (odd ? 3 : 1);
    const int32_t speed = int32_t(int64_t(tuning.rock_speed) * (208 + 16 * slot) >> 8);
    return newcomer(core, from_ship, distance, speed, from_ship + (odd ? 96 : 160), 43 * slot,
                    odd ? ROCK_SPIN[3] : -ROCK_SPIN[3]);
}

HD Rock place(const Core &core, const Tuning &tuning, int slot, int count, int bearing) {
    if (tuning.wave != 0 && core.wave > 1) {
        return place_in_pattern(core, tuning, slot, count, bearing);
    }
    const int from_ship =
        bearing + slot * 256 / count + int(below(draw(core, Site::ROCK_BEARING, slot), 32));
    const int32_t distance =
        WAVE_NEAR + int32_t(below(draw(core, Site::ROCK_DISTANCE, slot), WAVE_FAR - WAVE_NEAR));
    const int64_t pace = 192 + below(draw(core, Site::ROCK_SPEED, slot), 129);
    const int32_t speed = int32_t(tuning.rock_speed * pace >> 8);
    const int spin =
        int(below(draw(core, Site::ROCK_SPIN, slot), 2 * ROCK_SPIN[3] + 1)) - ROCK_SPIN[3];
    return newcomer(core, from_ship, distance, speed,
                    int(below(draw(core, Site::ROCK_COURSE, slot), 256)),
                    int(below(draw(core, Site::ROCK_ANGLE, slot), 256)), spin);
}

template <class Lanes>
HD void announce(typename Lanes::Objects &objects, Core &core, const Tuning &tuning, Lanes lanes) {
    core.wave++;
    const uint32_t wanted = uint32_t(tuning.wave_first) + core.wave - 1;
    const int count = wanted < uint32_t(WAVE_MOST) ? int(wanted) : WAVE_MOST;
    const int bearing = tuning.wave == 2 && core.wave > 1
                            ? 4 * core.ship_heading + 128 / count
                            : int(below(draw(core, Site::WAVE_BEARING, 0), 256));
    lanes.rocks([&](int i) {
        if (i < count) put_rock(objects, i, place(core, tuning, i, count, bearing));
    });
    core.wave_timer = WAVE_TICKS;
}
