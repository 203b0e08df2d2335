import assert from "node:assert/strict";
import { test } from "node:test";
import { readLink, readSeed, writeLink } from "../../mirage_web/page/link.js";
import { deeds, fromText, toText } from "../../mirage_web/page/recording.js";

const RUNS = Uint8Array.from([0xf0, 0x25, 0x0c, 0x0b]); // 16 × nothing, 3 × left and fire, wake, …

test("a link says mode, model and seed, and is read as it was written", () => {
  const link = writeLink({ mode: "both", model: "v1", seed: 7 }, RUNS);
  assert.equal(link, "?mode=both&model=v1&seed=7#r=8CUMCw");
  const [search, hash] = link.split("#");
  const read = readLink(search, `#${hash}`);
  assert.deepEqual(read, { mode: "both", model: "v1", seed: 7, recording: RUNS, complaints: [] });
});

test("mode real has no model in its link, and no recording leaves no trace", () => {
  assert.equal(writeLink({ mode: "real", model: "v1", seed: 0 }), "?mode=real&seed=0");
  const none = new Uint8Array();
  assert.equal(
    writeLink({ mode: "dream", model: "v2", seed: 1 }, none),
    "?mode=dream&model=v2&seed=1",
  );
});

test("everything in an address may be left out", () => {
  const nothing = { mode: null, model: "", seed: null, recording: null, complaints: [] };
  assert.deepEqual(readLink("", ""), nothing);
});

test("what cannot be understood is said, and the rest is kept", () => {
  const read = readLink("?mode=sideways&seed=seven&model=v1", "#r=!!");
  assert.deepEqual([read.mode, read.seed, read.model, read.recording], [null, null, "v1", null]);
  assert.equal(read.complaints.length, 3);
});

test("a recording without its seed is no recording", () => {
  const read = readLink("?mode=both", "#r=8CUMCw");
  assert.equal(read.recording, null);
  assert.equal(read.complaints.length, 1);
});

test("a seed is a whole number that JavaScript can hold", () => {
  assert.equal(readSeed(" 9007199254740991 "), 2 ** 53 - 1);
  for (const text of ["9007199254740992", "-1", "1.5", "1e3", "", "0x10", "٣"]) {
    assert.equal(readSeed(text), null, text);
  }
});

test("runs are spelt out in order, wakes between the ticks", () => {
  const spelt = deeds(RUNS);
  assert.equal(spelt.length, 16 + 3 + 1 + 1);
  assert.deepEqual(spelt[15], { action: 0 });
  assert.deepEqual(spelt.slice(16, 21), [
    { action: 5 },
    { action: 5 },
    { action: 5 },
    "wake",
    { action: 11 },
  ]);
});

test("runs that are none are refused", () => {
  for (const run of [0x0d, 0x0f, 0x1c]) assert.throws(() => deeds(Uint8Array.of(run)), RangeError);
  const ticks = new Uint8Array(54_000 / 16 + 1).fill(0xf0);
  assert.throws(() => deeds(ticks), RangeError);
  assert.equal(deeds(ticks.subarray(1)).length, 54_000);
  assert.throws(() => deeds(new Uint8Array(1001).fill(0x0c)), RangeError);
});

test("text of a recording comes back as its bytes, and has one spelling", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => 251 * i + length);
    assert.deepEqual(fromText(toText(bytes)), bytes);
  }
  for (const text of ["A", "8CUMCx", "8CUM+w", "8CUMCw==", "8CU MCw"]) {
    assert.throws(() => fromText(text), RangeError, text);
  }
});
