import assert from "node:assert/strict";
import { test } from "node:test";
import { Jumps } from "../../mirage_web/page/jumps.js";
import { Replay } from "../../mirage_web/page/replay.js";

test("the count of generations goes round after 65535", () => {
  const jumps = new Jumps(65535);
  jumps.send("rewind");
  jumps.send("wake");
  assert.deepEqual(jumps.done(65535), []);
  assert.deepEqual(jumps.done(0), ["rewind"]);
  assert.deepEqual(jumps.done(1), ["wake"]);
});

test("what is sent ahead of the picture has a bound", () => {
  const replay = new Replay(
    Array.from({ length: 1000 }, () => ({ action: 1 })),
    30,
  );
  let sent = 0;
  for (let now = 0; now < 60_000; now += 16) sent += replay.next(now, 0).length;
  assert.equal(sent, 20);
});

test("after a pause a recording goes on where it was, and does not catch up", () => {
  const replay = new Replay(
    Array.from({ length: 100 }, () => ({ action: 1 })),
    30,
  );
  assert.equal(replay.next(0, 0).length, 1);
  assert.equal(replay.next(10_000, 0).length, 1);
  replay.paused = true;
  assert.equal(replay.next(10_100, 0).length, 0);
});
