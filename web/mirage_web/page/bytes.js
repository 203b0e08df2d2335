/** Little-endian numbers in and out of a buffer, one after the other, with every rule checked. */

/** A message that breaks a rule of the protocol, or a value that has no place in one. */
export class ProtocolError extends Error {}

/**
 * @param {string} what
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export function inRange(what, value, least, most) {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new ProtocolError(
      `${what} must be a whole number from ${least} to ${most}, got ${value}`,
    );
  }
  return value;
}

/** Writes a message; what is not written is zero. */
export class Writer {
  /** @param {number} length Of the whole message, bytes. */
  constructor(length) {
    this.buffer = new ArrayBuffer(length);
    this.view = new DataView(this.buffer);
    this.at = 0;
  }

  /** @param {string} what @param {number} value @param {number} [most] */
  u8(what, value, most = 0xff) {
    this.view.setUint8(this.at, inRange(what, value, 0, most));
    return this.skip(1);
  }

  /** @param {string} what @param {number} value */
  u16(what, value) {
    this.view.setUint16(this.at, inRange(what, value, 0, 0xffff), true);
    return this.skip(2);
  }

  /** @param {string} what @param {number} value */
  u32(what, value) {
    this.view.setUint32(this.at, inRange(what, value, 0, 0xffffffff), true);
    return this.skip(4);
  }

  /** @param {string} what @param {number} value */
  u64(what, value) {
    const most = Number.MAX_SAFE_INTEGER;
    this.view.setBigUint64(this.at, BigInt(inRange(what, value, 0, most)), true);
    return this.skip(8);
  }

  /** @param {string} letters In ASCII. */
  text(letters) {
    for (const letter of letters) this.view.setUint8(this.at++, letter.charCodeAt(0));
    return this;
  }

  /** @param {number} count Of bytes that stay zero. */
  skip(count) {
    this.at += count;
    return this;
  }
}

/** Reads a message from its beginning. */
export class Reader {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    this.view = new DataView(buffer);
    this.at = 0;
  }

  get length() {
    return this.view.byteLength;
  }

  /** @param {number} length That the whole message must have, bytes. */
  demandLength(length) {
    if (this.length !== length) {
      throw new ProtocolError(`the message must be ${length} bytes long, got ${this.length}`);
    }
  }

  /** @param {string} [what] @param {number} [least] @param {number} [most] */
  u8(what = "a byte", least = 0, most = 0xff) {
    return inRange(what, this.view.getUint8(this.at++), least, most);
  }

  u16() {
    return this.view.getUint16((this.at += 2) - 2, true);
  }

  u32() {
    return this.view.getUint32((this.at += 4) - 4, true);
  }

  i32() {
    return this.view.getInt32((this.at += 4) - 4, true);
  }

  /** @param {string} what */
  u64(what) {
    const value = this.view.getBigUint64((this.at += 8) - 8, true);
    return inRange(what, Number(value), 0, Number.MAX_SAFE_INTEGER);
  }

  f32() {
    return this.view.getFloat32((this.at += 4) - 4, true);
  }

  f64() {
    return this.view.getFloat64((this.at += 8) - 8, true);
  }

  /** @param {number} count Of bytes that must be zero. */
  zeros(count) {
    for (const end = this.at + count; this.at < end; this.at++) {
      if (this.view.getUint8(this.at) !== 0) {
        throw new ProtocolError(`byte ${this.at} must be 0, got ${this.view.getUint8(this.at)}`);
      }
    }
  }

  /** @param {number} count Of bytes; what comes back is a view of them, not a copy. */
  bytes(count) {
    return new Uint8Array(this.view.buffer, (this.at += count) - count, count);
  }

  /** @param {number} width Letters, then zeros up to so many bytes. */
  text(width) {
    const bytes = this.bytes(width);
    const end = bytes.indexOf(0);
    const letters = end < 0 ? bytes : bytes.subarray(0, end);
    if (bytes.subarray(letters.length).some(Boolean)) {
      throw new ProtocolError("after the end of a name only zeros may follow");
    }
    return String.fromCharCode(...letters);
  }
}
