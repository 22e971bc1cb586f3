// Places → SVG elements. Each net has an element of its own, so what did not change stays.

const SPACE = "http://www.w3.org/2000/svg";
const ROUND = 6, CORNER = 7, CARD = 3, ARROW = 6, MARGIN = 20;

function make(name, attributes = {}, parent = null) {
  const element = document.createElementNS(SPACE, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (parent) parent.append(element);
  return element;
}

// Sets an attribute, unless it is so already: browsers lay out again what they are told again.
function put(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

const show = (number) => String(Math.round(number * 10) / 10);
const at = ([x, y]) => `${show(x)} ${show(y)}`;

class Drawing {
  constructor(model, layout) {
    this.model = model;
    this.layout = layout;
    this.svg = make("svg", { id: "net", role: "tree", "aria-label": model.title });
    this.top = make("g", {}, this.svg);
    this.width = this.height = 0;
  }

  // Brings the picture up to what is open.
  update() {
    const root = this.model.root;
    const block = this.layout.net(root);
    this.contents(root, this.top);
    const [width, height] = this.turned([block.left + block.right, block.length]);
    [this.width, this.height] = [width + 2 * MARGIN, height + 2 * MARGIN];
    const [x, y] = this.turned([block.left, 0]);
    this.origin = `translate(${at([x + MARGIN, y + MARGIN])})`;
  }

  // Shows the picture at a scale. Without a viewBox, words are set anew only for another scale.
  resize(scale) {
    put(this.svg, "width", show(this.width * scale));
    put(this.svg, "height", show(this.height * scale));
    put(this.top, "transform", `scale(${scale}) ${this.origin}`);
  }

  turned([x, y]) {
    return this.layout.across ? [y, x] : [x, y];
  }

  contents(net, parent) {
    if (parent.drawn === net.block) return;
    parent.drawn = net.block;
    this.lines(net, parent);
    let before = parent.lines;
    for (const item of net.items.values()) {
      const element = this.element(item, net);
      if (before.nextSibling !== element) before.after(element);
      before = element;
    }
    while (before.nextSibling) before.nextSibling.remove();
  }

  element(item, around) {
    const spot = around.block.spots.get(item.id);
    const [x, y] = this.turned([spot.x - spot.left, spot.y]);
    const [width, height] = this.turned([spot.left + spot.right, spot.length]);
    const look = `${item.state} ${width} ${height} ${this.layout.across}`;
    if (!item.element || (!inner(item) && item.element.look !== look)) {
      item.element = inner(item) ? this.group(item) : this.box(item, width, height);
      item.element.item = item;
    }
    const net = inner(item);
    if (net && (item.element.look !== look || item.element.inside.drawn !== net.block)) {
      this.frame(item, spot, width, height);
    }
    item.element.look = look;
    put(item.element, "transform", `translate(${at([x, y])})`);
    return item.element;
  }

  // --- boxes ---

  box(item, width, height) {
    const opens = item.net || item.units ? " opens" : "";
    const element = make("g", {
      class: `item box k-${item.kind}${opens}${looks(item)}`,
      role: "treeitem",
      tabindex: "-1",
      "aria-label": spoken(item),
      ...(opens ? { "aria-expanded": "false" } : {}),
    });
    const radius = item.stripe ? ROUND : 11;
    for (const step of item.times > 1 ? [2, 1] : []) {
      make("rect", rectangle(CARD * step, CARD * step, width, height, radius, "card"), element);
    }
    make("rect", rectangle(0, 0, width, height, radius, "frame"), element);
    if (item.stripe) {
      const turn = `a${ROUND} ${ROUND} 0 0 0`;
      const path = `M${ROUND} 0${turn} -6 6v${height - 12}${turn} 6 6z`;
      make("path", { class: "stripe", d: path }, element);
    }
    this.words(item, element, width);
    this.badges(item, element, width);
    return element;
  }

  words(item, element, width) {
    const { PADDING, STRIPE, ABOVE_TEXT, FIRST_LINE, NEXT_LINE, NAME, WORDS } = this.layout.sizes;
    const left = PADDING + (item.stripe ? STRIPE : 0);
    let y = ABOVE_TEXT + 0.75 * FIRST_LINE;
    for (const [name, words, shape] of item.lines) {
      this.text(element, name, left, y, NAME, "name");
      this.text(element, words, left, y, WORDS, "");
      this.text(element, shape, width - PADDING, y, WORDS, "quiet shape", true);
      y += NEXT_LINE;
    }
  }

  // A text; its length is given, so that another font takes the same room.
  text(parent, words, x, y, size, kind, end = false) {
    if (!words) return null;
    const length = this.textWidth(words, size, kind === "name");
    const place = { x: show(end ? x - length : x), y: show(y), textLength: show(length) };
    const element = make("text", kind ? { ...place, class: kind } : place, parent);
    element.textContent = words;
    return element;
  }

  textWidth(words, size, bold) {
    const table = this.layout.sizes.WIDTHS[bold ? 1 : 0];
    let sum = 0;
    for (const letter of words) sum += table[letter] ?? 700;
    return (sum * size) / 1000;
  }

  // A sign to open or close at the corner, and one for repetitions.
  badges(item, element, width) {
    if (item.net) this.badge(element, "toggle", inner(item) ? "−" : "+", 0, 12);
    if (item.units) {
      this.badge(element, "unfold", item.state === 2 ? "once" : `all ${item.times}`, width - 14, 32);
    }
  }

  badge(element, kind, words, x, width) {
    const badge = make("g", { class: `badge ${kind}`, "aria-hidden": "true" }, element);
    make("rect", rectangle(x - width / 2, -8, width, 12, 6, ""), badge);
    make("text", { x: show(x), y: "1" }, badge).textContent = words;
    badge.place = x;
  }

  // --- groups ---

  group(item) {
    const element = make("g", {
      class: `item group${item.state === 2 ? " unfolded" : ""}${looks(item)}`,
      role: "treeitem",
      tabindex: "-1",
      "aria-label": spoken(item),
      "aria-expanded": "true",
    });
    const times = item.times > 1 && item.state === 1 ? [2, 1] : [];
    element.cards = times.map(() => make("rect", { class: "card", rx: ROUND }, element));
    element.frame = make("rect", { class: "frame", rx: ROUND }, element);
    element.title = make("g", { class: "title" }, element);
    const { NAME, WORDS } = this.layout.sizes;
    const [name, words] = item.title;
    this.text(element.title, name, 0, 0, NAME, "name");
    this.text(element.title, words, this.textWidth(name, NAME, true) + 6, 0, WORDS, "quiet");
    element.inside = make("g", { role: "group" }, element);
    this.badges(item, element, 0);
    return element;
  }

  frame(item, spot, width, height) {
    const { PAD, TITLE } = this.layout.sizes;
    const element = item.element;
    [element.frame, ...element.cards].forEach((rect, index) => {
      const step = index ? CARD * (element.cards.length + 1 - index) : 0;
      const place = rectangle(step, step, width, height, ROUND);
      for (const key in place) put(rect, key, place[key]);
    });
    const down = [spot.left + lastEntry(inner(item).block) + TITLE / 2, TITLE * 0.8];
    const title = at(this.layout.across ? [PAD, TITLE * 0.8] : down);
    put(element.title, "transform", `translate(${title})`);
    put(element.inside, "transform", `translate(${at(this.turned([spot.left, 0]))})`);
    const unfold = element.querySelector(":scope > .unfold");
    if (unfold) put(unfold, "transform", `translate(${show(width)} 0)`);
    this.contents(inner(item), element.inside);
  }

  // --- lines ---

  lines(net, parent) {
    const paths = new Map();
    const add = (kind, path) => paths.set(kind, (paths.get(kind) ?? "") + path);
    for (const line of netLines(this.layout, net)) {
      const points = line.points.map((point) => this.turned(point));
      const end = points[points.length - 1];
      const straight = this.layout.across ? [1, 0] : [0, 1];
      if (line.arrow) {
        const way = line.curved ? straight : direction(points[points.length - 2], end);
        points[points.length - 1] = [end[0] - way[0] * ARROW, end[1] - way[1] * ARROW];
        add(`arrow l${line.wire.link}`, arrowPath(end, way));
      }
      const path = line.curved ? slanting(points, this.layout.across) : turning(points);
      add(`line l${line.wire.link}`, path);
    }
    parent.lines ??= make("g", { class: "lines", "aria-hidden": "true" });
    if (parent.firstChild !== parent.lines) parent.prepend(parent.lines);
    parent.lines.replaceChildren(...[...paths].map(([kind, d]) => make("path", { class: kind, d })));
  }
}

function rectangle(x, y, width, height, radius, kind = null) {
  const place = { x: show(x), y: show(y), width: show(width), height: show(height), rx: radius };
  return kind ? { ...place, class: kind } : place;
}

function looks(item) {
  return `${item.train ? " train" : ""}${item.mark ? ` m-${item.mark}` : ""}`;
}

// What a screen reader says.
function spoken(item) {
  const words = item.lines.flat().filter(Boolean).join(", ");
  return words.startsWith(item.id) ? words : `${item.id}: ${words}`;
}

function direction([ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay) || 1;
  return [(bx - ax) / length, (by - ay) / length];
}

function arrowPath([x, y], [dx, dy]) {
  const [length, half] = [1.2 * ARROW, 0.45 * ARROW];
  const [bx, by] = [x - dx * length, y - dy * length];
  const corners = [[bx - dy * half, by + dx * half], [bx + dy * half, by - dx * half]];
  return `M${at([x, y])}L${at(corners[0])}L${at(corners[1])}z`;
}

function turning(points) {
  let path = `M${at(points[0])}`;
  for (let i = 1; i + 1 < points.length; i++) {
    const [a, b, c] = points.slice(i - 1, i + 2);
    const [into, away] = [direction(a, b), direction(b, c)];
    const lengths = [Math.hypot(b[0] - a[0], b[1] - a[1]), Math.hypot(c[0] - b[0], c[1] - b[1])];
    const radius = Math.min(CORNER, lengths[0] / 2, lengths[1] / 2);
    path += `L${at([b[0] - into[0] * radius, b[1] - into[1] * radius])}`;
    path += `Q${at(b)} ${at([b[0] + away[0] * radius, b[1] + away[1] * radius])}`;
  }
  return `${path}L${at(points[points.length - 1])}`;
}

function slanting(points, across) {
  let path = `M${at(points[0])}`;
  for (let i = 1; i < points.length; i++) {
    const [[ax, ay], [bx, by]] = [points[i - 1], points[i]];
    const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
    const turns = across ? [[x, ay], [x, by]] : [[ax, y], [bx, y]];
    path += `C${at(turns[0])} ${at(turns[1])} ${at([bx, by])}`;
  }
  return path;
}
