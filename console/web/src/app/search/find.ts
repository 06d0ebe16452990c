// What the search box finds: pages, distributions by id, domain name, alias, origin or description, and
// invalidations by id.

import { type Row, getInvalidationStatus, knownDistributions } from "../../distributions";
import { client } from "../../client";
import type { AuditEntry, Page } from "../../own";
import { places } from "../places";

export interface Hit {
  href: string;
  text: string;
  about: string;
}

export interface Hits {
  pages: Hit[];
  distributions: Hit[];
  invalidations: Hit[];
}

export interface Catalog {
  distributions: Row[];
  invalidations: { id: string; distribution: string; at: string }[]; // the newest
}

export const nothing: Catalog = { distributions: [], invalidations: [] };
const most = 8; // hits of each kind

export async function loadCatalog(signal: AbortSignal, emit: (c: Catalog) => void): Promise<Catalog> {
  const audit = client.own<Page<AuditEntry>>("GET", "/audit?max=100", undefined, signal).catch(() => ({ items: [] as AuditEntry[] }));
  const distributions = await knownDistributions(signal, (rows) => emit({ distributions: rows, invalidations: [] }));
  const invalidations = (await audit).items.flatMap(({ resource, time }) => {
    const [, distribution, , id] = resource.split("/");
    return resource.includes("/invalidation/") && distribution && id ? [{ id, distribution, at: time }] : [];
  });
  return { distributions, invalidations };
}

// find returns the best hits, best first.
export function find(text: string, { distributions, invalidations }: Catalog): Hits {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return { pages: places.map(page), distributions: [], invalidations: [] };
  return {
    pages: best(places, wanted, (p) => [p.text, ...p.also]).map(page),
    distributions: best(distributions, wanted, (d) => [d.id, d.domain, d.description, ...d.aliases, ...d.origins]).map((d) => ({
      href: `/distributions/${d.id}`,
      text: d.id,
      about: [d.description, d.aliases[0] ?? d.domain].filter(Boolean).join(" · "),
    })),
    invalidations: best(invalidations, wanted, (i) => [i.id]).map(invalidation),
  };
}

function page({ href, text }: { href: string; text: string }): Hit {
  return { href, text, about: "" };
}

function invalidation({ id, distribution }: { id: string; distribution: string }): Hit {
  return { href: `/distributions/${distribution}/invalidations/${id}`, text: id, about: `of distribution ${distribution}` };
}

// best keeps those of which a name contains what is wanted: first those that are it, then those that
// begin with it.
function best<T>(all: readonly T[], wanted: string, names: (t: T) => string[]): T[] {
  const rank = (t: T) => Math.min(...names(t).map((n) => match(n.toLowerCase(), wanted)));
  return all
    .map((t) => ({ t, rank: rank(t) }))
    .filter((x) => x.rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map((x) => x.t);
}

function match(name: string, wanted: string): number {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  return name.includes(wanted) ? 2 : 3;
}

// looksLikeInvalidation: a whole id, which may be older than what the catalog knows.
export function looksLikeInvalidation(text: string): boolean {
  return /^I[A-Z0-9]{12,27}$/.test(text.trim());
}

// lookUp asks distribution by distribution whose invalidation this is, a few at a time.
export async function lookUp(id: string, distributions: readonly Row[], signal: AbortSignal): Promise<Hit | undefined> {
  const atOnce = 6;
  for (let i = 0; i < Math.min(distributions.length, 300); i += atOnce) {
    const found = await Promise.all(
      distributions.slice(i, i + atOnce).map(async (d) => ((await getInvalidationStatus(d.id, id, signal)) ? d.id : undefined)),
    );
    const distribution = found.find(Boolean);
    if (distribution || signal.aborted) return distribution ? invalidation({ id, distribution }) : undefined;
  }
  return undefined;
}
