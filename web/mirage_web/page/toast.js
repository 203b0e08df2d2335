/** Says something in passing: at the foot of the page, and to who listens instead of looking. */

/** Milliseconds that a sentence stays, and as many more for each of its letters. */
const STAYS = 2_500;
const A_LETTER = 45;

/** @param {string} text A sentence. */
export function say(text) {
  const place = document.getElementById("toasts");
  if (place === null) return;
  const line = document.createElement("p");
  line.textContent = text;
  place.append(line);
  while (place.children.length > 3) place.firstElementChild?.remove();
  setTimeout(() => line.remove(), STAYS + A_LETTER * text.length);
}
