/** How large the screens are: as large as fits, and a whole number of the display's pixels. */

import { EDGE } from "./protocol.js";

/** Of a screen, in pixels of the page; below it the page scrolls. */
const SMALLEST = 144;
const LARGEST = 768;

/**
 * Return the edge of a screen in pixels of the page.
 *
 * @param {number} width That there is for one.
 * @param {number} height That there is.
 * @param {number} ratio Pixels of the display in one of the page.
 */
export function screenEdge(width, height, ratio) {
  const room = Math.min(width, Math.max(height, 2 * SMALLEST), LARGEST);
  const pixels = Math.max(Math.floor((Math.max(room, SMALLEST) * ratio) / EDGE), 1);
  return (pixels * EDGE) / ratio;
}

/**
 * Keep the screens as large as fits.
 *
 * @param {() => number} worlds How many are shown.
 * @returns {() => void} To be called when that number changes.
 */
export function keepFitting(worlds) {
  const root = document.documentElement;
  const house = /** @type {HTMLElement} */ (document.querySelector(".house"));
  const rail = /** @type {HTMLElement} */ (document.querySelector(".rail"));
  const screens = /** @type {HTMLElement} */ (document.querySelector(".screens"));
  const bar = /** @type {HTMLElement} */ (document.querySelector(".bar"));
  const pads = /** @type {HTMLElement} */ (document.querySelector(".pads"));
  const fit = () => {
    const style = getComputedStyle(house);
    const inner = root.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const beside = style.getPropertyValue("--beside").trim() === "1";
    /** @type {(name: string) => number} */
    const length = (name) => parseFloat(style.getPropertyValue(name));
    const room = beside ? inner - rail.offsetWidth - parseFloat(style.columnGap) : inner;
    const width = (room - length("--gutter") - length("--sides")) / worlds() - 2;
    // What stands below the screens is to be in view, too: all of it on a desk, the pads in a hand.
    const last = beside ? bar : pads.offsetHeight > 0 ? pads : screens;
    const top = screens.getBoundingClientRect().top + root.scrollTop;
    const below = last.getBoundingClientRect().bottom + root.scrollTop - top - screenHeight();
    const edge = screenEdge(width, root.clientHeight - top - below - 20, devicePixelRatio);
    root.style.setProperty("--edge", `${edge}px`);
  };
  const screenHeight = () => parseFloat(getComputedStyle(root).getPropertyValue("--edge"));
  addEventListener("resize", fit);
  matchMedia("(any-pointer: coarse)").addEventListener("change", fit);
  fit();
  return fit;
}
