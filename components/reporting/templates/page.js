// A click on a heading sorts its table; a link leads to its section; printing opens what is folded.
const NUMBER = /^[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?/i;
const words = new Intl.Collator("en", { numeric: true });

function value(row, index) {
  const text = row.cells[index].textContent.trim();
  const found = text.match(NUMBER);
  return { text, number: found ? Number(found[0].replaceAll(",", "")) : NaN };
}

function sort(table, index, heading) {
  const down = heading.ariaSort === "ascending";
  const rows = [...table.tBodies[0].rows].map(row => ({ row, ...value(row, index) }));
  const full = rows.filter(each => each.text);
  const numeric = full.every(each => !Number.isNaN(each.number));
  full.sort((a, b) => (numeric ? a.number - b.number : words.compare(a.text, b.text)));
  if (down) full.reverse();
  const empty = rows.filter(each => !each.text); // last, whichever way
  table.tBodies[0].append(...[...full, ...empty].map(each => each.row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.ariaSort = down ? "descending" : "ascending";
}

for (const heading of document.querySelectorAll("thead th")) {
  const index = heading.cellIndex;
  heading.querySelector("button").addEventListener("click", () =>
    sort(heading.closest("table"), index, heading));
}

// A sandboxed frame, as MLflow shows a page in, follows no link by itself.
for (const link of document.querySelectorAll("nav a")) {
  link.addEventListener("click", () =>
    document.getElementById(link.hash.slice(1)).scrollIntoView());
}

const folded = document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => folded.forEach(each => { each.open = true; }));
addEventListener("afterprint", () => folded.forEach(each => { each.open = false; }));
