/** Limits to how often something is sent. */

/** So many in a second, and as many at once after a rest. */
export class Budget {
  /**
   * @param {number} perSecond
   * @param {() => number} now Milliseconds.
   */
  constructor(perSecond, now) {
    this.perSecond = perSecond;
    this.now = now;
    this.left = perSecond;
    this.at = now();
  }

  /** Take one, if there is one; return whether there was. */
  take() {
    const now = this.now();
    const earned = ((now - this.at) / 1000) * this.perSecond;
    this.left = Math.min(this.left + earned, this.perSecond);
    this.at = now;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}

/** One, and the next only after an interval. */
export class Interval {
  /**
   * @param {number} length Milliseconds.
   * @param {() => number} now Milliseconds.
   */
  constructor(length, now) {
    this.length = length;
    this.now = now;
    this.last = -Infinity;
  }

  /** Take the next, if its time has come; return whether it has. */
  take() {
    if (this.now() - this.last < this.length) return false;
    this.last = this.now();
    return true;
  }

  /** The next may come at once. */
  reset() {
    this.last = -Infinity;
  }
}
