// The answers of edges to verifications, kept for this browser session, so that what was seen before an
// invalidation can be laid beside what is seen after it.

import type { Match, VerifiedEdge } from "../../own";

export interface Run {
  at: number;
  path: string;
  edges: VerifiedEdge[];
  dropped?: Match | undefined; // the item that says why what was a hit is not one any more
}

const most = 30; // runs kept for a distribution

// target reads what was typed: a path, or a whole URL, whose scheme then says how the edges are asked.
export function target(text: string): { path: string; scheme?: "http" | "https" } {
  const url = /^(https?):\/\/[^/?#]*(.*)$/i.exec(text.trim());
  const path = url ? (url[2] ?? "") : text.trim();
  return {
    path: path.startsWith("/") ? path : `/${path}`,
    ...(url && { scheme: url[1]?.toLowerCase() === "https" ? "https" : "http" }),
  };
}

function key(id: string): string {
  return `warmfront.verify.${id}`;
}

export function remembered(id: string): Run[] {
  try {
    return JSON.parse(sessionStorage.getItem(key(id)) ?? "[]") as Run[];
  } catch {
    return [];
  }
}

export function remember(id: string, run: Run): Run[] {
  const runs = [...remembered(id), run].slice(-most);
  try {
    sessionStorage.setItem(key(id), JSON.stringify(runs));
  } catch {
    // Without room the runs are forgotten with the page.
  }
  return runs;
}

// beforeAndAfter picks the two runs to compare: around the moment if there is one, else the last two.
// Without a moment the older is not called a "before" of anything.
export function beforeAndAfter(runs: Run[], moment: number | undefined): { before?: Run | undefined; after?: Run | undefined } {
  if (moment === undefined) return { before: runs.at(-2), after: runs.at(-1) };
  return { before: runs.filter((r) => r.at < moment).at(-1), after: runs.find((r) => r.at >= moment) };
}
