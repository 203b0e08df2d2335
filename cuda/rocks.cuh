// Rocks: they drift and spin, and break across the path of the bullet.
#pragma once
#include "bullets.cuh"

HD Rock drift(Rock rock) {
    rock.x += uint32_t(rock.vx), rock.y += uint32_t(rock.vy);
    rock.angle = uint8_t(rock.angle + rock.spin);
    return rock;
}

HD Vector kick(const Core &core, const Tuning &tuning, int slot, const Rock &rock,
               const Bullet &bullet) {
    if (tuning.split_random) {
        return along((BULLET_SPEED >> 8) * KICK,
                     int(below(draw(core, Site::SPLIT_COURSE, slot), 256)));
    }
    const int32_t rx = int32_t(uint32_t(bullet.vx) - uint32_t(rock.vx)); // as seen from the rock
    const int32_t ry = int32_t(uint32_t(bullet.vy) - uint32_t(rock.vy));
    return {-(ry >> 8) * KICK, (rx >> 8) * KICK};
}

HD Rock fragment(Rock rock, const Vector &kick, int side) { // side: +1 or -1
    rock.size--;
    rock.x += uint32_t(side * kick.x) << KICK_LEAD, rock.y += uint32_t(side * kick.y) << KICK_LEAD;
    rock.vx += side * kick.x, rock.vy += side * kick.y;
    rock.spin = side * by_size(ROCK_SPIN, rock.size);
    return rock;
}
