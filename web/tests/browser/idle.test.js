import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

// What must be done before the close may take long on a busy machine.
const house = new House(["--idle-pause", "2", "--idle-close", "12"]);
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

test("who presses no key is paused, goes on by any key, and is let go after a while", async () => {
  const visit = await house.visit("?mode=real&seed=4");
  await visit.until("idle");
  await visit.keep("idle");
  const step = await visit.step();
  await visit.page.keyboard.press("ArrowLeft");
  await visit.untilStep(step + 5);
  await visit.page.getByRole("heading", { name: "Nobody was here" }).waitFor();
  await visit.keep("gone");
  await visit.page.getByRole("button", { name: "Try now" }).click();
  await visit.until("playing");
});
