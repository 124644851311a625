// Sparse autoencoders at work (scripts/monosem/sae/model.py), and what a latent does to the model that it belongs to.

import { affine, dot, logitsOf, newReading, softmax, step } from "./model.js";

/**
 * An autoencoder from its cfg.json and tensors. `W_enc` [d_in, d_sae] and `W_dec` [d_sae, d_in] are int8, with a scale
 * per latent (`W_enc_scale`, `W_dec_scale`); the rest is float32. The encoder's bias takes b_dec in: z = x W_enc + bias.
 */
export function openSae(cfg, tensors) {
  const { d_in, d_sae } = cfg, get = (name) => tensors[name]?.data;
  const W_enc = new Float32Array(d_in * d_sae), W_dec = new Float32Array(d_in * d_sae);
  const [enc, encScale, dec, decScale] = ["W_enc", "W_enc_scale", "W_dec", "W_dec_scale"].map(get);
  for (let i = 0, at = 0; i < d_in; i++) for (let j = 0; j < d_sae; j++, at++) W_enc[at] = enc[at] * encScale[j];
  for (let j = 0, at = 0; j < d_sae; j++) for (let i = 0; i < d_in; i++, at++) W_dec[at] = dec[at] * decScale[j];
  return {
    d_in, d_sae, kind: cfg.architecture, k: cfg.k, normLimit: cfg.norm_limit ?? Infinity, encoder: { weight: W_enc, bias: get("bias") }, W_dec,
    threshold: get("threshold"), gain: get("gain"), b_gate: get("b_gate"), b_mag: get("b_mag"),
  };
}

/** False for a vector above the norm limit: such tokens were left out of training, and have no active latent. */
function reads(sae, x) {
  return Math.sqrt(dot(x, 0, x, 0, x.length)) <= sae.normLimit;
}

