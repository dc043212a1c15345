"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.getElementById("report");
const kMost = 2000;  // rows of a table of points

/* Everything that comes from the data goes through text nodes. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colourOf = (index) =>
  index === -1 ? css("--ink") : index === -2 ? css("--good") : index === -3 ? css("--bad") : index >= 100 ? css("--h" + (index - 100) % 7) : css("--c" + index % 8);
const kGlyphs = ["●", "■", "▲", "◆", "▼", "✚", "⬟", "★"];
const glyphOf = (series) =>
  series.cell ? "■" : series.kind !== "points" ? (series.dashed ? "╌" : "━")
  : series.colour === -3 ? "✕" : series.colour === -2 ? "★"
  : series.dashed ? "◇" : kGlyphs[shapeOf(series)];
/* A colour that comes again has another shape. */
const shapeOf = (series) => (series.colour + Math.floor(series.colour / 8)) % 8;

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  return String(+value.toPrecision(size >= 1000 ? 6 : 4));
}
const withUnit = (text, axis) => (axis.unit ? text + " " + axis.unit : text);
const shown = (value, axis) =>
  axis.categories ? axis.categories[Math.round(value)] ?? "" : withUnit(number(value), axis);
const axisTitle = (axis) => (axis.unit ? `${axis.label}, ${axis.unit}` : axis.label);

/* --- tables ---------------------------------------------------------------------------------- */

const kMarks = {best: "★ best", late: "✕ late", bound: "◇ bound"};

function tableOf(table) {
  const body = make("tbody");
  const rows = table.rows.map((cells, i) => ({cells, mark: table.marks[i]}));
  const greatest = table.bar_column < 0 ? 0 : Math.max(...rows.map((r) => r.cells[table.bar_column][1] ?? 0));
  const heads = table.columns.map((name, column) =>
    make("th", {scope: "col", "aria-sort": "none"},
      make("button", {type: "button", title: "Sort", onclick: () => sort(column)}, name),
      table.units[column] ? make("small", {}, table.units[column]) : ""));
  function fill() {
    body.replaceChildren(...rows.map(({cells, mark}) => make("tr", {class: mark || undefined},
      make("th", {scope: "row"}, cells[0][0], mark ? make("span", {class: "mark " + mark}, kMarks[mark]) : ""),
      ...cells.slice(1).map(([text, value], i) => {
        const cell = make("td", {}, text);
        if (i + 1 === table.bar_column && value !== null && greatest > 0) {
          const bar = make("span", {class: "bar", "aria-hidden": "true"});
          bar.style.width = 100 * value / greatest + "%";
          cell.append(bar);
        }
        return cell;
      }))));
  }
  function sort(column) {
    const up = heads[column].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : up ? "ascending" : "descending"));
    const key = (row) => (column === 0 ? row.cells[0][0] : row.cells[column][1]);
    rows.sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === null || y === null) return (x === null) - (y === null);
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
    });
    fill();
  }
  fill();
  return make("div", {class: "table"},
    make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": table.title},
      make("table", {class: "data"}, make("caption", {class: "sr"}, table.title),
        make("thead", {}, make("tr", {}, ...heads)), body)),
    make("p", {class: "note"}, table.note));
}

/* --- plots ----------------------------------------------------------------------------------- */

/* One array of x for the library: shared, or all of them merged, undefined where a series has none. */
function columnsOf(figure) {
  const series = figure.series;
  if (series.every((one) => one.x === series[0].x)) return [series[0].x, ...series.map((one) => one.y)];
  const all = [];
  series.forEach((one, s) => { if (s === series.findIndex((o) => o.x === one.x)) one.x.forEach((x, i) => all.push([x, one.x, i])); });
  all.sort((a, b) => a[0] - b[0]);
  return [all.map((p) => p[0]), ...series.map((one) => all.map(([, of, i]) => (of === one.x ? one.y[i] : undefined)))];
}

/* null: the interval's own end is none, and the point stands for itself. */
function extent(figure, axis) {
  let least = Infinity, most = -Infinity;
  for (const one of figure.series)
    for (const list of [one[axis], one[axis + "_lo"], one[axis + "_hi"]])
      for (const value of list || [])
        if (value !== null) { least = Math.min(least, value); most = Math.max(most, value); }
  return [least, most];
}

