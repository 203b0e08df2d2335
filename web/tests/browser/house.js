/**
 * What the tests in a browser share: a server of their own, a headless Chromium, and eyes on the
 * page. Each test file is a program: `node web/tests/browser/modes.test.js [--server URL]`.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const { values } = parseArgs({
  options: {
    python: { type: "string", default: join(ROOT, ".venv/bin/python") },
    chromium: { type: "string", default: "/usr/bin/chromium" },
    server: { type: "string" }, // that runs already, for who needs no other
  },
});
if (!existsSync(values.chromium)) throw new Error(`there is no Chromium at ${values.chromium}`);

/** Where pictures of the page are kept. */
export const PICTURES = join(ROOT, "tests/failures/browser");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @typedef {import("playwright-core").BrowserContextOptions} ContextOptions */
/** @typedef {Window & {violations: string[]}} Watched What the tests add to the page. */

/** A running `mirage serve`. */
export class Server {
  /** @param {string[]} [options] Of the command, beyond the port. */
  constructor(options = []) {
    this.options = options;
    this.port = 0;
    /** @type {import("node:child_process").ChildProcess | null} */
    this.process = null;
  }

  /** Start it; a second time on the same port. */
  async start() {
    // As many dreams as the tests open, however slow the machine is.
    const args = ["-m", "mirage_env.cli", "serve", "--port", String(this.port)];
    args.push("--max-dreams", "4", ...this.options);
    const server = spawn(values.python, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.process = server;
    let said = "";
    await new Promise((resolve, reject) => {
      const hear = (/** @type {Buffer} */ words) => {
        said += words;
        const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(said);
        if (found) resolve((this.port = Number(found[1])));
      };
      server.stdout.on("data", hear);
      server.stderr.on("data", (words) => (said += words));
      server.once("exit", (code) => reject(new Error(`the server ended (${code}):\n${said}`)));
    });
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = "SIGTERM") {
    const server = this.process;
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill(signal);
    await ended;
  }
}

export class House {
  /** @param {string[]} [options] Of a `mirage serve` of its own. */
  constructor(options) {
    this.server = new Server(options);
    if (!options && values.server) this.server.port = Number(new URL(values.server).port);
    /** @type {import("playwright-core").Browser | null} */
    this.browser = null;
    /** @type {Visit[]} */
    this.visits = [];
  }

  async open() {
    mkdirSync(PICTURES, { recursive: true });
    const launched = chromium.launch({ executablePath: values.chromium, args: FLAGS });
    const started = this.server.port === 0 ? this.server.start() : null;
    [this.browser] = await Promise.all([launched, started]);
  }

  async close() {
    await this.browser?.close();
    await this.server.stop();
  }

  /**
   * Open the page.
   *
   * @param {string} query From "?" on.
   * @param {ContextOptions & {clipboard?: boolean}} [options]
   */
  async visit(query, { clipboard = false, ...options } = {}) {
    assert(this.browser);
    const viewport = { width: 1440, height: 900 };
    const context = await this.browser.newContext({ viewport, ...options });
    if (clipboard) await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const visit = new Visit(await context.newPage());
    this.visits.push(visit);
    await visit.page.addInitScript(() => {
      const watched = /** @type {Watched} */ (/** @type {unknown} */ (window));
      watched.violations = [];
      addEventListener("securitypolicyviolation", (event) => {
        watched.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
      });
    });
    await visit.page.goto(`http://127.0.0.1:${this.server.port}/${query}`);
    return visit;
  }

  /** Leave all pages; each must have been quiet. */
  async leave() {
    const visits = this.visits.splice(0);
    const broken = await Promise.all(visits.map((visit) => visit.page.evaluate(violations)));
    await Promise.all(visits.map((visit) => visit.page.context().close()));
    for (const visit of visits) {
      assert.deepEqual(broken.flat(), [], "the page broke its content security policy");
      assert.deepEqual(visit.complaints, [], "the page wrote errors to the console");
    }
  }
}

/** An open page, and what it shows. */
export class Visit {
  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    /** @type {string[]} Errors and warnings in the console. */
    this.complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  /** Forget the console's errors that a lost connection must make. */
  forgiveLostConnection() {
    this.complaints = this.complaints.filter((text) => !text.includes("WebSocket connection"));
  }

  /** @param {string} scene As in scene.js. */
  async until(scene) {
    await this.page.waitForSelector(`body[data-scene="${scene}"]`, { timeout: 15_000 });
  }

  /** @param {number} step To be reached. */
  async untilStep(step) {
    await this.page.waitForFunction(
      (least) => parseInt(document.getElementById("fact-step")?.textContent ?? "") >= least,
      step,
      { timeout: 30_000 },
    );
  }

  /** @param {string} id */
  text(id) {
    return this.page.locator(`#${id}`).innerText();
  }

  /** The step that is shown. */
  async step() {
    await this.page.waitForTimeout(300); // the figures are written four times a second
    return parseInt(await this.text("fact-step"));
  }

  /**
   * Return the picture of a world as one string of hexadecimal digits.
   *
   * @param {"real" | "dream"} world
   */
  picture(world) {
    return this.page.evaluate((name) => {
      const canvas = document.querySelector(`[data-world=${name}] canvas`);
      const copy = new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true });
      copy?.drawImage(/** @type {HTMLCanvasElement} */ (canvas), 0, 0);
      const data = copy?.getImageData(0, 0, 64, 64).data ?? [];
      return [...data].map((value) => value.toString(16).padStart(2, "0")).join("");
    }, world);
  }

  /** @param {string} name Of the file. */
  async keep(name) {
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }
}

/** Runs in the page. */
function violations() {
  return /** @type {Watched} */ (/** @type {unknown} */ (window)).violations;
}
