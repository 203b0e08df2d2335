/**
 * The protocol `mirage.v1`: what docs/protocol.md says, in JavaScript. Pure functions, no I/O.
 *
 * The page writes the client's messages and reads the server's; `protocol.py` beside this folder
 * does the reverse.
 */

import { ProtocolError, Reader, Writer } from "./bytes.js";

/** @typedef {"real" | "dream" | "both"} Mode */

/**
 * @typedef {object} Hello
 * @property {"hello"} type
 * @property {string[]} models Names of the models, the default first; none: mode real alone.
 * @property {number} version Of the protocol.
 * @property {number} ticksPerSecond
 * @property {number} edge Of a picture, pixels.
 * @property {number} stepsKept How many steps can be rewound.
 * @property {number} idlePause Seconds without a key until the sitting is paused.
 * @property {number} idleClose Seconds without a key until the connection is closed.
 */

/**
 * @typedef {object} World
 * @property {"real" | "dream"} name
 * @property {boolean} terminated
 * @property {boolean} truncated
 * @property {number | null} lives Left; null where not known, as in a dream.
 * @property {number | null} wave Null where not known.
 * @property {number} reward Of this step.
 * @property {number} score Of the episode.
 * @property {Uint8Array} picture uint8 [edge, edge, 3], rows from the top; a view, not a copy.
 */

/**
 * @typedef {object} Frame
 * @property {"frame"} type
 * @property {number} serial To be acknowledged once drawn.
 * @property {number} step
 * @property {number} oldest Step that can be gone back to.
 * @property {number} newest Step that can be gone forward to.
 * @property {number} generation Differs from the last frame's where this one does not follow it.
 * @property {number} sequence Of the newest `KEYS` or `STEP` that took part.
 * @property {number} made By the server's clock, milliseconds.
 * @property {number} psnr Of the two worlds, dB; Infinity where equal, NaN where there is one.
 * @property {number | null} action That led to this step; null at step 0.
 * @property {number} state One of `STATE`.
 * @property {World[]} worlds One, or the real one and the dream.
 */

/** @typedef {{type: "queue", position: number, waiting: number}} Queue */

/**
 * @typedef {object} Begin
 * @property {"begin"} type
 * @property {Mode} mode
 * @property {boolean} paused
 * @property {number} generation
 * @property {number} seed
 * @property {string} model Empty in mode real.
 */

/** @typedef {{type: "notice", code: number, step: number}} Notice */
/**
 * @typedef {{type: "recording", steps: number, generation: number, runs: Uint8Array}} Recording
 */
/** @typedef {{type: "pong", token: number, clock: number}} Pong */
/** @typedef {Hello | Frame | Queue | Begin | Notice | Recording | Pong} ServerMessage */

/** The subprotocol that the client offers. */
export const SUBPROTOCOL = "mirage.v1";
export const VERSION = 1;
export const EDGE = 64;
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** @type {readonly Mode[]} In the order of their numbers, which begin at 1. */
export const MODES = ["real", "dream", "both"];

/** Whether a sitting runs, and if not, why. */
export const STATE = { RUNNING: 0, PAUSED: 1, IDLE: 2, UNSEEN: 3, ENDED: 4 };

export const NOTICE = { NOTHING_TO_WAKE: 1, STEP_NOT_KEPT: 2, SERVER_BUSY: 3 };

const MAGIC = 0x314d; // "M1", read as a little-endian number
const PICTURE = EDGE * EDGE * 3;
const NO_ACTION = 255;
const UNKNOWN = 255;
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,15}$/;

/**
 * @param {number} type
 * @param {number} length Bytes.
 */
function message(type, length) {
  return new Writer(length).u16("the magic", MAGIC).u8("the type", type);
}

/**
 * @param {number} type
 * @param {number} action
 * @param {number} sequence
 */
function ofAction(type, action, sequence) {
  return message(type, 8).u8("an action", action, 11).u16("the sequence", sequence).buffer;
}

/**
 * Begin a sitting.
 *
 * @param {object} wanted
 * @param {Mode} wanted.mode
 * @param {number} wanted.seed
 * @param {string} [wanted.model] Empty: the server's first. In mode real it must be.
 * @param {boolean} [wanted.paused]
 */
export function start({ mode, seed, model = "", paused = false }) {
  if (!MODES.includes(mode)) {
    throw new ProtocolError(`the mode must be real, dream or both, got ${mode}`);
  }
  if (mode === "real" && model !== "") {
    throw new ProtocolError(`mode real has no model, got ${model}`);
  }
  if (model !== "") checkName(model);
  return message(0x01, 32)
    .u8("the mode", 1 + MODES.indexOf(mode))
    .u8("paused", Number(paused))
    .skip(3)
    .u64("the seed", seed)
    .text(model).buffer;
}

/**
 * Say which keys are down now.
 *
 * @param {number} action
 * @param {number} sequence Of the client's own count.
 */
export function keys(action, sequence) {
  return ofAction(0x02, action, sequence);
}

/**
 * Acknowledge a frame that was drawn, and all before it.
 *
 * @param {number} serial
 */
export function ack(serial) {
  return message(0x03, 8).skip(1).u32("the serial", serial).buffer;
}

/** @param {boolean} paused Pause, or go on. */
export function pause(paused) {
  return message(0x04, 4).u8("paused", Number(paused)).buffer;
}

/**
 * Pause, and play one tick by this action.
 *
 * @param {number} action
 * @param {number} sequence Of the client's own count.
 */
export function step(action, sequence) {
  return ofAction(0x05, action, sequence);
}

/**
 * Begin anew, in the same mode by the same model.
 *
 * @param {number} seed
 * @param {boolean} [paused]
 */
