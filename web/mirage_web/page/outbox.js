/** What goes to the server: no oftener than it allows, and of what waits the newest alone. */

import { Budget, Interval } from "./pace.js";

/** Messages of keys in a second; the server allows 90 of all kinds, of which 30 are answers. */
const KEYS_PER_SECOND = 30;

/** Milliseconds between two messages that count as ten each. */
const COSTLY_INTERVAL = 400;

/** Milliseconds between two steps of the scrubber that are asked for. */
const REWIND_INTERVAL = 50;

/** @typedef {() => ArrayBuffer} Writing Writes a message when its time has come. */

/** A kind of message, of which one may wait for its time. */
class Slot {
  /**
   * @param {Budget | Interval} pace
   * @param {(bytes: ArrayBuffer) => void} send
   */
  constructor(pace, send) {
    this.pace = pace;
    this.send = send;
    /** @type {Writing | null} */
    this.waiting = null;
  }

  /** @param {Writing} writing Sent now or by a later `flush`, in the place of what still waits. */
  put(writing) {
    this.waiting = writing;
    this.flush();
  }

  /** Send what waits, if it is time. */
  flush() {
    if (this.waiting !== null && this.pace.take()) this.hurry();
  }

  /** Send what waits, whatever the time. */
  hurry() {
    const writing = this.waiting;
    this.waiting = null;
    if (writing !== null) this.send(writing());
  }

  clear() {
    this.waiting = null;
  }
}

export class Outbox {
  /**
   * @param {(bytes: ArrayBuffer) => void} send
   * @param {() => number} now Milliseconds.
   */
  constructor(send, now) {
    this.costly = new Interval(COSTLY_INTERVAL, now);
    this.beginnings = new Slot(this.costly, send);
    this.records = new Slot(this.costly, send);
    this.keys = new Slot(new Budget(KEYS_PER_SECOND, now), send);
    this.rewinds = new Slot(new Interval(REWIND_INTERVAL, now), send);
  }

  /** Send what waits and may be sent by now. */
  flush() {
    for (const slot of [this.beginnings, this.records, this.keys, this.rewinds]) slot.flush();
  }

  /** The connection is gone; the next counts anew. */
  clear() {
    for (const slot of [this.beginnings, this.records, this.keys, this.rewinds]) slot.clear();
    this.costly.reset();
  }
}
