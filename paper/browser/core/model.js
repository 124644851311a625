// GPT-2 as the project trains it (scripts/monosem/models/gpt2), one position at a time: keys and values of earlier
// positions are kept, so that a text that grows costs only its new tokens.

/**
 * A model from its config.json and its tensors {name: {data, shape}} under Hugging Face's names.
 * Throws: Error for an activation function that is not here.
 */
export function openModel(config, tensors) {
  const act = ACTIVATIONS[config.activation_function];
  if (!act) throw new Error(`activation function ${config.activation_function} is not known here`);
  const get = (name) => tensors[`transformer.${name}`].data;
  const linear = (name) => ({ weight: get(`${name}.weight`), bias: get(`${name}.bias`) });
  const blocks = Array.from({ length: config.n_layer }, (_, layer) => ({
    ln_1: linear(`h.${layer}.ln_1`), c_attn: linear(`h.${layer}.attn.c_attn`),
    attn_proj: linear(`h.${layer}.attn.c_proj`), ln_2: linear(`h.${layer}.ln_2`),
    c_fc: linear(`h.${layer}.mlp.c_fc`), c_proj: linear(`h.${layer}.mlp.c_proj`),
  }));
  return {
    d: config.n_embd, d_mlp: config.n_inner ?? 4 * config.n_embd, heads: config.n_head, context: config.n_positions,
    vocabulary: config.vocab_size, epsilon: config.layer_norm_epsilon ?? 1e-5, eos: config.eos_token_id, act,
    wte: get("wte.weight"), wpe: get("wpe.weight"), blocks, ln_f: linear("ln_f"),
  };
}

const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** A reading that has seen nothing: the keys and values of its positions, per block. */
export function newReading(model) {
  const room = () => new Float32Array(model.context * model.d);
  return { length: 0, keys: model.blocks.map(room), values: model.blocks.map(room) };
}

/**
 * Read one more token. `edit(x, layer, position)` may change the MLP activations of a block (blocks.{layer}.mlp.hook_post)
 * in place, or only look at them.
 * Returns: the input of the unembedding at this position, [d_model].
 * Throws: RangeError when the context is full.
 */
export function step(model, reading, token, edit = () => {}) {
  const { d } = model, position = reading.length;
  if (position >= model.context) throw new RangeError(`the context holds ${model.context} tokens`);
  const x = new Float32Array(d);
  for (let i = 0; i < d; i++) x[i] = model.wte[token * d + i] + model.wpe[position * d + i];
  model.blocks.forEach((block, layer) => {
    add(x, attend(model, block, reading, layer, position, normalise(x, block.ln_1, model.epsilon)));
    const hidden = affine(normalise(x, block.ln_2, model.epsilon), block.c_fc, model.d_mlp);
    for (let i = 0; i < hidden.length; i++) hidden[i] = model.act(hidden[i]);
    edit(hidden, layer, position);
    add(x, affine(hidden, block.c_proj, d));
  });
  reading.length = position + 1;
  return normalise(x, model.ln_f, model.epsilon);
}

/** Logits of the next token, [vocabulary]; the unembedding is the token embedding. */
export function logitsOf(model, final) {
  const { d } = model, logits = new Float32Array(model.vocabulary);
  for (let token = 0; token < logits.length; token++) logits[token] = dot(model.wte, token * d, final, 0, d);
  return logits;
}

/** Probabilities of logits. */
export function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

function attend(model, block, reading, layer, position, x) {
  const { d, heads } = model, width = d / heads;
  const qkv = affine(x, block.c_attn, 3 * d);
  const keys = reading.keys[layer], values = reading.values[layer];
  keys.set(qkv.subarray(d, 2 * d), position * d);
  values.set(qkv.subarray(2 * d), position * d);
  const mixed = new Float32Array(d), scores = new Float64Array(position + 1);
  for (let head = 0; head < heads; head++) {
    const from = head * width;
    let largest = -Infinity, total = 0;
    for (let p = 0; p <= position; p++) {
      scores[p] = dot(qkv, from, keys, p * d + from, width) / Math.sqrt(width);
      if (scores[p] > largest) largest = scores[p];
    }
    for (let p = 0; p <= position; p++) total += scores[p] = Math.exp(scores[p] - largest);
    for (let p = 0; p <= position; p++) {
      const share = scores[p] / total, at = p * d + from;
      for (let i = 0; i < width; i++) mixed[from + i] += share * values[at + i];
    }
  }
  return affine(mixed, block.attn_proj, d);
}

function normalise(x, { weight, bias }, epsilon) {
  const n = x.length, out = new Float32Array(n);
  let mean = 0, square = 0;
  for (let i = 0; i < n; i++) mean += x[i] / n;
  for (let i = 0; i < n; i++) square += (x[i] - mean) ** 2 / n;
  const scale = 1 / Math.sqrt(square + epsilon);
  for (let i = 0; i < n; i++) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  return out;
}

/** x W + b with W [d_in, d_out]; zeros of x, most of what a ReLU leaves, cost nothing. */
export function affine(x, { weight, bias }, width) {
  const out = Float32Array.from(bias);
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (value === 0) continue;
    const row = i * width;
    for (let j = 0; j < width; j++) out[j] += value * weight[row + j];
  }
  return out;
}

export function dot(a, fromA, b, fromB, n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[fromA + i] * b[fromB + i];
  return sum;
}

function add(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
}