export function reset(seed, paused = false) {
  return message(0x06, 16).u8("paused", Number(paused)).skip(4).u64("the seed", seed).buffer;
}

/** Make the dream's last frames those of the game. */
export function wake() {
  return message(0x07, 4).buffer;
}

/**
 * Show one of the steps that are kept, to go on from there.
 *
 * @param {number} toStep
 */
export function rewind(toStep) {
  return message(0x08, 8).skip(1).u32("the step", toStep).buffer;
}

/** Ask for a `RECORDING`. */
export function record() {
  return message(0x09, 4).buffer;
}

/** @param {number} token Comes back in the `PONG`. */
export function ping(token) {
  return message(0x0a, 8).skip(1).u32("the token", token).buffer;
}

/** @type {Readonly<Record<number, (reader: Reader) => ServerMessage>>} */
const READERS = {
  0x81: readHello,
  0x82: readFrame,
  0x83: readQueue,
  0x84: readBegin,
  0x85: readNotice,
  0x86: readRecording,
  0x87: readPong,
};

/**
 * Read a message of the server.
 *
 * @param {ArrayBuffer} bytes
 * @returns {ServerMessage}
 * @throws {ProtocolError} If it breaks a rule of the protocol.
 */
export function decode(bytes) {
  const reader = new Reader(bytes);
  if (reader.length < 8 || reader.u16() !== MAGIC) {
    throw new ProtocolError(`not a message of ${SUBPROTOCOL}: ${reader.length} bytes`);
  }
  const type = reader.u8();
  const read = READERS[type];
  if (read === undefined) {
    throw new ProtocolError(`no message of the server has the type ${type}`);
  }
  return read(reader);
}

/** @param {string} name */
function checkName(name) {
  if (!MODEL_NAME.test(name)) {
    throw new ProtocolError(`not a model's name: ${JSON.stringify(name)}`);
  }
  return name;
}

/**
 * @param {Reader} reader
 * @returns {Hello}
 */
function readHello(reader) {
  const count = reader.u8();
  reader.demandLength(16 + 16 * count);
  const version = reader.u8();
  const ticksPerSecond = reader.u8("ticks in a second", 1);
  const edge = reader.u8("the edge of a picture", 1);
  reader.zeros(1);
  const [stepsKept, idlePause, idleClose] = [reader.u16(), reader.u16(), reader.u16()];
  reader.zeros(2);
  const models = Array.from({ length: count }, () => checkName(reader.text(16)));
  return { type: "hello", models, version, ticksPerSecond, edge, stepsKept, idlePause, idleClose };
}

/**
 * @param {Reader} reader
 * @returns {Frame}
 */
function readFrame(reader) {
  const count = reader.u8("the number of worlds", 1, 2);
  reader.demandLength(64 + PICTURE * count);
  const [serial, step, oldest, newest] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
  const [generation, sequence] = [reader.u16(), reader.u16()];
  const made = reader.f64();
  const psnr = reader.f32();
  const byte = reader.u8();
  const action = byte === NO_ACTION ? null : byte;
  if (action !== null && action > 11) throw new ProtocolError(`${action} is no action`);
  const state = reader.u8("the state", 0, 4);
  reader.zeros(2);
  const heads = Array.from({ length: count }, () => readWorld(reader));
  if (count === 1) reader.zeros(12);
  const worlds = heads.map((head) => ({ ...head, picture: reader.bytes(PICTURE) }));
  const [type, history] = [/** @type {const} */ ("frame"), { step, oldest, newest, generation }];
  return { type, serial, ...history, sequence, made, psnr, action, state, worlds };
}

/**
 * @param {Reader} reader
 * @returns {Omit<World, "picture">}
 */
function readWorld(reader) {
  const name = reader.u8("a world", 1, 2) === 1 ? "real" : "dream";
  const flags = reader.u8("the flags of a world", 0, 3);
  const [lives, wave] = [reader.u8(), reader.u8()];
  return {
    name,
    terminated: (flags & 1) !== 0,
    truncated: (flags & 2) !== 0,
    lives: lives === UNKNOWN ? null : lives,
    wave: wave === UNKNOWN ? null : wave,
    reward: reader.i32(),
    score: reader.u32(),
  };
}

/**
 * @param {Reader} reader
 * @returns {Queue}
 */
function readQueue(reader) {
  reader.demandLength(8);
  reader.zeros(1);
  return { type: "queue", position: reader.u16(), waiting: reader.u16() };
}

/**
 * @param {Reader} reader
 * @returns {Begin}
 */
function readBegin(reader) {
  reader.demandLength(32);
  const mode = MODES[reader.u8("the mode", 1, 3) - 1];
  const paused = reader.u8("the flags", 0, 1) === 1;
  reader.zeros(1);
  const generation = reader.u16();
  const seed = reader.u64("the seed");
  const model = reader.text(16);
  if (model !== "") checkName(model);
  return { type: "begin", mode, paused, generation, seed, model };
}

/**
 * @param {Reader} reader
 * @returns {Notice}
 */
function readNotice(reader) {
  reader.demandLength(8);
  return { type: "notice", code: reader.u8(), step: reader.u32() };
}

/**
 * @param {Reader} reader
 * @returns {Recording}
 */
function readRecording(reader) {
  reader.zeros(1);
  const count = reader.u32();
  reader.demandLength(16 + count);
  const [steps, generation] = [reader.u32(), reader.u16()];
  reader.zeros(2);
  return { type: "recording", steps, generation, runs: reader.bytes(count) };
}

/**
 * @param {Reader} reader
 * @returns {Pong}
 */
function readPong(reader) {
  reader.demandLength(16);
  reader.zeros(1);
  return { type: "pong", token: reader.u32(), clock: reader.f64() };
}
