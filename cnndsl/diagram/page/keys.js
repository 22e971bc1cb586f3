// Buttons, keys and pointer → what the page does.

function listen(page) {
  const buttons = {
    "open-all": () => page.openAll(),
    "close-all": () => page.closeAll(),
    "unfold-all": () => page.unfoldAll(),
    turn: () => page.turn(),
    smaller: () => page.view.zoom(page.view.scale / STEP),
    larger: () => page.view.zoom(page.view.scale * STEP),
    fit: () => page.view.fit(),
    theme: () => page.theme(),
    help: () => element("keys").showModal(),
  };
  for (const id in buttons) element(id).addEventListener("click", buttons[id]);
  element("heat").addEventListener("change", (event) => page.heat.choose(event.target.value));
  addEventListener("keydown", (event) => pressed(page, event));
  addEventListener("resize", () => page.card.close());
  page.stage.addEventListener("click", (event) => clicked(page, event));
  page.stage.addEventListener("pointermove", (event) => hovered(page, event));
  page.stage.addEventListener("pointerleave", (event) => {
    if (event.relatedTarget !== page.card.element) page.card.leave();
  });
  page.stage.addEventListener("scroll", () => page.card.leave());
}

const KEYS = {
  "/": () => element("search").focus(),
  "?": () => element("keys").showModal(),
  "+": (page) => page.view.zoom(page.view.scale * STEP),
  "=": (page) => page.view.zoom(page.view.scale * STEP),
  "-": (page) => page.view.zoom(page.view.scale / STEP),
  0: (page) => page.view.fit(),
  o: (page) => page.openAll(),
  c: (page) => page.closeAll(),
  x: (page) => page.unfoldAll(),
  h: (page) => page.heat.next(),
  d: (page) => page.turn(),
  t: (page) => page.theme(),
  Escape: (page) => page.card.close(),
};

const MOVES = {
  ArrowDown: (page) => page.step(1),
  ArrowUp: (page) => page.step(-1),
  ArrowRight: (page) => page.goIn(),
  ArrowLeft: (page) => page.goOut(),
  Enter: (page) => page.toggle(page.focused),
  " ": (page) => page.toggle(page.focused),
};

function pressed(page, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || element("keys").open) return;
  if (event.target.closest("input, select")) return;
  const inTools = event.target.closest("button");
  const act = KEYS[event.key] ?? (inTools ? undefined : MOVES[event.key]);
  if (!act) return;
  event.preventDefault();
  act(page);
}

function itemAt(target) {
  const found = target.closest && target.closest(".item");
  return found ? found.item : null;
}

// A click opens or closes, but not where words were selected or the picture was moved.
function clicked(page, event) {
  if (page.view.dragged || String(getSelection())) return;
  const item = itemAt(event.target);
  if (!item) {
    page.card.close();
    return;
  }
  page.focus(item, false);
  if (event.target.closest(".unfold")) page.unfold(item);
  else if (item.net || item.units) page.toggle(item);
  else {
    page.card.pinned = true;
    page.card.tell(item, event.clientX, event.clientY);
  }
}

function hovered(page, event) {
  if (page.card.pinned || event.buttons) return;
  const item = itemAt(event.target);
  // Between the boxes of an open block nothing is told but at its title.
  const within = item && inner(item) && !event.target.closest(".title, .badge");
  if (!item || within) page.card.leave();
  else page.card.tell(item, event.clientX, event.clientY);
}
