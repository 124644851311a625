// All units of a dictionary: find, sort, and a list that draws only the rows in sight.

import { encode } from "../core/bpe.js";
import { raisesToken } from "../core/sae.js";
import { contextOf, linkTo, rowOf, topTokens } from "./data.js";
import { announce, chips, h, percent, short } from "./dom.js";

const ROW = 34, SPARE = 8;

/** Ways to find units: name -> {label, hint, find(app, text, panel) -> [[index, score], …] best first, score's name}. */
const WAYS = {
  all: { label: "All", find: ({ dictionary }) => Array.from({ length: dictionary.entry.n_units }, (_, i) => [i, null]) },
  token: {
    label: "Fires on a token", hint: "part of a token, e.g. np", score: "mean on it",
    find: ({ dictionary: { tables, text, entry } }, query) => {
      const wanted = query.trimStart() === "" ? "" : query, hits = new Set();
      text.names.forEach((name, id) => { if (wanted && name.includes(wanted)) hits.add(id); });
      return scored(entry.n_units, (unit) => {
        const ids = rowOf(tables.top_tokens, unit), means = rowOf(tables.top_means, unit);
        return Math.max(0, ...Array.from(ids, (id, i) => (hits.has(id) ? means[i] : 0)));
      });
    },
  },
  raises: {
    label: "Raises a token", hint: "a token that comes next, e.g. array", score: "logit weight", runs: true,
    find: ({ dictionary }, query) => {
      const ids = encode(dictionary.text.tokenizer, query);
      if (!ids.length) return [];
      const weights = raisesToken(dictionary, dictionary.kind, ids[0]);
      return scored(dictionary.entry.n_units, (unit) => (dictionary.tables.max.data[unit] > 0 ? weights[unit] : 0));
    },
  },
  text: { label: "Active in your text", score: "largest", runs: true, noQuery: true, find: (_, __, panel) => panel.strongest() },
  scored: {
    label: "Scored", choices: ({ scores }) => Object.keys(Object.values(scores.units)[0]?.scores ?? {}), score: "score", needs: "scores",
    find: ({ dictionary: { scores } }, query) => Object.values(scores.units).filter((unit) => unit.scores[query] !== null)
      .map((unit) => [unit.index, unit.scores[query]]).sort((a, b) => b[1] - a[1] || a[0] - b[0]),
  },
  moods: {
    label: "Set of prompts", choices: ({ moods }) => Object.keys(moods.sets), score: "correlation", needs: "moods",
    find: ({ dictionary: { moods } }, query) => moods.sets[query].map((each) => [each.latent, each.mean_correlation]),
  },
  context: {
    label: "Context label", score: "share of its tokens",
    choices: ({ text: { entry } }) => entry.labels.filter((_, label) => label > 0 && entry.label_counts[label] > 0),
    find: ({ dictionary: { tables, text, entry } }, query) => {
      const label = text.entry.labels.indexOf(query);
      return scored(entry.n_units, (unit) => {
        const counts = rowOf(tables.label_counts, unit), total = counts.reduce((a, b) => a + b, 0);
        return total >= 20 ? counts[label] / total : 0;
      });
    },
  },
};

const SORTS = {
  best: ["in this order", null],
  index: ["number", (_, unit) => -unit],
  density: ["density", ({ tables }, unit) => tables.density.data[unit]],
  rare: ["rarest", ({ tables }, unit) => (tables.max.data[unit] > 0 ? -tables.density.data[unit] : -2)],
  max: ["largest activation", ({ tables }, unit) => tables.max.data[unit]],
  few: ["fewest tokens", ({ tables }, unit) => (tables.max.data[unit] > 0 ? -tables.effective_tokens.data[unit] : -1e9)],
  many: ["most tokens", ({ tables }, unit) => tables.effective_tokens.data[unit]],
  seed: ["match in the other model", (dictionary, unit) => dictionary.tables[`${seedOf(dictionary)}_value`].data[unit]],
};

function seedOf({ entry }) {
  return entry.relations.find((kin) => kin.kind === "seed")?.arrays;
}

