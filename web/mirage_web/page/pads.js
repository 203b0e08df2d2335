/** Thumbs on the screen, and gamepads. */

import { readPad, restingPad } from "./controls.js";

/**
 * Let fingers press the pads; a finger may slide from one to the next.
 *
 * @param {HTMLElement} pads
 * @param {import("./controls.js").Held} held
 */
export function listenToTouch(pads, held) {
  /** @param {PointerEvent} event */
  const touch = (event) => {
    if (event.pointerType === "mouse" && event.buttons === 0) return;
    event.preventDefault();
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const pad = /** @type {HTMLElement | null} */ (under?.closest("[data-button]") ?? null);
    const source = `touch:${event.pointerId};`;
    if (pad === null) held.release(source);
    else held.set(source, /** @type {import("./controls.js").Button} */ (pad.dataset.button), true);
  };
  /** @param {PointerEvent} event */
  const leave = (event) => held.release(`touch:${event.pointerId};`);
  pads.addEventListener("pointerdown", (event) => {
    // Otherwise all that the finger does belongs to the pad that it touched first.
    /** @type {Element} */ (event.target).releasePointerCapture?.(event.pointerId);
    touch(event);
  });
  pads.addEventListener("pointermove", touch);
  for (const end of /** @type {const} */ (["pointerup", "pointercancel", "pointerleave"])) {
    pads.addEventListener(end, leave);
  }
  pads.addEventListener("contextmenu", (event) => event.preventDefault());
}

/** Reads all gamepads; to be asked before each picture, since they send no events. */
export class Gamepads {
  /**
   * @param {import("./controls.js").Held} held
   * @param {(command: import("./controls.js").Command) => void} give
   */
  constructor(held, give) {
    this.held = held;
    this.give = give;
    /** @type {Map<number, import("./controls.js").PadState>} */
    this.states = new Map();
    addEventListener("gamepaddisconnected", ({ gamepad }) => {
      this.states.delete(gamepad.index);
      held.release(`pad${gamepad.index}:`);
    });
  }

  read() {
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (pad === null || !pad.connected || !document.hasFocus()) continue;
      const before = this.states.get(pad.index) ?? restingPad();
      const after = readPad(pad, before);
      this.states.set(pad.index, after);
      for (const button of before.buttons) {
        if (!after.buttons.has(button)) this.held.set(`pad${pad.index}:${button}`, button, false);
      }
      for (const button of after.buttons) {
        if (!before.buttons.has(button)) this.held.set(`pad${pad.index}:${button}`, button, true);
      }
      for (const command of after.given) this.give(command);
    }
  }
}
