// Structure → places. The same as geometry.py, where the words are explained; a test compares them.
//
// A net has `items` by key, `parts`, `heads`, `wires` with their `ways`, and `breaks`, the parts with
// which its columns begin. An item is closed, open or unfolded: `inner(item)` is the net that shows.

const isPort = (key) => key.startsWith("in/") || key.startsWith("out/");
const isVia = (key) => key.startsWith("via/");
const inner = (item) => (item.state === 2 ? item.units : item.state === 1 ? item.net : null);

function emptyBlock() {
  return { left: 0, right: 0, length: 0, out: 0, spots: new Map(), lanes: {}, floors: {}, jumps: {} };
}

function take(block, other, x, y) {
  for (const [key, s] of other.spots) block.spots.set(key, { ...s, x: s.x + x, y: s.y + y });
  for (const number in other.lanes) block.lanes[number] = other.lanes[number] + x;
  for (const key in other.floors) block.floors[key] = other.floors[key] + y;
  block.left = Math.max(block.left, other.left - x);
  block.right = Math.max(block.right, other.right + x);
  block.length = Math.max(block.length, other.length + y);
}

class Layout {
  constructor(sizes, across) {
    this.sizes = sizes;
    this.across = across;
    this.page = null; // the proportions that columns are to have, if not the usual ones
  }

  // The block of a net; it is kept until the net is `changed`.
  net(net) {
    if (net.block) return net.block;
    this.evenWidths(net);
    const bounds = [0, ...net.breaks, net.parts.length];
    const chunks = bounds.slice(1).map((end, i) => net.parts.slice(bounds[i], end));
    const columns = chunks.map((chunk) => this.sequence(net, chunk, net.heads));
    const title = net.owner && !this.across ? net.owner.titleWidth : 0;
    const block = columns.length === 1 ? columns[0] : this.columns(columns, chunks, title);
    for (const [key, spot] of block.spots) {
      if (key.startsWith("in/")) spot.y = 0;
      if (key.startsWith("out/")) spot.y = block.length;
    }
    net.block = block;
    return block;
  }

  evenWidths(net) {
    const large = [...net.items.values()].filter((item) => !inner(item) && item.stripe);
    const width = Math.max(0, ...large.map((item) => item.w));
    for (const item of net.items.values()) {
      item.width = !this.across && !inner(item) && item.stripe ? width : item.w;
    }
  }

  leaf(net, key) {
    const item = net.items.get(key);
    let spot = { x: 0, y: 0, left: 0, right: 0, length: 0, out: 0 };
    if (item && inner(item)) {
      spot = this.group(item);
    } else if (item) {
      const [w, h] = this.across ? [item.h, item.width] : [item.width, item.h];
      spot = { ...spot, left: w / 2, right: w / 2, length: h };
    }
    const { left, right, length, out } = spot;
    return { ...emptyBlock(), left, right, length, out, spots: new Map([[key, spot]]) };
  }

  group(item) {
    const { PAD, TITLE } = this.sizes;
    const block = this.net(inner(item));
    let [left, right, length] = [block.left + PAD, block.right + PAD, block.length];
    if (this.across) {
      left += TITLE;
      length = Math.max(length, item.titleWidth + 2 * PAD);
    } else {
      right = Math.max(right, lastEntry(block) + TITLE / 2 + item.titleWidth + PAD);
    }
    return { x: 0, y: 0, left, right, length, out: block.out };
  }

  // --- in sequence ---

  sequence(net, parts, heads) {
    const block = emptyBlock();
    const edges = [];
    const hosts = new Set(heads.map((head) => head.source));
    let [x, y] = [0, 0];
    parts.forEach((part, index) => {
      const behind = parts[index + 1];
      const laid = this.part(net, part, behind);
      take(block, laid, x, y);
      edges.push([y, y + laid.length, x + laid.right]);
      x += laid.out;
      y += laid.length + this.gap(net, part, behind, hosts);
      block.out = x;
    });
    for (const head of heads.filter((one) => block.spots.has(one.source)).reverse()) {
      this.hang(net, block, head, edges);
    }
    return block;
  }

  part(net, part, behind) {
    if (typeof part === "string") return this.leaf(net, part);
    if (part.rows) return this.web(net, part);
    const item = typeof behind === "string" && net.items.get(behind);
    return this.fork(net, part, item && !inner(item) ? this.leaf(net, behind).right : 0);
  }

  gap(net, part, behind, hosts) {
    const { GAP, ENTER, LEAVE, TURN, LEVEL } = this.sizes;
    if (behind === undefined) return 0;
    const enters = isEntry(part);
    let room = enters && !this.across ? ENTER : GAP;
    if (typeof behind === "string" && behind.startsWith("out/")) room = LEAVE;
    const turns = (typeof part !== "string" && !enters) + (typeof behind !== "string");
    const before = typeof part === "string" && openNet(net, part);
    const after = typeof behind === "string" && openNet(net, behind);
    const ports = (before ? before.exits.length - 1 : 0) + (after ? after.entries.length - 1 : 0);
    if (enters && (ports || behind.rows)) room += this.belowTitle();
    return room + TURN * Math.max(turns, hosts.has(part) ? 1 : 0) + LEVEL * ports;
  }

