// Steering: one unit pinned to a value while the model continues your text, beside the model left alone.

import { decode } from "../core/bpe.js";
import { continueText, pin } from "../core/sae.js";
import { announce, chips, h, percent, short } from "./dom.js";

const LENGTH = 40, MOST = 4, SHOWN = 8;

/** The panel for the open unit; its numbers follow slider and text. */
export function steerPanel(app, ids) {
  const { dictionary, index } = app, largest = dictionary.tables.max.data[index];
  const slider = h("input", { type: "range", id: "dose", min: 0, max: MOST, step: 0.1, value: 1, "aria-label": "Value as a multiple of the maximum" });
  const seed = h("input", { type: "number", id: "seed", min: 0, value: 1, "aria-label": "Seed of the samples" });
  const table = h("tbody"), shown = h("output", { for: "dose", class: "number" });
  const free = h("pre", { class: "sample" }), pinned = h("pre", { class: "sample", id: "pinned-sample" });
  const value = () => Number(slider.value) * largest;
  const edit = () => pin(dictionary, dictionary.kind, index, value());

  function predict() {
    shown.textContent = slider.value === "0" ? "ablated (0)" : `${Number(slider.value).toFixed(1)} × its maximum = ${short(value())}`;
    slider.setAttribute("aria-valuetext", shown.textContent);
    const before = continueText(dictionary, ids(), 0, 0).probabilities, after = continueText(dictionary, ids(), 0, 0, edit()).probabilities;
    const best = (p) => Array.from(p.keys()).sort((a, b) => p[b] - p[a]).slice(0, SHOWN);
    const [left, right] = [best(before), best(after)];
    const cells = (p, other, token) => [h("td", {}, chips([dictionary.text.names[token]])), h("td", { class: "n" }, percent(p[token])),
      h("td", { class: "n quiet" }, other ? `${p[token] >= other[token] ? "+" : "−"}${short(100 * Math.abs(p[token] - other[token]))}` : "")];
    table.replaceChildren(...left.map((token, i) => h("tr", {}, cells(before, null, token).slice(0, 2), cells(after, before, right[i]))));
  }

  function sample() {
    const write = (change) => decode(dictionary.text.tokenizer, continueText(dictionary, ids(), LENGTH, Number(seed.value), change).ids);
    free.textContent = write();
    pinned.textContent = write(edit());
    announce(`Continued with the ${app.noun} at ${shown.textContent}`);
  }

  slider.addEventListener("input", predict);
  slider.addEventListener("change", sample);
  seed.addEventListener("change", sample);
  const set = (dose) => () => {
    slider.value = dose;
    predict();
    sample();
  };
  predict();
  const panel = h("section", { class: "steer", "aria-labelledby": "steer-title" },
    h("h3", { id: "steer-title" }, `Pin this ${app.noun} while the model reads and continues your text`),
    h("div", { class: "row" }, h("button", { type: "button", onclick: set(0) }, "Ablate"), slider, shown,
      h("button", { type: "button", onclick: set(MOST) }, `${MOST} ×`)),
    h("table", {},
      h("caption", { class: "unseen" }, "Next token, free and pinned"),
      h("thead", {}, h("tr", {}, ["next token, free", "", "next token, pinned", "", "points"].map((name) => h("th", { scope: "col" }, name)))),
      table),
    h("div", { class: "row", style: "margin: .8rem 0 .5rem" },
      h("button", { type: "button", class: "primary", id: "continue", onclick: sample }, `Continue ${LENGTH} tokens`),
      h("label", { for: "seed", class: "quiet" }, "seed"), seed,
      h("button", { type: "button", onclick: () => { seed.value = Number(seed.value) + 1; sample(); } }, "Another"),
      h("span", { class: "quiet" }, "temperature 1, the same random numbers on both sides")),
    h("div", { class: "samples" }, h("div", {}, h("h3", {}, "free"), free), h("div", {}, h("h3", {}, "pinned"), pinned)));
  return { panel, follow: predict };
}
