// Search by path: of nodes and of blocks, open or not.

const MOST_FOUND = 12;

class Finder {
  constructor(model, input, list, reveal) {
    this.input = input;
    this.list = list;
    this.reveal = reveal;
    this.entries = searchEntries(model);
    this.hits = [];
    this.chosen = -1;
    input.addEventListener("input", () => this.search());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.open(false));
    list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const line = event.target.closest("li");
      if (line) this.choose([...list.children].indexOf(line));
    });
  }

  search() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (entry) => words.every((word) => entry.key.includes(word));
    this.hits = words.length ? this.entries.filter(fits) : [];
    const exact = this.input.value.trim().toLowerCase();
    this.hits.sort((a, b) => (b.key === exact) - (a.key === exact));
    this.chosen = -1;
    const shown = this.hits.slice(0, MOST_FOUND).map((entry) => {
      const line = html("li", entry.path);
      line.setAttribute("role", "option");
      line.append(html("span", `  ${entry.what}`));
      return line;
    });
    const more = this.hits.length - shown.length;
    if (more > 0) shown.push(html("li", `and ${more} more`));
    if (words.length && !this.hits.length) shown.push(html("li", "no such path"));
    this.list.replaceChildren(...shown);
    this.open(words.length > 0);
  }

  key(event) {
    const { key } = event;
    if (key === "Enter" && this.hits.length) this.choose(this.chosen + (event.shiftKey ? -1 : 1));
    else if (key === "ArrowDown" && this.hits.length) this.choose(this.chosen + 1);
    else if (key === "ArrowUp" && this.hits.length) this.choose(this.chosen - 1);
    else if (key === "Escape") this.leave();
    else return;
    event.preventDefault();
  }

  choose(index) {
    this.chosen = (index + this.hits.length) % this.hits.length;
    [...this.list.children].forEach((line, i) => {
      line.setAttribute("aria-selected", String(i === this.chosen));
    });
    this.reveal(this.hits[this.chosen]);
  }

  open(open) {
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
  }

  leave() {
    this.input.value = "";
    this.search();
    this.input.blur();
    this.reveal(null);
  }
}

// Nodes and blocks by their paths, in the order in which they run.
function searchEntries(model) {
  const entries = new Map();
  for (const item of allItems(model.root)) {
    const path = item.id.replace(/^(run|output)\//, "");
    if (item.net && !entries.has(path)) {
      const what = (item.block && item.block[0]) || "block";
      entries.set(path, { path, key: path.toLowerCase(), what, item });
    }
  }
  model.facts.forEach(({ path, name }, node) => {
    if (!entries.has(path)) entries.set(path, { path, key: path.toLowerCase(), what: name, node });
  });
  return [...entries.values()];
}
