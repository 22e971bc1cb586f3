// Places → the lines of wires, and where columns begin. The same as routes.py and columns.py.

const NEAR = 0.5;

// The lines of a net in the order they are drawn: their points, link and whether an arrow ends them.
function netLines(layout, net) {
  const found = new Map();
  net.wires.forEach((wire, number) => {
    const points = linePoints(layout, net, wire, number);
    const id = points.join(" ");
    if (found.has(id)) return;
    const item = net.items.get(wire.target);
    const arrow = Boolean(item && !inner(item));
    found.set(id, { wire, points, arrow, curved: wire.way === "web" });
  });
  return [...found.values()].sort((a, b) => b.wire.link - a.wire.link);
}

function linePoints(layout, net, wire, number) {
  const block = net.block;
  const start = lineStart(layout, net, wire);
  const end = lineEnd(layout, net, wire);
  const [a, b] = [[start.x, start.y], [end.x, end.y]];
  const jump = block.jumps[wire.target];
  if (jump && wire.way === "straight") {
    const [lower, turn, upper] = jump;
    return clean([a, [a[0], lower], [turn, lower], [turn, upper], [b[0], upper], b]);
  }
  switch (wire.way) {
    case "web":
      return crossing(layout, net, wire, number, a, b);
    case "lane": {
      const lane = block.lanes[number];
      const ending = lineEnding(net, lane, wire.target, end);
      return clean([a, [a[0], start.turn], [lane, start.turn], ...ending]);
    }
    case "out":
      return clean([a, [a[0], start.turn], [b[0], start.turn], b]);
    case "side":
      return clean([a, ...lineEnding(net, a[0], wire.target, end)]);
    default:
      return clean([a, [a[0], end.turn], [b[0], end.turn], b]);
  }
}

function lineStart(layout, net, wire) {
  const { BELOW, BELOW_TITLE, LEVEL } = layout.sizes;
  const spot = net.block.spots.get(wire.source);
  const y = spot.y + spot.length;
  if (isPort(wire.source)) {
    return { x: spot.x, y, turn: y + (layout.across ? BELOW : BELOW_TITLE) };
  }
  const open = openNet(net, wire.source);
  if (!open) return { x: spot.x + spot.out, y, turn: y + BELOW };
  const level = open.exits.indexOf(wire.value);
  const port = open.block.spots.get(`out/${wire.value}`);
  return { x: spot.x + port.x, y, turn: y + BELOW + LEVEL * level };
}

function lineEnd(layout, net, wire) {
  const { ABOVE, LEVEL } = layout.sizes;
  const spot = net.block.spots.get(wire.target);
  const open = openNet(net, wire.target);
  if (!open) {
    return { x: spot.x, y: spot.y, turn: spot.y - (isPort(wire.target) ? LEVEL : ABOVE) };
  }
  const level = open.entries.indexOf(wire.value);
  const port = open.block.spots.get(`in/${wire.value}`);
  return { x: spot.x + port.x, y: spot.y, turn: spot.y - ABOVE - LEVEL * level };
}

function lineEnding(net, x, target, end) {
  const spot = net.block.spots.get(target);
  const item = net.items.get(target);
  if (item && !inner(item) && x > spot.x + spot.right + NEAR) {
    const middle = spot.y + spot.length / 2;
    return [[x, middle], [spot.x + spot.right, middle]];
  }
  return [[x, end.turn], [end.x, end.turn], [end.x, end.y]];
}

function crossing(layout, net, wire, number, a, b) {
  const below = isPort(wire.source) ? layout.belowTitle() : 0;
  const floor = net.block.floors[wire.source] ?? a[1] + below;
  const turns = floor > a[1] ? [[a[0], floor]] : [];
  for (const key of net.vias[number] ?? []) {
    const spot = net.block.spots.get(key);
    turns.push([spot.x, spot.y], [spot.x, spot.y + spot.length]);
  }
  return [a, ...turns, b];
}

function clean(points) {
  const found = [];
  for (const [x, y] of points) {
    const last = found[found.length - 1];
    if (last && Math.abs(last[0] - x) < NEAR && Math.abs(last[1] - y) < NEAR) continue;
    while (found.length > 1 && inLine(found[found.length - 2], found[found.length - 1], [x, y])) {
      found.pop();
    }
    found.push([x, y]);
  }
  return found;
}

