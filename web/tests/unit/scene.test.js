import assert from "node:assert/strict";
import { test } from "node:test";
import { STATE } from "../../mirage_web/page/protocol.js";
import { LEDE, scene } from "../../mirage_web/page/scene.js";

/** @typedef {import("../../mirage_web/page/connection.js").Status} Status */

/** @param {object} [says] @returns {any} As much of a sitting as a scene looks at. */
function sitting(says = {}) {
  return {
    mode: "both",
    begun: true,
    queue: null,
    replay: null,
    rewound: false,
    busyUntil: -1,
    frame: {},
    ...says,
  };
}

/** @type {Status} */
const OPEN = { kind: "open" };

test("while it connects, and until the first picture, that is all there is to see", () => {
  assert.equal(scene({ kind: "connecting", why: null }, sitting(), 0).veil?.title, "Connecting");
  const again = scene({ kind: "connecting", why: "restart" }, sitting(), 0);
  assert.equal(again.veil?.title, "The server restarts");
  assert.equal(scene(OPEN, sitting({ frame: null }), 0).kind, "connecting");
});

test("each way to wait says why, counts down, and can be cut short", () => {
  /** @type {["lost" | "restart" | "full", RegExp][]} */
  const ways = [
    ["lost", /lost/],
    ["restart", /restarts/],
    ["full", /No room/],
  ];
  for (const [why, title] of ways) {
    const { kind, veil } = scene(
      { kind: "waiting", why, reason: "No room.", until: 3_400 },
      sitting(),
      1_000,
    );
    assert.equal(kind, "waiting");
    assert(veil);
    assert.match(veil.title, title);
    assert.match(veil.text, /in 3 s/);
    assert.equal(veil.text.includes("No room."), why === "full");
    assert.deepEqual(veil.remedies, ["retry"]);
  }
});

test("a closed connection shows the server's own words, and what can be done", () => {
  const refused = scene({ kind: "closed", why: "refused", reason: "too fast" }, sitting(), 0);
  assert.deepEqual([refused.veil?.text, refused.veil?.remedies], ["Too fast.", ["retry"]]);
  const foreign = scene({ kind: "closed", why: "foreign", reason: "Type 9." }, sitting(), 0);
  assert.deepEqual(foreign.veil?.remedies, ["reload"]);
});

test("a queue shows the place in it, and offers the game where a dream was wanted", () => {
  const queue = { type: "queue", position: 2, waiting: 5 };
  const dream = scene(OPEN, sitting({ queue, begun: false }), 0);
  assert.equal(dream.veil?.title, "Place 2 of 5 in the queue");
  assert.deepEqual(dream.veil?.remedies, ["real"]);
  const first = scene(OPEN, sitting({ queue: { ...queue, position: 1 }, mode: "real" }), 0);
  assert.deepEqual([first.veil?.title, first.veil?.remedies], ["You are next", []]);
});

test("every state of a sitting has its scene, and the button that is wanted next", () => {
  const wanted = /** @type {const} */ ([
    [STATE.RUNNING, "playing", null],
    [STATE.PAUSED, "paused", "pause"],
    [STATE.IDLE, "idle", "pause"],
    [STATE.UNSEEN, "idle", "pause"],
    [STATE.ENDED, "ended", "new"],
  ]);
  for (const [state, kind, chief] of wanted) {
    const seen = scene(OPEN, sitting({ frame: { state } }), 0);
    assert.deepEqual([seen.kind, seen.chief, seen.veil], [kind, chief, null]);
    assert.notEqual(seen.status, "");
  }
});

test("a busy server is told of while it is one", () => {
  const busy = sitting({ frame: { state: STATE.RUNNING }, busyUntil: 5 });
  assert.match(scene(OPEN, busy, 4).status, /busy/);
  assert.doesNotMatch(scene(OPEN, busy, 5).status, /busy/);
});

test("an ended game that was rewound can be gone on with", () => {
  const seen = scene(OPEN, sitting({ frame: { state: STATE.PAUSED }, rewound: true }), 0);
  assert.deepEqual([seen.kind, seen.chief], ["paused", "pause"]);
  assert.match(seen.status, /Rewound/);
});

test("a recording says that it is one, and when it ends", () => {
  const replay = { done: false, paused: false, length: 60 };
  const frame = { state: STATE.PAUSED, step: 30 };
  assert.equal(scene(OPEN, sitting({ frame, replay }), 0).kind, "replay");
  const over = sitting({ frame: { ...frame, step: 60 }, replay: { ...replay, done: true } });
  assert.match(scene(OPEN, over, 0).status, /ends here/);
});

test("what is seen is explained in two sentences", () => {
  for (const pieces of Object.values(LEDE)) {
    const text = pieces.map((piece) => (typeof piece === "string" ? piece : piece[1])).join("");
    assert.equal(text.match(/[.!?](\s|$)/g)?.length, 2, text);
  }
});
