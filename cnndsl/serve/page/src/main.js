// The page: the text on the left is checked as it changes, and what it says is on the right.

import * as api from "./api.js";
import { Bar } from "./bar.js";
import { Checks } from "./checks.js";
import { Help } from "./complete.js";
import { divide } from "./divider.js";
import { goTo, makeEditor, replaceText } from "./editor.js";
import { Network } from "./network.js";
import { goToPlace } from "./problems.js";

const by = (id) => document.getElementById(id);

const bar = new Bar(by("bar"));

class Page {
  constructor(spec) {
    this.spec = spec;
    this.bar = bar;
    this.help = new Help();
    this.help.shipped = spec.shipped;
    this.network = new Network((place) => goToPlace(this.view, place));
    this.view = makeEditor(by("editor"), spec.text, this.help, {
      save: () => this.save(),
      changed: () => this.changed(),
      moved: () => this.moved(),
    });
    this.saved = this.view.state.doc;
    this.version = spec.version;
    this.checks = new Checks(this.view, this.network, this.help, this.bar, spec.variant);
    this.listen();
    this.tellEdited();
    this.watch();
    goTo(this.view, 0);
    this.checks.now();
  }

  listen() {
    by("save").addEventListener("click", () => this.save());
    by("name").textContent = this.spec.name;
    by("save").hidden = !this.spec.writable;
    by("shipped").hidden = this.spec.writable;
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "s") {
        event.preventDefault();
        if (!this.view.hasFocus) this.save();
      }
    });
    addEventListener("beforeunload", (event) => {
      if (this.edited && this.spec.writable) event.preventDefault();
    });
  }

  async watch() {
    try {
      await api.watchDisk((change) => this.onDisk(change));
      this.bar.lost(() => this.resume());
    } catch (error) {
      this.bar.failed("changes on disk are not seen", error);
    }
  }

  // Goes on with a server that has been started again.
  resume() {
    api.resume();
    this.bar.hide("lost");
    this.watch();
    this.checks.now();
  }

  get text() {
    return this.view.state.doc.toString();
  }

  get edited() {
    return this.version === "gone" || !this.view.state.doc.eq(this.saved);
  }

  changed() {
    this.checks.soon();
    this.tellEdited();
  }

  tellEdited() {
    const unsaved = this.edited && this.spec.writable;
    by("unsaved").hidden = !unsaved;
    by("save").disabled = !unsaved;
    document.title = `${unsaved ? "● " : ""}${this.spec.name} · cnndsl`;
  }

  moved() {
    const { doc, selection } = this.view.state;
    this.network.mark(doc.lineAt(selection.main.head).number);
  }

  async save() {
    if (!this.spec.writable) return;
    const { doc } = this.view.state;
    try {
      const { version } = await api.saveSpec(doc.toString(), this.version);
      [this.saved, this.version] = [doc, version];
      this.bar.hide("disk");
      this.tellEdited();
    } catch (error) {
      if (error.status === 409) this.ask(error.found.version);
      else if (error.status) this.bar.failed("not saved", error);
      else this.bar.lost(() => this.resume());
    }
  }

  // What another program did to the file: taken over, unless that would lose what was typed.
  async onDisk({ version, imports }) {
    this.bar.hide("lost");
    if (imports) this.checks.now();
    if (version === this.version) return;
    if (this.edited || ["gone", "unreadable"].includes(version)) this.ask(version);
    else await this.reload();
  }

  ask(version) {
    if (version === "gone") {
      this.keep(version);
      const words = "the file is gone from the disk; saving writes it anew";
      this.bar.say(words, { Close: null }, "disk");
    } else if (version === "unreadable") {
      this.bar.say("the file on disk cannot be read any more", { Close: null }, "disk");
    } else {
      const choices = { Reload: () => this.reload(), "Keep mine": () => this.keep(version) };
      this.bar.say("the file has changed on disk, and so has the text here", choices, "disk");
    }
  }

  // Lets the next saving put the text here in the place of what is on disk.
  keep(version) {
    this.version = version;
    this.tellEdited();
  }

  async reload() {
    try {
      const spec = await api.readSpec();
      replaceText(this.view, spec.text);
      [this.saved, this.version] = [this.view.state.doc, spec.version];
      this.bar.hide("disk");
      this.tellEdited();
    } catch (error) {
      this.bar.failed("not read", error);
    }
  }
}

divide(by("divider"), document.querySelector("main"));
let page = null;

async function open() {
  try {
    page = new Page(await api.readSpec());
    bar.hide("failed");
  } catch (error) {
    bar.failed("no spec", error);
  }
}

// The address of a server that was started again, in the tab of the one before.
addEventListener("hashchange", () => {
  if (!api.takeSecret()) return;
  if (page) page.resume();
  else open();
});
await open();
