import assert from "node:assert/strict";
import { test } from "node:test";
import { Held, readPad, restingPad, toAction, toButtons } from "../../mirage_web/page/controls.js";
import { meaning } from "../../mirage_web/page/keyboard.js";

test("an action is turn · 4 + thrust · 2 + fire, and comes apart again", () => {
  assert.equal(toAction([]), 0);
  assert.equal(toAction(["fire"]), 1);
  assert.equal(toAction(["thrust", "left"]), 6);
  assert.equal(toAction(["right", "fire", "thrust"]), 11);
  assert.deepEqual(toButtons(6), { left: true, right: false, thrust: true, fire: false });
  assert.deepEqual(toButtons(null), { left: false, right: false, thrust: false, fire: false });
});

test("of left and right the one pressed last wins, and the other comes back when it is let go", () => {
  /** @type {number[]} */
  const actions = [];
  const held = new Held((action) => actions.push(action));
  held.set("key:ArrowLeft", "left", true);
  held.set("key:ArrowRight", "right", true);
  held.set("key:ArrowRight", "right", false);
  held.set("key:ArrowLeft", "left", false);
  assert.deepEqual(actions, [4, 8, 4, 0]);
});

test("two keys for the same button hold it until both are let go", () => {
  /** @type {number[]} */
  const actions = [];
  const held = new Held((action) => actions.push(action));
  held.set("key:KeyW", "thrust", true);
  held.set("key:ArrowUp", "thrust", true);
  held.set("key:KeyW", "thrust", false);
  held.set("key:ArrowUp", "thrust", false);
  assert.deepEqual(actions, [2, 0]);
});

test("a key that repeats itself changes nothing, not even which turn was last", () => {
  const held = new Held(() => {});
  held.set("a", "left", true);
  held.set("b", "right", true);
  held.set("a", "left", true);
  assert.equal(held.action, 8);
});

test("a finger that slides from one pad to the next holds the new one alone", () => {
  const held = new Held(() => {});
  held.set("touch:1;", "left", true);
  held.set("touch:1;", "right", true);
  assert.equal(held.action, 8);
  held.set("touch:11;", "fire", true);
  held.release("touch:1;");
  assert.equal(held.action, 1);
  held.release();
  assert.equal(held.action, 0);
});

const key = { code: "", key: "", repeat: false, ctrlKey: false, metaKey: false, altKey: false };

test("keys steer by their place and command by their letter", () => {
  assert.deepEqual(meaning({ ...key, code: "KeyA", key: "q" }, "page"), { button: "left" });
  assert.deepEqual(meaning({ ...key, code: "KeyR", key: "P" }, "page"), { command: "pause" });
  assert.deepEqual(meaning({ ...key, code: "KeyX", key: "x" }, "page"), {});
});

test("a field keeps all keys, a button keeps the space bar, the browser keeps its own", () => {
  const space = { ...key, code: "Space", key: " " };
  assert.deepEqual(meaning(space, "page"), { button: "fire" });
  assert.deepEqual(meaning(space, "button"), {});
  assert.deepEqual(meaning({ ...key, code: "ArrowLeft", key: "ArrowLeft" }, "button"), {
    button: "left",
  });
  assert.deepEqual(meaning({ ...key, code: "ArrowLeft", key: "ArrowLeft" }, "control"), {});
  assert.deepEqual(meaning({ ...key, code: "KeyR", key: "r", ctrlKey: true }, "page"), {});
});

test("a command is given once however long its key is held, but for steps", () => {
  assert.deepEqual(meaning({ ...key, key: "p", repeat: true }, "page"), {});
  assert.deepEqual(meaning({ ...key, key: ".", repeat: true }, "page"), { command: "forward" });
});

/** @param {number[]} axes @param {number[]} pressed */
function pad(axes, pressed = []) {
  return {
    axes,
    buttons: Array.from({ length: 17 }, (_, i) => ({ pressed: pressed.includes(i) })),
  };
}

test("a stick does not chatter between pressed and let go", () => {
  let state = readPad(pad([-0.45, 0]), restingPad());
  assert.deepEqual([...state.buttons], []);
  state = readPad(pad([-0.6, 0]), state);
  assert.deepEqual([...state.buttons], ["left"]);
  state = readPad(pad([-0.4, 0]), state);
  assert.deepEqual([...state.buttons], ["left"]);
  state = readPad(pad([-0.3, 0]), state);
  assert.deepEqual([...state.buttons], []);
});

test("buttons of a gamepad steer while they are down, and command once", () => {
  let state = readPad(pad([0, -1], [0, 9, 15]), restingPad());
  assert.deepEqual([...state.buttons].sort(), ["fire", "right", "thrust"]);
  assert.deepEqual(state.given, ["pause"]);
  state = readPad(pad([0, 0], [9]), state);
  assert.deepEqual([[...state.buttons], state.given], [[], []]);
  assert.deepEqual(readPad(pad([]), state).given, []);
});
