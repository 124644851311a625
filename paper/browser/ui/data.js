// Files of the page: each is a script that calls monosem.receive, since a page on disk may not fetch.

import { fromBase64, readSafetensors } from "../core/bytes.js";
import { openTokenizer, pieces } from "../core/bpe.js";
import { openModel } from "../core/model.js";
import { openSae } from "../core/sae.js";

export const manifest = JSON.parse(document.getElementById("manifest").textContent);

const waiting = new Map(), files = new Map(), opened = new Map();

globalThis.monosem = {
  receive(name, text) {
    waiting.get(name)(text);
  },
};

/** Tensors and document of a file, loaded once. Rejects with a sentence where it is missing. */
function file(name) {
  if (!files.has(name)) {
    files.set(name, new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = `data/${encodeURIComponent(name)}.js`;
      script.onerror = () => reject(new Error(`data/${name}.js is missing: keep the folder data beside index.html`));
      document.head.append(script);
    }).then(async (text) => {
      const unzipped = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
      return readSafetensors(new Uint8Array(await new Response(unzipped).arrayBuffer()));
    }));
  }
  return files.get(name);
}

const textOf = (name) => manifest.texts.find((text) => text.name === name);
const modelOf = (name) => manifest.models.find((model) => model.name === name);

async function openText(name) {
  const entry = textOf(name), { tensors, document: it } = await file(entry.file);
  const usual = new Uint8Array(it.vocabulary.length);
  for (const token of tensors.usual.data) usual[token] = 1;
  const tokenizer = openTokenizer(it);
  const names = it.vocabulary.map((_, token) => pieces(tokenizer, [token])[0]);
  return { entry, tokenizer, tokens: tensors.tokens.data, usual, names };
}

async function openWeights(name) {
  const { tensors, document: config } = await file(name);
  return openModel(config, tensors);
}

function once(key, make) {
  if (!opened.has(key)) opened.set(key, make());
  return opened.get(key);
}

/**
 * A dictionary with everything that belongs to it: {entry, tables, text, model, sae, layer, kind, scores, moods}; `model` and `sae` are
 * null where they do not run in the page.
 */
export function openDictionary(entry) {
  return once(entry.file, async () => {
    const model = modelOf(entry.model);
    const [{ tensors, document: { cfg, scores, moods } }, text, weights] = await Promise.all([
      file(entry.file), once(`text ${entry.text}`, () => openText(entry.text)),
      entry.runs ? once(`model ${model.file}`, () => openWeights(model.file)) : null,
    ]);
    const sae = entry.runs && entry.kind === "latents" ? openSae(cfg, tensors) : null;
    return { entry, summary: model.summary, tables: tensors, text, model: weights, sae, layer: entry.layer, kind: entry.kind, scores, moods };
  });
}

/** Part of a table that belongs to one unit. */
export function rowOf({ data, shape }, index) {
  const width = data.length / shape[0];
  return data.subarray(index * width, (index + 1) * width);
}

/** Texts of the tokens on which a unit is strongest. */
export function topTokens({ tables, text }, index, count = 6) {
  const ids = rowOf(tables.top_tokens, index), means = rowOf(tables.top_means, index);
  return Array.from(ids).filter((_, i) => means[i] > 0).slice(0, count).map((id) => text.names[id]);
}

/** The label that most of a unit's tokens have, and their share; null for none or the first, which means no label. */
export function contextOf({ tables, text }, index) {
  const counts = rowOf(tables.label_counts, index), total = counts.reduce((a, b) => a + b, 0);
  let best = 0;
  for (let label = 1; label < counts.length; label++) if (best === 0 || counts[label] > counts[best]) best = label;
  const share = total ? counts[best] / total : 0;
  return share >= 0.2 ? { label: text.entry.labels[best], share } : null;
}

/** Permalink of a dictionary or one of its units: #model/run/index, with the site between where the run has several. */
export function linkTo(entry, index = null) {
  const same = manifest.dictionaries.filter((other) => other.model === entry.model && other.run === entry.run);
  const path = same.length > 1 ? [entry.model, entry.site, entry.run] : [entry.model, entry.run];
  return `#${[...path, ...(index === null ? [] : [index])].join("/")}`;
}

/** Dictionary and unit of a permalink; null for one that is not here. */
export function targetOf(hash) {
  const path = decodeURIComponent(hash.replace(/^#/, "")).split("/").filter(Boolean);
  const entry = manifest.dictionaries.find((each) => linkTo(each) === `#${path.slice(0, linkTo(each).split("/").length).join("/")}`);
  if (!entry) return null;
  const rest = path.slice(linkTo(entry).split("/").length);
  const index = rest.length ? Number(rest[0]) : null;
  return index === null || (Number.isInteger(index) && index >= 0 && index < entry.n_units) ? { entry, index } : null;
}

/** The dictionary at a place of the run, if it is browsed. */
export function dictionaryAt(model, site, run) {
  return manifest.dictionaries.find((each) => each.model === model && each.site === site && each.run === run);
}
