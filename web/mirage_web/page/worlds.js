/** Draws what a frame brings: pictures, scores, lives, and where the two differ. */

import { MAP_EDGE, differenceMap } from "./difference.js";
import { EDGE } from "./protocol.js";

/** The ships that a player begins with. */
const LIVES = 3;

/**
 * Copy a picture of red, green, blue into one with opacity.
 *
 * @param {Uint8Array} picture uint8 [64, 64, 3].
 * @param {Uint8ClampedArray} into uint8 [64, 64, 4].
 */
export function opaque(picture, into) {
  for (let from = 0, to = 0; from < picture.length; from += 3, to += 4) {
    into[to] = picture[from];
    into[to + 1] = picture[from + 1];
    into[to + 2] = picture[from + 2];
    into[to + 3] = 255;
  }
}

/** One world on the page. */
export class WorldView {
  /** @param {HTMLElement} figure */
  constructor(figure) {
    this.figure = figure;
    this.canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas"));
    this.pen = pen2d(this.canvas);
    this.image = this.pen.createImageData(EDGE, EDGE);
    this.score = /** @type {HTMLElement} */ (figure.querySelector(".score"));
    this.lives = /** @type {HTMLElement} */ (figure.querySelector(".lives"));
    this.wave = figure.querySelector(".wave");
    for (let i = 0; i < LIVES; i++) this.lives.append(icon("ship"));
  }

  /** @param {import("./protocol.js").World} world */
  draw(world) {
    opaque(world.picture, this.image.data);
    this.pen.putImageData(this.image, 0, 0);
    write(this.score, String(world.score));
    this.figure.toggleAttribute("data-over", world.terminated || world.truncated);
    this.lives.hidden = world.lives === null;
    const lives = world.lives === null ? "lives not known" : `${world.lives} lives left`;
    if (this.lives.getAttribute("aria-label") !== lives) {
      this.lives.setAttribute("aria-label", lives);
      this.lives.dataset.lives = String(world.lives);
    }
    if (this.wave) write(this.wave, world.wave === null ? "" : `wave ${world.wave}`);
  }
}

/** The map of differences on the page. */
export class DifferenceView {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.pen = pen2d(canvas);
    this.image = this.pen.createImageData(MAP_EDGE, MAP_EDGE);
  }

  /** @param {import("./protocol.js").Frame} frame With two worlds. */
  draw({ worlds: [real, dream] }) {
    differenceMap(real.picture, dream.picture, this.image.data);
    this.pen.putImageData(this.image, 0, 0);
  }
}

/** @param {HTMLCanvasElement} canvas */
export function pen2d(canvas) {
  const pen = canvas.getContext("2d");
  if (pen === null) throw new Error("this browser has no 2d canvas");
  return pen;
}

/** @param {string} name Of a picture in icons.svg. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Write a text where it is not written already: the page is not laid out anew for nothing.
 *
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
