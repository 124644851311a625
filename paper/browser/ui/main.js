// The page: which dictionary and unit are open (by the address), and what changes with them.

import { linkTo, manifest, openDictionary, targetOf } from "./data.js";
import { h } from "./dom.js";
import { unitList } from "./list.js";
import { textPanel } from "./text.js";
import { unitPage } from "./unit.js";

const main = document.getElementById("main"), picker = document.getElementById("dictionary"), root = document.documentElement;
const memory = {};
let follow = () => {};

/** What is open. `changed` is called when the text was read anew. */
const app = { dictionary: null, index: null, noun: "latent", changed: () => follow() };
const panel = textPanel(document.getElementById("text"), app);

function setTheme(theme) {
  root.dataset.theme = theme;
  try {
    localStorage.setItem("monosem-theme", theme);
  } catch { /* a page from disk may have no storage */ }
}

function firstTheme() {
  try {
    const kept = localStorage.getItem("monosem-theme");
    if (kept) return kept;
  } catch { /* as above */ }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

async function route() {
  const target = targetOf(location.hash), entry = target?.entry ?? app.dictionary?.entry ?? manifest.dictionaries[0];
  if (location.hash.length > 1 && !target) {
    main.replaceChildren(h("h2", {}, "Not here"), h("p", {}, `This page has no ${location.hash.slice(1)}.`),
      h("p", {}, h("a", { href: linkTo(entry) }, `All of ${entry.run}`)));
    return;
  }
  picker.value = linkTo(entry);
  main.setAttribute("aria-busy", "true");
  let dictionary;
  try {
    dictionary = await openDictionary(entry);
  } catch (error) {
    main.replaceChildren(h("h2", {}, "Cannot be shown"), h("p", {}, error.message));
    return;
  } finally {
    main.removeAttribute("aria-busy");
  }
  const changed = app.dictionary !== dictionary;
  Object.assign(app, { dictionary, index: target?.index ?? null, noun: entry.kind === "neurons" ? "neuron" : "latent" });
  follow = () => {};
  if (changed) await panel.reopen();
  else panel.show();
  const view = app.index === null ? unitList(app, panel, memory) : unitPage(app, panel);
  main.replaceChildren(view.element);
  view.begin?.();
  follow = view.follow;
  document.title = `${app.index === null ? entry.run : `${entry.run} ${app.noun} ${app.index}`} · ${entry.model} · monosem`;
  if (app.index !== null) scrollTo({ top: innerWidth <= 900 ? main.offsetTop : 0 });
  root.dataset.ready = location.hash || "#";
}

function random() {
  const { entry, tables } = app.dictionary, live = Array.from(tables.max.data.keys()).filter((unit) => tables.max.data[unit] > 0);
  if (live.length) location.hash = linkTo(entry, live[Math.floor(Math.random() * live.length)]);
}

setTheme(firstTheme());
for (const entry of manifest.dictionaries) picker.append(h("option", { value: linkTo(entry) }, `${entry.model} · ${entry.run}${linkTo(entry).split("/").length > 2 ? ` · ${entry.site}` : ""}`));
picker.addEventListener("change", () => { location.hash = picker.value; });
document.getElementById("random").addEventListener("click", random);
document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "r") random();
  if (event.key === "/") {
    event.preventDefault();
    const query = document.getElementById("query");
    (query && !query.hidden ? query : document.getElementById("way") ?? document.getElementById("yours")).focus();
  }
});
document.getElementById("foot").append(h("details", {}, h("summary", {}, "How these numbers are made"),
  Object.entries(manifest.conventions).map(([name, text]) => h("p", {}, h("b", {}, `${name}: `), text))));
addEventListener("hashchange", route);
route();