function padded(axis, least, most) {
  if (axis.categories) return [-0.5, axis.categories.length - 0.5];
  if (!(least <= most)) return [0, 1];
  if (axis.log) return [least / 1.15, most * 1.15];
  const pad = 0.06 * (most - least) || Math.abs(most) * 0.1 || 1;
  return [least >= 0 && least < most / 2 || least === 0 ? (least - pad < 0 ? Math.min(0, -0.02 * most) : 0) : least - pad, most + pad];
}

/* 1, 2 and 5 times powers of ten. */
function logSplits(least, most) {
  const splits = [], wide = most / least > 300;
  for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); ++power)
    for (const factor of wide ? [1] : most / least < 4 ? [1, 1.2, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5]) {
      const value = +(factor * 10 ** power).toPrecision(3);
      if (value >= least && value <= most) splits.push(value);
    }
  return splits;
}

const kPaths = {
  0: (c, x, y, r) => c.arc(x, y, r, 0, 7),
  1: (c, x, y, r) => c.rect(x - r * .9, y - r * .9, r * 1.8, r * 1.8),
  2: (c, x, y, r) => { c.moveTo(x, y - r * 1.2); c.lineTo(x + r * 1.1, y + r * .8); c.lineTo(x - r * 1.1, y + r * .8); c.closePath(); },
  3: (c, x, y, r) => { c.moveTo(x, y - r * 1.3); c.lineTo(x + r * 1.3, y); c.lineTo(x, y + r * 1.3); c.lineTo(x - r * 1.3, y); c.closePath(); },
  4: (c, x, y, r) => { c.moveTo(x, y + r * 1.2); c.lineTo(x + r * 1.1, y - r * .8); c.lineTo(x - r * 1.1, y - r * .8); c.closePath(); },
  5: (c, x, y, r) => { c.rect(x - r * 1.2, y - r * .4, r * 2.4, r * .8); c.rect(x - r * .4, y - r * 1.2, r * .8, r * 2.4); },
  6: (c, x, y, r) => { for (let i = 0; i < 5; ++i) c.lineTo(x + 1.2 * r * Math.sin(i * 1.2566), y - 1.2 * r * Math.cos(i * 1.2566)); c.closePath(); },
  7: (c, x, y, r) => { for (let i = 0; i < 10; ++i) { const q = i % 2 ? .6 * r : 1.4 * r; c.lineTo(x + q * Math.sin(i * .6283), y - q * Math.cos(i * .6283)); } c.closePath(); },
};

