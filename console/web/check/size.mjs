// The size budget: what a browser fetches, compressed, before it shows the first page after signing in.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

const budget = 1_000_000; // bytes
const dist = path.join(import.meta.dirname, "../dist");
const manifestFile = path.join(dist, ".manifest.json");
if (!existsSync(manifestFile)) {
  console.error("There is no build: npm run build");
  process.exit(1);
}
const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
const first = ["index.html", "src/pages/sign-in/index.tsx", "src/pages/distributions/index.tsx"];

const files = new Set(["index.html", "favicon.svg"]);
const visit = (key) => {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return;
  for (const f of [chunk.file, ...(chunk.css ?? [])]) files.add(f);
  (chunk.imports ?? []).forEach(visit);
};
first.forEach(visit);

let total = 0;
for (const f of files) total += gzipSync(readFileSync(path.join(dist, f)), { level: 9 }).length;
// Fonts come by what is on the page: Latin in two weights.
total += 2 * 18_000;

const kB = (n) => `${Math.round(n / 1000)} kB`;
console.log(`first load: ${kB(total)} compressed in ${files.size + 2} files, of at most ${kB(budget)}`);
process.exit(total > budget ? 1 : 0);
