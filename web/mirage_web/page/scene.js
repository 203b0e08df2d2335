/** What is going on, in words, and what can be done about it. Pure: no page, no clock. */

import { STATE } from "./protocol.js";

/** @typedef {"pause" | "retry" | "reload" | "real" | "new" | "again"} Remedy */

/**
 * @typedef {object} Scene
 * @property {"connecting" | "waiting" | "closed" | "queue" | "playing" | "paused" | "idle"
 *   | "ended" | "replay"} kind
 * @property {string} status A line above the worlds.
 * @property {{title: string, text: string, remedies: Remedy[]} | null} veil What covers them.
 * @property {Remedy | null} chief The button that is most likely wanted next.
 */

/**
 * @param {import("./connection.js").Status} connection
 * @param {import("./sitting.js").Sitting} sitting
 * @param {number} now By the clock of the connection, milliseconds.
 * @returns {Scene}
 */
export function scene(connection, sitting, now) {
  if (connection.kind === "closed") return closed(connection);
  if (connection.kind === "waiting") return waiting(connection, now);
  if (sitting.queue !== null) return queued(sitting.queue, sitting.mode);
  if (connection.kind === "connecting" && connection.why !== null) {
    return troubled(connection.why, "Trying now.");
  }
  if (connection.kind === "connecting" || !sitting.begun || sitting.frame === null) {
    const veil = { title: "Connecting", text: "", remedies: [] };
    return { kind: "connecting", status: "", veil, chief: null };
  }
  return sitting.replay === null
    ? played(sitting, sitting.frame, now)
    : replayed(sitting, sitting.replay);
}

/**
 * @param {Extract<import("./connection.js").Status, {kind: "closed"}>} status
 * @returns {Scene}
 */
function closed({ why, reason }) {
  /** @type {Record<typeof why, [string, string, Remedy]>} */
  const words = {
    refused: ["The server said no", sentence(reason) || "It gave no reason.", "retry"],
    idle: ["Nobody was here", sentence(reason), "retry"],
    foreign: [
      "The page and the server do not match",
      `${sentence(reason)} Load the page anew.`,
      "reload",
    ],
  };
  const [title, text, remedy] = words[why];
  return { kind: "closed", status: "", veil: { title, text, remedies: [remedy] }, chief: null };
}

/**
 * @param {Extract<import("./connection.js").Status, {kind: "waiting"}>} status
 * @param {number} now
 * @returns {Scene}
 */
function waiting({ why, reason, until }, now) {
  const seconds = Math.max(Math.ceil((until - now) / 1000), 0);
  const next = `The next attempt is in ${seconds} s.`;
  return troubled(why, why === "full" ? `${sentence(reason)} ${next}`.trim() : next);
}

/**
 * @param {import("./connection.js").Trouble} why
 * @param {string} text
 * @returns {Scene}
 */
function troubled(why, text) {
  const title = {
    lost: "Connection lost",
    restart: "The server restarts",
    full: "No room just now",
  }[why];
  return { kind: "waiting", status: "", veil: { title, text, remedies: ["retry"] }, chief: null };
}

/**
 * @param {import("./protocol.js").Queue} queue
 * @param {import("./protocol.js").Mode} mode
 * @returns {Scene}
 */
function queued({ position, waiting }, mode) {
  const title = position === 1 ? "You are next" : `Place ${position} of ${waiting} in the queue`;
  const text = "All places are taken just now. The game begins by itself when it is your turn.";
  const remedies = /** @type {Remedy[]} */ (mode === "real" ? [] : ["real"]);
  return { kind: "queue", status: "", veil: { title, text, remedies }, chief: null };
}

/**
 * @param {import("./sitting.js").Sitting} sitting
 * @param {import("./replay.js").Replay} replay
 * @returns {Scene}
 */
function replayed(sitting, replay) {
  const over = replay.done && (sitting.frame?.step ?? 0) >= replay.length;
  const status = over
    ? "The recording ends here. Go on from here by any key."
    : `A recorded game${replay.paused ? ", paused" : ""}. Any key takes over.`;
  return { kind: "replay", status, veil: null, chief: over || replay.paused ? "pause" : null };
}

/**
 * @param {import("./sitting.js").Sitting} sitting
 * @param {import("./protocol.js").Frame} frame
 * @param {number} now
 * @returns {Scene}
 */
function played(sitting, frame, now) {
  const { ENDED, IDLE, PAUSED, UNSEEN } = STATE;
  if (sitting.rewound && frame.state !== STATE.RUNNING) {
    return { kind: "paused", status: "Rewound. P goes on from here.", veil: null, chief: "pause" };
  }
  if (frame.state === ENDED) {
    const status = sitting.mode === "both" ? "Both have ended." : "It has ended.";
    return { kind: "ended", status: `${status} R begins a new game.`, veil: null, chief: "new" };
  }
  if (frame.state === PAUSED) {
    return {
      kind: "paused",
      status: "Paused. P goes on, . plays one step.",
      veil: null,
      chief: "pause",
    };
  }
  if (frame.state === IDLE) {
    const status = "Paused, because no key was pressed for a while. Any key goes on.";
    return { kind: "idle", status, veil: null, chief: "pause" };
  }
  if (frame.state === UNSEEN) {
    const status = "Paused, because this page did not draw. Any key goes on.";
    return { kind: "idle", status, veil: null, chief: "pause" };
  }
  const status = {
    real: "Playing the game.",
    dream: "Playing the dream.",
    both: "Playing. The same keys go to both.",
  }[sitting.mode];
  if (now < sitting.busyUntil) {
    const slow = "The server is busy, so time runs slower.";
    return { kind: "playing", status: `${status} ${slow}`, veil: null, chief: null };
  }
  return { kind: "playing", status, veil: null, chief: null };
}

/**
 * Return the server's words with a capital and a full stop.
 *
 * @param {string} words
 */
function sentence(words) {
  const whole = words.trim();
  if (whole === "") return "";
  return whole[0].toUpperCase() + whole.slice(1) + (/[.!?]$/.test(whole) ? "" : ".");
}

/** Two sentences that say what is seen, as pieces; a name in front of a piece marks it. */
/** @type {Readonly<Record<import("./protocol.js").Mode, readonly (string | [string, string])[]>>} */
export const LEDE = {
  real: [
    ["real", "Real"],
    " is a small arcade game in a world without edges, computed by its rules thirty times a second. A neural network has watched it, and ",
    ["dream", "dreams"],
    " it from nothing but pictures and keys.",
  ],
  dream: [
    "A neural network ",
    ["dream", "dreams"],
    " each next picture from its own last four and your keys; no code of the game runs. It has learnt the ",
    ["real", "real"],
    " game by watching, and has been shown four pictures of it to begin with.",
  ],
  both: [
    "On the left is the ",
    ["real", "real"],
    " game; on the right a neural network ",
    ["dream", "dreams"],
    " each next picture from its own last four and your keys. See how long the two agree, and wake the dream when they no longer do.",
  ],
};
