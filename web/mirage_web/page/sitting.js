/** A sitting as the page knows it: what was asked for, what the server says, what is shown. */

import { Curve } from "./chart.js";
import { Jumps } from "./jumps.js";
import { Latency } from "./latency.js";
import { Outbox } from "./outbox.js";
import * as protocol from "./protocol.js";
import { deeds } from "./recording.js";
import { Replay } from "./replay.js";

/** @typedef {import("./protocol.js").Mode} Mode */

/**
 * @typedef {object} Asked What is to be played.
 * @property {Mode} mode
 * @property {string} model Empty: the server's first.
 * @property {number} seed
 * @property {Uint8Array | null} [recording] To be played again.
 */

/** Milliseconds for which the server is taken to be busy; it says so again every 10 seconds. */
const BUSY_FOR = 12_000;

export class Sitting {
  /**
   * @param {object} options
   * @param {(bytes: ArrayBuffer) => void} options.send
   * @param {() => number} options.now Milliseconds.
   * @param {Asked} options.wanted
   */
  constructor({ send, now, wanted }) {
    this.send = send;
    this.now = now;
    this.mode = wanted.mode;
    this.model = wanted.model;
    this.seed = wanted.seed;
    this.recording = wanted.recording ?? null; // to be replayed when the sitting begins
    /** @type {Uint8Array | null} */
    this.replayed = null; // what the sitting began with, taken over since or not
    /** @type {import("./protocol.js").Hello | null} */
    this.hello = null;
    /** @type {import("./protocol.js").Queue | null} */
    this.queue = null;
    /** @type {import("./protocol.js").Frame | null} The newest. */
    this.frame = null;
    /** @type {Replay | null} */
    this.replay = null;
    this.curve = new Curve(300);
    this.begun = false;
    this.action = 0; // of the keys that are down
    this.sequence = 0;
    this.outbox = new Outbox(send, now);
    this.latency = new Latency(now);
    /** @type {number | null} Step that the scrubber asks for, until it is shown. */
    this.scrubTo = null;
    this.jumps = new Jumps(0);
    this.busyUntil = -Infinity; // the server is too slow for the game's pace
    /** @type {((runs: Uint8Array) => void)[]} */
    this.awaitingRecording = [];
  }

  /** Whether time stands still, for whatever reason. */
  get paused() {
    return this.frame !== null && this.frame.state !== protocol.STATE.RUNNING;
  }

  /** Step that is shown, or will be as soon as the server has answered. */
  get shownStep() {
    return this.scrubTo ?? this.frame?.step ?? 0;
  }

  /** Whether the picture is of a step from which was gone on already. */
  get rewound() {
    return this.frame !== null && this.shownStep < this.frame.newest;
  }

  /**
   * Begin something: a mode, a model, a seed; what is not said stays.
   *
   * @param {Partial<Asked>} [wanted]
   */
  start(wanted = {}) {
    this.mode = wanted.mode ?? this.mode;
    this.model = wanted.model ?? this.model;
    this.seed = wanted.seed ?? this.seed;
    this.recording = wanted.recording ?? null;
    this.replay = null;
    this.begun = false;
    if (this.hello === null) return;
    const model = this.mode === "real" ? "" : this.model;
    const paused = this.recording !== null;
    const beginning = protocol.start({ mode: this.mode, model, seed: this.seed, paused });
    this.outbox.beginnings.put(() => beginning);
  }

  /** The connection is gone, and with it the sitting; the last picture stays. */
  lose() {
    if (this.replay !== null) this.recording = this.replayed; // the next begins with it again
    this.hello = null;
    this.queue = null;
    this.begun = false;
    this.replay = null;
    this.latency.forget();
    this.scrubTo = null;
    this.outbox.clear();
    this.awaitingRecording = [];
  }

  /** @param {import("./protocol.js").ServerMessage} message */
  take(message) {
    if (message.type === "hello") this.takeHello(message);
    else if (message.type === "queue") this.queue = message;
    else if (message.type === "begin") this.takeBegin(message);
    else if (message.type === "frame") this.takeFrame(message);
    else if (message.type === "pong") this.latency.pong(message.token);
    else if (message.type === "recording") {
      for (const answer of this.awaitingRecording.splice(0)) answer(message.runs);
    } else this.takeNotice(message.code);
  }

  /** @param {number} code */
  takeNotice(code) {
    if (code === protocol.NOTICE.NOTHING_TO_WAKE) this.jumps.ignore("wake");
    if (code === protocol.NOTICE.STEP_NOT_KEPT) {
      this.jumps.ignore("rewind");
      this.forgetScrub();
    }
    if (code === protocol.NOTICE.SERVER_BUSY) this.busyUntil = this.now() + BUSY_FOR;
  }

  /** @param {import("./protocol.js").Hello} hello */
  takeHello(hello) {
    this.hello = hello;
    this.curve.span = hello.stepsKept;
    const recording = this.recording;
    if (hello.models.length === 0) this.mode = "real";
    else if (!hello.models.includes(this.model)) this.model = hello.models[0];
    this.start({ recording });
  }

