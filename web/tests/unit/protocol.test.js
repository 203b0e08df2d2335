import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ProtocolError } from "../../mirage_web/page/bytes.js";
import * as protocol from "../../mirage_web/page/protocol.js";

/** @typedef {{name: string, direction: string, type: string, fields: any, hex: string}} Example */

/** @type {Example[]} The very messages that the server's tests write and read. */
const EXAMPLES = JSON.parse(
  readFileSync(new URL("../../../tests/data/protocol-vectors.json", import.meta.url), "utf8"),
);

/** @type {Record<string, (fields: any) => ArrayBuffer>} */
const WRITE = {
  Start: ({ mode, ...rest }) => protocol.start({ mode: protocol.MODES[mode - 1], ...rest }),
  Keys: ({ action, sequence }) => protocol.keys(action, sequence),
  Ack: ({ serial }) => protocol.ack(serial),
  Pause: ({ paused }) => protocol.pause(paused),
  Step: ({ action, sequence }) => protocol.step(action, sequence),
  Reset: ({ seed, paused }) => protocol.reset(seed, paused),
  Wake: () => protocol.wake(),
  Rewind: ({ step }) => protocol.rewind(step),
  Record: () => protocol.record(),
  Ping: ({ token }) => protocol.ping(token),
};

/** What the page calls what the examples say. */
/** @type {Record<string, (fields: any) => object>} */
const READ = {
  Hello: ({ ticks_per_second, rewind_steps, idle_pause, idle_close, ...rest }) => ({
    type: "hello",
    ticksPerSecond: ticks_per_second,
    stepsKept: rewind_steps,
    idlePause: idle_pause,
    idleClose: idle_close,
    ...rest,
  }),
  Frame: ({ psnr, action, worlds, ...rest }) => ({
    type: "frame",
    psnr: { nan: NaN, inf: Infinity }[String(psnr)] ?? psnr,
    action: action === 255 ? null : action,
    worlds: worlds.map((/** @type {any} */ { world, flags, lives, wave, pixels, ...kept }) => ({
      name: ["real", "dream"][world - 1],
      terminated: (flags & 1) !== 0,
      truncated: (flags & 2) !== 0,
      lives: lives === 255 ? null : lives,
      wave: wave === 255 ? null : wave,
      picture: picture(pixels),
      ...kept,
    })),
    ...rest,
  }),
  Queue: (fields) => ({ type: "queue", ...fields }),
  Begin: ({ mode, ...rest }) => ({ type: "begin", mode: protocol.MODES[mode - 1], ...rest }),
  Notice: (fields) => ({ type: "notice", ...fields }),
  Recording: ({ runs, ...rest }) => ({
    type: "recording",
    runs: Uint8Array.from(Buffer.from(runs, "hex")),
    ...rest,
  }),
  Pong: (fields) => ({ type: "pong", ...fields }),
};

/** @param {number} salt */
function picture(salt) {
  return Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => salt * i);
}

/** @param {Example} example */
function bytesOf({ hex, fields }) {
  const head = Buffer.from(hex, "hex");
  const pictures = (fields.worlds ?? []).map((/** @type {any} */ { pixels }) => picture(pixels));
  return Uint8Array.from(Buffer.concat([head, ...pictures])).buffer;
}

for (const example of EXAMPLES) {
  if (example.direction === "client") {
    test(`what the page writes is what the server reads: ${example.name}`, () => {
      const written = Buffer.from(WRITE[example.type](example.fields));
      assert.equal(written.toString("hex"), example.hex);
    });
  } else {
    test(`what the server writes is what the page reads: ${example.name}`, () => {
      const wanted = READ[example.type](example.fields);
      assert.deepEqual(protocol.decode(bytesOf(example)), wanted);
    });
  }
}

test("the examples have every message of either side", () => {
  const types = new Set(EXAMPLES.map(({ type }) => type));
  assert.deepEqual([...types].sort(), [...Object.keys(WRITE), ...Object.keys(READ)].sort());
});

const FROM_SERVER = EXAMPLES.filter(({ direction }) => direction === "server");

test("a message that is too short or too long is refused", () => {
  for (const example of FROM_SERVER) {
    const bytes = bytesOf(example);
    const longer = new Uint8Array(bytes.byteLength + 1);
    longer.set(new Uint8Array(bytes));
    assert.throws(() => protocol.decode(longer.buffer), ProtocolError, example.name);
    for (const length of [0, 2, 3, 7, bytes.byteLength - 1]) {
      assert.throws(() => protocol.decode(bytes.slice(0, length)), ProtocolError, example.name);
    }
  }
});

test("a message with another magic or an unknown type is refused", () => {
  for (const [at, value] of [
    [0, 0x4e],
    [1, 0],
    [2, 0x80],
    [2, 0x01],
    [2, 0xff],
  ]) {
    const bytes = new Uint8Array(bytesOf(FROM_SERVER[0]));
    bytes[at] = value;
    assert.throws(() => protocol.decode(bytes.buffer), ProtocolError);
  }
});

test("after the end of a name nothing but zeros may stand", () => {
  const begin = FROM_SERVER.find(({ name }) => name === "begin_both");
  const bytes = new Uint8Array(bytesOf(/** @type {Example} */ (begin)));
  bytes[31] = 0x78;
  assert.throws(() => protocol.decode(bytes.buffer), ProtocolError);
});

test("whatever bytes come, they are read or refused, and nothing else happens", () => {
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < 20_000; i++) {
    const bytes = new Uint8Array(bytesOf(FROM_SERVER[i % FROM_SERVER.length]).slice(0, 12_352));
    for (let n = 0; n < 3; n++)
      bytes[Math.floor(random() * Math.min(bytes.length, 64))] = random() * 256;
    try {
      protocol.decode(bytes.buffer);
    } catch (error) {
      assert(error instanceof ProtocolError, String(error));
    }
  }
});

test("what has no place in a message is not written", () => {
  /** @type {(() => unknown)[]} */
  const wrong = [
    () => protocol.keys(12, 0),
    () => protocol.keys(-1, 0),
    () => protocol.keys(1, 65536),
    () => protocol.reset(2 ** 53),
    () => protocol.reset(0.5),
    () => protocol.rewind(NaN),
    () => protocol.start({ mode: "real", seed: 1, model: "v1" }),
    () => protocol.start({ mode: "both", seed: 1, model: "seventeen-letters" }),
    () => protocol.start({ mode: "both", seed: 1, model: "vé" }),
    () => protocol.start({ mode: /** @type {any} */ ("neither"), seed: 1 }),
  ];
  for (const write of wrong) assert.throws(write, ProtocolError);
});
