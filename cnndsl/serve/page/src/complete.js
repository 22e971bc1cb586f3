// Completion and help at the cursor, from the schema and the names of the file.

import { contextAt } from "./context.js";

const ATTRIBUTES = new Set(["name", "when", "from", "shape", "note", "do", "with"]);
const NEED = { do: ["for", "repeat"], with: ["use"] }; // what these belong to
const MAX_TEXT = 100_000;

export class Help {
  constructor() {
    this.schema = null;
    this.names = { values: [], blocks: {} };
    this.shipped = [];
  }

  // A source of completions for the editor.
  complete(context) {
    const text = context.state.sliceDoc(0, context.pos);
    if (!this.schema || text.length > MAX_TEXT) return null;
    const place = contextAt(text);
    if (!place || (!context.explicit && !place.word && !opens(text))) return null;
    const options = [...this.keys(place, wordCounts(text)), ...this.values(place, text)];
    return options.length ? { from: place.from, options, validFor: /^\$?[\w.-]*$/ } : null;
  }

  keys({ role, path, seen, flow }, used) {
    if (role === "value") return [];
    const keys = this.schema.keys(path);
    const isNode = keys.has("conv") && keys.has("name");
    const done = seen.some((key) => isNode && !ATTRIBUTES.has(key));
    const belongs = (key) => !isNode || !(key in NEED) || NEED[key].some((it) => seen.includes(it));
    const offered = [...keys].filter(
      ([key]) => !seen.includes(key) && !(done && !ATTRIBUTES.has(key)) && belongs(key),
    );
    const fits = role === "key" || !flow; // an item of a flow list is a scalar or begins with {
    return offered.map(([key, schema]) => {
      const attribute = isNode && ATTRIBUTES.has(key);
      const bare = isNode && !attribute && role === "either" && !this.schema.needsArguments(schema);
      return {
        label: key,
        type: isNode ? kindOf(key, attribute) : "property",
        detail: detailOf(schema),
        info: () => noteOf(this.schema.description(schema)),
        apply: bare || !fits ? key : `${key}: `,
        boost: attribute && !done ? -20 : isNode ? Math.min(20, used.get(key) ?? 0) : 0,
      };
    });
  }

  values({ role, path }, text) {
    if (role === "key") return [];
    const names = new Set(this.schema.keys(path).keys());
    const given = this.schema.values(path).filter((value) => !names.has(value));
    const options = given.map((label) => ({ label, type: "enum" }));
    const last = path.at(-1);
    const inImport = path[0] === "import" || path[0] === "extends";
    if (inImport) return this.shipped.map((label) => ({ label, type: "file" }));
    if (last === "from") return namesBefore(text).map((label) => ({ label, type: "variable" }));
    if (role === "value" || last === "[]") options.push(...this.references(path, text));
    return options;
  }

  // Names that the value may refer to: parameters, `let` values, columns of loops, and blocks.
  references(path, text) {
    if (!["body", "blocks", "let", "input", "outputs", "params", "variants"].includes(path[0])) {
      return [];
    }
    const own = path[0] === "blocks" ? (this.names.blocks[path[1]] ?? []) : [];
    const columns = [...text.matchAll(/\bfor:\s*\{([^}\n]*)/g)].flatMap(([, inner]) =>
      [...inner.matchAll(/(\w+):/g)].map((found) => found[1]),
    );
    const values = new Set([...own, ...columns, ...this.names.values, "x.channels", "x.height"]);
    const blocks = Object.keys(this.names.blocks);
    return [
      ...[...values].map((name) => ({ label: `$${name}`, type: "variable", boost: -30 })),
      ...blocks.map((label) => ({ label, type: "class", boost: -40 })),
    ];
  }

  // What is said of the word around a place: { from, to, title, text }, or null.
  about(state, pos) {
    const word = state.wordAt(pos);
    if (!word || !this.schema || word.to > MAX_TEXT) return null;
    const place = contextAt(state.sliceDoc(0, word.to));
    if (!place) return null;
    const name = state.sliceDoc(place.from, word.to);
    const isKey = /^\s*:(\s|$)/.test(state.sliceDoc(word.to, word.to + 20));
    if (place.role === "value" && !isKey) return null;
    const schema = this.schema.keys(place.path).get(name);
    if (!schema) return null;
    return { from: place.from, to: word.to, title: name, text: this.schema.description(schema) };
  }
}

const opens = (text) => /(^|\n)\s*- $|[{,] $|\{$|: $/.test(text);

// How often each word stands in the text: what was used before is offered first.
function wordCounts(text) {
  const counts = new Map();
  for (const [word] of text.matchAll(/\w+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

const kindOf = (key, attribute) =>
  attribute ? "property" : /^[A-Z]/.test(key) ? "class" : "function";

const detailOf = (schema) =>
  schema.default === undefined ? "" : ` = ${JSON.stringify(schema.default)}`;

const namesBefore = (text) => [
  ...new Set([...text.matchAll(/\bname:\s*([\w-]+)/g)].map((found) => found[1])),
];

// Text with `code` marked as such.
export function noteOf(text) {
  const note = document.createElement("div");
  note.className = "note-text";
  text.split("`").forEach((part, index) => {
    const element = index % 2 ? document.createElement("code") : document.createTextNode("");
    element.textContent = part;
    note.append(element);
  });
  return note;
}
