/** The keyboard: what steers the ship and what gives commands, and when a key is neither. */

import { BUTTON_KEYS, COMMAND_KEYS } from "./controls.js";

/**
 * What a key means where it was pressed.
 *
 * A control that has the focus keeps the keys that it needs itself.
 *
 * @param {{code: string, key: string, repeat: boolean, ctrlKey: boolean, metaKey: boolean,
 *   altKey: boolean}} event
 * @param {"page" | "button" | "control"} place Where the focus is: a control is a field, a choice,
 *   or the scrubber.
 * @returns {{button?: import("./controls.js").Button, command?: import("./controls.js").Command}}
 */
export function meaning(event, place) {
  if (event.ctrlKey || event.metaKey || event.altKey || place === "control") return {};
  const button = BUTTON_KEYS[event.code];
  if (button !== undefined && !(place === "button" && event.code === "Space")) return { button };
  const command = COMMAND_KEYS[event.key.toLowerCase()];
  const mayRepeat = command === "forward" || command === "back";
  return command !== undefined && (mayRepeat || !event.repeat) ? { command } : {};
}

/**
 * Listen to the keyboard.
 *
 * @param {import("./controls.js").Held} held
 * @param {(command: import("./controls.js").Command) => void} give
 */
export function listenToKeys(held, give) {
  addEventListener("keydown", (event) => {
    const place = placeOf(event.target);
    if (event.key === "Escape" && place !== "page") {
      document.getElementById("stage")?.focus();
      return;
    }
    const { button, command } = meaning(event, place);
    if (button === undefined && command === undefined) return;
    event.preventDefault(); // an arrow does not scroll the page as well
    if (button !== undefined) held.set(`key:${event.code}`, button, true);
    if (command !== undefined) give(command);
  });
  addEventListener("keyup", (event) => {
    const button = BUTTON_KEYS[event.code];
    if (button !== undefined) held.set(`key:${event.code}`, button, false);
  });
}

/** @param {EventTarget | null} target */
function placeOf(target) {
  if (!(target instanceof Element)) return "page";
  if (target.closest("dialog")) return "control";
  if (target.closest("input, select, textarea")) return "control";
  return target.closest("button, a") ? "button" : "page";
}
