/** A websocket that comes back by itself, and says in which state it is. */

import { Backoff } from "./backoff.js";
import { SUBPROTOCOL, decode } from "./protocol.js";
import { ProtocolError } from "./bytes.js";

/** @typedef {"lost" | "restart" | "full"} Trouble Why it has to be tried again. */

/**
 * @typedef {{kind: "connecting", why: Trouble | null}
 *   | {kind: "open"}
 *   | {kind: "waiting", why: Trouble, reason: string, until: number}
 *   | {kind: "closed", why: "refused" | "idle" | "foreign", reason: string}} Status
 *     `until` is a time of the clock; `foreign` is a server that speaks something else.
 */

/**
 * @typedef {object} Socket What is used of a WebSocket.
 * @property {string} binaryType
 * @property {number} readyState
 * @property {(() => void) | null} onopen
 * @property {((event: {data: any}) => void) | null} onmessage
 * @property {((event: {code: number, reason: string}) => void) | null} onclose
 * @property {(data: ArrayBuffer) => void} send
 * @property {() => void} close
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now Milliseconds.
 * @property {(call: () => void, wait: number) => any} after
 * @property {(timer: any) => void} cancel
 */

/** @type {Clock} */
export const CLOCK = {
  now: () => performance.now(),
  after: (call, wait) => setTimeout(call, wait),
  cancel: (timer) => clearTimeout(timer),
};

/** Milliseconds without a word from the server after which a connection is given up. */
export const SILENCE = 10_000;

/** Milliseconds, about, until the next attempt where the server is full. */
const FULL = { first: 20_000, most: 60_000 };

const OPEN = 1;

export class Connection {
  /**
   * @param {object} options
   * @param {string} options.url
   * @param {(message: import("./protocol.js").ServerMessage) => void} options.heard
   * @param {(status: Status) => void} options.changed
   * @param {(url: string) => Socket} [options.open]
   * @param {Clock} [options.clock]
   * @param {() => number} [options.random]
   */
  constructor({ url, heard, changed, open = openWebSocket, clock = CLOCK, random = Math.random }) {
    this.url = url;
    this.heard = heard;
    this.changed = changed;
    this.open = open;
    this.clock = clock;
    this.lost = new Backoff({ random });
    this.full = new Backoff({ ...FULL, random });
    /** @type {Socket | null} */
    this.socket = null;
    /** @type {any} */
    this.timer = null;
    /** @type {any} */
    this.watch = null;
    /** @type {Trouble | null} Until somebody is let in again. */
    this.trouble = null;
    /** @type {Status} */
    this.status = { kind: "connecting", why: null };
  }

  /** Connect now, whatever was being waited for. */
  connect() {
    this.drop();
    this.tell({ kind: "connecting", why: this.trouble });
    const socket = this.open(this.url);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.listen();
      this.tell({ kind: "open" });
    };
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ code, reason }) => this.end(code, reason);
    this.listen();
  }

  /**
   * Send a message, if the connection is open.
   *
   * @param {ArrayBuffer} bytes
   */
  send(bytes) {
    if (this.socket?.readyState === OPEN) this.socket.send(bytes);
  }

  /** @param {any} data */
  receive(data) {
    this.listen();
    let message;
    try {
      message = decode(data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.drop();
      this.tell({ kind: "closed", why: "foreign", reason: error.message });
      return;
    }
    // Only who was let in has had a connection that is worth coming back to soon.
    if (message.type === "begin" || message.type === "queue") {
      this.lost.reset();
      this.full.reset();
      this.trouble = null;
    }
    this.heard(message);
  }

  /** Something was heard: the connection is given up only after as much silence again. */
  listen() {
    this.clock.cancel(this.watch);
    this.watch = this.clock.after(() => {
      this.drop();
      this.wait("lost", "", this.lost.next());
    }, SILENCE);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  end(code, reason) {
    this.drop();
    if (code === 1013) this.wait("full", reason, this.full.next());
    else if (code === 4000) this.tell({ kind: "closed", why: "idle", reason });
    else if (code === 1003 || code === 1008 || code === 1009) {
      this.tell({ kind: "closed", why: "refused", reason });
    } else this.wait(code === 1012 ? "restart" : "lost", reason, this.lost.next());
  }

  /**
   * @param {Trouble} trouble
   * @param {string} reason
   * @param {number} wait Milliseconds.
   */
  wait(trouble, reason, wait) {
    // While a server restarts nobody answers: that is no other trouble.
    const why = trouble === "lost" ? (this.trouble ?? trouble) : trouble;
    this.trouble = why;
    this.timer = this.clock.after(() => this.connect(), wait);
    this.tell({ kind: "waiting", why, reason, until: this.clock.now() + wait });
  }

  /** Let go of the socket, if there is one, and of what is being waited for. */
  drop() {
    this.clock.cancel(this.timer);
    this.clock.cancel(this.watch);
    const socket = this.socket;
    if (socket === null) return;
    this.socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {Status} status */
  tell(status) {
    this.status = status;
    this.changed(status);
  }
}

/**
 * @param {string} url
 * @returns {Socket}
 */
function openWebSocket(url) {
  return /** @type {Socket} */ (/** @type {unknown} */ (new WebSocket(url, SUBPROTOCOL)));
}
