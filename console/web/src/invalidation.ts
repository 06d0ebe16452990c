// What Warmfront's own API says of an invalidation beyond what CloudFront's does.

import type { Actor } from "./own";

export interface Condition {
  url: string;
  field: string;
  value: string;
}

// Mode is what edges do with what an invalidation matches. What is marked stale is shown while it is revalidated.
export type Mode = "remove" | "stale";

// Terms are what CloudFront's API has no field for.
export interface Terms {
  comment?: string;
  at?: string;
  when?: Condition;
  where?: Where;
  pace?: Pace;
  mode?: Mode; // left out: as the distribution's tag says
}

// Where narrows the items to what was answered so: of each condition that has values, one must hold.
export interface Where {
  status: string[];
  contentType: string[];
  host: string[];
  storedBefore: string | null;
}

// Pace is how an invalidation spares the origin.
export interface Pace {
  requestsPerSecond: number; // to origins, of each edge; 0: not bounded
  refetch: boolean; // what is wanted most is brought back before viewers ask
  byLocation: { first: string[]; pauseSeconds: number } | null; // null: at all locations at once
}

// Wave is one turn of an invalidation that comes location by location.
export interface Wave {
  locations: string[];
  others: string[]; // without locations: it is the turn of all but these
  began: string;
  completed: string | null;
}

// Plan is when a scheduled invalidation comes into force, and what became of it.
export interface Plan {
  at: string | null;
  when: Condition | null;
  inForce: string | null;
  withdrawn: string | null;
  lookedAt: string | null;
  waiting: string; // why the condition did not hold then
}

export interface Invalidation {
  id: string;
  status: "InProgress" | "Completed" | "Scheduled" | "Withdrawn";
  createTime: string;
  completedTime: string | null;
  items: string[];
  itemCount: number;
  by: Actor;
  comment: string;
  plan: Plan | null; // null: it was in force at once
  mode: Mode;
  where: Where | null; // null: all that the items name
  pace: Pace | null; // null: everywhere at once
  waves: Wave[]; // of one that comes location by location, the turns that have come
}

export interface ReceiptRow {
  edge: string;
  location: string;
  applied: boolean;
  at: string | null;
  tookMs: number;
  lagging: string; // why it has not applied it; empty when it does not lag
  objects: number | null; // null when it is not known
  bytes: number | null;
  counted: boolean; // every stored object has been looked at
  unbound: boolean; // Completed does not speak for it: it is cut off and goes on showing what it has
  waits: boolean; // its location's turn has not come
  former: boolean; // it is no edge any more, and is waited for until its lease has run out
  asked: number | null; // questions to origins that its pace has let through; null: it has none any more
  owed: number | null; // objects that have not been brought back
}

export interface Receipt {
  invalidation: Invalidation & { distributionId: string; callerReference: string };
  tookMs: number;
  edgeCount: number; // for how many edges it was; of hundreds some may have no row any more
  edges: ReceiptRow[];
  doubt: Doubt | null; // null: nothing but edges is waited for
}

// Doubt says why a control node completes invalidations by time alone.
export interface Doubt {
  since: string;
  until: string; // it does not end before
  unheard: number; // edges that have not been heard to follow its journal
  edges: string[]; // the first of them
}
