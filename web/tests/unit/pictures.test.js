import assert from "node:assert/strict";
import { test } from "node:test";
import { Curve, HIGHEST, LOWEST, across, height, likeness } from "../../mirage_web/page/chart.js";
import { MAP_EDGE, MARGIN, differenceMap } from "../../mirage_web/page/difference.js";
import { screenEdge } from "../../mirage_web/page/layout.js";
import { opaque } from "../../mirage_web/page/worlds.js";

test("likeness is drawn from the bottom to the top, and stays inside", () => {
  assert.equal(height(LOWEST), 1);
  assert.equal(height(HIGHEST), 0);
  assert.equal(height(35), 0.5);
  assert.equal(height(Infinity), 0);
  assert.equal(height(-3), 1);
});

test("steps are drawn from ten seconds ago on the left to now on the right", () => {
  assert.equal(across(1000, 1000, 300), 1);
  assert.equal(across(700, 1000, 300), 0);
  assert.equal(across(0, 30, 300), 0.9);
});

test("likeness is said in decibels, or as equal, or not at all", () => {
  assert.deepEqual([31.26, Infinity, NaN].map(likeness), ["31.3 dB", "equal", ""]);
});

/** @param {Curve} curve @param {number} from @param {number} to */
function play(curve, from, to) {
  for (let step = from; step <= to; step++) {
    curve.add({ step, newest: step, psnr: step === 0 ? Infinity : 50 - step / 10 });
  }
}

test("the curve forgets what is older than it reaches", () => {
  const curve = new Curve(300);
  play(curve, 0, 400);
  const points = curve.points();
  assert.equal(points.length, 301);
  assert.deepEqual([points[0][0], points[300][0]], [100, 400]);
});

test("steps played anew after a rewind replace those that were, and their wakes", () => {
  const curve = new Curve(300);
  play(curve, 0, 50);
  curve.markWake(40);
  curve.add({ step: 20, newest: 50, psnr: 48 }); // looked back
  assert.equal(curve.points().length, 51);
  curve.add({ step: 21, newest: 21, psnr: 12 }); // and went on from there
  assert.deepEqual(curve.points().at(-1), [21, 12]);
  assert.equal(curve.wakes.size, 0);
});

test("the curve knows how long ago the worlds were equal", () => {
  const curve = new Curve(300);
  play(curve, 0, 45);
  assert.equal(curve.sinceEqual(45), 45);
  assert.equal(curve.sinceEqual(0), 0);
  play(curve, 46, 301);
  assert.equal(curve.sinceEqual(301), null);
});

/** @param {[x: number, y: number, rgb: number[]][]} pixels */
function picture(pixels) {
  const bytes = new Uint8Array(64 * 64 * 3);
  for (const [x, y, rgb] of pixels) bytes.set(rgb, 3 * (64 * y + x));
  return bytes;
}

test("the map is cyan where only the game has light, violet where only the dream has", () => {
  const map = new Uint8ClampedArray(MAP_EDGE * MAP_EDGE * 4);
  differenceMap(picture([[30, 10, [255, 255, 255]]]), picture([[31, 10, [255, 255, 255]]]), map);
  /** @param {number} x @param {number} y */
  const at = (x, y) => [...map.subarray(4 * (MAP_EDGE * y + x), 4 * (MAP_EDGE * y + x) + 4)];
  assert.deepEqual(at(30 + MARGIN, 10 + MARGIN), [84, 224, 255, 255]);
  assert.deepEqual(at(31 + MARGIN, 10 + MARGIN), [186, 148, 255, 255]);
  assert.deepEqual(at(32 + MARGIN, 10 + MARGIN), [0, 0, 0, 255]);
});

test("what lies at an edge of the map is repeated beyond the opposite one, dimmed", () => {
  const map = new Uint8ClampedArray(MAP_EDGE * MAP_EDGE * 4);
  differenceMap(picture([[0, 63, [255, 255, 255]]]), picture([]), map);
  const lit = [];
  for (let i = 0; i < MAP_EDGE * MAP_EDGE; i++) {
    if (map[4 * i + 2] > 0) lit.push([i % MAP_EDGE, Math.floor(i / MAP_EDGE), map[4 * i + 2]]);
  }
  const dim = 115; // 0.45 of 255, rounded
  const [near, far] = [MARGIN, MARGIN + 64];
  assert.deepEqual(lit, [
    [near, near - 1, dim],
    [far, near - 1, dim],
    [near, far - 1, 255],
    [far, far - 1, dim],
  ]);
});

test("a picture becomes opaque and keeps its colours", () => {
  const into = new Uint8ClampedArray(64 * 64 * 4);
  opaque(picture([[1, 0, [10, 20, 30]]]), into);
  assert.deepEqual([...into.subarray(0, 8)], [0, 0, 0, 255, 10, 20, 30, 255]);
});

test("a screen is a whole number of the display's pixels for each of its own", () => {
  for (const ratio of [1, 1.25, 1.5, 2, 2.625, 3]) {
    for (const width of [100, 333, 390, 511, 900]) {
      const edge = screenEdge(width, 2000, ratio);
      const scale = (edge * ratio) / 64;
      assert(Math.abs(scale - Math.round(scale)) < 1e-9, `${scale}`);
      assert(edge <= Math.max(width, 144), `${edge} in ${width}`);
      assert(edge > Math.min(width, 768) - 64, `${edge} in ${width}`);
    }
  }
  assert.equal(screenEdge(1000, 500, 1), 448);
  assert.equal(screenEdge(1000, 200, 1), 256, "on a desk the page scrolls");
  assert.equal(screenEdge(1000, 200, 1, true), 192, "under thumbs the screen shrinks");
});
