// Bytes to numbers and text: base64, safetensors, UTF-8. Plain ECMAScript, so that it also runs where there is no DOM.

/** Bytes of a base64 string (standard alphabet, padded). */
export function fromBase64(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const value = new Uint8Array(128);
  for (let i = 0; i < 64; i++) value[alphabet.charCodeAt(i)] = i;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3);
  for (let i = 0, o = 0; i < text.length; i += 4, o += 3) {
    const word = (value[text.charCodeAt(i)] << 18) | (value[text.charCodeAt(i + 1)] << 12)
      | (value[text.charCodeAt(i + 2)] << 6) | value[text.charCodeAt(i + 3)];
    bytes[o] = word >> 16;
    bytes[o + 1] = word >> 8;
    bytes[o + 2] = word;
  }
  return bytes.subarray(0, bytes.length - padding);
}

let halves = null;

/** float32 numbers of float16 bit patterns (IEEE 754); a table of all 65,536 is made on first use. */
export function fromFloat16(bits) {
  if (halves === null) {
    halves = new Float32Array(65536);
    for (let i = 0; i < 65536; i++) {
      const exponent = (i >> 10) & 31, fraction = i & 1023, sign = i >> 15 ? -1 : 1;
      halves[i] = exponent === 0 ? sign * fraction * 2 ** -24
        : exponent === 31 ? (fraction ? NaN : sign * Infinity)
          : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    }
  }
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = halves[bits[i]];
  return numbers;
}

const ARRAYS = {
  F32: Float32Array, F16: Uint16Array, I8: Int8Array, U8: Uint8Array, U16: Uint16Array, I16: Int16Array,
  I32: Int32Array, U32: Uint32Array,
};

/**
 * A safetensors file as {tensors: {name: {data, shape}}, document}; float16 is widened to float32. `document` is the
 * JSON in the metadata, an empty object if there is none.
 */
export function readSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(utf8Text(bytes.subarray(8, 8 + length)));
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = entry.data_offsets.map((offset) => offset + 8 + length);
    const data = new ARRAYS[entry.dtype](bytes.slice(begin, end).buffer); // a copy is aligned
    tensors[name] = { data: entry.dtype === "F16" ? fromFloat16(data) : data, shape: entry.shape };
  }
  return { tensors, document: JSON.parse(header.__metadata__?.document ?? "{}") };
}

/** UTF-8 bytes of a string; halves of a surrogate pair that stand alone become U+FFFD, as in TextEncoder. */
export function utf8Bytes(text) {
  const bytes = [];
  for (const character of text) {
    let point = character.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else {
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    }
  }
  return bytes;
}

/** Length in bytes of the UTF-8 character that begins with a byte; 0 for a byte that begins none. */
function lengthOf(byte) {
  return byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3
    : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
}

const LOWEST = [0, 0, 0x80, 0x800, 0x10000];

/** Code point of the character at a place, or -1 where the bytes are no whole character. */
function pointAt(bytes, start, length) {
  if (length === 0 || start + length > bytes.length) return -1;
  if (length === 1) return bytes[start];
  let point = bytes[start] & (0xff >> (length + 1));
  for (let i = start + 1; i < start + length; i++) {
    if ((bytes[i] & 0xc0) !== 0x80) return -1;
    point = (point << 6) | (bytes[i] & 63);
  }
  return point < LOWEST[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ? -1 : point;
}

/** Text of UTF-8 bytes. A byte that belongs to no whole character is U+FFFD, or what `stray` makes of it. */
export function utf8Text(bytes, stray = () => "\ufffd") {
  const parts = [];
  for (let i = 0; i < bytes.length;) {
    const length = lengthOf(bytes[i]), point = pointAt(bytes, i, length);
    parts.push(point < 0 ? stray(bytes[i]) : String.fromCodePoint(point));
    i += point < 0 ? 1 : length;
  }
  return parts.join("");
}
