/** How large the screens are: as large as fits, and a whole number of the display's pixels. */

import { EDGE } from "./protocol.js";

/** Of a screen, in pixels of the page; below it the page scrolls: sooner on a desk than under thumbs. */
const SMALLEST = 144;
const SMALLEST_ON_A_DESK = 288;
const LARGEST = 768;

/**
 * Return the edge of a screen in pixels of the page.
 *
 * @param {number} width That there is for one.
 * @param {number} height That there is.
 * @param {number} ratio Pixels of the display in one of the page.
 * @param {boolean} [thumbs] Whether pads for thumbs are to stay in view below it.
 */
export function screenEdge(width, height, ratio, thumbs = false) {
  const lowest = thumbs ? SMALLEST : SMALLEST_ON_A_DESK;
  const room = Math.min(width, Math.max(height, lowest), LARGEST);
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
    const thumbs = !beside && pads.offsetHeight > 0;
    const last = beside ? bar : thumbs ? pads : screens;
    const top = screens.getBoundingClientRect().top + root.scrollTop;
    const below = last.getBoundingClientRect().bottom + root.scrollTop - top - screenHeight();
    const height = root.clientHeight - top - below - 20;
    const edge = screenEdge(width, height, devicePixelRatio, thumbs);
    root.style.setProperty("--edge", `${edge}px`);
  };
  const screenHeight = () => parseFloat(getComputedStyle(root).getPropertyValue("--edge"));
  addEventListener("resize", fit);
  matchMedia("(any-pointer: coarse)").addEventListener("change", fit);
  // Words above the screens can come to need another line, with other letters or other news.
  const grown = new ResizeObserver(fit);
  for (const above of house.querySelectorAll(".top, .lede, .line")) grown.observe(above);
  fit();
  return fit;
}
