/** The page's own parts: finds them once, and shows in them what is going on. */

import { drawChart, likeness, seconds } from "./chart.js";
import { toButtons } from "./controls.js";
import { LEDE } from "./scene.js";
import { DifferenceView, WorldView, pen2d, write } from "./worlds.js";

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function part(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${id}`);
  return element;
}

/** @type {Readonly<Record<import("./scene.js").Remedy, string>>} */
const REMEDIES = {
  pause: "Go on",
  retry: "Try now",
  reload: "Load anew",
  real: "Play the real game instead",
  new: "New game",
  again: "Start over",
};

export class Page {
  /** @param {(remedy: import("./scene.js").Remedy) => void} remedy A button of the veil. */
  constructor(remedy) {
    this.remedy = remedy;
    this.worlds = {
      real: new WorldView(figure("real")),
      dream: new WorldView(figure("dream")),
    };
    this.difference = new DifferenceView(part("difference", HTMLCanvasElement));
    this.chart = part("chart", HTMLCanvasElement);
    this.chartPen = pen2d(this.chart);
    this.scrubber = part("scrubber", HTMLInputElement);
    this.parts = Object.fromEntries(
      ["status", "veil", "veil-title", "veil-text", "veil-actions", "lede", "psnr", "since"]
        .concat(["fact-fps", "fact-key", "fact-trip", "fact-step", "dream-model", "scrub-says"])
        .map((id) => [id, part(id, HTMLElement)]),
    );
    this.pause = part("pause", HTMLButtonElement);
    /** @type {NodeListOf<HTMLButtonElement>} */
    this.buttons = document.querySelectorAll(".bar button, [data-command=share]");
    this.lights = document.querySelectorAll("[data-light]");
    this.pads = document.querySelectorAll("[data-button]");
    this.remedies = "";
  }

  /** @param {import("./sitting.js").Sitting} sitting Whose mode and model are to be seen. */
  showChoices({ mode, model, seed, hello }) {
    document.body.dataset.mode = mode;
    for (const input of document.querySelectorAll("input[name=mode]")) {
      const radio = /** @type {HTMLInputElement} */ (input);
      radio.checked = radio.value === mode;
      radio.disabled = hello !== null && hello.models.length === 0 && radio.value !== "real";
    }
    const select = part("model", HTMLSelectElement);
    const names = hello?.models ?? [];
    if ([...select.options].map((option) => option.value).join() !== names.join()) {
      select.replaceChildren(...names.map((name) => new Option(name, name)));
    }
    select.value = model;
    part("model-field", HTMLElement).hidden = mode === "real" || names.length === 0;
    const field = part("seed", HTMLInputElement);
    if (document.activeElement !== field) field.value = String(seed);
    write(this.parts["dream-model"], model);
    this.parts.lede.replaceChildren(
      ...LEDE[mode].map((piece) => {
        if (typeof piece === "string") return piece;
        const name = document.createElement("b");
        [name.className, name.textContent] = piece;
        return name;
      }),
    );
  }

  /** @param {import("./scene.js").Scene} scene */
  showScene({ kind, status, veil, chief }) {
    document.body.dataset.scene = kind;
    // This line is read out when it changes; the seconds that run down under the title are not.
    write(this.parts.status, veil === null ? status : veil.title);
    this.parts.veil.hidden = veil === null;
    if (veil !== null) {
      write(this.parts["veil-title"], veil.title);
      write(this.parts["veil-text"], veil.text);
      this.showRemedies(veil.remedies);
    }
    for (const button of this.buttons) {
      button.classList.toggle("chief", button.dataset.command === chief);
      button.disabled = veil !== null;
    }
    this.scrubber.disabled = veil !== null;
    const still = kind === "paused" || kind === "idle" || chief === "pause";
    dress(this.pause, still ? "play" : "pause", still ? "Go on" : "Pause");
  }

  /** @param {import("./scene.js").Remedy[]} remedies */
  showRemedies(remedies) {
    if (this.remedies === remedies.join()) return;
    this.remedies = remedies.join();
    this.parts["veil-actions"].replaceChildren(
      ...remedies.map((remedy) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = REMEDIES[remedy];
        button.addEventListener("click", () => this.remedy(remedy));
        return button;
      }),
    );
  }

  /** @param {import("./protocol.js").Frame} frame */
  drawWorlds(frame) {
    for (const world of frame.worlds) this.worlds[world.name].draw(world);
    light(this.lights, "data-light", frame.action);
  }

  /** @param {number} action Of the keys that are down. */
  showHeld(action) {
    light(this.pads, "data-button", action);
  }

  /**
   * Draw what is known of the last ten seconds, and the map.
   *
   * @param {import("./protocol.js").Frame} frame
   * @param {import("./sitting.js").Sitting} sitting
   */
  drawTime(frame, { curve, hello, shownStep }) {
    const ticksPerSecond = hello?.ticksPerSecond ?? 30;
    // Where it was put it stays, although pictures from before still come.
    if (!this.scrubber.matches(":active")) this.scrubber.value = String(shownStep - frame.newest);
    const back = frame.newest - frame.step;
    const says = back > 0 ? `${seconds(back, ticksPerSecond)} back` : "";
    write(this.parts["scrub-says"], says);
    this.scrubber.setAttribute("aria-valuetext", says || "now");
    if (frame.worlds.length < 2) return;
    this.difference.draw(frame);
    write(this.parts.psnr, likeness(frame.psnr));
    const since = curve.sinceEqual(frame.step);
    const text = since === null ? "" : `${seconds(since, ticksPerSecond)} since they were equal`;
    write(this.parts.since, since === 0 ? "" : text);
    this.drawCurve(frame, curve);
  }

  /**
   * @param {import("./protocol.js").Frame} frame
   * @param {import("./chart.js").Curve} curve
   */
  drawCurve(frame, curve) {
    const { clientWidth, clientHeight } = this.chart;
    const [width, height] = [clientWidth, clientHeight].map((n) =>
      Math.round(n * devicePixelRatio),
    );
    if (this.chart.width !== width || this.chart.height !== height) {
      this.chart.width = width;
      this.chart.height = height;
    }
    this.chartPen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    /** @type {(name: string) => string} */
    const colour = (name) => style.getPropertyValue(name).trim();
    drawChart(this.chartPen, clientWidth, clientHeight, curve, frame.step, {
      line: colour("--dream"),
      grid: colour("--grid"),
      label: colour("--quiet"),
      mark: colour("--real"),
      font: `10px ${colour("--letters")}`,
    });
  }

  /**
   * @param {number} fps
   * @param {import("./sitting.js").Sitting} sitting
   */
  showFacts(fps, { latency, frame, replay }) {
    write(this.parts["fact-fps"], `${fps} fps`);
    write(this.parts["fact-key"], milliseconds(latency.key));
    write(this.parts["fact-trip"], milliseconds(latency.roundTrip));
    const of = replay === null ? "" : ` of ${replay.length}`;
    write(this.parts["fact-step"], frame === null ? "–" : `${frame.step}${of}`);
  }
}

/** @param {number | null} time */
function milliseconds(time) {
  return time === null ? "–" : `${Math.round(time)} ms`;
}

/**
 * Give a button another picture and another word.
 *
 * @param {HTMLButtonElement} button
 * @param {string} picture In icons.svg.
 * @param {string} word
 */
export function dress(button, picture, word) {
  const use = button.querySelector("use");
  const href = `icons.svg#${picture}`;
  if (use?.getAttribute("href") !== href) use?.setAttribute("href", href);
  const name = button.querySelector("span");
  if (name) write(name, word);
}

/**
 * Light up the pictures of the buttons that an action holds down.
 *
 * @param {Iterable<Element>} pictures
 * @param {string} attribute Theirs, that names the button.
 * @param {number | null} action
 */
function light(pictures, attribute, action) {
  const down = toButtons(action);
  for (const picture of pictures) {
    const button = /** @type {import("./controls.js").Button} */ (picture.getAttribute(attribute));
    picture.toggleAttribute("data-on", down[button]);
  }
}

/** @param {string} world */
function figure(world) {
  const element = document.querySelector(`[data-world=${world}]`);
  if (!(element instanceof HTMLElement)) throw new Error(`the page has no world ${world}`);
  return element;
}
