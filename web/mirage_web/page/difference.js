/** How two pictures of the torus differ: which world has light where the other has none. */

import { EDGE } from "./protocol.js";

/** The map repeats so many pixels beyond each edge: what lies across an edge is seen whole. */
export const MARGIN = 8;
export const MAP_EDGE = EDGE + 2 * MARGIN;

/** What the real world alone has, and what the dream alone has: red, green, blue. */
const REAL = [84, 224, 255];
const DREAM = [186, 148, 255];
const GAIN = 1.6; // small differences are what one looks for
const OUTSIDE = 0.45; // how bright the repeated margin is

/**
 * Draw the map of differences.
 *
 * The world has no edge, so the map shows more than all of it: around the arena its opposite sides
 * are repeated, darker.
 *
 * @param {Uint8Array} real uint8 [64, 64, 3].
 * @param {Uint8Array} dream uint8 [64, 64, 3].
 * @param {Uint8ClampedArray} into uint8 [80, 80, 4]; filled.
 */
export function differenceMap(real, dream, into) {
  for (let y = 0; y < MAP_EDGE; y++) {
    const row = wrapped(y - MARGIN);
    const insideY = y >= MARGIN && y < MARGIN + EDGE;
    for (let x = 0; x < MAP_EDGE; x++) {
      const at = 3 * (row * EDGE + wrapped(x - MARGIN));
      const more = brightness(real, at) - brightness(dream, at);
      const inside = insideY && x >= MARGIN && x < MARGIN + EDGE;
      const strength = Math.min((Math.abs(more) * GAIN) / 255, 1) * (inside ? 1 : OUTSIDE);
      const colour = more > 0 ? REAL : DREAM;
      const to = 4 * (y * MAP_EDGE + x);
      into[to] = colour[0] * strength;
      into[to + 1] = colour[1] * strength;
      into[to + 2] = colour[2] * strength;
      into[to + 3] = 255;
    }
  }
}

/** @param {number} coordinate */
function wrapped(coordinate) {
  return (coordinate + EDGE) % EDGE;
}

/**
 * @param {Uint8Array} picture
 * @param {number} at
 */
function brightness(picture, at) {
  return 0.3 * picture[at] + 0.5 * picture[at + 1] + 0.2 * picture[at + 2];
}