function drawPoints(u, figure) {
  const c = u.ctx, scale = devicePixelRatio, taken = [];
  const many = figure.series.reduce((sum, one) => sum + (one.kind === "points" ? one.y.length : 0), 0);
  const radius = (many > 2000 ? 1.8 : many > 200 ? 3 : 5) * scale;
  c.save();
  c.beginPath();
  c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  c.clip();
  const labels = [];
  figure.series.forEach((one, s) => {
    if (one.kind !== "points" || !u.series[s + 1].show) return;
    const colour = colourOf(one.colour);
    const px = (v) => u.valToPos(v, "x", true), py = (v) => u.valToPos(v, "y", true);
    c.strokeStyle = c.fillStyle = colour;
    c.lineWidth = 1.5 * scale;
    const jitter = figure.y.categories && many < 5000;
    one.y.forEach((y, i) => {
      if (y === null || one.x[i] === null) return;
      if (one.cell) {
        const left = px(one.x[i] - .5), top = py(y + .5);
        c.fillRect(left + .5 * scale, top + .5 * scale, px(one.x[i] + .5) - left - scale, py(y - .5) - top - scale);
        return;
      }
      const x = px(one.x[i]), at = py(y) + (jitter ? ((i * 7) % 11 - 5) * scale : 0);
      for (const [axis, lo, hi] of [["x", one.x_lo, one.x_hi], ["y", one.y_lo, one.y_hi]]) {
        if (!lo || lo[i] === null || hi[i] === null) continue;
        c.beginPath();
        c.moveTo(axis === "x" ? px(lo[i]) : x, axis === "x" ? at : py(lo[i]));
        c.lineTo(axis === "x" ? px(hi[i]) : x, axis === "x" ? at : py(hi[i]));
        c.stroke();
      }
      c.beginPath();
      if (one.colour === -3) {
        const arm = radius + 1.5 * scale;
        c.moveTo(x - arm, at - arm); c.lineTo(x + arm, at + arm);
        c.moveTo(x + arm, at - arm); c.lineTo(x - arm, at + arm);
        c.stroke();
      } else {
        kPaths[one.colour === -2 ? 7 : one.dashed ? 3 : shapeOf(one)](c, x, at, one.colour === -2 ? 1.6 * radius : radius);
        if (one.dashed) { c.save(); c.fillStyle = css("--card"); c.fill(); c.restore(); c.stroke(); } else { c.globalAlpha = many > 200 ? .75 : 1; c.fill(); c.globalAlpha = 1; }
      }
      if (one.labelled && i === 0) labels.push([one.name, x, at, colour]);
      taken.push([x - radius, at - radius, x + radius, at + radius]);
    });
  });
  /* A label goes beside its point where there is room, or is left to the legend. */
  c.font = `600 ${12 * scale}px system-ui, sans-serif`;
  c.textBaseline = "middle";
  c.textAlign = "left";
  const box = u.bbox, gap = 8 * scale, high = 7 * scale;
  const big = many > 60 ? [] : taken;
  for (const [name, x, y, colour] of labels) {
    const wide = c.measureText(name).width;
    const places = [];
    for (const dy of [0, -14, 14, -26, 26])
      places.push([x + gap, y + dy * scale], [x - gap - wide, y + dy * scale]);
    places.push([x - wide / 2, y - 16 * scale], [x - wide / 2, y + 16 * scale]);
    const free = places.find(([left, middle]) =>
      left >= box.left && left + wide <= box.left + box.width && middle - high >= box.top && middle + high <= box.top + box.height &&
      !big.some(([a, b, d, e]) => left < d && left + wide > a && middle - high < e && middle + high > b));
    if (!free) continue;
    big.push([free[0], free[1] - high, free[0] + wide, free[1] + high]);
    /* What runs behind a name does not strike it through. */
    c.strokeStyle = css("--card");
    c.lineWidth = 4 * scale;
    c.lineJoin = "round";
    c.setLineDash([]);
    c.strokeText(name, free[0], free[1]);
    c.fillStyle = colour;
    c.fillText(name, free[0], free[1]);
  }
  c.restore();
}

/* The value that a series has at x: the last one for what holds until it changes, else the nearest. */
function indexAt(one, x) {
  let low = 0, high = one.x.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (one.x[middle] <= x) low = middle; else high = middle - 1;
  }
  if (one.kind !== "steps" && low + 1 < one.x.length && Math.abs(one.x[low + 1] - x) < Math.abs(x - one.x[low])) ++low;
  return low;
}

