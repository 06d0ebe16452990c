// Warmfront's own API on the fake's world.

import { check, hasLiteralAsterisk, literalAsterisk } from "../src/paths";
import type { Actor, EdgeCount, Explanation, Preview, Terms, VerifiedEdge } from "../src/own";
import { type Request, type Response, Refusal, json } from "./http";
import { line, modeOf, receipt } from "./invalidations";
import { machines } from "./machines";
import { people } from "./people";
import { metrics } from "./traffic";
import { type Obj, type Stored, type World, matches } from "./world";

type Handler = (args: string[], body: never, query: URLSearchParams) => unknown;

export function own(world: World, by: Actor, request: Request): Response {
  const find = (id: string): Stored => {
    const d = world.distributions.get(id);
    if (!d) throw new Refusal(404, "NotFound", "The specified distribution does not exist.");
    return d;
  };
  const routes: Record<string, Handler> = {
    "GET /about": () => ({ version: "fake", suffix: "localhost", edges: world.edges.map(({ edge, location, url }) => ({ name: edge, location, url })), accountId: "123456789012", demo: null, quotas: { pathsPerInvalidation: world.maxItems } }),
    "GET /distributions/*/invalidations": ([id = ""], _, query) => page(find(id).invalidations.map((i) => line(i)), query),
    "POST /distributions/*/invalidations": ([id = ""], body: { items: string[]; callerReference: string } & Terms) => {
      const planned = body.at || body.when;
      const inv = planned ? world.schedule(find(id), body.items, body.callerReference, by, body) : world.invalidate(find(id), body.items, body.callerReference, by, 0, body);
      inv.comment = body.comment ?? "";
      inv.where = body.where;
      return line(inv);
    },
    "POST /distributions/*/invalidations/*/withdraw": ([id = "", of]) => {
      const inv = find(id).invalidations.find((i) => i.id === of);
      if (inv && !inv.plan && inv.waves.length > 0 && inv.waves.every((w) => w.locations.length > 0)) {
        inv.withdrawn = true;
        return line(inv);
      }
      if (!inv?.plan) throw new Refusal(409, "Conflict", "It is in force.");
      inv.plan.withdrawn = new Date().toISOString();
      return line(inv);
    },
    "GET /distributions/*/invalidations/*/receipt": ([id = "", inv]) => receipt(world, find(id), inv ?? ""),
    "POST /distributions/*/preview": ([id = ""], body: { items: string[] }) => preview(world, find(id), body.items),
    "POST /explain": (_, body: { distributionId: string; path: string }) => explain(world, find(body.distributionId), body.path),
    "POST /distributions/*/verify": ([id = ""], body: { path: string; scheme?: string }) => ({ edges: verify(world, find(id), body.path, body.scheme ?? "http") }),
    "GET /nodes": () => machines(world),
    "GET /places": () => ({ places: world.edges.map((e, i) => ({ place: e.location, parent: i > 0 ? (world.edges[0]?.location ?? "") : "", regions: [], edges: 1 })) }),
    "GET /distributions/*/metrics": ([id = ""], _, query) => {
      const minutes = Number(query.get("minutes") ?? 60);
      if (!(minutes >= 1 && minutes <= 180)) throw new Refusal(400, "InvalidArgument", "minutes is a number from 1 to 180.");
      return metrics(find(id), minutes);
    },
    "GET /distributions/*/popular": ([id = ""]) => ({ since: new Date(Date.now() - 3600_000).toISOString(), items: popular(find(id)) }),
    "GET /audit": (_, __, query) => page(world.audit.map((a) => ({ ...a, id: String(a.seq) })), query),
    ...people(world, by),
  };
  const path = request.url.pathname.replace("/warmfront/v1", "");
  for (const [route, handler] of Object.entries(routes)) {
    const [method, template = ""] = route.split(" ");
    const match = method === request.method && new RegExp(`^${template.replaceAll("*", "([^/]+)")}$`).exec(path);
    if (!match) continue;
    const body = (request.body ? JSON.parse(request.body) : {}) as never;
    const answer = handler(match.slice(1).map(decodeURIComponent), body, request.url.searchParams);
    return json(answer === undefined ? 204 : 200, answer);
  }
  throw new Refusal(404, "NotFound", "There is no such resource.");
}

function page<T extends { id: string }>(all: T[], query: URLSearchParams) {
  const most = Number(query.get("max") ?? 100);
  if (!(most >= 1 && most <= 100)) throw new Refusal(400, "InvalidArgument", "max is a number from 1 to 100.");
  const from = query.get("marker") ? all.findIndex((x) => x.id === query.get("marker")) + 1 : 0;
  const items = all.slice(from, from + most);
  return { items, nextMarker: from + most < all.length ? items.at(-1)?.id : "" };
}

