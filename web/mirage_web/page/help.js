/** The list of all keys. */

import { part } from "./page.js";

/** What it does, and which keys. */
/** @type {readonly [string, ...string[]][]} */
const KEYS = [
  ["Turn", "◄", "►", "A", "D"],
  ["Thrust", "▲", "W"],
  ["Fire", "Space"],
  ["Pause, or go on", "P"],
  ["One step back", ","],
  ["One step forward, by the keys held down", ".", "N"],
  ["Wake the dream", "E"],
  ["New game", "R"],
  ["The same game over again", "O"],
  ["Real, dream, both", "1", "2", "3"],
  ["Record a video", "V"],
  ["Copy a link to this game", "L"],
  ["Figures on or off", "I"],
  ["High contrast on or off", "C"],
  ["From a button back to the game", "Esc"],
  ["This list", "H"],
];

export function showHelp() {
  const dialog = part("help", HTMLDialogElement);
  if (dialog.open) return;
  part("help-keys", HTMLElement).replaceChildren(
    ...KEYS.map(([what, ...keys]) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = what;
      const cell = document.createElement("td");
      for (const key of keys) {
        const name = document.createElement("kbd");
        name.textContent = key;
        cell.append(name, " ");
      }
      row.append(head, cell);
      return row;
    }),
  );
  dialog.showModal();
}