/** Active latents of one vector of activations: [[latent, activation], …], strongest first. */
export function encodeVector(sae, x) {
  if (!reads(sae, x)) return [];
  const z = affine(x, sae.encoder, sae.d_sae), active = [];
  if (sae.kind === "topk") return largest(z, sae.k);
  for (let j = 0; j < z.length; j++) {
    if (!(z[j] > (sae.threshold ? sae.threshold[j] : 0))) continue;
    const f = sae.gain ? (z[j] - sae.b_gate[j]) * sae.gain[j] + sae.b_mag[j] : z[j];
    if (f > 0) active.push([j, f]);
  }
  return active.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** The k largest entries above 0, [[index, value], …] in descending order: most are compared with the smallest alone. */
function largest(z, k) {
  const best = [];
  let least = 0;
  for (let j = 0; j < z.length; j++) {
    if (!(z[j] > least)) continue;
    let place = best.length === k ? best.length - 1 : best.length;
    for (; place > 0 && best[place - 1][1] < z[j]; place--) best[place] = best[place - 1];
    best[place] = [j, z[j]];
    if (best.length === k) least = best[k - 1][1];
  }
  return best;
}

/** Activation of one latent. */
export function activationOf(active, latent) {
  return active.find(([index]) => index === latent)?.[1] ?? 0;
}

/**
 * A text read by model and autoencoder: for every token (behind an <|endoftext|> that is not counted) its id, the
 * active latents, the neurons of the site (0 where the autoencoder does not read), and the input of the unembedding. What `before` (an earlier result for the
 * same subject) shares at its start is not computed again. A text longer than the context is read in parts, each behind
 * an <|endoftext|> of its own; `room` is the length of a part.
 */
export function readText({ model, sae, layer }, ids, before = null) {
  const room = model.context - 1;
  let shared = 0;
  while (before && shared < ids.length && ids[shared] === before.tokens[shared]?.id) shared++;
  let part = Math.floor(shared / room), reading = null;
  if (before?.reading && before.part === part) {
    reading = before.reading;
    reading.length = 1 + (shared % room);
  } else {
    shared = part * room;
  }
  const tokens = before ? before.tokens.slice(0, shared) : [];
  for (let place = shared; place < ids.length; place++) {
    if (reading === null || place % room === 0) {
      reading = newReading(model);
      step(model, reading, model.eos);
      part = Math.floor(place / room);
    }
    let neurons = null;
    const final = step(model, reading, ids[place], (x, at) => { if (at === layer) neurons = x.slice(); });
    const active = sae ? encodeVector(sae, neurons) : [];
    if (sae && !reads(sae, neurons)) neurons.fill(0);
    tokens.push({ id: ids[place], active, neurons, final });
  }
  return { tokens, room, reading, part };
}

/** Activations of a unit, a latent or a neuron, over the tokens that were read. */
export function activationsOf(read, kind, index) {
  return read.tokens.map((token) => (kind === "neurons" ? Math.max(0, token.neurons[index]) : activationOf(token.active, index)));
}

/** Units by their largest activation over the tokens: [[index, activation], …], strongest first. */
export function strongestUnits(tokens, kind) {
  const best = new Map();
  for (const token of tokens) {
    const entries = kind === "neurons" ? Array.from(token.neurons.entries()) : token.active;
    for (const [index, value] of entries) if (value > (best.get(index) ?? 0)) best.set(index, value);
  }
  return [...best].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** Direction of a unit at its site. */
export function directionOf(sae, d_in, kind, index) {
  if (kind !== "neurons") return sae.W_dec.subarray(index * d_in, (index + 1) * d_in);
  const direction = new Float32Array(d_in);
  direction[index] = 1;
  return direction;
}

/**
 * Logit weights of a direction of MLP activations: d W_down, mean removed, gain of the last norm, unembedding; shifted
 * so that the median over the usual tokens is 0 (Bricken et al. 2023). [vocabulary]
 */
export function logitWeights(model, layer, direction, usual = null) {
  const written = affine(direction, { weight: model.blocks[layer].c_proj.weight, bias: new Float32Array(model.d) }, model.d);
  const mean = written.reduce((a, b) => a + b, 0) / model.d;
  const weights = logitsOf(model, written.map((value, i) => (value - mean) * model.ln_f.weight[i]));
  const counted = Array.from(weights.filter((_, token) => !usual || usual[token])).sort((a, b) => a - b);
  const middle = (counted.length - 1) / 2;
  const median = (counted[Math.floor(middle)] + counted[Math.ceil(middle)]) / 2;
  return weights.map((weight) => weight - median);
}

/** Change of each unit's own write onto one token's logit: logit weights of all units for that token, not shifted. */
export function raisesToken({ model, sae, layer }, kind, token) {
  const { d, d_mlp } = model, row = model.wte.subarray(token * d, (token + 1) * d);
  const gained = row.map((value, i) => value * model.ln_f.weight[i]);
  const mean = gained.reduce((a, b) => a + b, 0) / d, down = model.blocks[layer].c_proj.weight;
  const centred = gained.map((value) => value - mean);
  const perNeuron = Float32Array.from({ length: d_mlp }, (_, i) => dot(down, i * d, centred, 0, d));
  if (kind === "neurons") return perNeuron;
  return Float32Array.from({ length: sae.d_sae }, (_, j) => dot(sae.W_dec, j * d_mlp, perNeuron, 0, d_mlp));
}

/**
 * An edit for `step` that pins a unit to a value at every position but the first: x + (value − f) · direction. A token
 * above the norm limit passes through where a latent is pinned.
 */
export function pin({ sae, layer }, kind, index, value) {
  return (x, at, position) => {
    if (at !== layer || position === 0) return;
    if (kind === "neurons") {
      x[index] = value;
      return;
    }
    if (!reads(sae, x)) return;
    const change = value - activationOf(encodeVector(sae, x), index), row = index * sae.d_in;
    for (let i = 0; i < x.length; i++) x[i] += change * sae.W_dec[row + i];
  };
}

/** Random numbers in (0, 1) from a seed (mulberry32). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/**
 * Continue a text, its last tokens if it is too long for the context. Sampling at temperature 1 by Gumbel noise of the
 * seed, so that two calls with one seed differ by the edit alone.
 * At most as many tokens as fit into one context. Returns: {probabilities of the first next token, ids}.
 */
export function continueText({ model }, ids, n, seed, edit) {
  const reading = newReading(model), random = randomNumbers(seed), sampled = [];
  n = Math.min(n, model.context - 2); // <|endoftext|> and one token of the text at least
  const prompt = ids.slice(-(model.context - 1 - n));
  let final = step(model, reading, model.eos, edit), first = null;
  for (const id of ids.length ? prompt : []) final = step(model, reading, id, edit);
  for (let i = 0; i < n || first === null; i++) {
    const logits = logitsOf(model, final);
    first ??= softmax(logits);
    if (n === 0) break;
    let best = 0, height = -Infinity;
    for (let token = 0; token < logits.length; token++) {
      const noisy = logits[token] - Math.log(-Math.log(random()));
      if (noisy > height) [best, height] = [token, noisy];
    }
    sampled.push(best);
    if (i + 1 < n) final = step(model, reading, best, edit);
  }
  return { probabilities: first, ids: sampled };
}