  /** @param {import("./protocol.js").Begin} begin */
  takeBegin(begin) {
    this.queue = null;
    this.begun = true;
    this.mode = begin.mode;
    this.seed = begin.seed;
    if (begin.model !== "") this.model = begin.model;
    this.frame = null;
    this.forgetScrub();
    this.jumps = new Jumps(begin.generation);
    this.curve.clear();
    const ticksPerSecond = this.hello?.ticksPerSecond ?? 30;
    this.replay = this.recording && new Replay(deeds(this.recording), ticksPerSecond);
    this.replayed = this.recording;
    this.recording = null;
    if (this.action !== 0) this.steer(this.action, true);
  }

  /** @param {import("./protocol.js").Frame} frame */
  takeFrame(frame) {
    this.frame = frame;
    this.curve.add(frame);
    // The very frame of a wake may have been left out: then the next is marked.
    const woken = this.jumps.done(frame.generation).includes("wake");
    if (woken) this.curve.markWake(frame.step);
    if (frame.step === this.scrubTo && this.outbox.rewinds.waiting === null) this.scrubTo = null;
  }

  /** Ask for an answer, to know how far away the server is, and that it is there. */
  ping() {
    this.send(protocol.ping(this.latency.ping()));
  }

  /**
   * A frame has been drawn.
   *
   * @param {import("./protocol.js").Frame} frame
   */
  drawn(frame) {
    this.send(protocol.ack(frame.serial));
    this.latency.drawn(frame.sequence);
  }

  /**
   * The keys have changed; a key that goes down ends a replay and is played at once.
   *
   * @param {number} action
   * @param {boolean} [again] Whether the server is to be told even what it knows.
   */
  steer(action, again = false) {
    if (action === this.action && !again) return;
    this.action = action;
    if (action !== 0) this.takeOver();
    // Before the beginning there is nobody to be told; then it is told what is down.
    if (this.begun) this.outbox.keys.put(() => this.writeKeys());
  }

  writeKeys() {
    const keys = protocol.keys(this.action, this.nextSequence());
    if (!this.paused) this.latency.sent(this.sequence);
    return keys;
  }

  nextSequence() {
    this.sequence = (this.sequence + 1) & 0xffff;
    return this.sequence;
  }

  /** Leave a replay, and play on by the keys. */
  takeOver() {
    if (this.replay === null) return;
    this.replay = null;
    this.send(protocol.pause(false));
  }

  /** Pause, or go on. */
  togglePause() {
    if (this.replay !== null && !this.replay.done) {
      this.replay.paused = !this.replay.paused;
      return;
    }
    this.replay = null;
    this.endScrub();
    this.send(protocol.pause(!this.paused));
  }

  /** Pause, if it runs. */
  pause() {
    if (this.replay !== null) this.replay.paused = true;
    else if (!this.paused) this.send(protocol.pause(true));
  }

  /**
   * Pause, and play one tick by the keys that are down.
   *
   * Where there are later steps already and no key is down, the next of them is shown instead.
   */
  forward() {
    this.replay = null;
    if (this.rewound && this.action === 0) {
      this.scrubBy(1);
      return;
    }
    this.endScrub();
    this.send(protocol.step(this.action, this.nextSequence()));
  }

  /** @param {number} steps To go on; back where negative. */
  scrubBy(steps) {
    this.scrub(this.shownStep + steps);
  }

  /**
   * Pause, and show one of the steps that are kept.
   *
   * @param {number} step Held within them.
   */
  scrub(step) {
    if (this.frame === null) return;
    this.replay = null;
    const { RUNNING, ENDED } = protocol.STATE;
    // An ended sitting would run again from there.
    if ([RUNNING, ENDED].includes(this.frame.state)) this.send(protocol.pause(true));
    const to = Math.max(this.frame.oldest, Math.min(step, this.frame.newest));
    this.scrubTo = to;
    this.outbox.rewinds.put(() => {
      this.jumps.send("rewind");
      return protocol.rewind(to);
    });
  }

  sendWake() {
    this.jumps.send("wake");
    this.send(protocol.wake());
  }

  /** What comes next happens at the step that was asked for last. */
  endScrub() {
    this.outbox.rewinds.hurry();
    this.scrubTo = null;
  }

  forgetScrub() {
    this.outbox.rewinds.clear();
    this.scrubTo = null;
  }

  /** @param {number} seed Of the game that begins. */
  reset(seed) {
    this.seed = seed;
    this.replay = null;
    this.outbox.beginnings.put(() => protocol.reset(seed));
  }

  /** Make the dream's last frames those of the game. */
  wake() {
    this.replay = null;
    this.endScrub();
    this.sendWake();
  }

  /** @returns {Promise<Uint8Array>} The recording of the sitting until now. */
  askRecording() {
    this.outbox.records.put(protocol.record);
    return new Promise((resolve) => this.awaitingRecording.push(resolve));
  }

  /** What has to be done from time to time: before each picture, say. */
  tick() {
    this.outbox.flush();
    if (this.replay === null || !this.begun) return;
    for (const deed of this.replay.next(this.now(), this.frame?.step ?? 0)) {
      if (deed === "wake") this.sendWake();
      else this.send(protocol.step(deed.action, this.nextSequence()));
    }
  }
}