function preview(world: World, d: Stored, items: string[]): Preview {
  const aws = d.tags["warmfront:wildcards"] === "aws";
  const count = (hit: Obj[]) => {
    const edges: EdgeCount[] = world.edges.map(({ edge }) => {
      const there = hit.filter((o) => o.stored.has(edge));
      return {
        edge,
        objects: there.length,
        bytes: there.reduce((n, o) => n + o.bytes, 0),
        requestsPerMinute: there.reduce((n, o) => n + o.perMinute / o.stored.size, 0),
      };
    });
    return {
      objects: edges.reduce((n, e) => n + e.objects, 0),
      bytes: edges.reduce((n, e) => n + e.bytes, 0),
      requestsPerMinute: edges.reduce((n, e) => n + e.requestsPerMinute, 0),
      originRequests: edges.reduce((n, e) => n + Math.min(e.objects, e.requestsPerMinute), 0),
      edges,
    };
  };
  const all = new Set<Obj>();
  return {
    mode: modeOf(d),
    items: items.map((item) => {
      const problem = check(item);
      const hit = problem ? [] : d.objects.filter((o) => o.stored.size > 0 && matches(item, o));
      for (const o of hit) all.add(o);
      return {
        item,
        kind: item.startsWith("#") ? "Tag" : item.endsWith("*") ? "Prefix" : item.includes("*") ? "Wildcard" : "Exact",
        ...(problem && { error: { reason: problem.reason, hint: problem.hint } }),
        ...(aws && hasLiteralAsterisk(item) && { warning: literalAsterisk }),
        ...count(hit),
        sample: hit.slice(0, 10).map((o) => o.path),
      };
    }),
    total: count([...all]),
  };
}

function verify(world: World, d: Stored, path: string, scheme: string): VerifiedEdge[] {
  return world.edges.map(({ edge, location, url }) => {
    const head = { edge, location, scheme, url: `${url.replace("127.0.0.1", d.domain).replace(/^http/, scheme)}${path}` };
    const none = { status: 0, xCache: "", age: null, etag: "", lastModified: "", contentType: "", contentLength: 0, cfId: "", tookMs: 0 };
    if (world.stopped.has(edge)) return { ...head, ...none, error: "connection refused" };
    const { xCache, copy, object } = world.request(d, edge, path);
    const hit = xCache.startsWith("Hit");
    return {
      ...head,
      status: object ? 200 : 404,
      xCache,
      age: hit && copy ? Math.floor((Date.now() - copy.at) / 1000) : null,
      etag: copy?.etag ?? "",
      lastModified: new Date().toUTCString(),
      contentType: path.endsWith(".svg") ? "image/svg+xml" : "text/html",
      contentLength: object?.bytes ?? 0,
      cfId: crypto.randomUUID(),
      tookMs: hit ? 1 : 14,
    };
  });
}

function explain(world: World, d: Stored, path: string): Explanation {
  const object = d.objects.find((o) => o.path === path);
  const api = path === "/api/time";
  return {
    distributionId: d.id,
    domainName: d.domain,
    behavior: { ...(api ? { pathPattern: "/api/time", precedence: 0 } : { pathPattern: "*", precedence: 1 }), origins: [d.config.DefaultCacheBehavior?.TargetOriginId ?? ""] },
    cachePolicy: { id: d.config.DefaultCacheBehavior?.CachePolicyId ?? "", name: api ? "Managed-CachingDisabled" : "Managed-CachingOptimized" },
    cacheKey: { readable: `${d.domain} GET ${path}` },
    subject: { path, query: "", tags: object?.tags ?? [] },
    edges: world.edges.map(({ edge }) => {
      const copy = object?.stored.get(edge);
      return {
        edge,
        stored: copy !== undefined,
        status: copy ? 200 : 0,
        storedAt: copy ? new Date(copy.at).toISOString() : null,
        stamp: copy?.stamp ?? 0,
        fresh: copy !== undefined,
        freshUntil: copy ? new Date(copy.at + 86_400_000).toISOString() : null,
        ageSeconds: copy ? Math.floor((Date.now() - copy.at) / 1000) : 0,
        bytes: copy ? (object?.bytes ?? 0) : 0,
        ...{ hits: copy?.hits ?? 0, memory: copy !== undefined, disk: false, slices: 0, slicesStored: 0, second: "" },
        marked: false,
        matchedBy: [],
        through: [],
      };
    }),
    wouldMatch: d.invalidations.flatMap((i) => i.items.filter((item) => object && matches(item, object)).map((item) => ({ invalidationId: i.id, item, mode: i.mode }))),
    items: [],
  };
}

function popular(d: Stored) {
  return d.objects
    .map((o) => ({ path: o.path, requests: Math.round(o.perMinute * 60), hits: Math.round(o.perMinute * 55), bytes: Math.round(o.perMinute * 60 * o.bytes) }))
    .sort((a, b) => b.requests - a.requests)
    .slice(0, 50);
}
