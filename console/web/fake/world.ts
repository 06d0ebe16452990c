// The fake's truth: distributions, edges, what they have stored, and what happens to it.

import type { DistributionConfig } from "@aws-sdk/client-cloudfront";
import type { Actor, AuditEntry, Change, Doubt, Plan, Terms, Wave } from "../src/own";
import { type Inv, modeOf } from "./invalidations";
import { sampleConfig, sampleObjects } from "./sample";

export interface Copy {
  at: number;
  stamp: number;
  hits: number;
  etag: string;
}

export interface Obj {
  path: string;
  bytes: number;
  perMinute: number;
  tags: string[];
  stored: Map<string, Copy>; // by edge
}

export interface Stored {
  id: string;
  domain: string;
  etag: string;
  config: DistributionConfig;
  modified: Date;
  deployed: boolean;
  tags: Record<string, string>;
  objects: Obj[];
  invalidations: Inv[];
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

export function randomId(prefix: string, length = 13): string {
  return prefix + Array.from(crypto.getRandomValues(new Uint8Array(length)), (b) => alphabet[b % 36]).join("");
}

export class World {
  edges = ["FRA50-P1", "IAD89-P2", "NRT57-P3"].map((edge, i) => ({ edge, location: edge, url: `http://127.0.0.1:${8081 + i}`, delay: 180 + 260 * i }));
  doubt: Doubt | null = null; // why time alone completes
  stopped = new Set<string>(); // edges that do not apply anything
  forgetful = new Set<string>(); // edges that do not remember what they have applied
  distributions = new Map<string, Stored>();
  audit: AuditEntry[] = [];
  seq = 100;
  maxItems = 3000; // of an invalidation
  private listeners = new Set<(c: Change) => void>();

  constructor(distributions = 0) {
    const demo = this.create(sampleConfig("demo.localhost", "Demonstration site", ["www.isobar.example"]), { Name: "Demonstration site" }, nobody);
    demo.objects = sampleObjects(this);
    this.create({ ...sampleConfig("assets.example.com", "Product images"), Enabled: false }, {}, nobody);
    this.create(sampleConfig("api.example.com", "API, hardly cached", ["api.isobar.example"]), { "warmfront:wildcards": "aws" }, nobody);
    for (let i = 0; i < distributions; i++) this.create(sampleConfig(`origin-${i}.example.com`, `Customer ${i}`), {}, nobody);
    for (const d of this.distributions.values()) d.deployed = true;
    this.invalidate(demo, ["/images/*", "/styles/site.css", "#edition:1"], "seed-1", nobody, 3600_000 * 26);
    this.invalidate(demo, ["/*"], "seed-2", { ...nobody, user: "ci" }, 3600_000 * 3);
  }

  create(config: DistributionConfig, tags: Record<string, string>, by: Actor): Stored {
    const id = randomId("E");
    const stored: Stored = {
      id,
      domain: `d${randomId("").toLowerCase()}.localhost`,
      etag: randomId("E", 12),
      config,
      modified: new Date(),
      deployed: false,
      tags,
      objects: [],
      invalidations: [],
    };
    this.distributions.set(id, stored);
    this.changed(stored, "CreateDistribution", by);
    return stored;
  }

  update(d: Stored, config: DistributionConfig, by: Actor): void {
    d.config = config;
    d.etag = randomId("E", 12);
    d.modified = new Date();
    this.changed(d, "UpdateDistribution", by);
  }

  changed(d: Stored, action: string, by: Actor): void {
    d.deployed = false;
    this.happened(action, `distribution/${d.id}`, by);
    this.tell({ kind: "distribution", id: d.id, distributionId: d.id, status: "InProgress", seq: this.seq });
    setTimeout(() => {
      d.deployed = true;
      this.tell({ kind: "distribution", id: d.id, distributionId: d.id, status: "Deployed", seq: this.seq });
    }, 800).unref();
  }

  // invalidate begins an invalidation; ago makes it one of the past.
  invalidate(d: Stored, items: string[], reference: string, by: Actor, ago = 0, { pace, mode }: Terms = {}): Inv {
    const same = d.invalidations.find((i) => i.reference === reference);
    if (same) return same;
    const created = Date.now() - ago;
    const inv: Inv = { id: randomId("I"), seq: ++this.seq, created, completed: undefined, items, reference, by, pace, mode: modeOf(d, mode), waves: [], rows: new Map() };
    d.invalidations.unshift(inv);
    this.audit.unshift({ time: new Date(created).toISOString(), action: "CreateInvalidation", resource: `distribution/${d.id}/invalidation/${inv.id}`, by, seq: inv.seq });
    for (const e of this.edges) {
      inv.rows.set(e.edge, { objects: 0, bytes: 0, counted: false });
      if (pace?.byLocation) continue;
      if (ago) this.apply(d, inv, e.edge, created + e.delay / 3);
      else setTimeout(() => this.apply(d, inv, e.edge, Date.now()), e.delay).unref();
    }
    if (pace?.byLocation) this.turn(d, inv, pace.byLocation.pauseSeconds);
    if (!ago) this.tell({ kind: "invalidation", id: inv.id, distributionId: d.id, status: "InProgress", seq: inv.seq });
    return inv;
  }

