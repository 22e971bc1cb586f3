// Checking the text: one request at a time, and always one for the last text.
// A request that takes long is given up for a newer text, and the server ends its check.

import * as api from "./api.js";
import { Schema } from "./schema.js";
import { showProblems } from "./problems.js";

const by = (id) => document.getElementById(id);
const PAUSE = 60; // milliseconds after a keystroke until the text is checked
const PATIENCE = 450; // and until a mistake in it is told: half a word is none
const LONG = 1000; // milliseconds that a check may take while a newer text waits
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Checks {
  constructor(view, network, help, bar, variant) {
    Object.assign(this, { view, network, help, bar, variant });
    this.busy = false;
    this.again = false;
    this.timer = 0;
    this.overdue = 0;
    this.begun = 0;
    this.late = 0;
    this.typed = 0;
    this.errors = 0;
    this.names = "";
    this.ever = false;
    by("variant").addEventListener("change", (event) => {
      this.variant = event.target.value;
      this.now();
    });
    by("depth").addEventListener("change", () => this.now());
    dark.addEventListener("change", () => this.now());
  }

  soon() {
    clearTimeout(this.timer);
    clearTimeout(this.late);
    this.typed = performance.now();
    this.timer = setTimeout(() => this.now(), PAUSE);
  }

  async now() {
    clearTimeout(this.timer);
    this.again = true;
    if (this.busy) {
      clearTimeout(this.overdue);
      const left = this.begun + LONG - performance.now();
      this.overdue = setTimeout(() => this.running?.abort(), left);
      return;
    }
    this.busy = true;
    while (this.again) {
      this.again = false;
      const long = setTimeout(() => this.say("", "checking …"), LONG);
      await this.check().catch((error) => this.failed(error));
      [long, this.overdue].forEach(clearTimeout);
    }
    this.busy = false;
  }

  async check() {
    const { doc } = this.view.state;
    const depth = by("depth").value;
    this.begun = performance.now();
    this.running = new AbortController();
    const wanted = {
      text: doc.toString(),
      variant: this.variant,
      depth: depth === "" ? null : Number(depth),
      theme: dark.matches ? "dark" : "light",
    };
    const found = await api.check(wanted, this.running.signal);
    this.bar.hide("failed");
    if (found.network) {
      this.ever = true;
      this.network.show(found.network);
    }
    by("status").title = `checked and drawn in ${Math.round(performance.now() - this.begun)} ms`;
    this.tell(doc, found);
    if (found.variants) this.showVariants(found.variants);
    await this.refreshHelp(doc, found.names);
  }

  // Tells the diagnostics; the first errors wait until the reader pauses.
  tell(doc, found) {
    clearTimeout(this.late);
    const errors = found.diagnostics.filter((it) => it.severity === "error").length;
    const left = this.typed + PATIENCE - performance.now();
    if (errors && !this.errors && this.ever && left > 0) {
      this.late = setTimeout(() => this.tell(doc, found), left);
      return;
    }
    if (!doc.eq(this.view.state.doc)) return;
    this.errors = errors;
    showProblems(this.view, by("problems"), found.diagnostics);
    this.network.stale(errors, this.ever, found.reached);
    this.showStatus(errors, found.diagnostics.length - errors);
  }

  failed(error) {
    if (error.name === "AbortError") return;
    this.network.stale(1, this.ever);
    this.say("bad", "not checked");
    if (error.status) this.bar.failed("not checked", error);
  }

  showStatus(errors, others) {
    const many = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
    const notes = others ? `, ${many(others, "note")}` : "";
    if (errors) this.say("bad", many(errors, "error"));
    else this.say("good", `no errors${notes}`);
  }

  say(kind, words) {
    [by("status").className, by("status").textContent] = [kind, words];
  }

  showVariants(variants) {
    const names = variants.length ? ["", ...variants] : [];
    if (this.variant && !names.includes(this.variant)) names.push(this.variant);
    by("variant-of").hidden = !names.length;
    const options = names.map((name) => new Option(name || "as the file stands", name));
    by("variant").replaceChildren(...options);
    by("variant").value = this.variant;
  }

  // Reads the schema anew where the file's own names are others.
  async refreshHelp(doc, names) {
    if (names) this.help.names = names;
    const told = JSON.stringify(names);
    if (this.help.schema && (!names || told === this.names)) return;
    this.help.schema = new Schema(await api.readSchema(doc.toString(), this.running.signal));
    this.names = told;
  }
}
