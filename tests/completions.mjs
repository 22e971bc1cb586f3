// What the page of `cnndsl serve` offers at the end of each text, for test_serve_page.py.

import { readFileSync } from "node:fs";
import { Help } from "../cnndsl/serve/page/src/complete.js";
import { Schema } from "../cnndsl/serve/page/src/schema.js";

const given = JSON.parse(readFileSync(0, "utf8"));
const help = new Help();
Object.assign(help, { schema: new Schema(given.schema), names: given.names, shipped: ["lenet"] });
const offered = given.texts.map((text) => {
  const state = { sliceDoc: (from, to) => text.slice(from, to) };
  const found = help.complete({ state, pos: text.length, explicit: true });
  return (found?.options ?? []).map((option) => option.apply ?? option.label);
});
console.log(JSON.stringify(offered));
