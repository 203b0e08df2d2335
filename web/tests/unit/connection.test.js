import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../mirage_web/page/backoff.js";
import { Connection, SILENCE } from "../../mirage_web/page/connection.js";

/** A clock that goes on when it is told to. */
class FakeClock {
  time = 0;
  /** @type {Map<number, {call: () => void, at: number}>} */
  timers = new Map();
  next = 1;
  now = () => this.time;
  /** @param {() => void} call @param {number} wait */
  after = (call, wait) => {
    this.timers.set(this.next, { call, at: this.time + wait });
    return this.next++;
  };
  /** @param {number} timer */
  cancel = (timer) => {
    this.timers.delete(timer);
  };
  /** @param {number} by Milliseconds. */
  pass(by) {
    const end = this.time + by;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end);
      if (due.length === 0) break;
      const [timer, { call, at }] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this.timers.delete(timer);
      this.time = at;
      call();
    }
    this.time = end;
  }
}

/** The browser's end of a websocket, and a server in the test's hands. */
class FakeSocket {
  binaryType = "blob";
  readyState = 0;
  /** @type {ArrayBuffer[]} */
  sent = [];
  closed = false;
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;
  /** @param {ArrayBuffer} bytes */
  send(bytes) {
    this.sent.push(bytes);
  }
  close() {
    this.closed = true;
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  /** @param {string} hex */
  say(hex) {
    this.onmessage({ data: Uint8Array.from(Buffer.from(hex, "hex")).buffer });
  }
}

const HELLO = "4d318100011e40000100020003000000";
const QUEUE = "4d31830003000201";
const PONG = "4d3187000403020100000000d81cf840";

function connected(random = () => 1) {
  const clock = new FakeClock();
  /** @type {FakeSocket[]} */
  const sockets = [];
  /** @type {string[]} */
  const said = [];
  const connection = new Connection({
    url: "ws://here/socket",
    heard: ({ type }) => said.push(type),
    changed: ({ kind }) => said.push(kind),
    open: () => {
      sockets.push(new FakeSocket());
      return sockets[sockets.length - 1];
    },
    clock,
    random,
  });
  connection.connect();
  const last = () => sockets[sockets.length - 1];
  return { clock, sockets, said, connection, last };
}

test("waits grow, but not without end, and lie in the upper half of their range", () => {
  for (const [random, share] of /** @type {const} */ ([
    [0, 0.5],
    [1, 1],
  ])) {
    const backoff = new Backoff({ first: 100, most: 1000, factor: 2, random: () => random });
    const waits = Array.from({ length: 6 }, () => backoff.next());
    assert.deepEqual(
      waits,
      [100, 200, 400, 800, 1000, 1000].map((wait) => wait * share),
    );
    backoff.reset();
    assert.equal(backoff.next(), 100 * share);
  }
});

test("a lost connection is tried again, later each time, until somebody is let in", () => {
  const { clock, sockets, connection, last } = connected();
  for (const wait of [500, 900, 1620]) {
    last().onclose({ code: 1006, reason: "" });
    assert(connection.status.kind === "waiting" && connection.status.why === "lost");
    assert(Math.abs(connection.status.until - clock.now() - wait) < 1e-6);
    const before = sockets.length;
    clock.pass(wait - 1);
    assert.equal(sockets.length, before);
    clock.pass(1.1);
    assert.equal(sockets.length, before + 1);
  }
  last().open();
  last().say(QUEUE);
  last().onclose({ code: 1006, reason: "" });
  clock.pass(500);
  assert.equal(sockets.length, 5);
});

test("a greeting alone does not shorten the waits: a server may greet and throw out", () => {
  const { clock, sockets, last } = connected();
  for (const wait of [500, 900]) {
    last().open();
    last().say(HELLO);
    last().onclose({ code: 1011, reason: "" });
    clock.pass(wait - 1);
    const before = sockets.length;
    clock.pass(1.1);
    assert.equal(sockets.length, before + 1);
  }
});

test("a server that restarts is said to, and waited for", () => {
  const { connection, last, clock, said } = connected();
  last().open();
  last().onclose({ code: 1012, reason: "The server restarts." });
  assert(connection.status.kind === "waiting" && connection.status.why === "restart");
  clock.pass(500);
  assert.deepEqual(connection.status, { kind: "connecting", why: "restart" });
  last().onclose({ code: 1006, reason: "" }); // nobody is there yet
  assert.equal(/** @type {any} */ (connection.status).why, "restart");
  clock.pass(900);
  last().open();
  last().say(QUEUE);
  const before = ["connecting", "open", "waiting", "connecting", "waiting", "connecting"];
  assert.deepEqual(said, [...before, "open", "queue"]);
  last().onclose({ code: 1006, reason: "" });
  assert.equal(/** @type {any} */ (connection.status).why, "lost");
});

test("a full server is left alone for long, and its reason is kept", () => {
  const { connection, last, clock, sockets } = connected(() => 0);
  last().onclose({ code: 1013, reason: "All places are taken." });
  assert(connection.status.kind === "waiting" && connection.status.why === "full");
  assert.equal(connection.status.reason, "All places are taken.");
  clock.pass(9_999);
  assert.equal(sockets.length, 1);
  clock.pass(1);
  assert.equal(sockets.length, 2);
});

for (const [code, why] of /** @type {const} */ ([
  [1003, "refused"],
  [1008, "refused"],
  [1009, "refused"],
  [4000, "idle"],
])) {
  test(`after ${code} nothing is tried without being asked`, () => {
    const { connection, last, clock, sockets } = connected();
    last().open();
    last().onclose({ code, reason: "So it is." });
    assert(connection.status.kind === "closed");
    assert.equal(connection.status.why, why);
    assert.equal(connection.status.reason, "So it is.");
    clock.pass(3_600_000);
    assert.equal(sockets.length, 1);
    connection.connect();
    assert.equal(sockets.length, 2);
  });
}

test("silence is a lost connection, a word is not", () => {
  const { clock, connection, last, sockets } = connected();
  const first = last();
  first.open();
  clock.pass(SILENCE - 1);
  first.say(PONG);
  clock.pass(SILENCE - 1);
  assert.equal(connection.status.kind, "open");
  clock.pass(1);
  assert.equal(connection.status.kind, "waiting");
  assert(first.closed);
  assert.equal(first.onclose, null);
  clock.pass(500);
  assert.equal(sockets.length, 2);
});

test("a socket that never opens is given up as well", () => {
  const { clock, connection } = connected();
  clock.pass(SILENCE);
  assert.equal(connection.status.kind, "waiting");
});

test("a server that speaks something else is not spoken to again", () => {
  const { clock, connection, last, sockets, said } = connected();
  last().open();
  last().say("4d32");
  assert(connection.status.kind === "closed" && connection.status.why === "foreign");
  clock.pass(3_600_000);
  assert.equal(sockets.length, 1);
  assert.deepEqual(said, ["connecting", "open", "closed"]);
});

test("nothing is sent before the connection is open, or after it is gone", () => {
  const { connection, last } = connected();
  connection.send(new ArrayBuffer(4));
  last().open();
  connection.send(new ArrayBuffer(8));
  const socket = last();
  socket.onclose({ code: 1006, reason: "" });
  connection.send(new ArrayBuffer(16));
  assert.deepEqual(
    socket.sent.map((bytes) => bytes.byteLength),
    [8],
  );
});

test("connecting by hand leaves no second attempt behind", () => {
  const { clock, connection, sockets, last } = connected();
  last().onclose({ code: 1006, reason: "" });
  connection.connect();
  last().open();
  clock.pass(SILENCE - 1);
  assert.equal(sockets.length, 2);
});
