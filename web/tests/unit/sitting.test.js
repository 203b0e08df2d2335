import assert from "node:assert/strict";
import { test } from "node:test";
import { STATE } from "../../mirage_web/page/protocol.js";
import { Sitting } from "../../mirage_web/page/sitting.js";

/** @typedef {import("../../mirage_web/page/protocol.js").Frame} Frame */

/** @type {import("../../mirage_web/page/protocol.js").Hello} */
const HELLO = {
  type: "hello",
  models: ["v1", "v2"],
  version: 1,
  ticksPerSecond: 30,
  edge: 64,
  stepsKept: 300,
  idlePause: 60,
  idleClose: 600,
};

/** A sitting, what it sends, and a clock that stands still. */
function sitting(wanted = {}) {
  /** @type {string[]} */
  const sent = [];
  const clock = { time: 0 };
  const it = new Sitting({
    send: (bytes) => sent.push(Buffer.from(bytes).toString("hex")),
    now: () => clock.time,
    wanted: { mode: "both", model: "v1", seed: 7, ...wanted },
  });
  return { it, sent, clock };
}

/** @param {Partial<Frame>} [says] @returns {Frame} */
function frame(says = {}) {
  const newest = says.newest ?? says.step ?? 10;
  return {
    type: "frame",
    serial: 1,
    step: 10,
    oldest: 0,
    newest,
    generation: 1,
    sequence: 0,
    made: 0,
    psnr: NaN,
    action: 0,
    state: STATE.RUNNING,
    worlds: [],
    ...says,
  };
}

/** A sitting that has begun. */
function begun(wanted = {}, says = {}) {
  const all = sitting(wanted);
  all.it.take(HELLO);
  const { mode, model, seed } = all.it;
  const paused = all.it.recording !== null;
  all.it.take({ type: "begin", mode, paused, generation: 1, seed, model });
  all.it.take(frame(says));
  all.sent.length = 0;
  return all;
}

const KEYS = /^4d3102/;
const PAUSE = "4d310401";
const GO_ON = "4d310400";
const WAKE = "4d310700";
const RECORD = "4d310900";

test("after hello the sitting that was asked for is begun", () => {
  const { it, sent } = sitting({ model: "v2" });
  it.take(HELLO);
  assert.deepEqual(sent, ["4d31010300000000070000000000000076320000000000000000000000000000"]);
});

test("a model that the server has not becomes its first; without models the game is played", () => {
  const other = sitting({ model: "v9" });
  other.it.take(HELLO);
  assert.equal(other.it.model, "v1");
  const none = sitting();
  none.it.take({ ...HELLO, models: [] });
  assert.equal(none.it.mode, "real");
  assert.equal(none.sent[0].slice(0, 8), "4d310101");
});

test("keys are sent when they change, and their picture is timed", () => {
  const { it, sent, clock } = begun();
  it.steer(4);
  it.steer(4);
  assert.deepEqual(sent, ["4d31020401000000"]);
  clock.time = 40;
  it.drawn(frame({ sequence: 0 }));
  assert.equal(it.latency.key, null);
  it.drawn(frame({ sequence: 1, serial: 9 }));
  assert.equal(it.latency.key, 40);
  assert.equal(sent.at(-1), "4d31030009000000");
});

test("the count of keys goes round after 65535", () => {
  const { it, sent } = begun();
  it.sequence = 65535;
  it.steer(1);
  assert.deepEqual(sent, ["4d31020100000000"]);
  it.drawn(frame({ sequence: 65535 }));
  assert.equal(it.latency.key, null);
  it.drawn(frame({ sequence: 2 }));
  assert.equal(it.latency.key, 0);
});

test("hammered keys are held back before the server minds, and the last is never lost", () => {
  const { it, sent, clock } = begun();
  for (let i = 1; i <= 200; i++) {
    clock.time = i;
    it.steer(i % 2);
    it.tick();
  }
  it.steer(11);
  assert(sent.length <= 50, `${sent.length} messages in 0.2 s`);
  clock.time = 1000;
  it.tick();
  assert.match(/** @type {string} */ (sent.at(-1)), /^4d31020b/);
});