class Plot {
  constructor(figure, place, readout, live) {
    Object.assign(this, {figure, place, readout, live, hidden: new Set(), at: -1});
    this.scatter = !figure.timeline && figure.series.every((one) => one.kind === "points" || one.colour < 0);
    this.columns = columnsOf(figure);
    this.full = {x: extent(figure, "x"), y: extent(figure, "y")};
    /* What the keyboard steps through. */
    this.stops = [];
    if (this.scatter)
      figure.series.forEach((one, s) => one.kind === "points" && one.y.forEach((y, i) => y !== null && this.stops.push([s, i])));
    this.stops.sort(([s, i], [t, j]) => figure.series[s].x[i] - figure.series[t].x[j]);
    place.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("focus", () => place.dataset.told || (live.textContent = "Arrow keys point, plus and minus zoom, Escape shows all."));
    this.build();
  }
  height(width) {
    const categories = this.figure.y.categories?.length || 0;
    return this.figure.timeline ? Math.max(180, Math.min(70 + 20 * categories, 340)) : Math.max(240, Math.min(width * .62, 400), categories * 26 + 60);
  }
  build() {
    this.u?.destroy();
    const {figure} = this, width = Math.max(220, this.place.clientWidth);
    const most = width > 600 ? 34 : 18;
    const cells = figure.series.some((one) => one.cell);
    /* Names that would run into each other. */
    const tilted = (axis, side) => side === 2 && axis.categories && axis.categories.reduce((sum, text) => sum + 7 * text.length + 10, 0) > .7 * width;
    const axisOf = (axis, side) => ({
      side, stroke: css("--soft"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
      label: side === 2 || !axis.categories ? axisTitle(axis) : undefined, labelSize: 18, labelGap: 2,
      grid: {stroke: css("--grid"), width: 1}, ticks: {stroke: css("--line"), width: 1, size: 5},
      ...(tilted(axis, side) ? {rotate: -60} : {}),
      ...(axis.categories ? {
        splits: () => axis.categories.map((_, i) => i).filter((i) => i % Math.ceil(axis.categories.length / (cells ? 64 : 16)) === 0),
        values: (u, splits) => splits.map((i) => { const text = axis.categories[i] ?? ""; return text.length > most ? text.slice(0, most - 1) + "…" : text; }),
      } : axis.log ? {splits: (u, i, least, most) => logSplits(least, most), filter: (u, splits) => splits, values: (u, splits) => splits.map(number)} : {values: (u, splits) => splits.map(number)}),
      ...(side === 3 ? {size: (u, values) => {
        if (!values) return 44;
        /* The timelines of a run stand below each other. */
        if (figure.timeline && u.width > 600) return 112;
        u.ctx.save();
        u.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        const widest = Math.max(0, ...values.map((v) => u.ctx.measureText(v ?? "").width)) / devicePixelRatio;
        u.ctx.restore();
        return Math.ceil(widest) + 14;
      }} : {size: tilted(axis, side) ? 24 + Math.ceil(6 * Math.max(...axis.categories.map((text) => Math.min(text.length, most)))) : 32}),
    });
    const range = (which) => (u, least, most) => {
      const axis = figure[which], [from, to] = this.full[which], xs = this.columns[0];
      /* The whole of the data, or what was zoomed to. */
      if (which === "x") return least === null || least <= xs[0] && most >= xs[xs.length - 1] ? padded(axis, from, to) : [least, most];
      return padded(axis, from, to);
    };
    const steps = uPlot.paths.stepped({align: 1}), line = uPlot.paths.linear();
    this.u = new uPlot({
      width, height: this.height(width), legend: {show: false},
      scales: {
        x: {time: false, distr: figure.x.log ? 3 : 1, range: range("x")},
        y: {distr: figure.y.log ? 3 : 1, range: range("y")},
      },
      axes: [axisOf(figure.x, 2), axisOf(figure.y, 3)],
      padding: [10, tilted(figure.x, 2) ? 40 : 14, 0, 4],
      cursor: {
        drag: {x: true, y: false}, points: {show: false}, y: this.scatter,
        ...(figure.timeline ? {sync: {key: figure.timeline, scales: ["x", null]}} : {}),
      },
      series: [{}, ...figure.series.map((one, s) => ({
        label: one.name, show: !this.hidden.has(s), stroke: colourOf(one.colour), width: one.dashed ? 1.5 : 2,
        dash: one.dashed ? [6, 4] : undefined, points: {show: false}, spanGaps: false,
        paths: one.kind === "points" ? () => null : one.kind === "steps" ? steps : line,
      }))],
      hooks: {
        draw: [(u) => drawPoints(u, figure)],
        setCursor: [(u) => u.cursor.left >= 0 && !this.byKey && this.point(u.cursor.left, u.cursor.top)],
      },
    }, this.columns, this.place);
    this.u.over.addEventListener("mouseleave", () => { this.readout.textContent = ""; });
  }
  point(left, top) {
    const {figure, u} = this;
    if (!this.scatter) return this.say(this.valuesAt(u.posToVal(left, "x")));
    let best = null, nearest = 40 * 40;
    for (const [s, i] of this.stops) {
      if (this.hidden.has(s)) continue;
      const one = figure.series[s];
      const far = (u.valToPos(one.x[i], "x") - left) ** 2 + (u.valToPos(one.y[i], "y") - top) ** 2;
      if (far < nearest) { nearest = far; best = [s, i]; }
    }
    this.say(best ? this.pointText(...best) : "");
  }
  pointText(s, i) {
    const {figure} = this, one = figure.series[s];
    const part = (axis) => {
      const lo = one[axis + "_lo"]?.[i], hi = one[axis + "_hi"]?.[i];
      const range = typeof lo === "number" && typeof hi === "number" && hi > lo ? ` [${number(lo)}, ${number(hi)}]` : "";
      return `${figure[axis].label} ${shown(one[axis][i], figure[axis])}${range}`;
    };
    return one.text?.[i] && figure.x.log ? `${one.name}: ${one.text[i]}`
      : `${one.name}: ${part("y")}, ${part("x")}` + (one.text ? ` (${one.text[i]})` : "");
  }
  valuesAt(x) {
    const {figure} = this;
    const parts = figure.series.flatMap((one, s) => {
      const i = this.hidden.has(s) ? -1 : indexAt(one, x);
      return i < 0 || one.y[i] === null ? [] : [`${one.name} ${shown(one.y[i], figure.y)}`];
    });
    return `${figure.x.label} ${withUnit(number(x), figure.x)}: ${parts.join(" · ")}`;
  }
  say(text, aloud) {
    this.readout.textContent = text;
    if (aloud) this.live.textContent = text;
  }
  key(event) {
    const {u, figure} = this, step = {ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10}[event.key];
    this.place.dataset.told = "yes";
    if (step !== undefined || event.key === "Home" || event.key === "End") {
      event.preventDefault();
      const count = this.scatter ? this.stops.length : 101;
      const to = event.key === "Home" ? 0 : event.key === "End" ? count - 1 : this.at + step;
      this.at = Math.max(0, Math.min(count - 1, to));
      const {min, max} = u.scales.x;
      const [s, i] = this.scatter ? this.stops[this.at] : [];
      const x = this.scatter ? figure.series[s].x[i] : min + (max - min) * this.at / 100;
      this.byKey = true;
      u.setCursor({left: u.valToPos(x, "x"), top: this.scatter ? u.valToPos(figure.series[s].y[i], "y") : 1});
      this.byKey = false;
      this.say(this.scatter ? this.pointText(s, i) : this.valuesAt(x), true);
    } else if ("+=-_".includes(event.key)) {
      event.preventDefault();
      const {min, max} = u.scales.x, [from, to] = padded(figure.x, ...this.full.x);
      const centre = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : (min + max) / 2;
      const factor = "+=".includes(event.key) ? .5 : 2;
      this.zoom(Math.max(from, centre - (centre - min) * factor), Math.min(to, centre + (max - centre) * factor));
    } else if (event.key === "Escape") {
      this.zoom(...this.full.x);
    }
  }
  zoom(min, max) {
    for (const plot of plots)
      if (plot === this || this.figure.timeline && plot.figure.timeline === this.figure.timeline) plot.u.setScale("x", {min, max});
  }
  toggle(s) {
    this.hidden.has(s) ? this.hidden.delete(s) : this.hidden.add(s);
    this.u.setSeries(s + 1, {show: !this.hidden.has(s)});
    return !this.hidden.has(s);
  }
}

const plots = [];

function pointsTable(figure) {
  const rows = [];
  let more = 0;
  for (const one of figure.series)
    one.y.forEach((y, i) => {
      if (y === null) return;
      if (rows.length >= kMost) { ++more; return; }
      rows.push(make("tr", {}, make("th", {scope: "row"}, one.name), make("td", {}, shown(one.x[i], figure.x)),
        make("td", {}, shown(y, figure.y)), make("td", {}, one.text?.[i] ?? "")));
    });
  return make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Data of " + figure.title},
    make("table", {class: "data"},
      make("thead", {}, make("tr", {}, ...["series", axisTitle(figure.x), axisTitle(figure.y), ""].map((t) => make("th", {scope: "col"}, t)))),
      make("tbody", {}, ...rows)),
    more ? make("p", {class: "note"}, `${more} more points are in the plot; 'flyball record export csv' has all.`) : "");
}

