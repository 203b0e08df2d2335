// A tick of an arena: the rules in their order.
#pragma once
#include "wave.cuh"

struct Outcome {
    int points, flags; // TERMINATED | TRUNCATED | BEGUN
};

template <class Lanes>
HD void begin(typename Lanes::Objects &objects, Core &core, const Tuning &tuning, Lanes lanes) {
    const uint32_t episode = core.episode;
    const uint64_t seed = core.seed;
    lanes.rocks([&](int i) { put_rock(objects, i, no_rock()); });
    lanes.bullets([&](int i) { put_bullet(objects, i, no_bullet()); });
    core = Core{};
    core.episode = episode, core.seed = seed;
    core.ship_x = draw(core, Site::SHIP_X, 0), core.ship_y = draw(core, Site::SHIP_Y, 0);
    core.ship_heading = HEADING_UP;
    core.lives = LIVES;
    announce(objects, core, tuning, lanes);
}

// Bullets against rocks; returns the points. A slot is dealt with once a tick: what a shot makes is
// out of reach of the other shots. So no shot changes what another touches, and that is found
// first: most ticks have no more to do.
template <class Lanes>
HD int strike(typename Lanes::Objects &objects, const Core &core, const Tuning &tuning,
              Lanes lanes) {
    const uint32_t flying =
        lanes.bullets_where([&](int i) { return get_bullet(objects, i).life != 0; });
    if (flying == 0) return 0;
    typename Lanes::PerRock reach, touching; // touching: shots, as bits
    lanes.rocks_and_more(
        [&](int i) { reach[i] = rock_reach<BULLET_REACH>(get_rock(objects, i).size); });
    lanes.bullet_places(objects, flying, [&](int shot, uint32_t x, uint32_t y) {
        lanes.rocks_and_more([&](int i) { // no branch: this is hot
            const Rock rock = get_rock(objects, i);
            touching[i] |= touches(rock.x, rock.y, x, y, reach[i]) ? 1 << shot : 0;
        });
    });
    if (lanes.rocks_where([&](int i) { return (touching[i] & flying) != 0; }) == 0) return 0;

    int points = 0;
    uint32_t done = 0;
    for (uint32_t left = flying; left != 0; left &= left - 1) {
        const int shot = lowest(left);
        const uint32_t struck =
            lanes.rocks_where([&](int i) { return touching[i] >> shot & 1; }) & ~done;
        if (struck == 0) continue;
        const Bullet bullet = lanes.bullet(objects, shot);
        const int slot = lowest(struck);
        const Rock rock = lanes.rock(objects, slot);
        points += by_size(ROCK_POINTS, rock.size);
        done |= 1u << slot;
        if (rock.size == 1) {
            lanes.set_rock(objects, slot, no_rock());
        } else {
            const Vector apart = kick(core, tuning, slot, rock, bullet);
            const int other =
                lowest(lanes.rocks_where([&](int i) { return get_rock(objects, i).size == 0; }));
            lanes.set_rock(objects, slot, fragment(rock, apart, +1));
            lanes.set_rock(objects, other, fragment(rock, apart, -1));
        }
        lanes.set_bullet(objects, shot, no_bullet());
    }
    return points;
}

template <class Lanes>
HD Outcome tick(typename Lanes::Objects &objects, Core &core, const Tuning &tuning, int action,
                Lanes lanes) {
    core.tick++;
    const int flags = clocks(core);
    steer(core, tuning, action >> 2, action >> 1 & 1);

    coast(core);
    // Empty slots too: they are zero and stay so.
    lanes.all(
        objects, [](const Rock &rock) { return drift(rock); },
        [](const Bullet &bullet) { return fly(bullet); });

    if (trigger(core, action & 1)) {
        const uint32_t room =
            lanes.bullets_where([&](int i) { return get_bullet(objects, i).life == 0; });
        if (room != 0) {
            lanes.set_bullet(objects, lowest(room), shoot(core));
            core.cooldown = uint8_t(tuning.cooldown);
        }
    }

    int points = 0;
    if (core.wave_timer == 0) {
        points = strike(objects, core, tuning, lanes);
        if (alive(core) && core.shield == 0) {
            const uint32_t touching = lanes.rocks_where([&](int i) {
                const Rock rock = get_rock(objects, i);
                return touches(rock.x, rock.y, core.ship_x, core.ship_y,
                               rock_reach<SHIP_REACH>(rock.size));
            });
            if (touching != 0) crash(core);
        }
    }

    if (core.wave_timer > 0) {
        count_down(core.wave_bytes, WAVE_TIMER_BYTE);
    } else if (lanes.rocks_where([&](int i) { return get_rock(objects, i).size != 0; }) == 0) {
        announce(objects, core, tuning, lanes);
    }
    core.score += uint32_t(points);
    return {points, flags};
}

struct Pace {       // how an environment steps its arenas
    int frame_skip; // at least 1
    uint32_t max_ticks;
    int autoreset; // 0 next step, 1 same step, 2 disabled: mirage_env.simulator.Autoreset
};

// A step of an environment. `at_end` is called, in the same-step mode, when the arena is over and
// before it begins anew.
template <class Lanes, class AtEnd>
HD Outcome step(typename Lanes::Objects &objects, Core &core, const Tuning &tuning,
                const Pace &pace, int action, Lanes lanes, AtEnd at_end) {
    if (core.ended != 0) {
        if (pace.autoreset == 2) return {0, int(core.ended)};
        core.episode++;
        begin(objects, core, tuning, lanes);
        return {0, BEGUN};
    }
    Outcome outcome = {};
    int left = pace.frame_skip;
    do {
        const Outcome one = tick(objects, core, tuning, action, lanes);
        outcome.points += one.points;
        outcome.flags = one.flags;
    } while (--left > 0 && outcome.flags == 0);
    if (core.tick >= pace.max_ticks) outcome.flags |= TRUNCATED;
    if (outcome.flags == 0) return outcome;
    core.ended = uint8_t(outcome.flags);
    if (pace.autoreset == 1) {
        at_end();
        core.episode++;
        begin(objects, core, tuning, lanes);
        outcome.flags |= BEGUN;
    }
    return outcome;
}
