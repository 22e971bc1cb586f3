// Zoom and pan: the stage scrolls as any page does, and the picture grows and shrinks in it.

const LEAST = 0.05, READABLE = 0.5, MOST_ZOOM = 6, STEP = 1.25, STILL = 4;

class View {
  constructor(stage, drawing, output) {
    this.stage = stage;
    this.drawing = drawing;
    this.output = output;
    this.scale = 1;
    this.dragged = false;
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.grab(event));
  }

  // The picture at its scale.
  show() {
    this.drawing.resize(this.scale);
    this.output.textContent = `${Math.round(100 * this.scale)} %`;
  }

  // Another scale; the place (x, y) of the stage stays where it is.
  zoom(scale, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const before = this.placeAt(x, y);
    this.scale = Math.min(MOST_ZOOM, Math.max(LEAST, scale));
    this.show();
    const after = this.placeAt(x, y);
    this.stage.scrollLeft += (before[0] - after[0]) * this.scale;
    this.stage.scrollTop += (before[1] - after[1]) * this.scale;
  }

  // The place of the picture that is at (x, y) of the stage.
  placeAt(x, y) {
    const stage = this.stage.getBoundingClientRect();
    const picture = this.drawing.svg.getBoundingClientRect();
    return [
      (x + stage.left - picture.left) / this.scale,
      (y + stage.top - picture.top) / this.scale,
    ];
  }

  // All of the picture, but not larger than it is, nor smaller than can be read; again: all of it.
  fit() {
    const { width, height } = this.drawing;
    const whole = Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height, 1);
    const readable = Math.max(whole, READABLE);
    this.scale = this.scale === readable ? Math.max(whole, LEAST) : readable;
    this.show();
    this.stage.scrollTo(0, 0);
  }

  // Scrolls as little as is needed for an element to be seen.
  reveal(element, inTheMiddle = false) {
    const box = element.getBoundingClientRect();
    const stage = this.stage.getBoundingClientRect();
    const margin = 30;
    const outside =
      box.top < stage.top + margin || box.left < stage.left + margin ||
      box.bottom > stage.bottom - margin || box.right > stage.right - margin;
    if (!outside && !inTheMiddle) return;
    const [width, height] = [Math.min(box.width, stage.width), Math.min(box.height, stage.height)];
    this.stage.scrollLeft += box.left - stage.left - (stage.width - width) / 2;
    this.stage.scrollTop += box.top - stage.top - (stage.height - height) / 2;
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const stage = this.stage.getBoundingClientRect();
    const factor = Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 200);
    this.zoom(this.scale * factor, event.clientX - stage.left, event.clientY - stage.top);
  }

  // Words are selected by dragging over them; anywhere else it moves the picture.
  grab(event) {
    this.dragged = false;
    if (event.button !== 0 || event.pointerType === "touch" || event.target.closest("text")) return;
    const { stage } = this;
    const start = [event.clientX, event.clientY, stage.scrollLeft, stage.scrollTop];
    const move = (moved) => {
      const [dx, dy] = [moved.clientX - start[0], moved.clientY - start[1]];
      if (Math.hypot(dx, dy) > STILL) this.dragged = true;
      if (!this.dragged) return;
      stage.classList.add("dragged");
      stage.scrollTo(start[2] - dx, start[3] - dy);
    };
    const end = () => {
      stage.classList.remove("dragged");
      removeEventListener("pointermove", move);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
    addEventListener("pointercancel", end, { once: true });
  }
}
