"use strict";
// Reads values at the pointer, or at a cursor moved with the arrow keys. The picture stands without it.
for (const figure of document.querySelectorAll(".timeline")) {
  const svg = figure.querySelector("svg"), box = figure.querySelector(".reading"), cursor = figure.querySelector(".cursor");
  const data = JSON.parse(figure.querySelector("script").textContent);
  const span = data.to - data.from;
  let at = data.from;

  const stamp = (ms) => {
    const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
    const rest = two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
    return s < 3600 ? rest : Math.floor(s / 3600) + ":" + rest;
  };
  const figureOf = (v) => (Math.abs(v) >= 100 ? v.toFixed(0) : String(Number(v.toPrecision(3))));
  // The last point not after `at`; lines also take a nearer one after it.
  const nearest = (series) => {
    const points = series.points;
    let low = 0, high = points.length - 1;
    if (high < 0) return null;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (points[middle][0] <= at) low = middle; else high = middle - 1;
    }
    let found = points[low];
    if (series.step) return found[0] <= at ? found : null;
    const next = points[low + 1];
    if (next && Math.abs(next[0] - at) < Math.abs(found[0] - at)) found = next;
    return Math.abs(found[0] - at) <= Math.max(series.reach, span / 250) ? found : null;
  };
  const add = (parent, tag, text, className) => {
    const node = parent.appendChild(document.createElement(tag));
    if (text) node.append(text);
    if (className) node.className = className;
    return node;
  };

  const show = () => {
    const x = data.left + ((at - data.from) / span) * (data.right - data.left);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    box.textContent = "";
    add(box, "b", stamp(at));
    const active = data.spans.filter((s) => s[1] <= at && at <= s[2]).map((s) => s[0]);
    for (const name of active) add(box, "div", name, "spans");
    const table = add(box, "table");
    for (const series of data.series) {
      const point = nearest(series);
      if (!point) continue;
      const row = add(table, "tr"), name = add(row, "td");
      add(name, "i", "", series.class);
      name.append(series.name);
      const value = point[1] === point[2] ? figureOf(point[1]) : figureOf(point[1]) + " to " + figureOf(point[2]);
      add(row, "td", value + " " + series.unit);
    }
    box.hidden = false;
    const frame = figure.getBoundingClientRect(), drawing = svg.getBoundingClientRect();
    const place = drawing.left - frame.left + (x / svg.viewBox.baseVal.width) * drawing.width;
    const left = place + 16 + box.offsetWidth > frame.width ? place - 16 - box.offsetWidth : place + 16;
    box.style.left = Math.max(4, left) + "px";
    // Below the faults' names, so that they stay legible.
    const lanes = figure.querySelector(".panel .name");
    box.style.top = (lanes ? lanes.getBoundingClientRect().bottom - frame.top + 4 : 90) + "px";
  };
  const hide = () => {
    box.hidden = true;
    cursor.setAttribute("visibility", "hidden");
  };
  const clamp = (ms) => Math.min(data.to, Math.max(data.from, ms));

  svg.addEventListener("pointermove", (event) => {
    const drawing = svg.getBoundingClientRect();
    const x = ((event.clientX - drawing.left) / drawing.width) * svg.viewBox.baseVal.width;
    at = clamp(data.from + ((x - data.left) / (data.right - data.left)) * span);
    show();
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at = clamp(at + step * (event.shiftKey ? span / 20 : span / 200));
    show();
  });
  box.setAttribute("role", "status");
}

// A link to a stage opens it; paper shows everything.
const openTarget = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
};
addEventListener("hashchange", openTarget);
openTarget();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
