// What is told about the box under the pointer or in focus.

class Card {
  constructor(model, element) {
    this.model = model;
    this.element = element;
    this.item = null;
    this.pinned = false;
    element.addEventListener("pointerleave", () => this.leave());
  }

  // Shows an item beside a place on the screen.
  tell(item, x, y) {
    if (item !== this.item) {
      this.item = item;
      this.element.replaceChildren(...cardContent(item, this.model));
    }
    this.element.hidden = false;
    const { width, height } = this.element.getBoundingClientRect();
    const left = x + 18 + width < innerWidth ? x + 18 : Math.max(4, x - width - 18);
    this.element.style.left = `${left}px`;
    this.element.style.top = `${Math.max(4, Math.min(y + 10, innerHeight - height - 4))}px`;
  }

  leave() {
    if (!this.pinned) this.element.hidden = true;
  }

  close() {
    this.pinned = false;
    this.element.hidden = true;
  }
}

function html(name, text = "", kind = "") {
  const element = document.createElement(name);
  if (text !== "") element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function cardContent(item, model) {
  const { facts } = model;
  const nodes = item.ids.map((id) => facts[id]);
  const count = nodes.length / item.times;
  const block = item.net && item.block && item.block[0];
  const heading = html("h2", item.id.replace(/^(run|output)\//, ""));
  const content = [heading];
  if (item.times > 1) content.push(html("p", `${item.times} times; the figures are of all`));
  if (item.mark) content.push(html("p", item.mark));
  if (item.train) content.push(html("p", "in training only"));
  if (item.net && item.block) content.push(...blockRows(item, block, nodes));
  else for (const node of nodes.slice(0, count)) content.push(...nodeRows(node, count > 1));
  if (nodes.length) content.push(costRows(item, nodes, model));
  return content;
}

function blockRows(item, block, nodes) {
  const [, values, line] = item.block;
  const rows = [["block", block || "scope"], ["in it", `${nodes.length} nodes`]];
  rows.push(["output", item.lines[0][2]]);
  for (const [name, value] of values) rows.push([name, value]);
  return [table(rows), ...lineRows(nodes[0].lines[line])];
}

// An op with its arguments, those at their defaults in grey, its shapes and its line in the spec.
function nodeRows(node, several) {
  const title = html("p", "", "op");
  title.append(html("b", node.name));
  if (several) title.append(`  ${node.path}`);
  const values = html("p", "", "values");
  for (const [name, value, given] of node.args) {
    values.append(html("span", `${name} ${value}`, given ? "" : "default"), " ");
  }
  const shapes = node.inputs.length ? `${node.inputs.join(", ")} → ${node.shape}` : node.shape;
  const rows = [title, values, html("p", shapes, "shapes"), ...lineRows(node.line)];
  return rows.filter((row) => row.childNodes.length);
}

function lineRows([place, text]) {
  const paragraph = html("p", `${place}  `);
  paragraph.append(html("code", text));
  return [paragraph];
}

function costRows(item, nodes, model) {
  const whole = { params: 0, macs: 0, bytes: 0 };
  for (const fact of model.facts) {
    if (fact.gone) continue;
    whole.params += fact.params;
    whole.bytes += fact.bytes;
    if (!fact.train) whole.macs += fact.macs;
  }
  const share = (name) => {
    const part = whole[name] && item.mark !== "removed" ? item.sums[name] / whole[name] : 0;
    return part ? ` (${percent(part)})` : "";
  };
  return table([
    ["parameters", grouped(item.sums.params) + share("params")],
    ["multiply-adds", grouped(item.sums.macs) + (item.train ? " in training" : share("macs"))],
    ["activation memory", memory(item.sums.bytes) + share("bytes")],
  ]);
}

function table(rows) {
  const element = html("table");
  for (const [name, value, kind] of rows) {
    const row = html("tr", "", kind);
    row.append(html("td", name), html("td", value));
    element.append(row);
  }
  return element;
}

function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

function percent(share) {
  if (!share) return "–";
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

// Bytes as the command line tells them: three digits and a unit (cnndsl/amounts.py).
function memory(bytes) {
  const how = { maximumSignificantDigits: 3, roundingMode: "halfEven", useGrouping: false };
  const exact = Number(new Intl.NumberFormat("en", how).format(bytes));
  const units = { TB: 1e12, GB: 1e9, MB: 1e6, kB: 1e3 };
  for (const [unit, size] of Object.entries(units)) {
    const share = exact / size;
    if (share >= 1) return `${share.toFixed(share < 10 ? 2 : share < 100 ? 1 : 0)} ${unit}`;
  }
  return `${bytes} B`;
}
