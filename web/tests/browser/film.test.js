import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House();
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

test("a video is recorded, saved when it is stopped, and can be played", async () => {
  const visit = await house.visit("?mode=both&seed=7");
  await visit.untilStep(2);
  await visit.page.keyboard.press("v");
  await visit.page.waitForSelector("#film[aria-pressed=true]");
  await visit.page.waitForTimeout(1500);
  const [download] = await Promise.all([
    visit.page.waitForEvent("download"),
    visit.page.keyboard.press("v"),
  ]);
  assert.equal(download.suggestedFilename(), "mirage-both-7.webm");
  const video = await readFile(await download.path());
  assert.equal(video.subarray(0, 4).toString("hex"), "1a45dfa3", "it does not begin as WebM does");
  assert(video.length > 5_000, `${video.length} bytes`);
  await visit.page.waitForSelector("#film[aria-pressed=false]");
});
