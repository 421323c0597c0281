// Tables of a report: a click on a head sorts, typing filters. Without it everything is there to read.
"use strict";

const value = (row, column) => {
  const text = (row.cells[column]?.firstChild?.textContent ?? "").trim();
  const number = Number.parseFloat(text);
  return text === "∞" ? Infinity : Number.isNaN(number) ? text : number;
};

const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return a.localeCompare(b);
  return typeof a === "number" ? -1 : 1; // What is absent comes last.
};

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  if (table.tBodies.length > 1 || body.rows.length < 2) continue;
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

const filter = document.getElementById("filter");
filter.closest("#search").hidden = false;
filter.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase().split(/\s+/);
  for (const row of document.querySelectorAll("tbody tr, .album figure, .key li")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
  }
});

const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) target.toggleAttribute("data-scrolls", target.scrollWidth > target.clientWidth + 1);
});
for (const box of document.querySelectorAll(".scroll")) boxes.observe(box);

// A link into what is folded unfolds it.
const unfold = () => {
  let folded = document.getElementById(location.hash.slice(1))?.closest("details");
  for (; folded; folded = folded.parentElement.closest("details")) folded.open = true;
};
addEventListener("hashchange", unfold);
unfold();
