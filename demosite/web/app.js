// Isobar, edition {{.Edition}}. Asks the edge about the parts of this page, and the origin what is new.
"use strict";

const EDITION = {{.Edition}};
const ORIGIN = document.querySelector('meta[name="isobar-origin"]').content;
const PARTS = [
  ["/", "text"], ["/css/site.css", "colours"], ["/js/app.js", "script"],
  ["/images/hero.svg", "picture"], ["/images/print-1.svg", "picture"], ["/images/barometer.png", "PNG"],
  ["/api/products", "prices"], ["/api/time", "never stored"],
];
const $ = (id) => document.getElementById(id);
const text = (id, value) => { const e = $(id); if (e) e.textContent = value; };

// What an edge says about a path. no-store keeps the browser's own cache out of it. GET, and read to
// the end, because an edge keeps what it delivered, and a HEAD delivers nothing.
async function ask(path) {
  try {
    const answer = await fetch(path, { cache: "no-store" });
    await answer.arrayBuffer();
    const xCache = answer.headers.get("x-cache");
    return {
      path,
      result: xCache ? xCache.split(" ")[0] : "origin",
      pop: answer.headers.get("x-amz-cf-pop") || "",
      age: answer.headers.get("age"),
      edition: Number(answer.headers.get("x-isobar-edition")) || null,
    };
  } catch {
    return { path, result: "Error", pop: "", age: null, edition: null };
  }
}

function duration(age) {
  if (age === null) return "";
  const s = Number(age);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

function showPage(seen) {
  const word = seen.result === "origin" ? "Origin" : seen.result;
  for (const id of ["served", "verdict"]) if ($(id)) $(id).dataset.result = seen.result;
  text("served-result", word);
  text("served-where", seen.pop);
  text("served-age", seen.age === null ? "" : `Age ${seen.age}`);
  text("verdict-result", word);
  text("pop", seen.pop || "none, straight from the origin");
  text("age", seen.age === null ? (seen.result === "Miss" ? "just fetched" : "–") : duration(seen.age));
}

function cell(row, content, className) {
  const td = row.insertCell();
  if (className) td.className = className;
  td.append(content);
}

function showParts(all, origin) {
  const body = $("parts");
  if (!body) return;
  body.replaceChildren();
  for (const seen of all) {
    const row = body.insertRow();
    const code = document.createElement("code");
    code.textContent = seen.path;
    cell(row, code);
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.dataset.result = seen.result;
    mark.textContent = seen.result === "origin" ? "origin" : seen.result;
    cell(row, mark);
    cell(row, duration(seen.age) || "–", "num");
    const edition = document.createElement("span");
    edition.textContent = seen.edition ?? "–";
    if (origin && seen.edition && seen.edition < origin.edition) edition.className = "old";
    cell(row, edition, "num");
  }
}

// The origin is asked directly: only it knows what is new. Its answer is never cached.
async function originState() {
  try {
    const answer = await fetch(`${ORIGIN}/_state`, { cache: "no-store" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function showOrigin(origin, all) {
  if (!$("origin-edition")) return;
  text("origin-edition", origin ? `edition ${origin.edition}` : "not to be reached");
  $("origin-edition").classList.toggle("ahead", Boolean(origin) && origin.edition > EDITION);
  const stale = origin ? all.filter((seen) => seen.edition && seen.edition < origin.edition) : [];
  const newer = all.some((seen) => seen.edition > EDITION);
  $("command").hidden = stale.length === 0 || stale[0].result === "origin";
  if (stale.length) {
    const paths = stale.length >= PARTS.length - 1 ? "'/*'" : stale.map((seen) => `'${seen.path}'`).join(" ");
    text("command-why", `The origin has moved on; ${stale.length === 1 ? "one part" : `${stale.length} parts`} here may stay old for a day. Or now:`);
    text("command-text", `aws cloudfront create-invalidation \\\n  --distribution-id ${origin.distribution || "ID"} \\\n  --paths ${paths}`);
    $("console").hidden = !origin.console;
    if (origin.console) { $("console").href = origin.console; $("console").textContent = "or in the console"; }
  }
  if (newer) note("Something here is newer than what you are reading. Reload to see it.");
  else if (stale.length) note(`“${origin.name}” is published, but this edge still serves the old edition.`);
  else if (origin) note("Everything that this edge holds is of the newest edition.");
}

function note(message) { text("note", message); }

// Asking is a request like any visitor's: what it finds missing, the edge fetches.
async function look() {
  const parts = $("parts") ? PARTS.map(([path]) => path) : [location.pathname];
  const [origin, ...all] = await Promise.all([originState(), ...parts.map(ask)]);
  showPage(all[0]);
  showParts(all, origin);
  showOrigin(origin, all);
}

async function publish(event) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const answer = await fetch(`${ORIGIN}/_change`, { method: "POST" });
    if (!answer.ok) throw new Error(await answer.text());
    await look();
  } catch (problem) {
    note(`The origin at ${ORIGIN} did not publish: ${problem.message}`);
  } finally {
    button.disabled = false;
  }
}

async function prices() {
  if (!document.querySelector("[data-price]")) return;
  const answer = await fetch("/api/products");
  for (const product of (await answer.json()).products) {
    document.querySelector(`[data-price="${product.id}"]`).textContent = product.price;
    document.querySelector(`[data-left="${product.id}"]`).textContent = `${product.left} left`;
  }
}

async function copy() {
  await navigator.clipboard.writeText($("command-text").textContent);
  text("copy", "Copied");
}

$("publish")?.addEventListener("click", publish);
$("check")?.addEventListener("click", look);
$("copy")?.addEventListener("click", copy);
$("served")?.addEventListener("click", () => ($("inspector") ? $("inspector").scrollIntoView() : look()));
prices().catch(() => {});
look();
