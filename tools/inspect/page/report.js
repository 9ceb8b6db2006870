"use strict";
(() => {
  // Names come from foreign files: text is only ever set as textContent.
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  function draw(tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  // ---- numbers ----
  const number = (value, digits = 3) => {
    if (value === null || value === undefined) return "";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
    return String(Number(value.toPrecision(digits)));
  };
  const scaled = (value, step, units) => {
    let unit = 0;
    while (value >= step && unit + 1 < units.length) value /= step, unit++;
    return (unit ? value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0) : value) + units[unit];
  };
  const count = (value) => scaled(value, 1000, ["", " k", " M", " G", " T"]);
  const bytes = (value) => scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
  const percent = (part, whole) => {
    if (!whole || !part) return whole ? "0 %" : "";
    const share = 100 * part / whole;
    return share < 0.1 ? "< 0.1 %" : share.toFixed(1) + " %";
  };
  // Noise is infinite where nothing is lost: no number in JSON.
  const decibels = (value) => value === undefined ? "" : value === null ? "no loss" : value.toFixed(1);
  const orInfinity = (value) => value === null ? Infinity : value;

  // ---- findings ----
  const marks = { broken: ["●", "broken"], look: ["▲", "worth a look"], remark: ["·", "remark"] };
  const ranks = { broken: 3, look: 2, remark: 1 };
  const mark = (severity) =>
    make("span", { class: "mark " + severity, role: "img", "aria-label": marks[severity][1] }, marks[severity][0]);
  const sentence = (text) => text[0].toUpperCase() + text.slice(1);
  const gravest = (tensor) => tensor.findings.length ? tensor.findings[0].severity : null;
  const attention = (tensor) => {
    const severity = gravest(tensor);
    return severity ? ranks[severity] * 100 + Math.min(tensor.findings.length, 99) : 0;
  };

  // ---- charts ----
  function spark(counts) {
    const svg = draw("svg", { class: "spark", viewBox: "0 0 32 22", preserveAspectRatio: "none", "aria-hidden": "true" });
    if (!counts) return svg;
    const pairs = Array.from({ length: counts.length / 2 }, (_, i) => counts[2 * i] + counts[2 * i + 1]);
    const largest = Math.max(...pairs, 1);
    let path = "";
    pairs.forEach((value, i) => {
      if (value) path += `M${i},22v${-Math.max(1, 22 * value / largest).toFixed(2)}h0.86V22z`;
    });
    svg.append(draw("path", { class: "bars", d: path }));
    return svg;
  }

  function bars(counts, logarithmic, label, style, names) {
    const svg = draw("svg", { class: "chart " + style, viewBox: `0 0 ${counts.length} 100`, preserveAspectRatio: "none",
                              role: "img", "aria-label": label });
    const height = (value) => logarithmic ? Math.log1p(value) : value;
    const largest = Math.max(...counts.map(height), 1e-9);
    counts.forEach((value, i) => {
      if (!value) return;
      const tall = Math.max(1, 98 * height(value) / largest);
      svg.append(draw("rect", { class: "bars", x: i + 0.06, width: 0.88, y: 100 - tall, height: tall },
                      draw("title", {}, document.createTextNode(names(i, value)))));
    });
    return svg;
  }

  const axis = (...labels) => make("div", { class: "axis" }, ...labels.map((text) => make("span", {}, text)));

  function histogram(tensor) {
    const box = make("div", { class: tensor.strip ? "card" : "card wide" });
    const low = tensor.min, high = tensor.max, width = (high - low) / 64;
    const named = (i, value) => `${number(low + i * width)} to ${number(low + (i + 1) * width)}: ${value}`;
    const place = make("div");
    const buttons = ["linear", "log"].map((kind) => {
      const button = make("button", { type: "button", "data-scale": kind }, kind);
      button.addEventListener("click", () => show(kind));
      return button;
    });
    const show = (kind) => {
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.scale === kind)));
      place.replaceChildren(bars(tensor.histogram, kind === "log", `Histogram, ${kind}`, "histogram", named));
    };
    box.append(make("div", { class: "card-head" }, make("h3", {}, "Values"),
                    make("div", { class: "toggle", role: "group", "aria-label": "Scale" }, ...buttons)),
               place, axis(number(low), number((low + high) / 2), number(high)));
    show("linear");
    return box;
  }

  // A column: two hex digits each of min and max, 00 to ff over the range, then a base-36 digit for each density.
  function channels(tensor) {
    const strip = tensor.strip, columns = strip.length / 20;
    const svg = draw("svg", { class: "chart strip", viewBox: `0 0 ${columns} 256`, preserveAspectRatio: "none", role: "img",
                              "aria-label": "Range and density of every channel" });
    const layers = Array.from({ length: 7 }, () => "");
    let whiskers = "";
    for (let i = 0; i < columns; i++) {
      const text = strip.slice(20 * i, 20 * i + 20);
      const level = (k) => 255 - parseInt(text.slice(2 * k, 2 * k + 2), 16);
      for (let bar = 0; bar < 16; bar++) {
        const dense = parseInt(text[4 + bar], 36);
        if (dense) layers[Math.ceil(dense / 5) - 1] += `M${i},${240 - 16 * bar}h1v16h-1z`;
      }
      whiskers += `M${i + 0.5},${level(0)}V${Math.min(level(1), level(0) - 1)}`;
    }
    layers.forEach((path, k) => {
      if (path) svg.append(draw("path", { class: "density", d: path, opacity: (0.14 + 0.86 * k / 6).toFixed(2) }));
    });
    svg.append(draw("path", { class: "whisker", d: whiskers, fill: "none", "vector-effect": "non-scaling-stroke" }));
    if (tensor.min < 0 && tensor.max > 0) {
      const zero = 256 * tensor.max / (tensor.max - tensor.min);
      svg.append(draw("path", { class: "zero", d: `M0,${zero}H${columns}`, "vector-effect": "non-scaling-stroke" }));
    }
    const each = tensor.channels > columns ? `, ${Math.ceil(tensor.channels / columns)} a column` : "";
    return make("div", { class: "card" },
                make("div", { class: "card-head" }, make("h3", {}, `${tensor.channels} channels on axis ${tensor.axis}${each}`)),
                svg, axis("channel 0", `${number(tensor.min)} to ${number(tensor.max)}, upwards`, String(tensor.channels - 1)));
  }

  function codes(tensor) {
    const levels = Array.from({ length: 256 }, (_, i) => parseInt(tensor.codes.levels.slice(2 * i, 2 * i + 2), 16));
    const first = tensor.codes.lowest, narrow = tensor.codes.bits === 4;
    const shown = narrow ? levels.slice(120, 136) : levels, low = narrow ? -8 : first;
    const svg = bars(shown, false, "Use of codes", "codes", (i, value) => `code ${low + i}: ${(100 * value / 255).toFixed(0)} % of the most used`);
    return make("div", { class: "card wide" },
                make("div", { class: "card-head" },
                     make("h3", {}, `${tensor.codes.used} of ${tensor.codes.there_are} codes in use, ` +
                                    `${tensor.codes.mean_unused.toFixed(1)} of ${tensor.codes.bits} bits unused in the average channel`)),
                svg, axis(`code ${low}`, String(low + shown.length / 2), String(low + shown.length - 1)));
  }

  function facts(tensor) {
    const list = make("dl", { class: "facts" });
    const fact = (term, text) => {
      if (text !== "") list.append(make("div", {}, make("dt", {}, term), make("dd", {}, text)));
    };
    fact("elements", `${tensor.elements.toLocaleString("en")} (${bytes(tensor.bytes)})`);
    fact("axis of the channels", tensor.channels > 1 ? `${tensor.axis}: ${tensor.why}` : `none: ${tensor.why}`);
    fact("range", `${number(tensor.min, 5)} to ${number(tensor.max, 5)}`);
    fact("mean, deviation", `${number(tensor.mean, 4)}, ${number(tensor.deviation, 4)}`);
    fact("excess kurtosis", number(tensor.kurtosis));
    fact("farthest from the mean", `${number(tensor.farthest)} deviations`);
    fact("beyond six deviations", String(tensor.beyond_six));
    fact("zeros, near zeros", `${percent(tensor.zeros, tensor.elements)}, ${percent(tensor.near_zeros, tensor.elements)}`);
    if (tensor.int8_tensor_db !== undefined) {
      const unit = (value) => decibels(value) + (value === null ? "" : " dB");
      fact("int8, one scale", unit(tensor.int8_tensor_db));
      fact("int8, one a channel", unit(tensor.int8_channel_db));
      fact("int4, one a channel", unit(tensor.int4_channel_db));
    }
    if (tensor.output_int8_db !== undefined) fact("output with this in int8", decibels(tensor.output_int8_db) + " dB");
    if (tensor.output_int4_db !== undefined) fact("output with this in 4 bits", decibels(tensor.output_int4_db) + " dB");
    return make("div", { class: "card wide" }, list);
  }

  function panel(tensor) {
    const grid = make("div", { class: "panel-grid" });
    if (tensor.name.length > 36) grid.append(make("p", { class: "where wide" }, tensor.name));  // cut in its row
    if (tensor.findings.length) {
      grid.append(make("div", { class: "card wide" }, make("ul", { class: "list" }, ...tensor.findings.map((finding) =>
        make("li", {}, mark(finding.severity),
             make("span", {}, sentence(finding.what) + " ", make("span", { class: "muted" }, finding.detail)))))));
    }
    if (tensor.histogram) grid.append(histogram(tensor));
    if (tensor.strip) grid.append(channels(tensor));
    if (tensor.codes) grid.append(codes(tensor));
    if (tensor.mean !== undefined) grid.append(facts(tensor));
    else grid.append(make("p", { class: "muted" }, tensor.unreadable ? "Not read." : "Left out of the page, which would be too large."));
    return grid;
  }

  // ---- the table ----
  const columns = [
    { key: "findings", title: "!", label: "findings", value: attention, descends: true,
      cell: (t) => gravest(t) ? mark(gravest(t)) : "" },
    { key: "name", title: "name", style: "name", value: (t) => t.name.toLowerCase(),
      cell: (t) => make("span", { class: "where clamp", title: t.name }, t.name) },
    { key: "type", title: "type", style: "optional", value: (t) => t.type, cell: (t) => t.type },
    { key: "shape", title: "shape", style: "narrow", value: (t) => t.elements, descends: true, cell: (t) => t.shape },
    { key: "distribution", title: "values", value: (t) => t.deviation, descends: true, cell: (t) => spark(t.histogram) },
    { key: "farthest", title: "max / σ", style: "number narrow", value: (t) => t.farthest, descends: true, cell: (t) => number(t.farthest) },
    { key: "zeros", title: "zeros", style: "number optional", value: (t) => t.zeros / t.elements, descends: true,
      cell: (t) => percent(t.zeros, t.elements) },
    { key: "bits", title: "unused bits", style: "number optional", value: (t) => t.codes && t.codes.mean_unused, descends: true,
      cell: (t) => t.codes ? t.codes.mean_unused.toFixed(1) : "" },
    { key: "int8", title: "int8 dB", style: "number narrow", value: (t) => orInfinity(t.int8_tensor_db), cell: (t) => decibels(t.int8_tensor_db) },
    { key: "int8c", title: "a channel", style: "number optional", value: (t) => orInfinity(t.int8_channel_db),
      cell: (t) => decibels(t.int8_channel_db) },
    { key: "output", title: "output dB", style: "number narrow", value: (t) => orInfinity(t.output_int4_db),
      cell: (t) => decibels(t.output_int4_db) },
  ].filter((column) => data.tensors.some((t) => column.value(t) !== undefined) || !data.tensors.length);
  const kRows = 300;  // in the document at once, until more are asked for
  const state = { sort: "findings", descending: true, filter: "", rows: kRows, open: null };
  data.tensors.forEach((tensor, index) => {
    tensor.index = index;
    tensor.text = [tensor.name, tensor.type, tensor.shape, ...tensor.findings.map((f) => f.kind + " " + f.what)].join(" ").toLowerCase();
  });

  function selected() {
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const column = columns.find((c) => c.key === state.sort), sign = state.descending ? -1 : 1;
    const missing = (value) => value === undefined || (typeof value === "number" && Number.isNaN(value));
    const order = (a, b) => {
      const x = column.value(a), y = column.value(b);
      const equal = b.elements - a.elements || a.index - b.index;
      if (missing(x) || missing(y)) return missing(x) - missing(y) || equal;
      return x < y ? -sign : x > y ? sign : equal;
    };
    return data.tensors.filter((t) => words.every((word) => t.text.includes(word))).sort(order);
  }

  function rowOf(tensor) {
    const row = make("tr", { class: "row", tabindex: "-1", "data-index": tensor.index, "aria-expanded": "false" });
    for (const column of columns) row.append(make("td", { class: column.style || "" }, column.cell(tensor)));
    row.addEventListener("click", () => toggle(row));
    return row;
  }

  const allRows = () => [...byId("rows").querySelectorAll("tr.row")];
  const rowFor = (index) => byId("rows").querySelector(`tr.row[data-index="${index}"]`);

  function close() {
    for (const open of byId("rows").querySelectorAll("tr.panel")) {
      open.previousElementSibling.setAttribute("aria-expanded", "false");
      open.remove();
    }
    state.open = null;
  }

  function toggle(row) {
    const index = Number(row.dataset.index), again = state.open === index;
    close();
    current(row);
    if (again) return;
    row.setAttribute("aria-expanded", "true");
    row.after(make("tr", { class: "panel" }, make("td", { colspan: columns.length }, panel(data.tensors[index]))));
    state.open = index;
  }

  // One row can be reached by Tab, the arrows move from there.
  function current(row) {
    for (const other of allRows()) other.tabIndex = -1;
    if (row) row.tabIndex = 0;
  }

  function render() {
    const tensors = selected(), open = state.open;
    byId("rows").replaceChildren(...tensors.slice(0, state.rows).map(rowOf));
    state.open = null;
    byId("shown").textContent = tensors.length === data.tensors.length ? String(tensors.length) : `${tensors.length} of ${data.tensors.length}`;
    byId("more-rows").hidden = tensors.length <= state.rows;
    byId("more-rows").textContent = `Show ${Math.min(kRows, tensors.length - state.rows)} more`;
    for (const head of byId("heads").children) {
      const sorted = head.dataset.key === state.sort;
      head.setAttribute("aria-sort", sorted ? (state.descending ? "descending" : "ascending") : "none");
    }
    current(allRows()[0]);
    const still = open === null ? null : rowFor(open);
    if (still) toggle(still);
  }

  function reveal(index) {
    if (!rowFor(index)) {
      state.filter = byId("filter").value = "";
      state.rows = Math.max(state.rows, selected().findIndex((t) => t.index === index) + 1);
      render();
    }
    const row = rowFor(index);
    if (state.open !== index) toggle(row);
    row.focus();
    row.scrollIntoView({ block: "start" });
  }

  function heads() {
    for (const column of columns) {
      const button = make("button", { type: "button" }, column.title);
      if (column.label) button.setAttribute("aria-label", column.label);
      button.addEventListener("click", () => {
        state.descending = state.sort === column.key ? !state.descending : Boolean(column.descends);
        state.sort = column.key;
        render();
      });
      byId("heads").append(make("th", { scope: "col", class: column.style || "", "data-key": column.key }, button));
    }
  }

  function keys(event) {
    const typing = event.target === byId("filter");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      byId("filter").focus();
      return;
    }
    if (event.key === "Escape") {
      const open = state.open;
      if (open !== null) {
        close();
        if (rowFor(open)) rowFor(open).focus();
      }
      return;
    }
    const rows = allRows(), row = event.target.closest && event.target.closest("tr.row");
    if (event.key === "ArrowDown" && typing && rows.length) {
      event.preventDefault();
      rows[0].focus();
      return;
    }
    if (!row || event.target !== row) return;
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined && rows[to]) {
      event.preventDefault();
      current(rows[to]);
      rows[to].focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(row);
    }
  }

  // ---- the rest of the page ----
  function tiles() {
    const sum = (value) => data.tensors.reduce((total, t) => total + (value(t) || 0), 0);
    const noise = data.tensors.map((t) => t.int8_tensor_db).filter((v) => typeof v === "number");
    const quantized = data.tensors.filter((t) => t.quantized).length;
    const grave = data.tensors.flatMap((t) => t.findings).filter((f) => f.severity !== "remark").length;
    const tile = (value, text) => byId("tiles").append(make("div", { class: "tile" }, make("b", {}, value), make("span", {}, text)));
    tile(count(data.elements), "elements");
    tile(bytes(data.bytes), "of weights");
    tile(String(grave), grave === 1 ? "finding worth a look" : "findings worth a look");
    tile(percent(sum((t) => t.zeros), sum((t) => t.elements)), "zeros");
    if (quantized) tile(String(quantized), quantized === 1 ? "quantized tensor" : "quantized tensors");
    if (noise.length) tile(Math.min(...noise).toFixed(1) + " dB", "the worst with one int8 scale");
  }

  function findings() {
    const all = data.tensors.flatMap((t) => t.findings.map((finding) => ({ tensor: t, finding })));
    all.sort((a, b) => ranks[b.finding.severity] - ranks[a.finding.severity] || b.finding.share - a.finding.share);
    const list = byId("findings"), more = byId("more-findings");
    const item = ({ tensor, finding }) => {
      const button = make("button", { type: "button" }, mark(finding.severity),
                          make("span", {}, sentence(finding.what) + " in ", make("span", { class: "where" }, tensor.name),
                               make("span", { class: "detail" }, finding.detail)));
      button.addEventListener("click", () => reveal(tensor.index));
      return make("li", {}, button);
    };
    const few = 8;
    list.append(...all.slice(0, few).map(item));
    if (!all.length) list.append(make("li", { class: "none" }, "Nothing stands out."));
    more.hidden = all.length <= few;
    more.textContent = `Show all ${all.length}`;
    more.addEventListener("click", () => {
      list.append(...all.slice(few).map(item));
      more.hidden = true;
      list.children[few].firstChild.focus();
    });
  }

  function theme() {
    const dark = () => document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const name = () => { byId("theme").textContent = dark() ? "Light" : "Dark"; };
    byId("theme").addEventListener("click", () => {
      document.documentElement.dataset.theme = dark() ? "light" : "dark";
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
  }

  byId("file").textContent = data.file;
  document.title = data.file + " · whit inspect";
  byId("about").textContent = `${data.format}, ${data.tensors.length} tensors, ${count(data.elements)} elements, ${bytes(data.bytes)}`;
  if (data.cut) byId("cut").textContent = data.cut, byId("cut").hidden = false;
  theme();
  tiles();
  findings();
  heads();
  render();
  byId("filter").addEventListener("input", (event) => {
    state.filter = event.target.value;
    state.rows = kRows;
    render();
  });
  byId("more-rows").addEventListener("click", () => {
    state.rows += kRows;
    render();
  });
  document.addEventListener("keydown", keys);
})();
