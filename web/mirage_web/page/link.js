/** The address of the page: which mode, model and seed, and a recording to be shown. */

import { MAX_SEED, MODES } from "./protocol.js";
import { deeds, fromText, toText } from "./recording.js";

/**
 * @typedef {object} Wanted
 * @property {import("./protocol.js").Mode | null} mode Null: not said.
 * @property {string} model Empty: not said.
 * @property {number | null} seed Null: not said.
 * @property {Uint8Array | null} recording Null: none.
 * @property {string[]} complaints What could not be understood, a sentence each.
 */

/**
 * Read the part of an address after the path.
 *
 * @param {string} search From "?" on; may be empty.
 * @param {string} hash From "#" on; may be empty.
 * @returns {Wanted}
 */
export function readLink(search, hash) {
  const query = new URLSearchParams(search);
  /** @type {Wanted} */
  const wanted = { mode: null, model: "", seed: null, recording: null, complaints: [] };
  const mode = query.get("mode");
  if (mode !== null) {
    wanted.mode = MODES.find((known) => known === mode) ?? null;
    if (wanted.mode === null) {
      wanted.complaints.push(`There is no mode “${shortened(mode)}”: it is real, dream or both.`);
    }
  }
  wanted.model = query.get("model") ?? "";
  const seed = query.get("seed");
  if (seed !== null) {
    wanted.seed = readSeed(seed);
    if (wanted.seed === null) {
      wanted.complaints.push(`“${shortened(seed)}” is no seed: ${SEEDS_ARE}.`);
    }
  }
  const text = new URLSearchParams(hash.replace(/^#/, "")).get("r");
  if (text !== null) {
    try {
      const runs = fromText(text);
      deeds(runs);
      if (wanted.seed === null) throw new RangeError("its seed is missing");
      wanted.recording = runs;
    } catch {
      wanted.complaints.push("The recording in this link is damaged, so the game begins without.");
    }
  }
  return wanted;
}

export const SEEDS_ARE = "a seed is a whole number from 0 to 2⁵³ − 1";

/**
 * Return the seed that a text says, or null.
 *
 * @param {string} text
 */
export function readSeed(text) {
  const trimmed = text.trim();
  if (!/^\d{1,16}$/.test(trimmed)) return null;
  const seed = Number(trimmed);
  return seed <= MAX_SEED ? seed : null;
}

/**
 * Write what stands after the path, from "?" on.
 *
 * @param {object} sitting
 * @param {import("./protocol.js").Mode} sitting.mode
 * @param {string} sitting.model Empty: none, or the server's choice.
 * @param {number} sitting.seed
 * @param {Uint8Array | null} [recording]
 */
export function writeLink({ mode, model, seed }, recording) {
  const query = [`mode=${mode}`];
  if (mode !== "real" && model !== "") query.push(`model=${model}`);
  query.push(`seed=${seed}`);
  const fragment = recording && recording.length > 0 ? `#r=${toText(recording)}` : "";
  return `?${query.join("&")}${fragment}`;
}

/** @param {string} text */
function shortened(text) {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}