test("keys that are down when a sitting begins are told to it", () => {
  const { it, sent } = sitting();
  it.steer(2);
  it.take(HELLO);
  assert.equal(sent.length, 1);
  it.take({ type: "begin", mode: "both", paused: false, generation: 1, seed: 7, model: "v1" });
  assert.match(sent[1], /^4d310202/);
});

test("pause and go on", () => {
  const { it, sent } = begun();
  it.togglePause();
  it.take(frame({ state: STATE.PAUSED }));
  it.togglePause();
  assert.deepEqual(sent, [PAUSE, GO_ON]);
});

test("a step is played by the keys that are down", () => {
  const { it, sent } = begun({}, { state: STATE.PAUSED });
  it.forward();
  it.steer(5);
  it.forward();
  assert.equal(sent[0], "4d31050001000000");
  assert.equal(sent.at(-1), "4d31050503000000");
});

test("rewinding pauses, keeps within the steps that are kept, and is not asked for too often", () => {
  const { it, sent, clock } = begun({}, { step: 400, oldest: 100, newest: 400 });
  it.scrub(50);
  assert.deepEqual(sent, [PAUSE, "4d31080064000000"]);
  it.take(frame({ step: 400, oldest: 100, newest: 400, state: STATE.PAUSED }));
  for (let step = 101; step <= 150; step++) it.scrub(step);
  assert.equal(sent.length, 2);
  clock.time = 60;
  it.tick();
  assert.deepEqual(sent.slice(2), ["4d31080096000000"]);
});

test("rewinding from the end pauses too, or it would run to its end again", () => {
  const { it, sent } = begun({}, { step: 400, oldest: 100, newest: 400, state: STATE.ENDED });
  it.scrub(350);
  assert.deepEqual(sent, [PAUSE, "4d3108005e010000"]);
});

test("one step back, and again before the picture has come", () => {
  const { it, sent, clock } = begun({}, { step: 400, oldest: 100, newest: 400, state: 1 });
  it.scrubBy(-1);
  clock.time = 100;
  it.scrubBy(-1);
  assert.deepEqual(sent, ["4d3108008f010000", "4d3108008e010000"]);
  it.take(frame({ step: 398, oldest: 100, newest: 400, state: STATE.PAUSED }));
  clock.time = 200;
  it.forward();
  assert.equal(sent[2], "4d3108008f010000");
});

test("going on happens at the step asked for last, though it is not yet shown", () => {
  const { it, sent } = begun({}, { step: 400, oldest: 100, newest: 400, state: STATE.PAUSED });
  it.scrub(200);
  it.scrub(150); // too soon after the first to be sent at once
  assert(it.rewound);
  it.togglePause();
  assert.deepEqual(sent, ["4d310800c8000000", "4d31080096000000", GO_ON]);
});

test("a step that is no longer kept is not waited for", () => {
  const { it } = begun({}, { step: 400, oldest: 100, newest: 400, state: STATE.PAUSED });
  it.scrub(100);
  it.take({ type: "notice", code: 2, step: 400 });
  assert.equal(it.shownStep, 400);
});

test("from a step gone back to, a key that is down plays on instead of showing what was", () => {
  const { it, sent } = begun({}, { step: 390, newest: 400, state: STATE.PAUSED });
  it.steer(4);
  it.forward();
  assert.match(/** @type {string} */ (sent.at(-1)), /^4d310504/);
});

test("a wake is marked where it was done, even if its own frame was left out", () => {
  const { it, sent } = begun();
  it.take(frame({ step: 40 }));
  it.wake();
  assert.deepEqual(sent, [WAKE]);
  it.take(frame({ step: 41 }));
  assert.equal(it.curve.wakes.size, 0);
  it.take(frame({ step: 44, generation: 2, psnr: 38 }));
  assert.deepEqual([...it.curve.wakes], [44]);
  assert.equal(it.curve.sinceEqual(44), 0);
});

