/** How long things take: from a key to its picture, and to the server and back. */

export class Latency {
  /** @param {() => number} now Milliseconds. */
  constructor(now) {
    this.now = now;
    /** @type {number | null} Milliseconds from a key to the first picture it took part in. */
    this.key = null;
    /** @type {number | null} Milliseconds to the server and back. */
    this.roundTrip = null;
    /** @type {{sequence: number, at: number} | null} Keys whose picture is awaited. */
    this.awaited = null;
    this.pinged = { token: 0, at: 0 };
  }

  /** @param {number} sequence Of keys that were sent. */
  sent(sequence) {
    this.awaited ??= { sequence, at: this.now() };
  }

  /** @param {number} sequence Of the newest keys that took part in what was drawn. */
  drawn(sequence) {
    // The count goes round at 65536: half of it lies ahead, half behind.
    if (this.awaited === null || ((sequence - this.awaited.sequence) & 0xffff) >= 0x8000) return;
    this.key = this.now() - this.awaited.at;
    this.awaited = null;
  }

  /** Await no picture: there will be none. */
  forget() {
    this.awaited = null;
  }

  /** @returns {number} The token of a ping that is sent now. */
  ping() {
    this.pinged = { token: (this.pinged.token + 1) % 0x1_0000_0000, at: this.now() };
    return this.pinged.token;
  }

  /** @param {number} token Of the answer. */
  pong(token) {
    if (token === this.pinged.token) this.roundTrip = this.now() - this.pinged.at;
  }
}
