// The ship: its clocks, its flight, its gun, its death.
#pragma once
#include "torus.cuh"

HD bool alive(const Core &ship) { return ship.dying == 0 && ship.lives != 0; }

HD int clocks(Core &ship) { // returns TERMINATED if the episode is over
    count_down(ship.ship_bytes, SHIELD_BYTE);
    if (ship.dying == 0) return 0;
    ship.dying--;
    if (ship.dying > 0) return 0;
    if (ship.lives == 0) return TERMINATED;
    ship.shield = SHIELD_TICKS;
    return 0;
}

// turn: 0 none, 1 left, 2 right
HD void steer(Core &ship, const Tuning &tuning, int turn, int thrust) {
    if (!alive(ship)) {
        ship.thrusting = 0;
        return;
    }
    const int left = (turn & 1) - (turn >> 1);
    ship.ship_heading = uint8_t((ship.ship_heading + TURN * left) & (HEADINGS - 1));
    ship.thrusting = thrust;
    if (thrust) {
        const Vector push = along(tuning.thrust, 4 * ship.ship_heading);
        ship.ship_vx += push.x, ship.ship_vy += push.y;
    }
    ship.ship_vx -= ship.ship_vx >> DRAG_SHIFT, ship.ship_vy -= ship.ship_vy >> DRAG_SHIFT;
    const int64_t vx = ship.ship_vx, vy = ship.ship_vy;
    if (vx * vx + vy * vy > int64_t(TOP_SPEED) * TOP_SPEED) {
        ship.ship_vx -= ship.ship_vx >> BRAKE_SHIFT, ship.ship_vy -= ship.ship_vy >> BRAKE_SHIFT;
    }
}

HD void coast(Core &ship) {
    ship.ship_x += uint32_t(ship.ship_vx), ship.ship_y += uint32_t(ship.ship_vy);
}

HD bool trigger(Core &ship, bool fire) { // returns whether the gun goes off
    count_down(ship.ship_bytes, COOLDOWN_BYTE);
    return alive(ship) && fire && ship.cooldown == 0;
}

HD void crash(Core &ship) {
    count_down(ship.wave_bytes, LIVES_BYTE);
    ship.dying = DEATH_TICKS;
    ship.ship_vx = ship.ship_vy = 0;
    ship.ship_heading = HEADING_UP;
    ship.cooldown = ship.thrusting = 0;
}
