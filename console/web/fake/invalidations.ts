// What the fake says of an invalidation.

import type { Actor, Mode, Pace, Plan, Receipt, Wave, Where } from "../src/own";
import { Refusal } from "./http";
import type { Stored, World } from "./world";

export interface Inv {
  id: string;
  seq: number;
  created: number;
  completed: number | undefined;
  items: string[];
  reference: string;
  by: Actor;
  comment?: string;
  plan?: Plan;
  where?: Where;
  pace?: Pace;
  mode: Mode;
  waves: Wave[];
  withdrawn?: boolean; // on its way from one location to the next
  rows: Map<string, { at?: number; objects: number; bytes: number; counted: boolean }>;
}

// modeOf is what an invalidation of the distribution does.
export function modeOf(d: Stored, asked?: Mode): Mode {
  return asked ?? (d.tags["warmfront:invalidation-mode"] === "stale" ? "stale" : "remove");
}

export function line(inv: Inv) {
  return {
    id: inv.id,
    status: statusOf(inv),
    createTime: new Date(inv.created).toISOString(),
    completedTime: inv.completed ? new Date(inv.completed).toISOString() : null,
    items: inv.items.slice(0, 10),
    itemCount: inv.items.length,
    by: inv.by,
    comment: inv.comment ?? "",
    plan: inv.plan ?? null,
    mode: inv.mode,
    where: inv.where ?? null,
    pace: inv.pace ?? null,
    waves: inv.waves,
  };
}

function statusOf(inv: Inv): Receipt["invalidation"]["status"] {
  if (inv.withdrawn) return "Withdrawn";
  if (inv.plan) return inv.plan.withdrawn ? "Withdrawn" : "Scheduled";
  return inv.completed ? "Completed" : "InProgress";
}

export function receipt(world: World, d: Stored, id: string): Receipt {
  const inv = d.invalidations.find((i) => i.id === id);
  if (!inv) throw new Refusal(404, "NotFound", "The specified invalidation does not exist.");
  return {
    invalidation: { ...line(inv), items: inv.items, distributionId: d.id, callerReference: inv.reference },
    tookMs: (inv.completed ?? Date.now()) - inv.created,
    edgeCount: inv.plan ? 0 : world.edges.length,
    edges: (inv.plan ? [] : world.edges.filter((e) => !world.forgetful.has(e.edge))).map(({ edge, location }) => {
      const row = inv.rows.get(edge)!;
      const turn = !inv.pace?.byLocation || inv.waves.some((w) => (w.locations.length > 0 ? w.locations.includes(location) : !w.others.includes(location)));
      const waits = turn && row.at === undefined && Date.now() - inv.created > 1500;
      return {
        edge,
        location,
        applied: row.at !== undefined,
        at: row.at ? new Date(row.at).toISOString() : null,
        tookMs: (row.at ?? Date.now()) - inv.created,
        lagging: waits ? `has applied entries up to ${inv.seq - 1}, this is ${inv.seq}; last heard of ${((Date.now() - inv.created) / 1000).toFixed(1)}s ago` : "",
        objects: row.objects,
        bytes: row.bytes,
        counted: row.counted,
        unbound: false,
        waits: !turn,
        former: false,
        asked: inv.pace?.requestsPerSecond && row.objects > 0 ? 0 : null,
        owed: inv.pace?.requestsPerSecond && row.objects > 0 ? row.objects : null,
      };
    }),
    doubt: inv.completed ? null : world.doubt,
  };
}
