/** How long to wait before the next attempt: longer each time, and never quite the same. */

export class Backoff {
  /**
   * @param {object} [options]
   * @param {number} [options.first] Milliseconds, about which the first wait is.
   * @param {number} [options.most] Milliseconds, above which none is.
   * @param {number} [options.factor] From one wait to the next.
   * @param {() => number} [options.random] From 0 to below 1.
   */
  constructor({ first = 500, most = 15_000, factor = 1.8, random = Math.random } = {}) {
    this.first = first;
    this.most = most;
    this.factor = factor;
    this.random = random;
    this.attempts = 0;
  }

  /**
   * Return the next wait in milliseconds.
   *
   * It is drawn from the upper half of a range that grows, so that many clients of a server that
   * restarts do not all come back at once.
   */
  next() {
    const range = Math.min(this.first * this.factor ** this.attempts, this.most);
    this.attempts += 1;
    return range * (0.5 + 0.5 * this.random());
  }

  /** The last attempt went well. */
  reset() {
    this.attempts = 0;
  }
}
