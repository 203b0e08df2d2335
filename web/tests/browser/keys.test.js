import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

/** Milliseconds within which a key is to be seen. */
const SOON = 150;

/**
 * Runs in the page: waits for the next key, and for the ship to look different; says how long that
 * took. Round the ship nothing else is near at the beginning of a game.
 */
function timeOfTurn() {
  const canvas = /** @type {HTMLCanvasElement} */ (
    document.querySelector("[data-world=real] canvas")
  );
  const copy = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true })
  );
  const look = () => {
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, 64, 64);
    // The hull's blue, which no rock of the first wave has.
    return Array.from({ length: 4096 }, (_, i) =>
      data[4 * i + 2] > 120 ? data[4 * i + 2] : 0,
    ).join();
  };
  const before = look();
  return new Promise((resolve) => {
    addEventListener(
      "keydown",
      () => {
        const pressed = performance.now();
        const watch = () => {
          if (look() !== before) resolve(performance.now() - pressed);
          else requestAnimationFrame(watch);
        };
        requestAnimationFrame(watch);
      },
      { once: true, capture: true },
    );
  });
}

test(`a key turns the ship within ${SOON} ms`, async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.untilStep(5);
  const times = [];
  // The best of some: the machine may be busy with something else.
  for (let i = 0; i < 6; i++) {
    const turned = visit.page.evaluate(timeOfTurn);
    await visit.page.waitForTimeout(120);
    await visit.page.keyboard.down(i % 2 === 0 ? "ArrowLeft" : "ArrowRight");
    times.push(await turned);
    await visit.page.keyboard.up(i % 2 === 0 ? "ArrowLeft" : "ArrowRight");
    await visit.page.waitForTimeout(120);
  }
  assert(Math.min(...times) <= SOON, `it took ${times.map(Math.round).join(", ")} ms`);
  assert.match(await visit.text("fact-key"), /^\d+ ms$/);
});

test("the lights show which keys were played, in both worlds", async () => {
  const visit = await house.visit("?mode=both&seed=7");
  await visit.untilStep(2);
  await visit.page.keyboard.down("d");
  await visit.page.keyboard.down(" ");
  await visit.page.waitForSelector("[data-light=right][data-on]");
  await visit.page.waitForSelector("[data-light=fire][data-on]");
  assert.equal(await visit.page.locator("[data-light=left][data-on]").count(), 0);
  await visit.page.keyboard.up(" ");
  await visit.page.waitForSelector("[data-light=fire]:not([data-on])");
});

test("keys are let go when the page loses the focus", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.untilStep(2);
  await visit.page.keyboard.down("ArrowLeft");
  await visit.page.waitForSelector("[data-light=left][data-on]");
  await visit.page.evaluate(() => dispatchEvent(new Event("blur")));
  await visit.page.waitForSelector("[data-light=left]:not([data-on])");
});

test("a tap between two ticks is played", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.untilStep(2);
  await visit.page.evaluate(() => {
    for (const type of ["keydown", "keyup"]) {
      dispatchEvent(new KeyboardEvent(type, { code: "Space", key: " " }));
    }
  });
  await visit.page.waitForFunction(() => {
    const copy = new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true });
    const canvas = document.querySelector("[data-world=real] canvas");
    copy?.drawImage(/** @type {HTMLCanvasElement} */ (canvas), 0, 0);
    const data = copy?.getImageData(0, 0, 64, 64).data ?? [];
    // A bullet is the only thing that is bright yellow.
    return Array.from({ length: 4096 }).some(
      (_, i) => data[4 * i] > 200 && data[4 * i + 1] > 190 && data[4 * i + 2] < 180,
    );
  });
});

test("a gamepad steers, and its start button pauses", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.untilStep(2);
  /** @param {number[]} pressed */
  const press = (pressed) =>
    visit.page.evaluate((down) => {
      const buttons = Array.from({ length: 17 }, (_, i) => ({ pressed: down.includes(i) }));
      const pad = { index: 0, connected: true, axes: [0, 0], buttons };
      Object.defineProperty(navigator, "getGamepads", { value: () => [pad], configurable: true });
    }, pressed);
  await press([14, 0]);
  await visit.page.waitForSelector("[data-light=left][data-on] ~ [data-light=fire][data-on]");
  await press([]);
  await visit.page.waitForSelector("[data-light=left]:not([data-on])");
  await press([9]);
  await visit.until("paused");
});
