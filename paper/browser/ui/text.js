// Your own text: read by model and autoencoder as it is typed, coloured by the unit that is open.

import { encode, pieces } from "../core/bpe.js";
import { logitsOf, newReading, softmax, step } from "../core/model.js";
import { activationsOf, readText, strongestUnits } from "../core/sae.js";
import { linkTo, topTokens } from "./data.js";
import { announce, bars, chips, h, heat, percent, short } from "./dom.js";

const AT_ONCE = 32; // tokens between two looks at the clock
const MOST = 8; // contexts that are read of a long text
const LISTED = 14;

const TRY = {
  code: ">>> x = np.zeros((3, 4), dtype=float)\n>>> x.sum(axis=0)\narray([0., 0., 0., 0.])",
  documentation: "Returns a new array with the same shape as the input.\n\nParameters\n----------\na : array_like\n    Input data. See https://docs.python.org/ for details.",
  Arabic: "كتب الطالب رسالة طويلة إلى المدينة القديمة",
  Hebrew: "התלמיד כתב מכתב ארוך אל העיר העתיקה",
  DNA: "ACGTTGCAAGGCTTACGATCGGATTACAGGCTTAACG",
  base64: "data = \"aGVsbG8gd29ybGQhIFRoaXMgaXMgYmFzZTY0Lg==\"",
};

