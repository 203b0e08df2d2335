/** Which rewinds and wakes have been done: a frame says only how many, by its generation. */

/** @typedef {"rewind" | "wake"} Jump */

export class Jumps {
  /** @param {number} generation Of the sitting's beginning. */
  constructor(generation) {
    this.generation = generation;
    /** @type {Jump[]} Sent and not yet seen to be done, in order. */
    this.sent = [];
  }

  /** @param {Jump} jump */
  send(jump) {
    this.sent.push(jump);
  }

  /** @param {Jump} jump Of which kind the server has ignored one. */
  ignore(jump) {
    const at = this.sent.indexOf(jump);
    if (at >= 0) this.sent.splice(at, 1);
  }

  /**
   * Return what was done since the last frame; the frames between may have been left out.
   *
   * @param {number} generation Of a frame.
   */
  done(generation) {
    const count = (generation - this.generation) & 0xffff; // it goes round at 65536
    this.generation = generation;
    return this.sent.splice(0, count);
  }
}
