/** Records what is shown as a video, by the browser's own means. */

import { EDGE } from "./protocol.js";
import { pen2d } from "./worlds.js";

const SCALE = 8; // pixels of the video in one of the arena
const SCREEN = EDGE * SCALE;
const MARGIN = 16;
const CAPTION = 48;
const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
const BITS_PER_SECOND = 6_000_000;

/** Whether this browser can record. */
export function canFilm() {
  return (
    typeof MediaRecorder === "function" &&
    typeof HTMLCanvasElement.prototype.captureStream === "function"
  );
}

export class Film {
  /**
   * @param {import("./protocol.js").Mode} mode
   * @param {number} ticksPerSecond
   */
  constructor(mode, ticksPerSecond) {
    this.mode = mode;
    const worlds = mode === "both" ? 2 : 1;
    this.canvas = document.createElement("canvas");
    this.canvas.width = worlds * SCREEN + (worlds + 1) * MARGIN;
    this.canvas.height = SCREEN + MARGIN + CAPTION;
    this.pen = pen2d(this.canvas);
    this.stream = this.canvas.captureStream(ticksPerSecond);
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.recorder = new MediaRecorder(this.stream, {
      mimeType,
      videoBitsPerSecond: BITS_PER_SECOND,
    });
    /** @type {Blob[]} */
    this.parts = [];
    this.recorder.ondataavailable = ({ data }) => this.parts.push(data);
    this.began = performance.now();
    this.recorder.start(1000); // a part a second: what was recorded is not lost at the end
  }

  /** Seconds since it began. */
  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  /**
   * Add what is shown now.
   *
   * @param {import("./protocol.js").Frame} frame
   * @param {Record<string, HTMLCanvasElement>} canvases Of the worlds, by name.
   * @param {string} likeness
   */
  add(frame, canvases, likeness) {
    const { pen } = this;
    const { width, height } = this.canvas;
    pen.fillStyle = "#0d0f18";
    pen.fillRect(0, 0, width, height);
    pen.imageSmoothingEnabled = false;
    const line = SCREEN + MARGIN + CAPTION / 2;
    pen.textBaseline = "middle";
    frame.worlds.forEach((world, i) => {
      const left = MARGIN + i * (SCREEN + MARGIN);
      pen.drawImage(canvases[world.name], left, MARGIN, SCREEN, SCREEN);
      pen.font = "600 16px system-ui, sans-serif";
      pen.fillStyle = world.name === "real" ? "#54e0ff" : "#ba94ff";
      pen.fillText(world.name.toUpperCase(), left, line);
      pen.font = "500 22px ui-monospace, monospace";
      pen.fillStyle = "#e8edf7";
      pen.textAlign = "right";
      pen.fillText(String(world.score), left + SCREEN, line);
      pen.textAlign = "left";
    });
    if (frame.worlds.length === 2) {
      pen.font = "500 16px ui-monospace, monospace";
      pen.fillStyle = "#98a2be";
      pen.fillText(likeness, MARGIN + SCREEN + MARGIN + 80, line);
    }
  }

  /**
   * End it.
   *
   * @returns {Promise<Blob>} The video.
   */
  stop() {
    return new Promise((resolve) => {
      this.recorder.onstop = () => {
        for (const track of this.stream.getTracks()) track.stop();
        resolve(new Blob(this.parts, { type: this.recorder.mimeType }));
      };
      this.recorder.stop();
    });
  }
}

/**
 * Hand a file to the person at the page.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
