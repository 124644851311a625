// Byte-level BPE as in GPT-2 (Radford et al. 2019): text is cut into words, words into bytes, and pairs are merged in
// the order of their rank. Read from the project's tokenizer.json.

import { utf8Bytes, utf8Text } from "./bytes.js";

// \s of Python and Rust is White_Space; JavaScript's \s has U+FEFF too, and lacks U+0085.
const WORDS = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+"
  + "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+", "gu");

/** Character that stands for each byte in a byte-level vocabulary. */
function byteCharacters() {
  const printable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/**
 * A tokenizer {bytes, rank, ids, memory} from {vocabulary: [token of each id], merges: [[left, right], …]}; `special`
 * ids are whole texts and never made by `encode`.
 */
export function openTokenizer({ vocabulary, merges, special = [] }) {
  const byteOf = new Map(byteCharacters().map((character, byte) => [character, byte]));
  const specials = new Set(special), ids = new Map(), rank = new Map();
  const bytes = vocabulary.map((token, id) => {
    if (specials.has(id)) return utf8Bytes(token);
    ids.set(token, id);
    return Array.from(token, (character) => byteOf.get(character));
  });
  merges.forEach(([left, right], order) => rank.set(`${left} ${right}`, order));
  return { bytes, rank, ids, characters: [...byteOf.keys()], memory: new Map() };
}

/** Token ids of one word. */
function mergeWord(tokenizer, word) {
  const parts = utf8Bytes(word).map((byte) => tokenizer.characters[byte]);
  while (parts.length > 1) {
    let best = Infinity, pair = "";
    for (let i = 0; i + 1 < parts.length; i++) {
      const order = tokenizer.rank.get(`${parts[i]} ${parts[i + 1]}`);
      if (order !== undefined && order < best) [best, pair] = [order, `${parts[i]} ${parts[i + 1]}`];
    }
    if (best === Infinity) break;
    const merged = [];
    for (let i = 0; i < parts.length; i++) {
      const here = i + 1 < parts.length && `${parts[i]} ${parts[i + 1]}` === pair;
      merged.push(here ? parts[i] + parts[++i] : parts[i]);
    }
    parts.splice(0, parts.length, ...merged);
  }
  return parts.map((part) => tokenizer.ids.get(part));
}

/** Token ids of a text; nothing is added, and a literal <|endoftext|> is plain text. */
export function encode(tokenizer, text) {
  const ids = [];
  for (const [word] of text.matchAll(WORDS)) {
    let made = tokenizer.memory.get(word);
    if (made === undefined) {
      made = mergeWord(tokenizer, word);
      if (tokenizer.memory.size > 50000) tokenizer.memory.clear();
      tokenizer.memory.set(word, made);
    }
    for (const id of made) ids.push(id);
  }
  return ids;
}

/** Text of token ids. */
export function decode(tokenizer, ids) {
  return utf8Text(Array.from(ids).flatMap((id) => tokenizer.bytes[id]));
}

// characters without a shape, or that would turn the text around them
const HIDDEN = /[\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text as a reader can see it: ⏎ for line breaks, → for tabs, others without a shape by number. */
export function visible(text) {
  return text.replaceAll("\n", "⏎").replaceAll("\t", "→")
    .replace(HIDDEN, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/**
 * Each token as a reader can see it, one string per id. A character whose bytes are spread over several tokens is shown
 * at the last of them, the ones before it as … ; bytes that make no character are shown by number.
 */
export function pieces(tokenizer, ids) {
  const shown = [];
  let pending = [];
  for (const id of ids) {
    const bytes = [...pending, ...tokenizer.bytes[id]];
    const cut = bytes.length - unfinished(bytes);
    pending = bytes.slice(cut);
    const text = utf8Text(bytes.slice(0, cut), (byte) => `⟨${byte.toString(16).toUpperCase().padStart(2, "0")}⟩`);
    shown.push(text === "" ? "…" : visible(text));
  }
  return shown;
}

/** Bytes at the end that begin a character without ending it. */
function unfinished(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc2 && byte < 0xf5) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
    if ((byte & 0xc0) !== 0x80) return 0;
  }
  return 0;
}
