/** What was played, tick by tick: runs of bytes as the server keeps them, and as text in a link. */

/** @typedef {{action: number} | "wake"} Deed What is done next: a tick, or a wake before one. */

export const MOST_TICKS = 54_000;
export const MOST_WAKES = 1_000;

const WAKE = 12;

/**
 * Spell out runs: the low four bits of each are what was done, the high four how often, less one.
 *
 * @param {Uint8Array} runs
 * @returns {Deed[]}
 * @throws {RangeError} If they are no recording.
 */
export function deeds(runs) {
  /** @type {Deed[]} */
  const done = [];
  let ticks = 0;
  let wakes = 0;
  for (const run of runs) {
    const what = run & 15;
    const often = (run >> 4) + 1;
    if (what > WAKE || (what === WAKE && often > 1)) {
      throw new RangeError(`a recording has no run ${run}`);
    }
    if (what === WAKE) {
      wakes += 1;
      done.push("wake");
      continue;
    }
    ticks += often;
    for (let i = 0; i < often; i++) done.push({ action: what });
  }
  if (ticks > MOST_TICKS || wakes > MOST_WAKES) {
    throw new RangeError(`a recording has at most ${MOST_TICKS} ticks and ${MOST_WAKES} wakes`);
  }
  return done;
}

/**
 * Write bytes as base64url without padding (RFC 4648, section 5).
 *
 * @param {Uint8Array} bytes
 */
export function toText(bytes) {
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * Read base64url without padding.
 *
 * @param {string} text
 * @throws {RangeError} If it is none, or could be written differently.
 */
export function fromText(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
    throw new RangeError("a recording is written in A–Z a–z 0–9 - _");
  }
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  if (toText(bytes) !== text) throw new RangeError("a recording ends in bits that are not 0");
  return bytes;
}
