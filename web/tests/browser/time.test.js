import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

/** @param {import("./house.js").Visit} visit */
async function both(visit) {
  return [await visit.picture("real"), await visit.picture("dream")];
}

/** @param {number} step */
async function pausedAt(step) {
  const visit = await house.visit("?mode=both&seed=21");
  await visit.untilStep(step);
  await visit.page.keyboard.press("p");
  await visit.until("paused");
  return visit;
}

test("paused, both worlds stand still; a step is one tick; and they go on", async () => {
  const visit = await pausedAt(8);
  const step = await visit.step();
  const still = await both(visit);
  await visit.page.waitForTimeout(300);
  assert.deepEqual(await both(visit), still);
  await visit.keep("paused");
  await visit.page.keyboard.press(".");
  await visit.untilStep(step + 1);
  assert.equal(await visit.step(), step + 1);
  const next = await both(visit);
  assert.notEqual(next[0], still[0]);
  assert.notEqual(next[1], still[1]);
  await visit.page.keyboard.press("p");
  await visit.until("playing");
  await visit.untilStep(step + 5);
});

test("rewound, both worlds show what they showed, and go another way from there", async () => {
  const visit = await pausedAt(20);
  const step = await visit.step();
  const then = await both(visit);
  for (let i = 1; i <= 4; i++) {
    await visit.page.keyboard.press(".");
    await visit.untilStep(step + i);
  }
  const straight = await both(visit);
  await visit.page.locator("#scrubber").focus();
  for (let i = 0; i < 4; i++) await visit.page.keyboard.press("ArrowLeft");
  await visit.page.getByText("0.1 s back").waitFor();
  assert.equal(await visit.step(), step);
  assert.deepEqual(await both(visit), then);
  await visit.keep("rewound");
  await visit.page.keyboard.press("Escape");
  await visit.page.keyboard.down("ArrowRight");
  for (let i = 1; i <= 4; i++) {
    await visit.page.keyboard.press(".");
    await visit.untilStep(step + i);
  }
  const turned = await both(visit);
  assert.notEqual(turned[0], straight[0]);
  assert.notEqual(turned[1], straight[1]);
  assert.equal(await visit.page.locator("#scrubber").inputValue(), "0");
});

test("woken, the dream shows the game's picture", async () => {
  const visit = await pausedAt(30);
  assert.notEqual(await visit.text("psnr"), "equal");
  await visit.page.getByRole("button", { name: "Wake" }).click();
  await visit.page.waitForFunction(() => document.getElementById("psnr")?.textContent === "equal");
  const [real, dream] = await both(visit);
  assert.equal(real, dream);
  await visit.page.keyboard.press("p");
  await visit.page.waitForFunction(() => document.getElementById("psnr")?.textContent !== "equal");
  await visit.page.waitForTimeout(1500);
  await visit.keep("woken");
});

test("a new game has the next seed, starting over has the same", async () => {
  const visit = await house.visit("?mode=real&seed=30");
  await visit.untilStep(2);
  await visit.page.keyboard.press("r");
  await visit.page.waitForURL(/seed=31$/);
  await visit.untilStep(20);
  await visit.page.keyboard.press("o");
  await visit.page.waitForFunction(
    () => parseInt(document.getElementById("fact-step")?.textContent ?? "") < 20,
  );
  assert.match(visit.page.url(), /seed=31$/);
});

test("a page that is out of sight is paused", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.untilStep(2);
  await visit.page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await visit.until("paused");
});
