// What the fake says of an invalidation.

import type { Receipt } from "../src/own";
import { Refusal } from "./http";
import type { Inv, Stored, World } from "./world";

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
  };
}

function statusOf(inv: Inv): Receipt["invalidation"]["status"] {
  if (inv.plan) return inv.plan.withdrawn ? "Withdrawn" : "Scheduled";
  return inv.completed ? "Completed" : "InProgress";
}

export function receipt(world: World, d: Stored, id: string): Receipt {
  const inv = d.invalidations.find((i) => i.id === id);
  if (!inv) throw new Refusal(404, "NotFound", "The specified invalidation does not exist.");
  return {
    invalidation: { ...line(inv), items: inv.items, distributionId: d.id, callerReference: inv.reference },
    tookMs: (inv.completed ?? Date.now()) - inv.created,
    edges: (inv.plan ? [] : world.edges).map(({ edge, location }) => {
      const row = inv.rows.get(edge)!;
      const waits = row.at === undefined && Date.now() - inv.created > 1500;
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
      };
    }),
  };
}
