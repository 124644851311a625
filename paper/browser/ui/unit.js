// The page of one latent or neuron.

import { decode, pieces, visible } from "../core/bpe.js";
import { directionOf, logitWeights } from "../core/sae.js";
import { contextOf, dictionaryAt, linkTo, openDictionary, rowOf, topTokens } from "./data.js";
import { bars, chips, h, heat, histogram, percent, short } from "./dom.js";
import { steerPanel } from "./steer.js";

const NO_PLACE = 2 ** 32 - 1, TOP = 10, BANDS = 5, WEIGHT_BINS = 48, LISTED = 10;

/** Everything about the open unit, for `main`; returns {element, follow}: `follow` is called when the text changes. */
export function unitPage(app, panel) {
  const { dictionary, index } = app, { tables, entry } = dictionary;
  const largest = tables.max.data[index], silent = !(largest > 0), context = contextOf(dictionary, index);
  const go = (step) => () => { location.hash = linkTo(entry, (index + step + entry.n_units) % entry.n_units); };
  const steering = dictionary.model && !silent ? steerPanel(app, panel.ids) : null;
  const element = h("article", {},
    h("div", { class: "row between" },
      h("h2", {}, `${app.noun[0].toUpperCase()}${app.noun.slice(1)} ${index}`),
      h("div", { class: "row" }, steering ? h("button", { type: "button", onclick: () => steering.panel.scrollIntoView() }, "Steer ↓") : null,
        h("a", { href: linkTo(entry) }, `all ${entry.n_units.toLocaleString("en")}`),
        h("button", { type: "button", onclick: go(-1), "aria-label": "Previous" }, "←"),
        h("button", { type: "button", onclick: go(1), "aria-label": "Next" }, "→"))),
    h("p", { class: "quiet" }, `${entry.model} · ${entry.site} · ${entry.run}`),
    ownPages(entry, index),
    h("dl", { class: "facts" }, fact(percent(tables.density.data[index]), "of tokens"), fact(short(largest), "largest activation"),
      silent ? null : fact(short(tables.effective_tokens.data[index]), "effective tokens"),
      context ? fact(percent(context.share), `of its tokens are ${context.label}`) : null),
    silent ? h("p", {}, "It does not fire on the text that was read.") : null,
    h("div", { class: "grid" },
      silent ? null : h("section", {}, h("h3", {}, "Activations above 0 (logarithmic counts)"),
        histogram(Array.from(rowOf(tables.histogram, index)), 0, largest, "Histogram of activations", () => "hot")),
      silent ? null : h("section", {}, h("h3", {}, "Tokens by mean activation"), tokenBars(dictionary, index)),
      ...weightSections(dictionary, index)),
    silent ? null : exampleSections(app, panel),
    scoreSection(dictionary, index, app.noun),
    moodSection(dictionary, index),
    steering?.panel,
    h("div", { class: "grid" }, relatives(dictionary, index)));
  return { element, follow: steering ? steering.follow : () => {} };
}

function fact(value, name) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

/** Links to the latent's own pages of the run, in the folder beside the browser's. */
function ownPages(entry, index) {
  const names = Object.keys(entry.pages).filter((name) => entry.pages[name] === index);
  if (!names.length) return null;
  return h("p", {}, "Its page with effects of ablation and pinned samples: ",
    names.map((name, i) => [i ? ", " : "", h("a", { href: `../features/${name}.html` }, name)]));
}

function tokenBars({ tables, text }, index) {
  const ids = rowOf(tables.top_tokens, index), means = rowOf(tables.top_means, index);
  return bars(Array.from(ids, (id, i) => ({ name: chips([text.names[id]]), share: means[i] / means[0], text: short(means[i]) }))
    .filter((_, i) => means[i] > 0));
}

