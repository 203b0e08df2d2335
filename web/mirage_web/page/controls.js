/** What is held down on keyboard, pads and gamepads together, and what the keys mean. */

/** @typedef {"left" | "right" | "thrust" | "fire"} Button */

/** @typedef {"pause" | "forward" | "back" | "again" | "new" | "wake" | "film" | "share" | "real" |
 * "dream" | "both" | "facts" | "contrast" | "help"} Command */

/** By `KeyboardEvent.code`, so that they lie alike on every keyboard. */
/** @type {Readonly<Record<string, Button>>} */
export const BUTTON_KEYS = {
  ArrowLeft: "left",
  KeyA: "left",
  ArrowRight: "right",
  KeyD: "right",
  ArrowUp: "thrust",
  KeyW: "thrust",
  Space: "fire",
};

/** By `KeyboardEvent.key`, in lower case: these are letters that people look for. */
/** @type {Readonly<Record<string, Command>>} */
export const COMMAND_KEYS = {
  p: "pause",
  ".": "forward",
  n: "forward",
  ",": "back",
  r: "new",
  o: "again",
  e: "wake",
  v: "film",
  l: "share",
  1: "real",
  2: "dream",
  3: "both",
  b: "both",
  i: "facts",
  c: "contrast",
  h: "help",
  "?": "help",
};

/** The usual order of buttons: A B X Y, the shoulders, back and start, the cross. */
/** @type {Readonly<Record<number, Button>>} */
const PAD_BUTTONS = { 0: "fire", 1: "thrust", 2: "fire", 3: "thrust", 12: "thrust" };
/** @type {Readonly<Record<number, Command>>} */
const PAD_COMMANDS = { 4: "wake", 5: "forward", 8: "new", 9: "pause" };
const PAD_LEFT = 14;
const PAD_RIGHT = 15;

// A stick presses beyond the first and lets go within the second: it does not chatter between.
const AXIS_ON = 0.5;
const AXIS_OFF = 0.35;

/**
 * Return the action of the buttons that are down; of left and right the one pressed last wins.
 *
 * @param {readonly Button[]} down In the order of pressing.
 */
export function toAction(down) {
  const turns = down.filter((button) => button === "left" || button === "right");
  const last = turns.at(-1);
  const turn = last === undefined ? 0 : last === "left" ? 1 : 2;
  return turn * 4 + Number(down.includes("thrust")) * 2 + Number(down.includes("fire"));
}

/**
 * Return the buttons that an action holds down.
 *
 * @param {number | null} action
 * @returns {Record<Button, boolean>}
 */
export function toButtons(action) {
  const given = action ?? 0;
  return {
    left: given >> 2 === 1,
    right: given >> 2 === 2,
    thrust: (given & 2) !== 0,
    fire: (given & 1) !== 0,
  };
}

/** What is held down now, from every source. */
export class Held {
  /** @param {(action: number) => void} changed Called with the new action when it changes. */
  constructor(changed) {
    this.changed = changed;
    this.action = 0;
    /** @type {Map<string, Button>} By source, in the order of pressing. */
    this.down = new Map();
  }

  /**
   * Hold a button down, or let it go.
   *
   * @param {string} source Of the press: two keys may hold the same button.
   * @param {Button} button
   * @param {boolean} isDown
   */
  set(source, button, isDown) {
    if (!isDown) this.down.delete(source);
    else if (this.down.get(source) !== button) {
      this.down.delete(source);
      this.down.set(source, button);
    }
    this.tell();
  }

  /**
   * Let go of what a source holds, or of everything.
   *
   * @param {string} [prefix] Of the sources' names.
   */
  release(prefix = "") {
    for (const source of [...this.down.keys()]) {
      if (source.startsWith(prefix)) this.down.delete(source);
    }
    this.tell();
  }

  tell() {
    const action = toAction([...this.down.values()]);
    if (action === this.action) return;
    this.action = action;
    this.changed(action);
  }
}

/**
 * @typedef {object} PadState
 * @property {Set<Button>} buttons That are down.
 * @property {Set<number>} commands Numbers of the buttons of commands that are down.
 */

/** @returns {PadState} */
export function restingPad() {
  return { buttons: new Set(), commands: new Set() };
}

/**
 * Read a gamepad.
 *
 * @param {{axes: readonly number[], buttons: readonly {pressed: boolean}[]}} pad
 * @param {PadState} before What the same call returned last.
 * @returns {PadState & {given: Command[]}} With the commands given just now.
 */
export function readPad(pad, before) {
  /** @type {Set<Button>} */
  const buttons = new Set();
  /** @type {(button: Button, value: number) => void} */
  const stick = (button, value) => {
    if (value > (before.buttons.has(button) ? AXIS_OFF : AXIS_ON)) buttons.add(button);
  };
  stick("left", -(pad.axes[0] ?? 0));
  stick("right", pad.axes[0] ?? 0);
  stick("thrust", -(pad.axes[1] ?? 0));
  /** @type {Set<number>} */
  const commands = new Set();
  pad.buttons.forEach(({ pressed }, i) => {
    if (!pressed) return;
    if (i === PAD_LEFT) buttons.add("left");
    if (i === PAD_RIGHT) buttons.add("right");
    if (PAD_BUTTONS[i] !== undefined) buttons.add(PAD_BUTTONS[i]);
    if (PAD_COMMANDS[i] !== undefined) commands.add(i);
  });
  const given = [...commands].filter((i) => !before.commands.has(i)).map((i) => PAD_COMMANDS[i]);
  return { buttons, commands, given };
}
