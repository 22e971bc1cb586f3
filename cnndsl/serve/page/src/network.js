// The right side: what the last text without errors says.

import { Diagram } from "./diagram.js";
import { Layers } from "./layers.js";

const by = (id) => document.getElementById(id);

export class Network {
  // `chosen` is called with the place in the text of what is clicked.
  constructor(chosen) {
    this.places = {};
    const go = (path) => this.places[path] && chosen(this.places[path]);
    this.diagram = new Diagram(by("diagram"), go);
    this.layers = new Layers(by("layers"), go);
    by("larger").addEventListener("click", () => this.diagram.larger());
    by("smaller").addEventListener("click", () => this.diagram.smaller());
    by("fit").addEventListener("click", () => this.diagram.fit());
    for (const name of ["diagram", "layers"]) {
      by(`tab-${name}`).addEventListener("click", () => this.open(name));
    }
  }

  open(name) {
    for (const other of ["diagram", "layers"]) {
      by(other).hidden = other !== name;
      by(`tab-${other}`).ariaSelected = String(other === name);
    }
    by("tools").hidden = name !== "diagram";
    if (name === "layers") this.layers.reveal();
    this.mark(this.line);
  }

  show(network) {
    this.places = network.places;
    this.diagram.show(network.svg);
    this.layers.show(network.rows);
    by("totals").replaceChildren(...network.totals.map(total));
    this.mark(this.line);
  }

  // Says that the text has errors, and that what is shown is of before.
  stale(errors, ever) {
    by("right").classList.toggle("stale", errors > 0 && ever);
    by("note").hidden = !errors;
    by("note").textContent = ever
      ? "of the last text without errors"
      : "nothing to show while the text has errors";
  }

  // Marks what the line of the cursor says.
  mark(line) {
    this.line = line;
    const paths = new Set(
      Object.keys(this.places).filter((path) => this.places[path][0] === line),
    );
    this.diagram.mark(paths);
    this.layers.mark(paths);
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
