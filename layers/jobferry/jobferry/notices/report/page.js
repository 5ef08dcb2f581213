"use strict";
// Sorting, searching and paging of the lists, and copying of commands. Without it the page has everything, only longer.
const PAGE = 50;
// So few rows are seen at a glance.
const FEW = 10;
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const number = new Intl.NumberFormat("en-US");

function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function enhance(list) {
  const table = list.querySelector("table");
  const body = table.tBodies[0];
  const original = [...body.rows];
  const texts = new Map();
  const controls = list.querySelector(".controls");
  const search = controls.querySelector("input");
  const selects = [...controls.querySelectorAll("select")];
  const status = controls.querySelector(".status");
  const pages = list.querySelector(".pages");
  let order = original;
  let limit = PAGE;

  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };

  function matches(row, words) {
    const chosen = selects.every(({ name, value }) => {
      if (!value) return true;
      return name === "show" ? row.classList.contains(value) : row.dataset.r.split(" ").includes(value);
    });
    return chosen && words.every((word) => textOf(row).includes(word));
  }

  function update() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of order) {
      const fits = matches(row, words);
      if (fits) found += 1;
      row.classList.toggle("out", !fits);
      row.classList.toggle("more", fits && found > limit);
    }
    const shown = Math.min(found, limit);
    const of = found === original.length ? number.format(found) : `${number.format(found)} that match`;
    status.textContent = found ? `Showing ${number.format(shown)} of ${of}.` : "Nothing matches.";
    pages.hidden = shown === found;
  }

  function sort(header, headers) {
    const next = { ascending: "descending", descending: "" }[header.getAttribute("aria-sort") ?? ""] ?? "ascending";
    for (const each of headers) each.removeAttribute("aria-sort");
    order = original;
    if (next) {
      header.setAttribute("aria-sort", next);
      const column = header.cellIndex;
      const sign = next === "ascending" ? 1 : -1;
      const keys = new Map(original.map((row) => [row, row.cells[column].dataset.s ?? row.cells[column].textContent]));
      order = [...original].sort((one, other) => sign * collator.compare(keys.get(one), keys.get(other)));
    }
    body.append(...order);
    update();
  }

  function grow(by) {
    const before = limit;
    limit += by;
    update();
    // Whoever came by keyboard goes on reading where the list went on.
    const first = order.filter((row) => !row.classList.contains("out"))[before];
    first.tabIndex = -1;
    first.focus({ preventScroll: true });
  }

  const headers = [...table.tHead.rows[0].cells];
  for (const header of headers) {
    const sorter = button(header.textContent, () => sort(header, headers));
    header.replaceChildren(sorter);
  }
  pages.append(button(`Show ${PAGE} more`, () => grow(PAGE)), button("Show all", () => grow(original.length)));
  let waiting;
  const start = () => { limit = PAGE; update(); };
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(start, 120); });
  for (const select of selects) select.addEventListener("change", start);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = original.length <= FEW;
  update();
  return { selects, search, start };
}

for (const list of document.querySelectorAll(".list")) {
  const enhanced = enhance(list);
  const reasons = enhanced.selects.find((select) => select.name === "reason");
  if (!reasons) continue;
  for (const cell of document.querySelectorAll("[data-reason]")) {
    const show = button("Show jobs", () => {
      for (const select of enhanced.selects) select.value = "";
      enhanced.search.value = "";
      reasons.value = cell.dataset.reason;
      enhanced.start();
      list.scrollIntoView();
      reasons.focus({ preventScroll: true });
    });
    show.setAttribute("aria-describedby", cell.dataset.by);
    cell.append(show);
  }
}

for (const command of document.querySelectorAll(".command")) {
  const text = command.querySelector("pre");
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text); // not allowed to: then by hand
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  command.append(copy);
}
