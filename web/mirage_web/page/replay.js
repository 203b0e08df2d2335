/** Plays a recording: sends its steps at the game's own pace. */

/** Most steps that are sent ahead of the picture: who takes over need not wait for many. */
const AHEAD = 20;

export class Replay {
  /**
   * @param {import("./recording.js").Deed[]} deeds
   * @param {number} ticksPerSecond
   */
  constructor(deeds, ticksPerSecond) {
    this.deeds = deeds;
    this.interval = 1000 / ticksPerSecond;
    this.sent = 0; // deeds
    this.ticks = 0; // of those, ticks
    this.length = deeds.filter((deed) => deed !== "wake").length;
    /** @type {number | null} */
    this.due = null;
    this.paused = false;
  }

  /** Whether the whole recording was sent. */
  get done() {
    return this.sent === this.deeds.length;
  }

  /**
   * Return what is to be sent now.
   *
   * @param {number} now Milliseconds.
   * @param {number} step That is shown.
   * @returns {import("./recording.js").Deed[]} Wakes, and at most two ticks.
   */
  next(now, step) {
    if (this.paused || this.done) {
      this.due = null;
      return [];
    }
    // After a pause, or a hidden page, it goes on from where it was and does not catch up.
    if (this.due === null || now - this.due > 500) this.due = now;
    /** @type {import("./recording.js").Deed[]} */
    const given = [];
    let ticks = 0;
    while (!this.done && ticks < 2 && this.due <= now && this.ticks - step < AHEAD) {
      const deed = this.deeds[this.sent++];
      given.push(deed);
      if (deed === "wake") continue;
      this.ticks += 1;
      ticks += 1;
      this.due += this.interval;
    }
    return given;
  }
}
