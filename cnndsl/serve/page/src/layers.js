// The table of layers: sortable, its rows lead to the text.

const COLUMNS = [
  { name: "path", of: (row) => row.path },
  { name: "op", of: (row) => `${row.op} ${row.brief}`.trim() },
  { name: "output", of: (row) => shape(row), by: (row) => size(row.output ?? []) },
  { name: "params", of: (row) => figure(row.params), by: (row) => row.params, number: true },
  { name: "macs", of: (row) => figure(row.macs), by: (row) => row.macs, number: true },
];

// Of the layer that fails, how its size comes about stands there too.
const shape = ({ output, fails }) => [output?.join("×"), fails].filter(Boolean).join(": ");
const figure = (number) => (number ? number.toLocaleString("en") : "");
const size = (shape) => shape.reduce((a, b) => a * b, 1);

function cell(tag, text, number) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (number) element.className = "number";
  return element;
}

export class Layers {
  // `chosen` is called with the path of a row that is clicked.
  constructor(element, chosen) {
    this.element = element;
    this.rows = [];
    this.lines = new Map();
    this.sort = null; // { column, down }
    this.chosen = chosen;
    element.addEventListener("click", (event) => this.click(event));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.click(event);
    });
  }

  show(rows) {
    this.rows = rows;
    if (!this.element.hidden) this.draw();
    else this.element.replaceChildren();
  }

  reveal() {
    if (!this.element.firstChild) this.draw();
  }

  draw() {
    const table = document.createElement("table");
    const most = { params: 1, macs: 1 };
    for (const name of ["params", "macs"]) {
      for (const row of this.rows) most[name] = Math.max(most[name], row[name]);
    }
    const body = document.createElement("tbody");
    this.lines.clear();
    for (const row of this.sorted()) {
      const line = this.line(row, most);
      this.lines.set(row.path, line);
      body.append(line);
    }
    const head = document.createElement("thead");
    head.append(this.heading());
    table.append(head, body);
    const { scrollTop } = this.element;
    this.element.replaceChildren(table);
    this.element.scrollTop = scrollTop;
  }

  heading() {
    const line = document.createElement("tr");
    COLUMNS.forEach(({ name, number }, index) => {
      const head = cell("th", name, number);
      head.scope = "col";
      head.tabIndex = 0;
      head.dataset.column = index;
      const { column, down } = this.sort ?? {};
      head.ariaSort = column === index ? (down ? "descending" : "ascending") : "none";
      line.append(head);
    });
    return line;
  }

  line(row, most) {
    const line = document.createElement("tr");
    line.dataset.path = row.path;
    line.classList.toggle("fails", Boolean(row.fails));
    line.tabIndex = -1;
    for (const { name, of, number } of COLUMNS) {
      const found = cell("td", of(row), number);
      if (number && row[name]) {
        found.classList.add("share");
        found.style.setProperty("--share", `${(100 * row[name]) / most[name]}%`);
      }
      line.append(found);
    }
    return line;
  }

  sorted() {
    if (!this.sort) return this.rows;
    const { column, down } = this.sort;
    const key = COLUMNS[column].by ?? COLUMNS[column].of;
    const compare = (a, b) =>
      typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    const sorted = [...this.rows].sort((a, b) => compare(key(a), key(b)));
    return down ? sorted.reverse() : sorted;
  }

  // Marks the rows of these paths.
  mark(paths) {
    for (const [path, line] of this.lines) line.classList.toggle("on", paths.has(path));
  }

  click(event) {
    const head = event.target.closest("th");
    if (head) {
      const column = Number(head.dataset.column);
      const numeric = Boolean(COLUMNS[column].number);
      const same = this.sort?.column === column;
      if (!same) this.sort = { column, down: numeric };
      else this.sort = this.sort.down === numeric ? { column, down: !numeric } : null;
      this.draw();
      return;
    }
    const line = event.target.closest("tr");
    if (line) this.chosen(line.dataset.path);
  }
}