/** Logit weights: computed here from the weights, or read from the tables. */
function weightSections(dictionary, index) {
  const { model, sae, text, layer, kind, tables } = dictionary;
  let ends, drawing = null;
  if (model) {
    const weights = logitWeights(model, layer, directionOf(sae, model.d_mlp, kind, index), text.usual);
    const order = Array.from(weights.keys()).filter((token) => text.usual[token]).sort((a, b) => weights[b] - weights[a]);
    ends = [order.slice(0, LISTED), order.slice(-LISTED).reverse()].map((ids) => ids.map((token) => [token, weights[token]]));
    const low = weights[order.at(-1)], high = weights[order[0]], counts = new Array(WEIGHT_BINS).fill(0);
    for (const token of order) counts[Math.min(WEIGHT_BINS - 1, Math.floor(((weights[token] - low) / (high - low)) * WEIGHT_BINS))]++;
    const zero = (-low / (high - low)) * WEIGHT_BINS;
    drawing = h("section", {}, h("h3", {}, "Logit weights of all tokens"),
      histogram(counts, low, high, "Histogram of logit weights", (i) => (i + 0.5 > zero ? "hot" : "cold"), { marks: [[0, "0"]] }));
  } else if (tables.raises) {
    ends = ["raises", "lowers"].map((name) => {
      const weights = rowOf(tables[`${name}_weights`], index);
      return Array.from(rowOf(tables[name], index), (token, i) => [token, weights[i]]);
    });
  } else {
    return [h("section", {}, h("h3", {}, "Logit weights"), h("p", { class: "quiet" }, "What this site adds to the residual stream is not known."))];
  }
  const most = Math.max(...ends.flat().map(([, weight]) => Math.abs(weight)));
  const list = (rows, cold) => bars(rows.map(([token, weight]) => ({
    name: chips([text.names[token]]), share: Math.abs(weight) / most, text: short(weight), cold,
  })));
  return [drawing, h("section", {}, h("h3", {}, "Raises"), list(ends[0], false)), h("section", {}, h("h3", {}, "Lowers"), list(ends[1], true))];
}

/** Examples: the strongest, then random ones by fifths of the range. */
function exampleSections(app, panel) {
  const { tables, text } = app.dictionary, reach = (tables.example_activations.shape[2] - 1) / 2;
  const places = rowOf(tables.example_places, app.index), shown = rowOf(tables.example_activations, app.index);
  const bands = new Map();
  places.forEach((place, number) => {
    if (place === NO_PLACE) return;
    const values = shown.subarray(number * (2 * reach + 1), (number + 1) * (2 * reach + 1)), share = values[reach] / 255;
    const band = number < TOP ? "largest" : Math.max(1, Math.ceil(share * BANDS - 1e-9));
    if (!bands.has(band)) bands.set(band, []);
    bands.get(band).push(example(app, panel, place, values, reach));
  });
  const title = (band) => (band === "largest" ? "Largest activations, one per window" : `Random, ${20 * (band - 1)} to ${20 * band} % of the largest`);
  return h("section", { class: "block" }, h("h3", {}, `Examples from the ${text.entry.split} split`),
    [...bands].map(([band, rows]) => [h("p", { class: "band" }, title(band)), h("ol", { class: "examples" }, rows)]));
}

/** One example; the part of its window that lies in the peak's document. */
function example({ dictionary, index, noun }, panel, place, values, reach) {
  const { text, tables } = dictionary, { context, eos } = text.entry, start = place - (place % context);
  let from = place, to = place;
  while (from > start && text.tokens[from - 1] !== eos) from--;
  while (to + 1 < start + context && text.tokens[to + 1] !== eos) to++;
  const near = [Math.max(from, place - reach), Math.min(to, place + reach)], largest = tables.max.data[index];
  const names = pieces(text.tokenizer, text.tokens.subarray(from, to + 1));
  const line = h("div", { class: "example", dir: "auto" });
  const draw = (first, last) => line.replaceChildren(...Array.from({ length: last - first + 1 }, (_, i) => {
    const at = first + i, share = (values[at - place + reach] ?? 0) / 255;
    return h("span", { class: at === place ? "tok peak" : null, style: heat(share), title: share ? `${noun} ${index}: ${short(share * largest)}` : null },
      names[at - from]);
  }));
  draw(...near);
  const open = h("button", {
    type: "button", class: "link", title: "Put this text, as far as it is here, into your text",
    onclick: () => panel.write(decode(text.tokenizer, text.tokens.subarray(from, Math.min(to, place + reach) + 1))),
  }, "read");
  const more = h("button", { type: "button", class: "link", "aria-expanded": "false", onclick: () => {
    const opened = more.getAttribute("aria-expanded") === "true";
    draw(...(opened ? near : [from, to]));
    more.setAttribute("aria-expanded", String(!opened));
    more.textContent = opened ? "more" : "less";
  } }, "more");
  return h("li", {}, h("span", { class: "number" }, short((values[reach] / 255) * largest)), line,
    h("span", { class: "row" }, to - from > 2 * reach ? more : null, dictionary.model ? open : null));
}

