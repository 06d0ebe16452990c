// The rules of the house that the type checker does not know.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname, "..");
const most = 200; // lines of a file
const problems = [];

for (const folder of ["src", "fake", "e2e"]) {
  for (const entry of readdirSync(path.join(root, folder), { recursive: true })) {
    if (!/\.tsx?$/.test(entry)) continue;
    const file = path.join(folder, entry);
    const text = readFileSync(path.join(root, file), "utf8");
    const lines = text.split("\n").length - 1;
    if (lines > most && !file.endsWith(".test.ts")) problems.push(`${file}: ${lines} lines, at most ${most}`);
    if (/(:|<|\bas)\s*any\b/.test(text)) problems.push(`${file}: any`);
    if (file.startsWith("src") && !file.startsWith(path.join("src", "client")) && /\bfetch\(|XMLHttpRequest|EventSource/.test(text)) {
      problems.push(`${file}: only client.ts talks HTTP`);
    }
  }
}

const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
const reasons = readFileSync(path.join(root, "../../docs/dependencies.md"), "utf8");
for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
  if (!/^\d/.test(version)) problems.push(`package.json: ${name} is not pinned: ${version}`);
  if (!reasons.includes(`\`${name}\``)) problems.push(`package.json: ${name} has no line in docs/dependencies.md`);
}
if (readFileSync(path.join(root, "package-lock.json"), "utf8").includes('"resolved"')) problems.push("package-lock.json names a registry");

for (const p of problems) console.error(p);
process.exit(problems.length > 0 ? 1 : 0);