function summary(figure) {
  const [x0, x1] = extent(figure, "x"), [y0, y1] = extent(figure, "y");
  return `${figure.title}. ${figure.series.length} series: ${figure.series.map((one) => one.name).join(", ")}. ` +
    `${figure.x.label} from ${shown(x0, figure.x)} to ${shown(x1, figure.x)}` +
    (figure.y.categories ? "." : `, ${figure.y.label} from ${shown(y0, figure.y)} to ${shown(y1, figure.y)}.`) +
    " The data follows as a table.";
}

function figureOf(figure) {
  for (const one of figure.series) if (one.x_of !== undefined) one.x = figure.series[one.x_of].x;
  const place = make("div", {class: "plot", tabindex: "0", role: "application", "aria-roledescription": "plot", "aria-label": summary(figure)});
  const readout = make("div", {class: "readout", "aria-hidden": "true"});
  const live = make("div", {class: "sr", "aria-live": "polite"});
  const details = make("details", {}, make("summary", {}, "Data as a table"));
  details.addEventListener("toggle", () => details.children.length < 2 && details.append(pointsTable(figure)));
  const legend = make("div", {class: "legend", role: "group", "aria-label": "Series of " + figure.title});
  const element = make("figure", {class: figure.timeline || figure.series.some((one) => one.cell) ? "wide" : undefined, id: "figure-" + figure.name},
    make("figcaption", {}, make("h3", {}, figure.title), make("p", {class: "caption"}, figure.caption)),
    legend, place, readout, live, details);
  return {element, start() {
    const plot = new Plot(figure, place, readout, live);
    plots.push(plot);
    figure.series.forEach((one, s) => {
      const glyph = make("span", {"aria-hidden": "true"}, glyphOf(one) + " ");
      glyph.style.color = colourOf(one.colour);
      plot.glyphs = [...(plot.glyphs || []), [glyph, one.colour]];
      const button = make("button", {type: "button", "aria-pressed": "true", onclick: () => button.setAttribute("aria-pressed", String(plot.toggle(s)))}, glyph, one.name);
      legend.append(button);
    });
    new ResizeObserver(() => requestAnimationFrame(() => {
      const width = Math.max(220, place.clientWidth);
      if (Math.abs(width - plot.u.width) > 1) plot.u.setSize({width, height: plot.height(width)});
    })).observe(place);
  }};
}

