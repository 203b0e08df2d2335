// The state of an arena: 640 bytes, the record that mirage_env/arena.py describes to numpy.
#pragma once
#include "generated.cuh"

// Rocks and bullets share rows of 32 lanes, so that a row is one 128-byte line of memory.
struct Objects {
    uint32_t rock_x[ROCK_SLOTS], bullet_x[BULLET_SLOTS]; // 2^26 a unit: the torus is the integers
    uint32_t rock_y[ROCK_SLOTS], bullet_y[BULLET_SLOTS];
    int32_t rock_vx[ROCK_SLOTS], bullet_vx[BULLET_SLOTS]; // the same unit a tick
    int32_t rock_vy[ROCK_SLOTS], bullet_vy[BULLET_SLOTS];
    uint8_t rock_size[ROCK_SLOTS];     // 0 none, 1 small, 2 medium, 3 large
    uint8_t bullet_life[BULLET_SLOTS]; // ticks left, 0 none
    uint8_t rock_angle[ROCK_SLOTS];    // 1/256 turn, counter-clockwise as seen
    int8_t rock_spin[ROCK_SLOTS];      // added to the angle each tick
};

struct Core { // what there is one of: the ship, the wave, the counters
    uint32_t ship_x, ship_y;
    int32_t ship_vx, ship_vy;
    union {
        struct {
            BYTE(ship_heading); // 1/64 turn; 0 points right, 16 up
            BYTE(cooldown);     // ticks until the gun can fire
            BYTE(shield);       // ticks for which the ship cannot be hit
            BYTE(dying);        // ticks of explosion left
        };
        uint32_t ship_bytes;
    };
    union {
        struct {
            BYTE(thrusting); // 1 when the flame shows
            BYTE(lives);
            BYTE(wave_timer); // ticks until the announced wave is solid
            BYTE(ended);      // TERMINATED | TRUNCATED
        };
        uint32_t wave_bytes;
    };
    uint32_t wave; // from 1
    uint32_t score, tick, episode;
    uint64_t seed;
};

constexpr int COOLDOWN_BYTE = 1, SHIELD_BYTE = 2;  // of ship_bytes
constexpr int LIVES_BYTE = 1, WAVE_TIMER_BYTE = 2; // of wave_bytes

// Counts one of four bytes down to 0. It is asked first and so borrows nothing of the others: on a
// GPU this is a test and a sum, where a field of 8 bits is taken out and put back.
HD void count_down(uint32_t &bytes, int byte) {
    const uint32_t one = 1u << 8 * byte;
    if ((bytes & 255 * one) != 0) bytes -= one;
}

struct Arena {
    Objects objects;
    Core core;
};
static_assert(sizeof(Arena) == 640, "mirage_env/arena.py and this file describe the same record");

constexpr int ARENA_WORDS = sizeof(Arena) / 4;
constexpr int TERMINATED = 1, TRUNCATED = 2, BEGUN = 4;

// The rules that may differ from arena to arena, in the order of TUNABLE in rules.py.
struct Tuning {
    int32_t thrust, rock_speed, wave_first, cooldown, split_random;
    int32_t wave; // 0 each rock drawn, 1 a drawn ring, 2 a ring by the ship's heading
};

// table[size] of a table by the size of a rock, all of it 16 bits wide in one word: lanes differ in
// their sizes, and neither branch nor wait for it. A lane without a rock may ask in vain.
HD int by_size(const int (&table)[4], int size) {
    const uint64_t all = uint64_t(table[0]) | uint64_t(table[1]) << 16 | uint64_t(table[2]) << 32 |
                         uint64_t(table[3]) << 48;
    return int(all >> 16 * (size & 3) & 0xffff);
}

// How near something that reaches so far itself must be to touch a rock. Nothing touches an empty
// slot: nothing is within 0.
template <int OWN> HD int rock_reach(int size) {
    constexpr int reach[4] = {0, ROCK_REACH[1] + OWN, ROCK_REACH[2] + OWN, ROCK_REACH[3] + OWN};
    return by_size(reach, size);
}

struct alignas(8) Vector { // read at once
    int32_t x, y;
};

// Bytes of a record are words in a register.
struct Rock {
    uint32_t x, y;
    int32_t vx, vy;
    int size, angle, spin;
};

struct Bullet {
    uint32_t x, y;
    int32_t vx, vy;
    int life;
};

// An empty slot is zero in every field, so that equal games have equal states.
HD Rock no_rock() { return Rock{}; }
HD Bullet no_bullet() { return Bullet{}; }