function scored(n, score) {
  const rows = [];
  for (let unit = 0; unit < n; unit++) {
    const value = score(unit);
    if (value > 0) rows.push([unit, value]);
  }
  return rows.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** The list of a dictionary, for `main`; `memory` keeps what was asked between two visits. */
export function unitList(app, panel, memory) {
  const { dictionary } = app, { entry, tables, text } = dictionary;
  const ways = Object.entries(WAYS).filter(([, way]) => (!way.runs || dictionary.model) && (!way.needs || dictionary[way.needs]));
  const way = h("select", { id: "way", "aria-label": "Find by" }, ways.map(([name, { label }]) => h("option", { value: name }, label)));
  const query = h("input", { type: "search", id: "query", autocomplete: "off" });
  const labels = h("select", { id: "label", "aria-label": "Label or score" });
  const sort = h("select", { id: "sort", "aria-label": "Sort by" }, Object.entries(SORTS)
    .filter(([name]) => name !== "seed" || seedOf(dictionary)).map(([name, [label]]) => h("option", { value: name }, label)));
  const rows = h("div", { class: "rows" }), box = h("div", { class: "list", tabindex: "0", role: "list", "aria-label": `${app.noun}s` }, rows);
  const score = h("span", { class: "number" }), count = h("p", { class: "quiet", id: "count" });
  way.value = ways.some(([name]) => name === memory.way) ? memory.way : "all";
  query.value = memory.query ?? "";
  sort.value = memory.sort ?? "best";
  let found = [];

  function search() {
    const { find, hint, choices, noQuery, score: name } = WAYS[way.value];
    Object.assign(memory, { way: way.value, query: query.value, sort: sort.value });
    query.hidden = !hint;
    labels.hidden = !choices;
    if (choices && labels.dataset.of !== way.value) {
      labels.dataset.of = way.value;
      labels.replaceChildren(...choices(dictionary).map((choice) => h("option", { value: choice }, choice.replaceAll("_", " "))));
    }
    query.placeholder = hint ?? "";
    query.setAttribute("aria-label", hint ?? "");
    found = find(app, choices ? labels.value : query.value, panel);
    const key = (SORTS[sort.value] ?? SORTS.best)[1];
    if (key) found = found.map((row) => [...row, key(dictionary, row[0])]).sort((a, b) => b[2] - a[2] || a[0] - b[0]);
    score.textContent = name ?? (seedOf(dictionary) ? "match, r" : "");
    count.textContent = `${found.length.toLocaleString("en")} of ${entry.n_units.toLocaleString("en")} ${app.noun}s`
      + (hint && !query.value && !noQuery ? ": type what to look for" : "");
    rows.style.height = `${found.length * ROW}px`;
    box.scrollTop = 0;
    draw();
    announce(count.textContent);
  }

  function draw() {
    const first = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
    const last = Math.min(found.length, Math.ceil((box.scrollTop + (box.clientHeight || 700)) / ROW) + SPARE);
    const focused = document.activeElement?.dataset?.row;
    rows.replaceChildren(...Array.from({ length: last - first }, (_, i) => line(first + i)));
    if (focused !== undefined) rows.querySelector(`[data-row="${focused}"]`)?.focus({ preventScroll: true });
  }

  function line(number) {
    const [unit, value] = found[number], context = contextOf(dictionary, unit), kin = seedOf(dictionary);
    const shown = value === null ? (kin ? tables[`${kin}_value`].data[unit].toFixed(2) : "") : way.value === "context" ? percent(value) : short(value);
    return h("div", { role: "listitem", "aria-setsize": found.length, "aria-posinset": number + 1 },
      h("a", { class: "unit-row", href: linkTo(entry, unit), style: `top:${number * ROW}px`, "data-row": number },
        h("b", {}, String(unit)), tables.max.data[unit] > 0 ? chips(topTokens(dictionary, unit)) : h("span", { class: "quiet" }, "silent on this text"),
        h("span", { class: "number wide" }, percent(tables.density.data[unit])), h("span", { class: "number wide" }, short(tables.max.data[unit])),
        h("span", { class: "wide" }, context ? `${context.label} ${percent(context.share)}` : ""), h("span", { class: "number" }, shown)));
  }

  box.addEventListener("scroll", () => requestAnimationFrame(draw));
  box.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -1e9, End: 1e9 }[event.key];
    if (move === undefined || !found.length) return;
    event.preventDefault();
    const now = Number(document.activeElement?.dataset?.row ?? -1), to = Math.min(found.length - 1, Math.max(0, now + move));
    if (to * ROW < box.scrollTop || (to + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = Math.max(0, (to - 4) * ROW);
    draw();
    rows.querySelector(`[data-row="${to}"]`)?.focus({ preventScroll: true });
  });
  for (const control of [way, labels, sort]) control.addEventListener("change", search);
  query.addEventListener("input", search);
  const element = h("article", {},
    h("h2", {}, `${entry.model} · ${entry.run}`),
    h("p", { class: "quiet" }, `${entry.summary}. On ${text.entry.n_tokens.toLocaleString("en")} tokens of the ${text.entry.split} split `
      + `${entry.n_live.toLocaleString("en")} fire; ${short(entry.l0)} per token. Model: ${dictionary.summary}.`),
    h("div", { class: "find", role: "search" }, way, query, labels, sort), count,
    h("div", { class: "list-head", "aria-hidden": "true" }, h("span", {}, "number"), h("span", {}, "strongest on"),
      h("span", { class: "number wide" }, "density"), h("span", { class: "number wide" }, "largest"), h("span", { class: "wide" }, "context"), score),
    box);
  return { element, begin: search, follow: () => { if (way.value === "text") search(); } };
}
