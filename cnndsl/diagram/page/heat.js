// Colours by parameters, multiply-adds or activation memory, and the legend.

const HOT = 60;

class Heat {
  constructor(page) {
    this.page = page;
    this.name = "";
    element("heat").options[0].textContent = page.model.compared ? "changes" : "kinds";
  }

  choose(name) {
    for (const item of visibleItems(this.page.model.root)) item.element.heat = null;
    this.name = name;
    element("heat").value = name;
    document.body.classList.toggle("heated", name !== "");
    if (!name) for (const item of visibleItems(this.page.model.root)) cool(item);
    this.colour();
    this.legend();
  }

  next() {
    const names = [...element("heat").options].map((option) => option.value);
    this.choose(names[(names.indexOf(this.name) + 1) % names.length]);
  }

  // The boxes that show, the hottest in full colour.
  colour() {
    if (!this.name) return;
    const whole = [...this.page.model.root.items.values()];
    const total = whole.reduce((sum, item) => sum + item.sums[this.name], 0) || 1;
    const boxes = [...visibleItems(this.page.model.root)].filter((item) => !inner(item));
    const most = Math.max(1, ...boxes.map((item) => item.sums[this.name]));
    for (const item of boxes) {
      const heat = Math.round(100 * Math.sqrt(item.sums[this.name] / most));
      if (item.element.heat === heat) continue;
      item.element.heat = heat;
      item.element.style.setProperty("--share", `${heat}%`);
      item.element.classList.toggle("hot", heat > HOT);
      const shape = item.element.querySelector(".shape");
      if (!shape) continue;
      setWords(this.page.drawing, shape, item, percent(item.sums[this.name] / total));
    }
  }

  legend() {
    const legend = element("legend");
    if (this.name) {
      const scale = html("b");
      scale.style.background = "linear-gradient(90deg, var(--background), var(--heat))";
      const words = element("heat").selectedOptions[0].textContent;
      legend.replaceChildren(html("span", words), scale, html("span", "share of the whole"));
      return;
    }
    const entries = [];
    for (const [kind, words] of this.page.model.legend) {
      const entry = html("span");
      const patch = html("i");
      patch.style.background = `var(--${kind}-fill)`;
      patch.style.borderColor = `var(--${kind})`;
      entry.append(patch, words);
      entries.push(entry);
    }
    legend.replaceChildren(...entries);
  }
}

// The words at the right end of a box's first line.
function setWords(drawing, shape, item, words) {
  if (shape.textContent === words) return;
  const { PADDING, WORDS } = drawing.layout.sizes;
  const length = drawing.textWidth(words, WORDS, false);
  shape.textContent = words;
  shape.setAttribute("textLength", show(length));
  shape.setAttribute("x", show(item.width - PADDING - length));
  shape.drawing = drawing;
}

function cool(item) {
  const shape = item.element.querySelector(":scope > .shape");
  if (!shape || inner(item)) return;
  item.element.classList.remove("hot");
  if (shape.drawing) setWords(shape.drawing, shape, item, item.lines[0][2]);
}
