// Bullets: born at the nose, gone by age.
#pragma once
#include "ship.cuh"

HD Bullet shoot(const Core &ship) {
    const Vector nose = along(MUZZLE, 4 * ship.ship_heading);
    const Vector speed = along(BULLET_SPEED, 4 * ship.ship_heading);
    return {ship.ship_x + uint32_t(nose.x), ship.ship_y + uint32_t(nose.y), ship.ship_vx + speed.x,
            ship.ship_vy + speed.y, BULLET_TICKS};
}

HD Bullet fly(Bullet bullet) {
    bullet.life -= bullet.life != 0; // an empty slot stays so
    bullet.x += uint32_t(bullet.vx), bullet.y += uint32_t(bullet.vy);
    return bullet.life == 0 ? no_bullet() : bullet;
}
