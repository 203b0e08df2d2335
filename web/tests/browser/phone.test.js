import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

const PHONE = { isMobile: true, hasTouch: true, deviceScaleFactor: 3 };
const UPRIGHT = { ...PHONE, viewport: { width: 390, height: 844 } };
const SMALL = { ...PHONE, viewport: { width: 320, height: 568 } };
const ASIDE = { ...PHONE, viewport: { width: 844, height: 390 } };

/** @param {import("./house.js").Visit} visit @param {string} selector */
async function demandInView(visit, selector) {
  const size = visit.page.viewportSize();
  const box = await visit.page.locator(selector).boundingBox();
  assert(box && size, selector);
  const inside =
    box.x >= 0 &&
    box.y >= 0 &&
    box.x + box.width <= size.width &&
    box.y + box.height <= size.height;
  assert(inside, `${selector} is at ${JSON.stringify(box)} of ${JSON.stringify(size)}`);
}

for (const [name, options] of /** @type {const} */ ([
  ["upright", UPRIGHT],
  ["upright, a small one", SMALL],
  ["aside", ASIDE],
])) {
  for (const mode of ["real", "both"]) {
    test(`on a phone held ${name}, mode ${mode} has screens and pads in view at once`, async () => {
      const visit = await house.visit(`?mode=${mode}&seed=7`, options);
      await visit.untilStep(10);
      const worlds = mode === "both" ? ["real", "dream"] : [mode];
      for (const world of worlds) await demandInView(visit, `[data-world=${world}] canvas`);
      for (const button of ["left", "right", "thrust", "fire"]) {
        await demandInView(visit, `[data-button=${button}]`);
      }
      const wide = await visit.page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(wide, options.viewport.width, "the page is wider than the phone");
      await visit.keep(`phone-${name.replaceAll(/\W+/g, "-")}-${mode}`);
    });
  }
}

test("a finger on a pad steers, slides to the next one, and lets go", async () => {
  const visit = await house.visit("?mode=real&seed=7", UPRIGHT);
  await visit.untilStep(2);
  const touch = await visit.page.context().newCDPSession(visit.page);
  /** @param {string} button */
  const middle = async (button) => {
    const box = await visit.page.locator(`[data-button=${button}]`).boundingBox();
    assert(box);
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const [left, right, fire] = [await middle("left"), await middle("right"), await middle("fire")];
  /** @param {"touchStart" | "touchMove" | "touchEnd"} type @param {...object} touchPoints */
  const put = (type, ...touchPoints) =>
    touch.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: /** @type {{x: number, y: number}[]} */ (touchPoints),
    });
  /** @param {string} buttons */
  const untilDown = (buttons) =>
    visit.page.waitForFunction((wanted) => {
      const down = [...document.querySelectorAll("[data-button][data-on]")];
      return down.map((pad) => pad.getAttribute("data-button")).join() === wanted;
    }, buttons);
  await put("touchStart", { ...left, id: 1 });
  await untilDown("left");
  await put("touchMove", { ...right, id: 1 });
  await untilDown("right");
  await put("touchStart", { ...right, id: 1 }, { ...fire, id: 2 });
  await untilDown("right,fire");
  await visit.keep("phone-touched");
  await put("touchEnd");
  await untilDown("");
});