function inLine(a, b, c) {
  const along = (i) => Math.abs(a[i] - b[i]) < NEAR && Math.abs(b[i] - c[i]) < NEAR;
  return along(0) || along(1);
}

// --- columns ---

// Sets the breaks of all nets for what is open now, or clears them where one column will do.
function arrangeColumns(layout, root) {
  const { SHORTER, MAX_COLUMNS, MAX_OUTER, WIDER } = layout.sizes;
  const page = layout.page ?? (layout.across ? layout.sizes.ACROSS : layout.sizes.DOWN);
  setBreaks(root, new Map());
  const whole = layout.net(root);
  const length = whole.length;
  if (length <= Math.max(page.short, page.longest * (whole.left + whole.right))) return;
  const candidates = columnCandidates(layout, root);
  let best = null;
  const attempt = (breaks) => {
    setBreaks(root, breaks);
    const block = layout.net(root);
    let columns = 1;
    for (const places of breaks.values()) columns += places.length;
    const breadth = block.left + block.right;
    const large = Math.max(breadth, block.length / page.goal) * (1 + WIDER * columns);
    if (block.length <= SHORTER * length && (!best || large < best.large)) best = { large, breaks };
  };
  for (const net of candidates) {
    for (let count = 2; count <= MAX_COLUMNS; count++) {
      const breaks = columnBreaks(layout, root, net, count, new Map());
      attempt(breaks);
      for (let outer = 2; net !== root && outer <= MAX_OUTER; outer++) {
        attempt(new Map([...breaks, ...columnBreaks(layout, root, root, outer, breaks)]));
      }
    }
  }
  setBreaks(root, best ? best.breaks : new Map());
}

function setBreaks(root, breaks) {
  const visit = (net) => {
    let changed = false;
    for (const item of net.items.values()) {
      const below = inner(item);
      if (below && visit(below)) changed = true;
    }
    const wanted = breaks.get(net) ?? [];
    if (String(wanted) !== String(net.breaks)) {
      net.breaks = wanted;
      changed = true;
    }
    if (changed) net.block = null;
    return changed;
  };
  visit(root);
}

function columnCandidates(layout, root) {
  const { MOST, MAX_NETS } = layout.sizes;
  const found = [];
  for (let net = root; found.length < MAX_NETS; ) {
    found.push(net);
    const block = layout.net(net);
    let longest = null;
    for (const part of net.parts) {
      const open = typeof part === "string" && openNet(net, part);
      if (open && (!longest || open.block.length > longest.block.length)) longest = open;
    }
    if (!longest || longest.block.length < MOST * block.length) break;
    net = longest;
  }
  return found;
}

function columnBreaks(layout, root, net, columns, given) {
  setBreaks(root, given);
  layout.net(root);
  const block = net.block;
  const single = new Map();
  for (const wire of net.wires) {
    const ends = `${wire.source} ${wire.target}`;
    single.set(ends, (single.get(ends) ?? 0) + 1);
  }
  const places = [];
  for (let i = 1; i < net.parts.length; i++) {
    const ends = [net.parts[i - 1], net.parts[i]];
    if (ends.some((end) => typeof end !== "string" || isPort(end))) continue;
    if (single.get(ends.join(" ")) === 1) places.push(i);
  }
  const tops = places.map((place) => block.spots.get(net.parts[place]).y);
  let [low, high, best] = [0, block.length, []];
  for (let i = 0; i < 24; i++) {
    const middle = (low + high) / 2;
    const found = fillColumns(places, tops, block.length, middle);
    if (found && found.length < columns) [best, high] = [found, middle];
    else low = middle;
  }
  const ends = [0, ...best.map((place) => block.spots.get(net.parts[place]).y), block.length];
  const lengths = ends.slice(1).map((end, i) => end - ends[i]);
  const even = Math.min(...lengths) >= layout.sizes.LEAST * Math.max(...lengths);
  return new Map(best.length && even ? [[net, best]] : []);
}

function fillColumns(places, tops, length, limit) {
  const found = [];
  let start = 0;
  for (let i = 0; i < places.length; i++) {
    const end = i + 1 < places.length ? tops[i + 1] : length;
    if (end - start > limit && tops[i] > start) {
      found.push(places[i]);
      start = tops[i];
    }
    if (end - start > limit) return null;
  }
  return found;
}
