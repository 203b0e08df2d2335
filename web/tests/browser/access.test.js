import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

test("everything can be reached and used by the keyboard alone, and the focus is seen", async () => {
  const visit = await house.visit("?mode=both&seed=7");
  await visit.until("playing");
  /** @type {Map<string, string>} What has the focus, and the ring round it. */
  const reached = new Map();
  for (let i = 0; i < 40; i++) {
    await visit.page.keyboard.press("Tab");
    const [name, ring] = await visit.page.evaluate(() => {
      const it = /** @type {HTMLElement} */ (document.activeElement);
      const seen =
        it instanceof HTMLInputElement && it.type === "radio" ? it.nextElementSibling : it;
      const style = getComputedStyle(/** @type {Element} */ (seen));
      const screen =
        it.id === "stage"
          ? getComputedStyle(/** @type {Element} */ (it.querySelector(".screen")))
          : style;
      const ring =
        it.id === "stage" ? screen.borderColor : `${style.outlineStyle} ${style.outlineWidth}`;
      return [it.dataset.command || it.id || it.getAttribute("value") || it.className, ring];
    });
    if (name === "" || reached.has(name)) break; // the browser's own part, or once round
    reached.set(name, ring);
  }
  const wanted = ["skip", "both", "model", "seed", "share", "stage", "pause", "back", "forward"];
  wanted.push("wake", "again", "new", "film", "scrubber", "help", "contrast", "facts");
  assert.deepEqual([...reached.keys()].sort(), wanted.sort());
  for (const [name, ring] of reached) {
    assert.equal(ring, name === "stage" ? "rgb(255, 206, 64)" : "solid 2px", name);
  }
});

test("a walk by the keyboard: mode, pause by its button, help, and back to the game", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.until("playing");
  await visit.page.locator("input[value=real]").focus();
  await visit.page.keyboard.press("ArrowRight");
  await visit.page.waitForURL(/mode=dream/);
  await visit.until("playing");
  await visit.page.locator("#pause").focus();
  await visit.page.keyboard.press("Space");
  await visit.until("paused");
  assert.equal(await visit.page.locator("#pause").innerText(), "Go on");
  await visit.page.keyboard.press("Enter");
  await visit.until("playing");
  await visit.page.keyboard.press("Escape");
  assert.equal(await visit.page.evaluate(() => document.activeElement?.id), "stage");
  await visit.page.keyboard.press("h");
  await visit.page.getByRole("dialog").waitFor();
  await visit.keep("help");
  await visit.page.keyboard.press("Escape");
  await visit.page.getByRole("dialog").waitFor({ state: "hidden" });
  await visit.page.keyboard.down("ArrowLeft");
  await visit.page.waitForSelector("[data-light=left][data-on]");
});

test("after the mouse the space bar fires again, and presses no button twice", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.until("playing");
  await visit.page.locator("[data-command=again]").click();
  await visit.page.keyboard.down("Space");
  await visit.page.waitForSelector("[data-light=fire][data-on]");
});

test("what goes on is told to who cannot see it", async () => {
  const visit = await house.visit("?mode=real&seed=7");
  await visit.until("playing");
  const status = visit.page.locator("#status");
  assert.equal(await status.getAttribute("aria-live"), "polite");
  const chatter = visit.page.locator("output:not([aria-live=off])");
  assert.equal(await chatter.count(), 0, "figures that change all the time are read out");
  assert.match(await status.innerText(), /^Playing/);
  await visit.page.keyboard.press("p");
  await status.getByText("Paused").waitFor();
  await visit.page.getByRole("img", { name: "3 lives left" }).waitFor();
});

test("high contrast follows the system, is chosen by hand, and is remembered", async () => {
  const asks = await house.visit("?mode=both&seed=7", { contrast: "more" });
  await asks.untilStep(20);
  await asks.page.waitForSelector("html[data-contrast=high]");
  await asks.keep("contrast");
  await asks.page.keyboard.press("c");
  await asks.page.waitForSelector("html[data-contrast=usual]");
  await asks.page.reload();
  await asks.until("playing");
  await asks.page.waitForSelector("html[data-contrast=usual]");
});

test("who wants little motion gets none that the game does not need", async () => {
  const visit = await house.visit("?mode=both&seed=7", { reducedMotion: "reduce" });
  await visit.untilStep(5);
  const durations = await visit.page.evaluate(() =>
    [...document.querySelectorAll("*")].map((it) => getComputedStyle(it).transitionDuration),
  );
  assert.deepEqual([...new Set(durations)], ["0s"]);
  const changes = await visit.page.evaluate(
    () =>
      new Promise((resolve) => {
        let count = 0;
        const psnr = /** @type {Element} */ (document.getElementById("psnr"));
        new MutationObserver(() => (count += 1)).observe(psnr, { childList: true });
        setTimeout(() => resolve(count), 1000);
      }),
  );
  assert(Number(changes) <= 5, `the figure changed ${changes} times in a second`);
});
