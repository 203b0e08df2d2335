/** The last ten seconds as a curve: how alike the two worlds were at each step. */

/** Decibels at the bottom and the top of the chart. */
export const LOWEST = 10;
export const HIGHEST = 60;

/** Likeness by step. A step that is played anew after a rewind replaces what stood there. */
export class Curve {
  /** @param {number} span How many steps back it reaches. */
  constructor(span) {
    this.span = span;
    this.newest = 0;
    /** @type {Map<number, number>} */
    this.values = new Map();
    /** @type {Set<number>} Steps at which the dream was woken. */
    this.wakes = new Set();
  }

  clear() {
    this.newest = 0;
    this.values.clear();
    this.wakes.clear();
  }

  /**
   * Take what a frame says.
   *
   * @param {{step: number, newest: number, psnr: number}} frame
   */
  add({ step, newest, psnr }) {
    this.values.set(step, psnr);
    this.newest = newest;
    for (const kept of [this.values, this.wakes]) {
      for (const at of kept.keys()) {
        if (at > newest || at < newest - this.span) kept.delete(at);
      }
    }
  }

  /** @param {number} step */
  markWake(step) {
    this.wakes.add(step);
  }

  /** @returns {[step: number, psnr: number][]} In the order of steps; the unseen are left out. */
  points() {
    return [...this.values].sort(([a], [b]) => a - b);
  }

  /**
   * Return steps since both worlds last showed the same picture, or null if that was too long ago.
   *
   * @param {number} step
   */
  sinceEqual(step) {
    for (let at = step; at >= this.newest - this.span; at--) {
      if (this.values.get(at) === Infinity || this.wakes.has(at)) return step - at;
    }
    return null;
  }
}

/**
 * Return where a likeness is drawn, as a share of the height from the top.
 *
 * @param {number} psnr dB; infinite where the worlds are equal.
 */
export function height(psnr) {
  const share = (Math.min(Math.max(psnr, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST);
  return 1 - share;
}

/**
 * Return where a step is drawn, as a share of the width from the left.
 *
 * @param {number} step
 * @param {number} newest
 * @param {number} span
 */
export function across(step, newest, span) {
  return (step - (newest - span)) / span;
}

/** @param {number} psnr dB */
export function likeness(psnr) {
  if (Number.isNaN(psnr)) return "";
  return psnr === Infinity ? "equal" : `${psnr.toFixed(1)} dB`;
}

/**
 * @param {number} steps
 * @param {number} ticksPerSecond
 */
export function seconds(steps, ticksPerSecond) {
  return `${(steps / ticksPerSecond).toFixed(1)} s`;
}

/**
 * @typedef {object} Ink
 * @property {string} line
 * @property {string} grid
 * @property {string} label
 * @property {string} mark
 * @property {string} font
 */

/**
 * Draw the curve.
 *
 * @param {CanvasRenderingContext2D} pen Whose unit is a pixel of the page.
 * @param {number} width
 * @param {number} tall
 * @param {Curve} curve
 * @param {number} shown Step that the worlds show now.
 * @param {Ink} ink
 */
export function drawChart(pen, width, tall, curve, shown, ink) {
  const top = 8;
  const bottom = tall - 6;
  /** @type {(psnr: number) => number} */
  const y = (psnr) => top + height(psnr) * (bottom - top);
  /** @type {(step: number) => number} */
  const x = (step) => across(step, curve.newest, curve.span) * width;
  pen.clearRect(0, 0, width, tall);
  drawGrid(pen, width, y, ink);
  for (const step of curve.wakes) {
    pen.fillStyle = ink.mark;
    pen.fillRect(Math.round(x(step)), top, 1, bottom - top);
    pen.fillRect(Math.round(x(step)) - 2, top - 3, 5, 3);
  }
  const points = curve.points();
  if (points.length > 0) drawCurve(pen, points, x, y, bottom, ink);
  if (shown < curve.newest) {
    pen.fillStyle = ink.label;
    pen.fillRect(Math.round(x(shown)), top - 4, 1, bottom - top + 8);
  }
  const now = curve.values.get(shown);
  if (now !== undefined) {
    pen.fillStyle = ink.line;
    pen.fillRect(Math.round(Math.min(x(shown), width - 3)) - 2, Math.round(y(now)) - 2, 5, 5);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} width
 * @param {(psnr: number) => number} y
 * @param {Ink} ink
 */
function drawGrid(pen, width, y, ink) {
  pen.font = ink.font;
  pen.textBaseline = "bottom";
  for (const psnr of [20, 40, HIGHEST]) {
    const line = Math.round(y(psnr));
    pen.fillStyle = ink.grid;
    pen.fillRect(0, line, width, 1);
    pen.fillStyle = ink.label;
    pen.fillText(psnr === HIGHEST ? "equal" : `${psnr} dB`, 0, line + 13);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {[step: number, psnr: number][]} points
 * @param {(step: number) => number} x
 * @param {(psnr: number) => number} y
 * @param {number} bottom
 * @param {Ink} ink
 */
function drawCurve(pen, points, x, y, bottom, ink) {
  const line = new Path2D();
  points.forEach(([step, psnr], i) => {
    if (i === 0) line.moveTo(x(step), y(psnr));
    else line.lineTo(x(step), y(psnr));
  });
  const area = new Path2D(line);
  area.lineTo(x(points[points.length - 1][0]), bottom);
  area.lineTo(x(points[0][0]), bottom);
  pen.globalAlpha = 0.14;
  pen.fillStyle = ink.line;
  pen.fill(area);
  pen.globalAlpha = 1;
  pen.strokeStyle = ink.line;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.stroke(line);
}
