// The page: what buttons, keys and the pointer do.

class Page {
  constructor(raw) {
    this.model = readModel(raw);
    this.layout = new Layout(raw.constants, raw.across);
    this.drawing = new Drawing(this.model, this.layout);
    this.stage = element("stage");
    this.view = new View(this.stage, this.drawing, element("scale"));
    this.card = new Card(this.model, element("card"));
    this.heat = new Heat(this);
    this.focused = null;
    this.hit = null;
    const [search, found] = [element("search"), element("found")];
    this.finder = new Finder(this.model, search, found, (entry) => this.find(entry));
  }

  start() {
    this.arrange();
    this.stage.replaceChildren(this.drawing.svg);
    document.body.classList.remove("still");
    this.heat.legend();
    this.view.fit();
    const first = visibleItems(this.model.root).next().value;
    first.element.setAttribute("tabindex", "0");
    this.focused = first;
    listen(this);
  }

  update() {
    this.drawing.update();
    this.view.show();
    this.heat.colour();
  }

  // Columns of these proportions, or of those of the pictures that go without a window.
  columns(page) {
    this.layout.page = page;
    arrangeColumns(this.layout, this.model.root);
    this.update();
  }

  // Columns that fill the window.
  arrange() {
    const [height, width] = [this.stage.clientHeight || 800, this.stage.clientWidth || 1200];
    const ratio = Math.min(2.5, Math.max(0.4, height / width));
    this.columns(
      this.layout.across
        ? { short: width, longest: 1.5 / ratio, goal: 1 / ratio }
        : { short: height, longest: 1.5 * ratio, goal: ratio },
    );
  }

  // --- opening and closing ---

  // One item in another state; it stays where it is on the screen.
  set(item, state) {
    const before = item.element.getBoundingClientRect();
    const hadFocus = this.focused === item;
    if (!setState(item, state)) return;
    document.activeElement.blur(); // or else the browser lays out when the element in focus goes
    this.card.close();
    this.update();
    const after = item.element.getBoundingClientRect();
    this.stage.scrollLeft += after.left - before.left;
    this.stage.scrollTop += after.top - before.top;
    if (hadFocus || !this.focused.element.isConnected) this.focus(item, false);
  }

  toggle(item) {
    if (inner(item)) this.set(item, 0);
    else if (item.net) this.set(item, 1);
    else if (item.units) this.set(item, 2);
  }

  unfold(item) {
    if (item.units) this.set(item, item.state === 2 ? (item.net ? 1 : 0) : 2);
  }

  // All items in the state that is chosen for each, with columns made anew.
  setAll(choose) {
    for (const item of allItems(this.model.root)) {
      if (item.net || item.units) setState(item, choose(item));
    }
    this.rearrange();
  }

  openAll() {
    this.setAll((item) => (item.state === 2 || !item.net ? item.state : 1));
  }

  closeAll() {
    element("unfold-all").setAttribute("aria-pressed", "false");
    this.setAll(() => 0);
  }

  unfoldAll() {
    const button = element("unfold-all");
    const unfolded = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(unfolded));
    this.setAll((item) => {
      if (!item.units) return item.state;
      return unfolded ? 2 : item.net ? 1 : 0;
    });
  }

  turn() {
    this.layout.across = !this.layout.across;
    for (const item of allItems(this.model.root)) {
      item.element = null;
      for (const net of [item.net, item.units]) if (net) net.block = null;
    }
    this.model.root.block = null;
    this.rearrange();
  }

  rearrange() {
    this.card.close();
    this.arrange();
    this.view.scale = 0;
    this.view.fit();
    if (!this.focused.element?.isConnected) {
      this.focus(visibleItems(this.model.root).next().value, false);
    }
  }

  // --- focus ---

  focus(item, tell = true) {
    this.focused.element?.setAttribute("tabindex", "-1");
    this.focused = item;
    item.element.setAttribute("tabindex", "0");
    item.element.focus({ preventScroll: true });
    if (!tell) return;
    this.view.reveal(item.element);
    this.tell(item);
  }

  // The card beside an item, once the stage has scrolled: scrolling lets it go.
  tell(item) {
    requestAnimationFrame(() => {
      const box = item.element.getBoundingClientRect();
      this.card.tell(item, box.right, box.top);
    });
  }

  step(by) {
    const items = [...visibleItems(this.model.root)];
    const next = items[items.indexOf(this.focused) + by];
    if (next) this.focus(next);
  }

  goIn() {
    const item = this.focused;
    if (!inner(item)) this.toggle(item);
    else this.focus(inner(item).items.values().next().value);
  }

  goOut() {
    const item = this.focused;
    if (inner(item)) this.toggle(item);
    else if (item.around.owner) this.focus(item.around.owner);
  }

  find(entry) {
    if (this.hit) this.hit.element?.classList.remove("hit");
    this.hit = null;
    if (!entry) return;
    const item = entry.item ?? boxOf(this.model.root, entry.node);
    uncover(item);
    this.update();
    this.hit = item;
    item.element.classList.add("hit");
    this.view.reveal(item.element, true);
    this.tell(item);
  }

  theme() {
    const root = document.documentElement;
    root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
  }
}

const element = (id) => document.getElementById(id);

const page = new Page(JSON.parse(element("model").textContent));
page.start();
globalThis.page = page;
