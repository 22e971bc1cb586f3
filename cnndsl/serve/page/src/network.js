// The right side: what the last text without errors says, and how far this one comes.

import { Diagram } from "./diagram.js";
import { Layers } from "./layers.js";

const by = (id) => document.getElementById(id);

export class Network {
  // `chosen` is called with the place in the text of what is clicked.
  constructor(chosen) {
    this.places = {}; // of the boxes
    this.rows = []; // of the last text without errors
    this.reached = null; // the rows and places up to a layer that fails
    this.shown = "diagram";
    const go = (place) => place && chosen(place);
    this.diagram = new Diagram(by("diagram"), (path) => go(this.places[path]));
    this.layers = new Layers(by("layers"), (path) => go(this.placesOfRows[path]));
    by("larger").addEventListener("click", () => this.diagram.larger());
    by("smaller").addEventListener("click", () => this.diagram.smaller());
    by("fit").addEventListener("click", () => this.diagram.fit());
    for (const name of ["diagram", "layers"]) {
      by(`tab-${name}`).addEventListener("click", () => this.open(name));
    }
  }

  get placesOfRows() {
    return this.reached?.places ?? this.places;
  }

  open(name) {
    this.shown = name;
    for (const other of ["diagram", "layers"]) {
      by(other).hidden = other !== name;
      by(`tab-${other}`).ariaSelected = String(other === name);
    }
    by("tools").hidden = name !== "diagram";
    if (name === "layers") this.layers.reveal();
    this.tellNote();
    this.mark(this.line);
  }

  show(network) {
    this.places = network.places;
    this.rows = network.rows;
    this.reached = null;
    this.diagram.show(network.svg);
    this.layers.show(this.rows);
    by("totals").replaceChildren(...network.totals.map(total));
    this.mark(this.line);
  }

  // Says that the text has errors, and that what is shown is of before, but for the layers up to
  // one that fails.
  stale(errors, ever, reached = null) {
    if (reached || this.reached) {
      this.reached = reached;
      this.layers.show(reached?.rows ?? this.rows);
      this.mark(this.line);
    }
    by("right").classList.toggle("stale", errors > 0 && ever);
    by("right").classList.toggle("reached", Boolean(reached));
    by("note").hidden = !errors;
    this.ever = ever;
    this.tellNote();
  }

  tellNote() {
    const before = this.ever
      ? "of the last text without errors"
      : "nothing to show while the text has errors";
    const fails = this.reached?.rows.some((row) => row.fails);
    const now = fails ? "up to the layer that fails" : "of the text as it is";
    by("note").textContent = this.reached && this.shown === "layers" ? now : before;
  }

  // Marks what the line of the cursor says.
  mark(line) {
    this.line = line;
    const on = (places) =>
      new Set(Object.keys(places).filter((path) => places[path][0] === line));
    this.diagram.mark(on(this.places));
    this.layers.mark(on(this.placesOfRows));
  }
}

function total([name, short, exact]) {
  const box = document.createElement("div");
  const figure = document.createElement("b");
  figure.textContent = short;
  box.append(figure, ` ${name}`);
  box.title = exact;
  return box;
}
