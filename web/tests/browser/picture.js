/**
 * Draws docs/page.png: the page in mode both, where a recorded game has ended and is taken over.
 *
 * Run it after a change of how the page looks: `node web/tests/browser/picture.js`.
 */

import { join } from "node:path";
import { House, ROOT } from "./house.js";

/** Four seconds by the built-in demonstration, in which the dream is woken twice. */
const GAME =
  "?mode=both&model=v1&seed=3" +
  "#r=BRQ4AAFgAWABGEABNCABKDAFFAJUBQQMJAIYCSgCZBIIEjQFVAABEAQADAAYATgAGCQBJA";

const house = new House();
await house.open();
try {
  const { page } = await house.visit(GAME, { viewport: { width: 1280, height: 880 } });
  await page.getByText("The recording ends here").waitFor({ timeout: 60_000 });
  await page.keyboard.press("i"); // how fast this machine is does not matter here
  await page.keyboard.down("ArrowLeft");
  await page.keyboard.down("ArrowUp");
  await page.waitForSelector("[data-light=left][data-on]");
  await page.waitForTimeout(200);
  await page.screenshot({ path: join(ROOT, "docs/page.png") });
} finally {
  await house.close();
}
