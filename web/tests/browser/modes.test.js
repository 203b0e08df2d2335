import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

/**
 * @param {import("./house.js").Visit} visit
 * @param {string} left
 * @param {string} right
 */
async function demandApart(visit, left, right) {
  const [a, b] = [
    await visit.page.locator(left).boundingBox(),
    await visit.page.locator(right).boundingBox(),
  ];
  assert(a && b && a.x + a.width <= b.x, `${left} reaches into ${right}`);
}

for (const mode of /** @type {const} */ (["real", "dream", "both"])) {
  test(`mode ${mode} draws moving pictures`, async () => {
    const visit = await house.visit(`?mode=${mode}&seed=7`);
    await visit.untilStep(10);
    const worlds = mode === "both" ? /** @type {const} */ (["real", "dream"]) : [mode];
    const before = await Promise.all(worlds.map((world) => visit.picture(world)));
    await visit.untilStep(40);
    const after = await Promise.all(worlds.map((world) => visit.picture(world)));
    worlds.forEach((_, i) => assert.notEqual(before[i], after[i]));
    for (const world of ["real", "dream"]) {
      const shown = await visit.page.locator(`[data-world=${world}]`).isVisible();
      assert.equal(
        shown,
        worlds.some((name) => name === world),
      );
    }
    await visit.keep(`mode-${mode}`);
    await demandApart(visit, `[data-world=${worlds[worlds.length - 1]}] .screen`, ".lede");
    await demandApart(visit, `[data-world=${worlds[0]}] .screen`, ".lights");
  });
}

test("both worlds begin with the same picture, and part later", async () => {
  const visit = await house.visit("?mode=both&seed=11");
  await visit.untilStep(60);
  assert.notEqual(await visit.picture("real"), await visit.picture("dream"));
  await visit.page.locator("#scrubber").press("Home");
  await visit.page.waitForFunction(() => document.getElementById("psnr")?.textContent === "equal");
  assert.equal(await visit.step(), 0);
  assert.equal(await visit.picture("real"), await visit.picture("dream"));
});

test("the mode is chosen in the page, and stands in the address with model and seed", async () => {
  const visit = await house.visit("?mode=real&seed=12");
  await visit.until("playing");
  await visit.page.getByRole("radio", { name: "Dream" }).check();
  await visit.page.waitForURL(/\?mode=dream&model=[\w.-]+&seed=12$/);
  await visit.page.keyboard.press("3");
  await visit.page.waitForURL(/\?mode=both&model=[\w.-]+&seed=12$/);
  await visit.untilStep(5);
});

test("pixels are sharp: a screen is a whole number of the display's pixels for each of its own", async () => {
  for (const deviceScaleFactor of [1, 1.5, 2]) {
    const visit = await house.visit("?mode=both&seed=7", { deviceScaleFactor });
    await visit.until("playing");
    const box = await visit.page.locator("[data-world=real] canvas").boundingBox();
    assert(box);
    const scale = (box.width * deviceScaleFactor) / 64;
    assert(Math.abs(scale - Math.round(scale)) < 0.01, `scale ${scale}`);
    const style = await visit.page
      .locator("[data-world=real] canvas")
      .evaluate((canvas) => getComputedStyle(canvas).imageRendering);
    assert.equal(style, "pixelated");
  }
});

test("what an address says wrongly is said, and the game begins all the same", async () => {
  const visit = await house.visit("?mode=sideways&model=nobody&seed=-1");
  const toasts = visit.page.locator("#toasts");
  await toasts.getByText("There is no mode “sideways”").waitFor();
  await toasts.getByText("“-1” is no seed").waitFor();
  await toasts.getByText("no model “nobody”").waitFor();
  await visit.untilStep(5);
});