test("of wakes and rewinds sent one after the other, the wakes are marked", () => {
  const { it, clock } = begun({}, { step: 50, newest: 50, state: STATE.PAUSED });
  it.scrub(20);
  it.wake();
  clock.time = 100;
  it.take(frame({ step: 20, newest: 50, generation: 2, psnr: Infinity }));
  assert.equal(it.curve.wakes.size, 0);
  it.take(frame({ step: 20, newest: 20, generation: 3, psnr: Infinity }));
  assert.deepEqual([...it.curve.wakes], [20]);
});

test("a wake that the server ignored marks nothing later", () => {
  const { it } = begun();
  it.wake();
  it.take({ type: "notice", code: 1, step: 10 });
  it.scrub(5);
  it.take(frame({ step: 5, newest: 10, generation: 2 }));
  assert.equal(it.curve.wakes.size, 0);
});

test("the recording is asked for and comes", async () => {
  const { it, sent } = begun();
  it.outbox.costly.reset();
  const asked = it.askRecording();
  assert.deepEqual(sent, [RECORD]);
  it.take({ type: "recording", steps: 1, generation: 1, runs: Uint8Array.of(5) });
  assert.deepEqual(await asked, Uint8Array.of(5));
});

test("a recording is played again, step by step at the game's pace, wakes between", () => {
  const { it, sent, clock } = begun({ recording: Uint8Array.of(0x14, 0x0c, 0x01) });
  for (let i = 0; i < 10; i++) {
    it.tick();
    clock.time += 20;
  }
  assert.deepEqual(
    sent.map((hex) => hex.slice(0, 8)),
    ["4d310504", "4d310504", WAKE, "4d310501"],
  );
  assert(it.replay?.done);
});

test("a sitting with a recording begins paused, and plays it from the start after a lost connection", () => {
  const { it, sent } = begun({ recording: Uint8Array.of(0x14) });
  it.lose();
  it.lose();
  it.take(HELLO);
  assert.equal(sent[0].slice(8, 10), "01");
  it.take({ type: "begin", mode: "both", paused: true, generation: 1, seed: 7, model: "v1" });
  assert.equal(it.replay?.sent, 0);
});

test("a recording that somebody took over from is gone with the connection", () => {
  const { it, sent } = begun({ recording: Uint8Array.of(0x14) }, { state: STATE.PAUSED });
  it.steer(8);
  it.lose();
  sent.length = 0;
  it.take(HELLO);
  assert.equal(sent[0].slice(8, 10), "00");
});

test("a key takes over from a recording", () => {
  const { it, sent } = begun({ recording: Uint8Array.of(0xf4, 0xf4) }, { state: STATE.PAUSED });
  it.tick();
  it.steer(8);
  assert.equal(it.replay, null);
  assert.deepEqual(sent.slice(1), [GO_ON, "4d31020802000000"]);
});

test("letting keys go is not taking over", () => {
  const { it } = begun({ recording: Uint8Array.of(0xf4) }, { state: STATE.PAUSED });
  it.steer(0, true);
  assert.notEqual(it.replay, null);
});

test("the answer to a ping says how far away the server is; an older one says nothing", () => {
  const { it, clock } = begun();
  it.ping();
  clock.time = 7;
  it.take({ type: "pong", token: 99, clock: 0 });
  assert.equal(it.latency.roundTrip, null);
  it.take({ type: "pong", token: 1, clock: 0 });
  assert.equal(it.latency.roundTrip, 7);
});

test("of many beginnings in a hurry only the last is sent, and in time the recording too", () => {
  const { it, sent, clock } = begun();
  clock.time = 1000;
  for (let seed = 1; seed <= 20; seed++) it.reset(seed);
  it.askRecording();
  it.tick();
  assert.deepEqual(sent, ["4d310600000000000100000000000000"]);
  for (let i = 0; i < 100; i++) {
    clock.time += 10;
    it.tick();
  }
  assert.deepEqual(sent.slice(1), ["4d310600000000001400000000000000", RECORD]);
});

test("no keys are sent before a sitting has begun", () => {
  const { it, sent } = sitting();
  it.take(HELLO);
  it.steer(3);
  assert(!sent.some((hex) => KEYS.test(hex)));
});
