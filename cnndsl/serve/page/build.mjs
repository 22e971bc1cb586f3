// Bundles src/ into ../static/page.js, beside the page and its style; equal sources give equal bytes.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const target = process.env.STATIC ?? at("../static");

await mkdir(target, { recursive: true });
const { metafile } = await build({
  metafile: true,
  absWorkingDir: at("."),
  entryPoints: { page: "src/main.js" },
  outdir: target,
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "esm",
  target: "es2022",
  legalComments: "none",
});

// The licences of what is bundled stand beside it.
const found = Object.keys(metafile.inputs).map((path) =>
  /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1],
);
const packages = [...new Set(found)].filter(Boolean).sort();
const licences = await Promise.all(
  packages.map(async (name) => {
    const text = await readFile(at(`node_modules/${name}/LICENSE`), "utf8");
    return `${name}\n\n${text.trim()}\n`;
  }),
);
await writeFile(`${target}/LICENSES.txt`, licences.join("\n---\n\n"));
