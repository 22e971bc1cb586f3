// The diagram: an SVG that is moved and scaled, whose boxes lead to the text.

const STEP = 1.25;
const MARGIN = 8;

export class Diagram {
  // `chosen` is called with the path of a box that is clicked.
  constructor(element, chosen) {
    this.element = element;
    this.svg = null;
    this.size = { width: 1, height: 1 };
    this.view = null; // { x, y, scale } once the reader has moved it
    this.chosen = chosen;
    this.dragged = false;
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.grab(event));
    element.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.place()).observe(element);
  }

  show(text) {
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    this.svg = document.importNode(parsed, true);
    this.size = { width: this.svg.width.baseVal.value, height: this.svg.height.baseVal.value };
    this.boxes = [...this.svg.querySelectorAll("g > title")].map((title) => ({
      path: title.textContent.split(": ")[0],
      element: title.parentNode,
    }));
    for (const { element } of this.boxes) element.classList.add("box");
    this.element.style.background = this.svg.querySelector("rect")?.getAttribute("fill") ?? "";
    this.element.replaceChildren(this.svg);
    this.place();
  }

  // Marks the boxes whose path is one of these.
  mark(paths) {
    for (const { path, element } of this.boxes ?? []) {
      element.classList.toggle("on", paths.has(path));
    }
  }

  get room() {
    return { width: this.element.clientWidth || 1, height: this.element.clientHeight || 1 };
  }

  // The view that is shown where the reader has chosen none: from the top, as wide as it fits.
  get first() {
    const scale = Math.min(1, (this.room.width - 2 * MARGIN) / this.size.width);
    return { x: (this.size.width - this.room.width / scale) / 2, y: -MARGIN, scale };
  }

  place() {
    if (!this.svg || !this.element.clientWidth) return;
    const { x, y, scale } = this.view ?? this.first;
    const { width, height } = this.room;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", [x, y, width / scale, height / scale].join(" "));
  }

  moveTo(x, y, scale) {
    const within = (at, room, size) => Math.min(Math.max(at, -0.8 * room), size - 0.2 * room);
    const width = this.room.width / scale;
    const height = this.room.height / scale;
    x = within(x, width, this.size.width);
    y = within(y, height, this.size.height);
    this.view = { x, y, scale };
    this.place();
  }

  // Scales around a place of the element, by default its middle.
  zoom(factor, left = this.room.width / 2, top = this.room.height / 2) {
    const { x, y, scale } = this.view ?? this.first;
    const next = Math.min(6, Math.max(0.05, scale * factor));
    const shift = 1 / scale - 1 / next;
    this.moveTo(x + left * shift, y + top * shift, next);
  }

  larger() {
    this.zoom(STEP);
  }

  smaller() {
    this.zoom(1 / STEP);
  }

  // Shows the whole of it; a second time, the view of the beginning.
  fit() {
    const { width, height } = this.room;
    const across = (width - 2 * MARGIN) / this.size.width;
    const scale = Math.min(across, (height - 2 * MARGIN) / this.size.height, 1.5);
    const whole = { x: (this.size.width - width / scale) / 2, y: -MARGIN / scale, scale };
    this.view = this.view?.scale === scale && this.view.x === whole.x ? null : whole;
    this.place();
  }

  wheel(event) {
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      const factor = Math.exp(-event.deltaY * unit * 0.004);
      this.zoom(factor, event.clientX - box.left, event.clientY - box.top);
    } else {
      const { x, y, scale } = this.view ?? this.first;
      this.moveTo(x + (event.deltaX * unit) / scale, y + (event.deltaY * unit) / scale, scale);
    }
  }

  grab(event) {
    if (event.button !== 0 || !this.svg) return;
    const { x, y, scale } = this.view ?? this.first;
    const start = [event.clientX, event.clientY];
    this.dragged = false;
    const move = (to) => {
      const [dx, dy] = [to.clientX - start[0], to.clientY - start[1]];
      if (!this.dragged && Math.hypot(dx, dy) < 4) return;
      this.dragged = true;
      this.element.classList.add("dragged");
      this.moveTo(x - dx / scale, y - dy / scale, scale);
    };
    const end = () => {
      this.element.classList.remove("dragged");
      removeEventListener("pointermove", move);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
    addEventListener("pointercancel", end, { once: true });
  }

  click(event) {
    const element = event.target.closest?.("g.box");
    const box = this.boxes?.find((it) => it.element === element);
    if (box && !this.dragged) this.chosen(box.path);
  }
}
