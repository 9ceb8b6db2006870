// Put behind the script of a page of `whit inspect --html` by page_test.py: uses the page as a reader does, and posts what is
// wrong to the window around it.
"use strict";
(() => {
  const wrong = [];
  const check = (holds, what) => { if (!holds) wrong.push(what); };
  const byId = (id) => document.getElementById(id);
  const rows = () => [...document.querySelectorAll("tr.row")];
  const names = () => rows().map((row) => row.querySelector("td.name").textContent);
  const head = (key) => document.querySelector(`th[data-key="${key}"]`);
  const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const data = JSON.parse(byId("data").textContent);

  function hostileNames() {
    check(window.pwned === undefined, "a name was run as a script");
    check(document.querySelectorAll("img, iframe, b.evil").length === 0, "a name became an element");
    const listed = new Set(names());
    for (const tensor of data.tensors) check(listed.has(tensor.name), "not listed as it is: " + JSON.stringify(tensor.name));
  }

  function sorting() {
    const button = head("name").querySelector("button");
    button.click();
    const up = names(), sorted = [...up].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    check(up.join("|") === sorted.join("|"), "names are not sorted");
    check(head("name").getAttribute("aria-sort") === "ascending", "aria-sort does not say ascending");
    button.click();
    check(names().join("|") === sorted.reverse().join("|"), "names are not sorted the other way round");
    head("shape").querySelector("button").click();
    const sizes = rows().map((row) => data.tensors[row.dataset.index].elements);
    check(sizes.every((size, i) => i === 0 || size <= sizes[i - 1]), "sizes are not descending");
  }

  function filter() {
    const field = byId("filter"), set = (text) => {
      field.value = text;
      field.dispatchEvent(new Event("input"));
    };
    set("dead_channels");
    check(names().join() === "dead", "the filter leaves " + names().join());
    check(byId("shown").textContent === `1 of ${data.tensors.length}`, "the filter counts " + byId("shown").textContent);
    set("no such tensor");
    check(rows().length === 0, "the filter leaves rows that do not fit");
    set("");
    check(rows().length === data.tensors.length, "the filter does not give all rows back");
  }

  function panel() {
    const row = rows().find((r) => r.querySelector("td.name").textContent === "dead");
    row.click();
    const open = row.nextElementSibling;
    check(open.classList.contains("panel") && row.getAttribute("aria-expanded") === "true", "a click opens no panel");
    check(open.textContent.includes("2 dead channels"), "the panel does not tell its findings");
    check(open.querySelector("svg.strip path.density") !== null, "the panel has no strip of channels");
    const heights = () => [...open.querySelectorAll("svg.histogram rect")].map((bar) => bar.getAttribute("height")).join();
    const linear = heights();
    open.querySelector('[data-scale="log"]').click();
    check(heights() !== linear, "the logarithmic scale changes nothing");
    check(open.querySelector('[data-scale="log"]').getAttribute("aria-pressed") === "true", "the scale is not marked");
    row.click();
    check(document.querySelector("tr.panel") === null, "a second click closes nothing");
    const codes = rows().find((r) => r.querySelector("td.name").textContent === "codes");
    codes.click();
    check(codes.nextElementSibling.querySelectorAll("svg.codes rect").length > 10, "codes have no chart");
    codes.click();
  }

  function keyboard() {
    const all = rows();
    check(all.filter((row) => row.tabIndex === 0).length === 1, "Tab must reach one row");
    all[0].focus();
    press("ArrowDown");
    check(document.activeElement === all[1], "ArrowDown does not move");
    press("ArrowUp");
    check(document.activeElement === all[0], "ArrowUp does not move");
    press("End");
    check(document.activeElement === all[all.length - 1], "End does not move");
    press("Enter");
    check(all[all.length - 1].nextElementSibling !== null, "Enter opens no panel");
    check(getComputedStyle(document.activeElement).outlineStyle !== undefined, "focus cannot be seen");
    press("Escape");
    check(document.querySelector("tr.panel") === null, "Escape closes nothing");
    press("/");
    check(document.activeElement === byId("filter"), "/ does not go to the filter");
  }

  function findings() {
    byId("findings").querySelector("button").click();
    check(document.querySelector("tr.panel") !== null, "a finding opens no panel");
    check(document.activeElement.classList.contains("row"), "a finding does not move the focus");
    press("Escape");
  }

  function theme() {
    const colour = () => getComputedStyle(document.body).backgroundColor, before = colour();
    byId("theme").click();
    check(colour() !== before, "the theme does not change");
    byId("theme").click();
    check(colour() === before, "the theme does not change back");
  }

  // Nothing is wider than the window, and no text runs out of its cell.
  function width() {
    rows()[0].click();
    const root = document.documentElement;
    check(root.scrollWidth <= root.clientWidth, `${root.scrollWidth} pixels in a window of ${root.clientWidth}`);
    for (const node of document.querySelectorAll(".scroller, .card, .findings, th, td, dd, dt, h1, .tile, .findings button, .axis")) {
      check(node.scrollWidth <= node.clientWidth + 1, `text runs out of ${node.tagName} ${node.className}: ${node.textContent.slice(0, 40)}`);
    }
    rows()[0].click();
  }

  try {
    for (const part of [hostileNames, sorting, filter, panel, keyboard, findings, theme, width]) part();
  } catch (error) {
    wrong.push(String(error.stack));
  }
  window.parent.postMessage(wrong, "*");
})();