/** The panel, put into a section; returns {show(app), text(), ids()}: `show` draws it anew for another dictionary or unit. */
export function textPanel(section, app) {
  const area = h("textarea", { id: "yours", spellcheck: "false", "aria-describedby": "yours-note", dir: "auto" });
  const note = h("p", { id: "yours-note", class: "quiet" }), view = h("div", { class: "tokens", role: "group", "aria-label": "Tokens" });
  const legend = h("p", { class: "legend" }), details = h("div", { "aria-live": "off" });
  const examples = h("div", { class: "row" }, h("span", { class: "quiet" }, "Try"),
    Object.keys(TRY).map((name) => h("button", { type: "button", class: "link", onclick: () => write(TRY[name]) }, name)));
  area.value = TRY.code;
  section.append(h("h2", { id: "text-title" }, h("label", { for: "yours" }, "Your text")), note, area, examples, legend, view, details);

  let read = { tokens: [], room: 1 }, subject = null, ids = [], names = [], chosen = null, turn = 0;
  area.addEventListener("input", () => update());

  function write(text) {
    area.value = text;
    chosen = null;
    update();
    area.focus();
  }

  /** Read what is new, some tokens at a time so that typing goes on meanwhile; a newer change ends this one. */
  async function update() {
    const mine = ++turn, dictionary = app.dictionary;
    if (!dictionary.model) return draw();
    const began = performance.now(), all = encode(dictionary.text.tokenizer, area.value);
    const room = dictionary.model.context - 1, wanted = all.slice(0, MOST * room);
    let slice = began;
    do {
      const done = sharedLength(read, wanted);
      read = readText(dictionary, wanted.slice(0, Math.min(wanted.length, done + AT_ONCE)), read);
      if (performance.now() - slice > 40) {
        await new Promise((resume) => setTimeout(resume));
        if (mine !== turn) return;
        slice = performance.now();
      }
    } while (read.tokens.length < wanted.length);
    ids = wanted;
    names = pieces(dictionary.text.tokenizer, ids);
    if (chosen !== null && chosen >= ids.length) chosen = null;
    note.textContent = `${all.length} tokens`
      + (all.length > wanted.length ? `, the first ${wanted.length} are read` : "")
      + (wanted.length > room ? `, in parts of ${room}: the model's context` : "");
    section.dataset.milliseconds = (performance.now() - began).toFixed(1);
    draw();
    app.changed();
  }

  function draw() {
    const { dictionary, index } = app;
    area.hidden = examples.hidden = legend.hidden = view.hidden = details.hidden = !dictionary.model;
    if (!dictionary.model) {
      note.textContent = `${dictionary.entry.model} (${dictionary.summary}) does not run in this page: `
        + "everything about its latents was computed beforehand.";
      return;
    }
    const values = index === null ? null : activationsOf(read, dictionary.kind, index);
    const largest = index === null ? 0 : Math.max(dictionary.tables.max.data[index], ...values);
    legend.replaceChildren(...(index === null ? ["Open a latent to colour the tokens by it."]
      : [`coloured by ${app.noun} ${index}`, h("i"), `${short(largest)} (its largest)`]));
    view.replaceChildren(...names.map((name, place) => {
      const value = values ? values[place] : 0, text = `${name}${values && value > 0 ? `, activation ${short(value)}` : ""}`;
      return h("span", {
        role: "button", class: `tok${place > 0 && place % read.room === 0 ? " part" : ""}`, style: heat(largest ? value / largest : 0),
        "aria-label": text, title: text, "aria-pressed": String(place === chosen), tabindex: place === (chosen ?? 0) ? "0" : "-1",
        "data-place": place,
      }, name.replaceAll("⏎", "⏎\n"));
    }));
    drawDetails();
  }

  view.addEventListener("click", (event) => {
    const place = event.target.closest("[data-place]")?.dataset.place;
    if (place !== undefined) choose(Number(place) === chosen ? null : Number(place));
  });
  view.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") event.target.click();
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8, Home: -1e9, End: 1e9 }, move = moves[event.key];
    if (move === undefined && event.key !== " ") return;
    event.preventDefault();
    if (move !== undefined) choose(Math.min(ids.length - 1, Math.max(0, (chosen ?? 0) + move)));
  });

  function choose(place) {
    chosen = place;
    draw();
    const button = view.querySelector(`[data-place="${place ?? 0}"]`);
    button?.focus({ preventScroll: true });
    if (place !== null) announce(`Token ${names[place]}: ${strongestUnits([read.tokens[place]], app.dictionary.kind).length} active`);
  }

  function drawDetails() {
    const { dictionary } = app;
    if (!ids.length) return details.replaceChildren();
    const tokens = chosen === null ? read.tokens : [read.tokens[chosen]];
    const found = strongestUnits(tokens, dictionary.kind), top = found.slice(0, LISTED);
    details.replaceChildren(
      h("h3", {}, chosen === null ? `Strongest ${app.noun}s in the text` : h("span", {}, `Active ${app.noun}s on `, chips([names[chosen]])),
        " ", h("span", {}, `(${top.length} of ${found.length})`),
        chosen === null ? null : h("button", { type: "button", class: "link", onclick: () => choose(null) }, "whole text")),
      bars(top.map(([unit, value]) => ({
        name: h("a", { class: "unit", href: linkTo(dictionary.entry, unit) }, h("b", {}, String(unit)), chips(topTokens(dictionary, unit, 4))),
        share: value / top[0][1], text: short(value),
      }))),
      chosen === null ? "" : predictions(dictionary, chosen));
  }

  /** The probability that the model gave the token, and what it expects after it. */
  function predictions({ model, text }, place) {
    const before = place % read.room === 0 ? startOf(model) : read.tokens[place - 1].final;
    const given = softmax(logitsOf(model, before))[ids[place]], next = softmax(logitsOf(model, read.tokens[place].final));
    const best = Array.from(next.keys()).sort((a, b) => next[b] - next[a]).slice(0, 6);
    return h("div", { style: "margin-top: .9rem" },
      h("p", { class: "quiet" }, `The model gave this token a probability of ${percent(given)} (${short(-Math.log(given))} nats).`),
      h("h3", {}, "What it expects next"),
      bars(best.map((token) => ({ name: chips([text.names[token]]), share: next[token] / next[best[0]], text: percent(next[token]) }))));
  }

  return { show: draw, update, write, ids: () => ids, strongest: () => strongestUnits(read.tokens, app.dictionary.kind),
    async reopen() { // another dictionary: nothing that was read is of use
      if (subject !== app.dictionary) [read, subject] = [{ tokens: [], room: 1 }, app.dictionary];
      await update();
    } };
}

function startOf(model) {
  return step(model, newReading(model), model.eos);
}

function sharedLength(read, ids) {
  let n = 0;
  while (n < ids.length && n < read.tokens.length && read.tokens[n].id === ids[n]) n++;
  return n;
}
