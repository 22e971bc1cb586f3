// Where the end of a YAML text stands in its structure, also while the text is unfinished.

const KEY = /^("[^"]*"|'[^']*'|[^\s#{}[\],&*!|>'"%@`-][^:#]*?|-[^\s:#][^:#]*?)\s*:(?=\s|$)\s*/;
const WORD = /\$?[A-Za-z0-9_][\w.-]*$|\$$/;
const unquoted = (text) => text.trim().replace(/^(["'])(.*)\1$/, "$2");

class Scan {
  constructor() {
    this.stack = []; // mappings and lists that are open, from the outermost
    this.text = null; // the indentation of a block scalar that is open
    this.quote = ""; // the quote that is open
    this.token = ""; // what was read since the last mark of a flow
  }

  get top() {
    return this.stack.at(-1);
  }

  push(kind, indent, flow) {
    this.stack.push({ kind, indent, flow, key: null, seen: [] });
  }

  // Goes to the collection of this kind at this column, out of all deeper ones.
  enter(kind, column) {
    this.leave(kind, column);
    if (this.top?.kind !== kind || this.top.indent !== column) this.push(kind, column, false);
  }

  leave(kind, column) {
    const deeper = (it) =>
      it.indent > column || (it.indent === column && it.kind === "seq" && kind === "map");
    while (this.top && deeper(this.top)) this.stack.pop();
  }

  name(key) {
    this.top.key = unquoted(key);
    this.top.seen.push(this.top.key);
  }

  // Reads a line; tells where its content goes on that is yet to come, or null within a scalar.
  line(text) {
    if (this.top?.flow || this.quote) return this.flow(text, 0);
    let column = text.search(/\S|$/);
    const blank = column === text.length;
    if (this.text !== null && (blank || column > this.text)) return blank ? column : null;
    this.text = null;
    if (blank) return column;
    for (let dash; (dash = /^-(\s+|$)/.exec(text.slice(column))); ) {
      this.enter("seq", column);
      this.top.key = "[]";
      column += dash[0].length;
    }
    const key = KEY.exec(text.slice(column));
    if (key) {
      this.enter("map", column);
      this.name(key[1]);
    }
    return this.value(text, column + (key ? key[0].length : 0), column, Boolean(key));
  }

  value(text, from, column, keyed) {
    const rest = text.slice(from).replace(/^&\S+\s*/, "");
    if (!rest) return keyed ? "value" : column;
    if (/^[|>]/.test(rest)) this.text = keyed ? column : Math.max(column - 1, 0);
    else if (/^[[{"']/.test(rest)) return this.flow(text, text.length - rest.length);
    return null;
  }

  flow(text, start) {
    for (let i = start; i < text.length; i++) {
      const c = text[i];
      if (this.quote) {
        if (c === this.quote) this.quote = "";
        this.token += c;
      } else if (c === "#" && (i === 0 || /\s/.test(text[i - 1]))) return null;
      else if ((c === '"' || c === "'") && !this.token.trim()) {
        this.quote = c;
        this.token = c;
      } else if (!this.mark(c, text[i + 1])) this.token += c;
      if (!this.top?.flow && !this.quote) return null;
    }
    if (this.quote) return null;
    return this.token.trim() ? null : "flow";
  }

  // Takes a character that has a meaning in a flow.
  mark(c, next) {
    if (c === "{" || c === "[") {
      this.push(c === "{" ? "map" : "seq", Infinity, true);
      if (c === "[") this.top.key = "[]";
    } else if (c === "}" || c === "]") {
      if (this.top?.flow) this.stack.pop();
    } else if (c === "," && this.top?.flow) {
      if (this.top.kind === "map") this.top.key = null;
    } else if (c === ":" && this.top?.kind === "map" && (!next || /[\s"]/.test(next))) {
      this.name(this.token);
    } else return false;
    this.token = "";
    return true;
  }

  path(until = this.stack.length) {
    return this.stack.slice(0, until).map((it) => it.key);
  }
}

// `path` to the value at the end of the text, and what it can be: a `key` of the mapping there, a
// `value`, or `either`. `seen` are the keys that the mapping has before.
export function contextAt(text) {
  const word = WORD.exec(text)?.[0] ?? "";
  const scan = new Scan();
  let place = null;
  for (const line of text.slice(0, text.length - word.length).split("\n")) place = scan.line(line);
  const found = { word, from: text.length - word.length, flow: place === "flow", seen: [] };
  if (place === null) return null;
  if (typeof place === "number") {
    scan.leave("map", place);
    const inside = scan.top?.kind === "map" && scan.top.indent === place;
    if (!inside && scan.top) return { ...found, role: "either", path: scan.path() };
  } else if (place === "value" || scan.top.key !== null) {
    const role = scan.top.kind === "seq" ? "either" : "value";
    return { ...found, role, path: scan.path() };
  }
  const path = scan.path(Math.max(0, scan.stack.length - 1));
  return { ...found, role: "key", path, seen: scan.top?.seen ?? [] };
}
