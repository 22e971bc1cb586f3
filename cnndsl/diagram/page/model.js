// The model as written by model.py → nets and items that know what is around them.

function readModel(raw) {
  const facts = readFacts(raw.facts);
  const root = readNet(raw.net, null, 1, facts);
  return { ...raw, root, facts };
}

function readFacts({ ops, nodes, lines }) {
  return nodes.map(([path, op, inputs, shape, params, macs, bytes, line, train, gone]) => {
    const [name, args] = ops[op];
    const costs = { params, macs, bytes, train, gone };
    return { path, name, args, inputs, shape, ...costs, line: lines[line], lines };
  });
}

// `owner` is the item that the net shows, and `form` the state of it in which it does.
function readNet(raw, owner, form, facts) {
  const net = { ...raw, owner, form, breaks: [], block: null };
  net.wires = raw.wires.map(([source, target, value, link, way]) => {
    return { source, target, value, link, way };
  });
  net.items = new Map(raw.items.map((item) => [item.id, readItem(item, net, facts)]));
  return net;
}

function readItem(raw, around, facts) {
  const item = { ...raw, around, element: null };
  item.ids = raw.nodes.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
  item.sums = { params: 0, macs: 0, bytes: 0 };
  for (const id of item.ids) {
    if (facts[id].gone && raw.mark !== "removed") continue;
    for (const name in item.sums) {
      // What inference does without costs it nothing.
      if (name !== "macs" || !facts[id].train || raw.train) item.sums[name] += facts[id][name];
    }
  }
  item.titleWidth = raw.title ? raw.title[2] : 0;
  item.net = raw.net ? readNet(raw.net, item, 1, facts) : null;
  item.units = raw.units ? readNet(raw.units, item, 2, facts) : null;
  return item;
}

// Every item that there is, in whatever is closed too.
function* allItems(net) {
  for (const item of net.items.values()) {
    yield item;
    if (item.net) yield* allItems(item.net);
    if (item.units) yield* allItems(item.units);
  }
}

// The items that show, in the order in which they run.
function* visibleItems(net) {
  for (const item of net.items.values()) {
    yield item;
    if (inner(item)) yield* visibleItems(inner(item));
  }
}

// Marks what an item is in as changed, so that it is laid out again.
function changed(item) {
  for (let net = item.around; net; net = net.owner && net.owner.around) net.block = null;
}

function setState(item, state) {
  if (item.state === state) return false;
  item.state = state;
  item.element = null;
  changed(item);
  return true;
}

// Opens all that is around an item.
function uncover(item) {
  for (let net = item.around; net.owner; net = net.owner.around) setState(net.owner, net.form);
}

// The box of a node; a repetition but for the first is shown with the others.
function boxOf(net, node) {
  const item = [...net.items.values()].find((one) => one.ids.includes(node));
  if (!item || !(item.net || item.units)) return item;
  if (!item.units) return boxOf(item.net, node);
  const units = [...item.units.items.values()];
  const period = units.length / item.times;
  const first = units.slice(0, period).some((unit) => unit.ids.includes(node));
  if (first && item.state !== 2) return item.net ? boxOf(item.net, node) : item;
  return boxOf(item.units, node);
}