  // turn lets the invalidation come to the next location.
  private turn(d: Stored, inv: Inv, pause: number): void {
    if (inv.withdrawn) return;
    const been = inv.waves.flatMap((w) => w.locations);
    const left = this.edges.filter((e) => !been.includes(e.location));
    const next = left[0];
    if (!next) return;
    const wave: Wave = { locations: left.length > 1 ? [next.location] : [], others: left.length > 1 ? [] : been, began: new Date().toISOString(), completed: null };
    inv.waves.push(wave);
    setTimeout(() => {
      wave.completed = new Date().toISOString();
      this.apply(d, inv, next.edge, Date.now());
      this.tell({ kind: "invalidation", id: inv.id, distributionId: d.id, status: "InProgress", seq: inv.seq });
      if (left.length > 1) setTimeout(() => this.turn(d, inv, pause), pause * 1000).unref();
    }, next.delay).unref();
  }

  // schedule keeps an invalidation for later; the fake's conditions never hold.
  schedule(d: Stored, items: string[], reference: string, by: Actor, { comment, at, when, pace, mode }: Terms): Inv {
    const plan: Plan = { at: at ?? null, when: when ?? null, inForce: null, withdrawn: null, lookedAt: null, waiting: "" };
    if (when) Object.assign(plan, { lookedAt: new Date().toISOString(), waiting: "the origin answers 404" });
    const inv: Inv = { id: randomId("I"), seq: ++this.seq, created: Date.now(), completed: undefined, items, reference, by, comment: comment ?? "", plan, pace, mode: modeOf(d, mode), waves: [], rows: new Map() };
    d.invalidations.unshift(inv);
    this.tell({ kind: "invalidation", id: inv.id, distributionId: d.id, status: "Scheduled", seq: inv.seq });
    return inv;
  }

  private apply(d: Stored, inv: Inv, edge: string, at: number): void {
    if (this.stopped.has(edge)) {
      setTimeout(() => this.apply(d, inv, edge, Date.now()), 250).unref();
      return;
    }
    const row = inv.rows.get(edge)!;
    row.at = at;
    for (const o of d.objects) {
      const copy = o.stored.get(edge);
      if (!copy || copy.stamp >= inv.seq || !inv.items.some((i) => matches(i, o))) continue;
      row.objects++;
      row.bytes += o.bytes;
      if (inv.mode === "stale") copy.stamp = inv.seq; // as if somebody had asked for it
      else if (at > Date.now() - 5000) o.stored.delete(edge);
    }
    setTimeout(() => (row.counted = true), 400).unref();
    if ([...inv.rows.values()].every((r) => r.at !== undefined)) {
      inv.completed = at;
      this.tell({ kind: "invalidation", id: inv.id, distributionId: d.id, status: "Completed", seq: inv.seq });
    }
  }

  // request is one request of a viewer through an edge.
  request(d: Stored, edge: string, path: string): { xCache: string; copy: Copy | undefined; object: Obj | undefined } {
    const object = d.objects.find((o) => o.path === path);
    if (!object) return { xCache: "Error from cloudfront", copy: undefined, object };
    const held = object.stored.get(edge);
    if (held) {
      held.hits++;
      return { xCache: "Hit from cloudfront", copy: held, object };
    }
    const copy = { at: Date.now(), stamp: this.seq, hits: 0, etag: `"${this.seq.toString(16)}-${object.bytes.toString(16)}"` };
    object.stored.set(edge, copy);
    return { xCache: "Miss from cloudfront", copy, object };
  }

  happened(action: string, resource: string, by: Actor): void {
    this.audit.unshift({ time: new Date().toISOString(), action, resource, by, seq: ++this.seq });
  }

  listen(listener: (c: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private tell(c: Change): void {
    for (const listener of this.listeners) listener(c);
  }
}

export const nobody: Actor = { user: "admin", accessKey: "AKIAEXAMPLEEXAMPLE00", address: "127.0.0.1" };

export function matches(item: string, o: Obj): boolean {
  if (item.startsWith("#")) return o.tags.includes(item.slice(1).toLowerCase());
  const pattern = item.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${pattern}$`).test(o.path);
}
