// Walking the JSON Schema of specs.

export class Schema {
  constructor(root) {
    this.root = root;
  }

  // The schema with all that it refers to or chooses from, each once.
  all(schemas) {
    const found = new Set();
    const ahead = [...schemas];
    while (ahead.length) {
      const schema = ahead.pop();
      if (!schema || typeof schema !== "object" || found.has(schema)) continue;
      found.add(schema);
      const { $ref, anyOf = [], oneOf = [], allOf = [] } = schema;
      if ($ref) ahead.push(this.referred($ref));
      ahead.push(...anyOf, ...oneOf, ...allOf, schema.then, schema.else);
    }
    return [...found];
  }

  referred(ref) {
    return ref
      .replace(/^#\//, "")
      .split("/")
      .reduce((at, name) => at?.[name], this.root);
  }

  // What may stand at a path of keys, with "[]" for an item of a list.
  at(path) {
    let schemas = this.all([this.root]);
    for (const key of path) schemas = this.all(schemas.map((schema) => inside(schema, key)));
    return schemas;
  }

  keys(path) {
    const found = new Map();
    for (const schema of this.at(path)) {
      for (const [key, value] of Object.entries(schema.properties ?? {})) {
        if (!found.has(key)) found.set(key, value);
      }
    }
    return found;
  }

  values(path) {
    const found = new Set();
    for (const schema of this.at(path)) {
      for (const value of schema.enum ?? []) found.add(String(value));
      if (schema.const !== undefined) found.add(String(schema.const));
      for (const word of wordsOf(schema.pattern)) found.add(word);
      if ([schema.type].flat().includes("boolean")) found.add("true").add("false");
    }
    return [...found];
  }

  description(schema) {
    const all = this.all([schema]);
    const text = schema.description ?? all.find((it) => it.description)?.description ?? "";
    const fallback = all.find((it) => it.default !== undefined)?.default;
    return fallback === undefined ? text : `${text} Default: ${JSON.stringify(fallback)}.`;
  }

  // Whether something must follow: there is no null in its place, or an argument has no default.
  needsArguments(schema) {
    const all = this.all([schema]);
    const given = ({ properties = {}, required }) =>
      required ? required.length : Object.values(properties).some((own) => !("default" in own));
    return !all.some((it) => it.type?.includes("null")) || all.some(given);
  }
}

// The words that a pattern as `^(sgd|adam)$|…` allows.
function wordsOf(pattern = "") {
  return /^\^\(([\w|]+)\)\$/.exec(pattern.replace(/^\\\$\|/, ""))?.[1].split("|") ?? [];
}

function inside(schema, key) {
  if (key === "[]") return schema.items;
  if (schema.properties?.[key]) return schema.properties[key];
  for (const [pattern, value] of Object.entries(schema.patternProperties ?? {})) {
    if (new RegExp(pattern, "u").test(key)) return value;
  }
  return schema.additionalProperties;
}
