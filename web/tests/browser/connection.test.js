import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { House } from "./house.js";

const house = new House(["--max-games", "1", "--max-waiting", "1"]);
before(() => house.open());
afterEach(() => house.leave());
after(() => house.close());

test("after a restart of the server the same game begins anew by itself", async () => {
  const visit = await house.visit("?mode=real&seed=8");
  await visit.untilStep(5);
  await house.server.stop();
  await visit.page.getByRole("heading", { name: "The server restarts" }).waitFor();
  await visit.keep("restarting");
  await house.server.start();
  await visit.until("playing");
  await visit.untilStep(2);
  assert.match(visit.page.url(), /mode=real&seed=8$/);
  visit.forgiveLostConnection();
});

test("a server that is gone is waited for, and can be called at once", async () => {
  const visit = await house.visit("?mode=real&seed=8");
  await visit.untilStep(2);
  await house.server.stop("SIGKILL");
  await visit.page.getByRole("heading", { name: "Connection lost" }).waitFor();
  await visit.page.getByText(/The next attempt is in \d+ s/).waitFor();
  await visit.keep("lost");
  await house.server.start();
  // It may have come back by itself just now, and the button be gone.
  await visit.page.evaluate(() =>
    document.getElementById("veil-actions")?.querySelector("button")?.click(),
  );
  await visit.until("playing");
  visit.forgiveLostConnection();
});

test("where all places are taken there is a queue, and beyond it a door", async () => {
  const first = await house.visit("?mode=real&seed=1");
  await first.untilStep(1);
  const second = await house.visit("?mode=real&seed=2");
  await second.page.getByRole("heading", { name: "You are next" }).waitFor();
  await second.keep("queue");
  const third = await house.visit("?mode=real&seed=3");
  await third.page.getByRole("heading", { name: "No room just now" }).waitFor();
  await third.page
    .getByText(/All places are taken: please try again later. The next attempt is in \d+ s/)
    .waitFor();
  await third.keep("full");
  await first.page.goto("about:blank");
  await second.until("playing");
});
