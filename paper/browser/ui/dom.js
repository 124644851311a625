// Elements, numbers as text, and small drawings.

/** An element: `h("p", {class: "x", onclick: f}, child, …)`; strings become text, never markup. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function svg(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A number with about three significant digits. */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1000 ? Math.round(value).toLocaleString("en") : size >= 100 ? value.toFixed(0)
    : size >= 10 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : value.toExponential(1);
}

/** A share as a percentage. */
export function percent(share) {
  const value = 100 * share;
  return `${value >= 99.95 ? "100" : value >= 10 ? value.toFixed(0) : value >= 0.1 || value === 0 ? value.toFixed(1) : value.toPrecision(1)} %`;
}

/** Background of a token for an activation as a share of the largest. */
export function heat(share) {
  if (!(share > 0)) return "";
  return `background: color-mix(in srgb, var(--heat) ${Math.round(18 + 82 * Math.min(1, share))}%, transparent)`;
}

/** A token with the spaces at its ends as dots: without text around it they could not be seen. */
function dotted(text) {
  return text.replace(/^ +| +$/g, (spaces) => "·".repeat(spaces.length));
}

/** Tokens in a row of boxes. */
export function chips(texts) {
  return h("span", { class: "chips", dir: "ltr" }, texts.map((text) => h("span", { class: "chip" }, dotted(text))));
}

/** Histogram of counts over equal bins from `low` to `high`; heights are logarithmic. `marks` are [value, label]. */
export function histogram(counts, low, high, name, className = () => "bar", { marks = [] } = {}) {
  const width = 320, height = 84, most = Math.max(1, ...counts), step = width / counts.length;
  const drawing = svg("svg", { viewBox: `0 -4 ${width} ${height + 22}`, role: "img", "aria-label": name });
  drawing.append(svg("line", { x1: 0, x2: width, y1: height, y2: height }));
  counts.forEach((count, i) => {
    if (count === 0) return;
    const size = 2 + (height - 4) * (Math.log1p(count) / Math.log1p(most));
    const bar = svg("rect", { x: i * step + 0.5, y: height - size, width: Math.max(0.8, step - 1), height: size, class: className(i) });
    const from = low + ((high - low) * i) / counts.length, to = low + ((high - low) * (i + 1)) / counts.length;
    bar.append(svg("title", {}, `${short(from)} to ${short(to)}: ${count.toLocaleString("en")}`));
    drawing.append(bar);
  });
  const label = (text, x, anchor) => svg("text", { x, y: height + 13, "text-anchor": anchor }, text);
  drawing.append(label(short(low), 0, "start"), label(short(high), width, "end"));
  for (const [value, text] of marks) drawing.append(label(text, ((value - low) / (high - low)) * width, "middle"));
  return drawing;
}

/** Rows of a name, a bar and a number: [{name, share, text, cold}]. */
export function bars(rows) {
  return h("ul", { class: "bars" }, rows.map(({ name, share, text, cold }) => h("li", {}, name,
    h("span", { class: `track${cold ? " cold" : ""}`, "aria-hidden": "true" }, h("i", { style: `width:${Math.max(1, 100 * share)}%` })),
    h("span", { class: "number" }, text))));
}

/** Tell screen readers. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}
