/** The page: connects what is heard, what is pressed and what is drawn. */

import { likeness } from "./chart.js";
import { CLOCK, Connection } from "./connection.js";
import { Held } from "./controls.js";
import { Film, canFilm, save } from "./film.js";
import { showHelp } from "./help.js";
import { listenToKeys } from "./keyboard.js";
import { keepFitting } from "./layout.js";
import { SEEDS_ARE, readLink, readSeed, writeLink } from "./link.js";
import { Gamepads, listenToTouch } from "./pads.js";
import { Page, dress, part } from "./page.js";
import { MAX_SEED, NOTICE, STATE } from "./protocol.js";
import { scene } from "./scene.js";
import { keepSettings, loadSettings } from "./settings.js";
import { Sitting } from "./sitting.js";
import { say } from "./toast.js";

/** @typedef {import("./protocol.js").Mode} Mode */

/** Milliseconds between two pings. */
const PING_INTERVAL = 2_000;

/** Seeds that the page draws are short enough to be told to somebody. */
const DRAWN_SEEDS = 1_000_000;

const wanted = readLink(location.search, location.hash);
const sitting = new Sitting({
  send: (bytes) => connection.send(bytes),
  now: CLOCK.now,
  wanted: {
    mode: wanted.mode ?? "both",
    model: wanted.model,
    seed: wanted.seed ?? Math.floor(Math.random() * DRAWN_SEEDS),
    recording: wanted.recording,
  },
});
const connection = new Connection({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`,
  heard,
  changed: (status) => {
    if (status.kind === "waiting" || status.kind === "closed") sitting.lose();
  },
});
const page = new Page(remedy);
const held = new Held((action) => steer(action));
const gamepads = new Gamepads(held, command);
const settings = loadSettings();
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const fit = keepFitting(() => (sitting.mode === "both" ? 2 : 1));
const stage = part("stage", HTMLElement);

/** @type {import("./protocol.js").Frame | null} The last that was drawn. */
let drawn = null;
/** @type {number[]} When the frames of the last second were drawn. */
let drawnAt = [];
let timeDrawnAt = 0;
/** @type {Film | null} */
let film = null;

/** @param {import("./protocol.js").ServerMessage} message */
function heard(message) {
  const asked = { mode: sitting.mode, model: sitting.model };
  sitting.take(message);
  if (message.type === "hello") {
    if (sitting.mode !== asked.mode) say("This server has no models, so it plays the real game.");
    else if (asked.model !== "" && sitting.model !== asked.model && sitting.mode !== "real") {
      say(`This server has no model “${asked.model}”; it dreams with ${sitting.model}.`);
    }
    sitting.ping();
    showChoices();
  } else if (message.type === "begin") {
    drawn = null;
    if (film !== null && film.mode !== message.mode) endFilm();
    showChoices();
    history.replaceState(null, "", writeLink(sitting, sitting.replayed));
  } else if (message.type === "notice") notice(message.code);
}

/** @param {number} code */
function notice(code) {
  if (code === NOTICE.NOTHING_TO_WAKE) say("There is nothing to wake: the game has ended.");
  if (code === NOTICE.STEP_NOT_KEPT) say("That moment is too long ago.");
}

function showChoices() {
  page.showChoices(sitting);
  fit();
}

/** @param {number} action */
function steer(action) {
  page.showHeld(action);
  const { IDLE, UNSEEN } = STATE;
  const asleep = sitting.frame?.state === IDLE || sitting.frame?.state === UNSEEN;
  if (action !== 0 && asleep) sitting.togglePause();
  sitting.steer(action);
}

/** @param {{mode?: Mode, model?: string, seed?: number}} choice */
function choose(choice) {
  if (sitting.hello === null) return;
  sitting.start(choice);
  showChoices();
}

/** @param {import("./controls.js").Command} name */
function command(name) {
  if (name === "help") showHelp();
  else if (name === "contrast") toggleContrast();
  else if (name === "facts") toggleFacts();
  else if (name === "real" || name === "dream" || name === "both") {
    const possible = name === "real" || (sitting.hello?.models.length ?? 0) > 0;
    if (possible && name !== sitting.mode) choose({ mode: name });
  } else if (!sitting.begun) return;
  else if (name === "pause") {
    if (sitting.frame?.state === STATE.ENDED && !sitting.rewound)
      say("It has ended: R begins a new game.");
    else sitting.togglePause();
  } else if (name === "forward") sitting.forward();
  else if (name === "back") sitting.scrubBy(-1);
  else if (name === "wake") wake();
  else if (name === "again") sitting.reset(sitting.seed);
  else if (name === "new") sitting.reset(sitting.seed < MAX_SEED ? sitting.seed + 1 : 0);
  else if (name === "film") toggleFilm();
  else if (name === "share") share();
}

function wake() {
  if (sitting.mode === "both") sitting.wake();
  else say("Waking needs the game beside the dream: choose Both.");
}

/** @param {import("./scene.js").Remedy} name */
function remedy(name) {
  if (name === "retry") connection.connect();
  else if (name === "reload") location.reload();
  else if (name === "real") choose({ mode: "real" });
  else command(name);
  stage.focus();
}

async function share() {
  const recording = await sitting.askRecording();
  const link = new URL(writeLink(sitting, recording), location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    say("The link is copied. It plays this game again, key by key.");
  } catch {
    // No clipboard without leave, or without TLS: the address bar has it.
    history.replaceState(null, "", link);
    say("The link stands in the address bar. It plays this game again, key by key.");
  }
}

function toggleFilm() {
  if (film !== null) endFilm();
  else if (!canFilm()) say("This browser cannot record videos.");
  else {
    film = new Film(sitting.mode, sitting.hello?.ticksPerSecond ?? 30);
    if (drawn !== null) shoot(drawn);
    say("Recording. V again ends it and saves the video.");
  }
  showFilm();
}

async function endFilm() {
  if (film === null) return;
  const ended = film;
  film = null;
  showFilm();
  const video = await ended.stop();
  const kind = video.type.startsWith("video/mp4") ? "mp4" : "webm";
  save(video, `mirage-${sitting.mode}-${sitting.seed}.${kind}`);
  say(`A video of ${Math.round(ended.seconds)} s is saved.`);
}

function showFilm() {
  const button = part("film", HTMLButtonElement);
  button.setAttribute("aria-pressed", String(film !== null));
  dress(button, film ? "stop" : "film", film ? "Stop" : "Record");
}

/** @param {import("./protocol.js").Frame} frame */
function shoot(frame) {
  const canvases = { real: page.worlds.real.canvas, dream: page.worlds.dream.canvas };
  film?.add(frame, canvases, likeness(frame.psnr));
}

function toggleContrast() {
  settings.contrast = document.documentElement.dataset.contrast !== "high";
  keepSettings(settings);
  applySettings();
}

function toggleFacts() {
  settings.facts = !settings.facts;
  keepSettings(settings);
  applySettings();
}

const moreContrast = matchMedia("(prefers-contrast: more)");

function applySettings() {
  const high = settings.contrast ?? moreContrast.matches;
  document.documentElement.dataset.contrast = high ? "high" : "usual";
  part("contrast", HTMLElement).setAttribute("aria-pressed", String(high));
  part("facts", HTMLElement).hidden = !settings.facts;
  part("show-facts", HTMLElement).setAttribute("aria-pressed", String(settings.facts));
  fit();
}

/** Before each picture of the display: the newest frame is drawn, and it alone. */
function draw() {
  requestAnimationFrame(draw);
  gamepads.read();
  sitting.tick();
  page.showScene(scene(connection.status, sitting, CLOCK.now()));
  const { frame } = sitting;
  if (frame === null || frame === drawn) return;
  drawn = frame;
  page.drawWorlds(frame);
  sitting.drawn(frame);
  shoot(frame);
  const now = CLOCK.now();
  drawnAt = drawnAt.filter((at) => at > now - 1000).concat(now);
  // Whoever wants calm gets the curve and the map four times a second; standing still, at once.
  const due = !calm.matches || frame.state !== STATE.RUNNING || now - timeDrawnAt > 250;
  if (due) {
    timeDrawnAt = now;
    page.drawTime(frame, sitting);
  }
}

function wire() {
  listenToKeys(held, command);
  listenToTouch(part("pads", HTMLElement), held);
  const release = () => held.release();
  addEventListener("blur", release);
  addEventListener("online", () => {
    if (connection.status.kind === "waiting") connection.connect();
  });
  document.addEventListener("visibilitychange", () => {
    release();
    if (document.hidden && sitting.begun) sitting.pause();
  });
  moreContrast.addEventListener("change", applySettings);
  document.addEventListener("click", clicked);
  for (const input of document.querySelectorAll("input[name=mode]")) {
    input.addEventListener("change", () => {
      choose({ mode: /** @type {Mode} */ (/** @type {HTMLInputElement} */ (input).value) });
    });
  }
  const model = part("model", HTMLSelectElement);
  model.addEventListener("change", () => choose({ model: model.value }));
  const seed = part("seed", HTMLInputElement);
  part("seed-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const value = readSeed(seed.value);
    seed.setAttribute("aria-invalid", String(value === null));
    if (value === null) say(`That is no seed: ${SEEDS_ARE}.`);
    else {
      sitting.reset(value);
      stage.focus();
    }
  });
  page.scrubber.addEventListener("input", () => {
    if (sitting.frame) sitting.scrub(sitting.frame.newest + Number(page.scrubber.value));
  });
  setInterval(() => {
    if (connection.status.kind === "open") sitting.ping();
  }, PING_INTERVAL);
  setInterval(() => {
    drawnAt = drawnAt.filter((at) => at > CLOCK.now() - 1000);
    page.showFacts(drawnAt.length, sitting);
  }, 250);
}

/**
 * A button gives its command; after the mouse the keys belong to the game again.
 *
 * @param {MouseEvent} event
 */
function clicked(event) {
  const target = /** @type {Element} */ (event.target);
  const button = /** @type {HTMLElement | null} */ (target.closest("[data-command]"));
  if (button !== null) {
    command(/** @type {import("./controls.js").Command} */ (button.dataset.command));
  }
  const byMouse = event.detail > 0;
  if (byMouse && target.closest("button, .modes, [type=range]") && !target.closest("dialog")) {
    stage.focus({ preventScroll: true });
  }
}

applySettings();
showChoices();
wire();
for (const complaint of wanted.complaints) say(complaint);
connection.connect();
requestAnimationFrame(draw);
