// What Warmfront's own API says of an invalidation beyond what CloudFront's does.

import type { Actor } from "./own";

export interface Condition {
  url: string;
  field: string;
  value: string;
}

// Terms are what CloudFront's API has no field for.
export interface Terms {
  comment?: string;
  at?: string;
  when?: Condition;
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
}