/* --- the page -------------------------------------------------------------------------------- */

const starts = [];
root.append(make("header", {}, make("h1", {}, "Flyball report"),
  make("p", {}, `Made by ${data.made_by}. Drag over a plot to zoom, double-click to see all of it; arrow keys, plus, minus and Escape do the same.`)));
if (data.sections.length > 1)
  root.append(make("nav", {"aria-label": "Sections"}, make("ul", {}, ...data.sections.map((section, i) =>
    make("li", {}, make("a", {href: "#section-" + i}, section.title))))));
data.sections.forEach((section, i) => {
  const figures = section.figures.map(figureOf);
  starts.push(...figures.map((figure) => figure.start));
  root.append(make("section", {"aria-labelledby": "section-" + i},
    make("h2", {id: "section-" + i}, section.title),
    section.verdict ? make("p", {class: "verdict"}, section.verdict) : "",
    ...section.tables.map(tableOf),
    figures.length ? make("div", {class: "figures"}, ...figures.map((figure) => figure.element)) : "",
    section.notes.length ? make("ul", {class: "notes"}, ...section.notes.map((note) => make("li", {}, note))) : ""));
});
for (const start of starts) start();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const plot of plots) {
    plot.build();
    for (const [glyph, colour] of plot.glyphs) glyph.style.color = colourOf(colour);
  }
});
/* For whoever drives the page: all of it is there. */
document.documentElement.dataset.plots = plots.length;
})();
