import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

test("a copied link plays the same game again, key by key, wake and all", async () => {
  const visit = await house.visit("?mode=both&seed=5", { clipboard: true });
  await visit.untilStep(3);
  await visit.page.keyboard.down("ArrowLeft");
  await visit.page.keyboard.down("ArrowUp");
  await visit.untilStep(12);
  await visit.page.keyboard.up("ArrowLeft");
  await visit.page.keyboard.down(" ");
  await visit.untilStep(20);
  await visit.page.keyboard.press("e");
  await visit.untilStep(28);
  await visit.page.keyboard.press("p");
  await visit.until("paused");
  await visit.page.keyboard.up("ArrowUp");
  await visit.page.keyboard.up(" ");
  const step = await visit.step();
  const pictures = [await visit.picture("real"), await visit.picture("dream")];
  const score = await visit.page.locator("[data-world=real] .score").innerText();
  await visit.page.getByRole("button", { name: "Copy link" }).click();
  await visit.page.getByText("The link is copied").waitFor();
  const link = await visit.page.evaluate(() => navigator.clipboard.readText());
  assert.match(link, /\?mode=both&model=[\w.-]+&seed=5#r=[\w-]+$/);

  const again = await house.visit(new URL(link).search + new URL(link).hash);
  await again.until("replay");
  await again.page.getByText("The recording ends here").waitFor();
  assert.equal(await again.step(), step);
  assert.equal(await again.text("fact-step"), `${step} of ${step}`);
  assert.deepEqual([await again.picture("real"), await again.picture("dream")], pictures);
  assert.equal(await again.page.locator("[data-world=real] .score").innerText(), score);
  await again.keep("replayed");

  await again.page.keyboard.press("ArrowRight");
  await again.until("playing");
  await again.untilStep(step + 3);
});

test("a shared game is still there after a reload, until another begins", async () => {
  const link = "?mode=real&seed=5#r=8CU";
  const visit = await house.visit(link);
  const ended = visit.page.getByText("The recording ends here");
  await ended.waitFor();
  const [step, picture] = [await visit.step(), await visit.picture("real")];
  assert.equal(step, 19);
  assert(visit.page.url().endsWith(link));
  await visit.page.reload();
  await visit.until("replay");
  await ended.waitFor();
  assert.deepEqual([await visit.step(), await visit.picture("real")], [step, picture]);

  await visit.page.keyboard.press("ArrowRight");
  await visit.until("playing");
  assert(visit.page.url().endsWith(link), "who takes over can go back to it");
  await visit.page.keyboard.press("r");
  await visit.page.waitForURL(/\?mode=real&seed=6$/);
  await visit.page.reload();
  await visit.until("playing");
});

test("a damaged recording is said, and the game of its seed begins", async () => {
  const visit = await house.visit("?mode=real&seed=5#r=__");
  await visit.page.getByText("The recording in this link is damaged").waitFor();
  await visit.until("playing");
});

test("the seed can be typed, and what is none is refused", async () => {
  const visit = await house.visit("?mode=real&seed=5");
  await visit.until("playing");
  const field = visit.page.getByLabel("Seed");
  await field.fill("nine");
  await field.press("Enter");
  await visit.page.getByText("That is no seed").waitFor();
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  await field.fill("99");
  await field.press("Enter");
  await visit.page.waitForURL(/seed=99$/);
  assert.equal(await field.getAttribute("aria-invalid"), "false");
});