/** Sets of prompts in which the latent is among the best, and what the model writes with it pinned. */
function moodSection({ moods }, index) {
  const here = Object.entries(moods?.sets ?? {}).flatMap(([name, ranked]) => ranked.map((each, rank) => ({ ...each, name, rank })))
    .filter((each) => each.latent === index);
  return here.map(({ name, rank, mean_correlation: r, confirmed, sample }) => h("section", { class: "steer" },
    h("h3", {}, `Number ${rank + 1} of the set of prompts “${name}”`),
    h("p", {}, `Correlation with the set ${short(r)}; ${confirmed ? "confirmed" : "not confirmed"} on other prompts.`),
    sample === null ? null : [h("p", { class: "quiet" }, `Written after “${moods.prompt}”, pinned at ${short(moods.dose)} × its largest activation, and free, with the same random numbers:`),
      h("div", { class: "samples" }, h("div", {}, h("h3", {}, "free"), h("pre", { class: "sample" }, moods.free)),
        h("div", {}, h("h3", {}, "pinned"), h("pre", { class: "sample" }, sample)))]));
}

/** Patterns and scores of a unit that was scored, beside the means of all populations. */
function scoreSection({ scores, entry }, index, noun) {
  const unit = scores?.units[index];
  if (!unit) {
    return h("p", { class: "quiet" }, scores ? `Not among the ${Object.keys(scores.units).length} ${noun}s that were scored.`
      : `No ${noun} of ${entry.run} was scored in this run.`);
  }
  const populations = Object.entries(scores.populations), show = (value) => (value === null || value === undefined ? "–" : short(value));
  const pattern = ({ tokens, activation }) => h("li", {}, chips(tokens.map((token) => (token === null ? "any" : visible(token)))), h("span", { class: "number quiet" }, ` → ${short(activation)}`));
  return h("section", { class: "block" }, h("h3", {}, "Automatic explanation, and how well it predicts"),
    h("div", { class: "grid" },
      h("div", {}, h("p", { class: "band" }, "It fires at the end of (N2G)"), unit.patterns.length
        ? h("ul", { class: "patterns" }, unit.patterns.map(pattern)) : h("p", { class: "quiet" }, "no pattern was found"))),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores" }, h("table", {},
      h("thead", {}, h("tr", {}, ["score", `this ${noun}`, ...populations.map(([name]) => name.replaceAll("_", " "))].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, Object.entries(unit.scores).map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")),
        h("td", { class: "n" }, h("b", {}, show(value))), populations.map(([, means]) => h("td", { class: "n quiet" }, show(means[name])))))))));
}

/** Lists of related latents; those of other dictionaries are named when their file has come. */
function relatives(dictionary, index) {
  const { tables, entry } = dictionary, sections = [];
  if (tables.nearest) {
    const cosines = rowOf(tables.nearest_cosines, index);
    const rows = Array.from(rowOf(tables.nearest, index), (other, i) => row(entry, dictionary, other, cosines[i], cosines[0]));
    sections.push(h("section", {}, h("h3", {}, "Nearest directions (cosine)"), bars(rows)));
  }
  for (const kin of entry.relations) {
    const there = dictionaryAt(kin.model, kin.site, kin.run), values = rowOf(tables[`${kin.arrays}_value`], index);
    const others = Array.from(rowOf(tables[`${kin.arrays}_index`], index));
    const title = kin.kind === "seed" ? `Match in ${kin.model} (correlation on text that did not choose it)`
      : `${kin.kind === "wider" ? "Children" : "Parents"} in ${kin.run} (cosine)`;
    const list = h("div", {}, bars(others.map((other, i) => row(there, null, other, values[i], values[0]))));
    const fill = h("button", { type: "button", class: "link", onclick: async () => {
      const opened = await openDictionary(there);
      list.replaceChildren(bars(others.map((other, i) => row(there, opened, other, values[i], values[0]))));
      fill.remove();
    } }, "show their tokens");
    sections.push(h("section", {}, h("h3", {}, title), list, there ? fill : null));
  }
  return sections;
}

function row(entry, dictionary, other, value, most) {
  const name = [h("b", {}, String(other)), dictionary ? chips(topTokens(dictionary, other, 4)) : null];
  return { name: h("a", { class: "unit", href: linkTo(entry, other) }, name), share: Math.max(0, value / most), text: short(value) };
}