  hang(net, block, head, edges) {
    const { HANG, LEVEL, BESIDE } = this.sizes;
    const laid = this.sequence(net, head.parts, []);
    const host = block.spots.get(head.source);
    const open = openNet(net, head.source);
    const top = host.y + host.length + HANG + (open ? LEVEL * (open.exits.length - 1) : 0);
    const bottom = top + laid.length;
    const beside = edges.filter(([upper, lower]) => lower > host.y && upper < bottom);
    const x = Math.max(...beside.map((edge) => edge[2])) + BESIDE + laid.left;
    take(block, laid, x, top);
    edges.push([top, bottom, x + laid.right]);
  }

  // --- side by side ---

  fork(net, fork, behind) {
    const { BESIDE, LANE, NEXT_LANE } = this.sizes;
    const laid = fork.branches.map((branch) => this.sequence(net, branch, []));
    const length = Math.max(0, ...laid.map((one) => one.length));
    const spine = fork.spine;
    const places = spine === null ? centred(laid, BESIDE) : about(laid, spine, BESIDE);
    const block = { ...emptyBlock(), out: spine === null ? 0 : laid[spine].out };
    laid.forEach((one, index) => {
      const beside = spine !== null && index !== spine;
      take(block, one, places[index], drop(fork.branches[index], length - one.length, beside));
    });
    let lane = Math.max(block.right, behind) + LANE;
    for (const number of fork.lanes) {
      block.lanes[number] = block.right = lane;
      lane += NEXT_LANE;
    }
    return block;
  }

  belowTitle() {
    return this.across ? 0 : this.sizes.TITLE;
  }

  web(net, web) {
    const { BESIDE, PASSING, ROW } = this.sizes;
    const block = emptyBlock();
    let y = 0;
    for (const row of web.rows) {
      const laid = row.map((key) => this.leaf(net, key));
      const below = row.some(isEntry) ? this.belowTitle() : 0;
      const height = Math.max(below, ...laid.map((one) => one.length));
      row.forEach((key, index) => {
        if (!isVia(key)) return;
        laid[index].left = laid[index].right = PASSING;
        laid[index].spots.get(key).length = height;
      });
      const places = centred(laid, BESIDE);
      laid.forEach((one, index) => take(block, one, places[index], y));
      for (const key of row) block.floors[key] = y + height;
      y += height + ROW;
    }
    return block;
  }

  columns(columns, chunks, title) {
    const { GAP, ENTER, COLUMN, TITLE } = this.sizes;
    const top = isEntry(chunks[0][0]) ? (this.across ? GAP : ENTER) : 0;
    const block = emptyBlock();
    take(block, columns[0], 0, 0);
    if (title) block.right = Math.max(block.right, lastEntry(block) + TITLE / 2 + title);
    for (let i = 1; i < columns.length; i++) {
      const turn = block.right + COLUMN / 2;
      const lower = columns[i - 1].length + (i === 1 ? 0 : top) + COLUMN / 3;
      block.jumps[chunks[i][0]] = [lower, turn, top - COLUMN / 2];
      const x = block.right + COLUMN + columns[i].left;
      take(block, columns[i], x, top);
      block.out = x + columns[i].out;
    }
    block.length += COLUMN / 2;
    return block;
  }
}

function openNet(net, key) {
  const item = net.items.get(key);
  return item ? inner(item) : null;
}

function lastEntry(block) {
  let last = 0;
  for (const [key, spot] of block.spots) if (key.startsWith("in/")) last = Math.max(last, spot.x);
  return last;
}

function isEntry(part) {
  if (typeof part === "string") return part.startsWith("in/");
  return Boolean(part.branches) && part.branches.every((b) => b.length === 1 && isEntry(b[0]));
}

function centred(laid, space) {
  const width = laid.reduce((sum, one) => sum + one.left + one.right, space * (laid.length - 1));
  let x = -width / 2;
  return laid.map((one) => {
    const place = x + one.left;
    x += one.left + one.right + space;
    return place;
  });
}

function about(laid, spine, space) {
  const found = laid.map(() => 0);
  for (let i = spine - 1; i >= 0; i--) {
    found[i] = found[i + 1] - laid[i + 1].left - space - laid[i].right;
  }
  for (let i = spine + 1; i < laid.length; i++) {
    found[i] = found[i - 1] + laid[i - 1].right + space + laid[i].left;
  }
  return found;
}

function drop(branch, room, beside) {
  const last = branch[branch.length - 1];
  if (typeof last === "string" && last.startsWith("out/")) return room;
  return beside && !isEntry(branch[0]) ? room / 2 : 0;
}
