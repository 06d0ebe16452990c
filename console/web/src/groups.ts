// Origin groups as the form holds them, and what a behavior may name.

import type { DistributionConfig, OriginGroup } from "@aws-sdk/client-cloudfront";
import type { Wrong } from "./drafts";

export interface GroupDraft {
  id: string;
  first: string;
  second: string;
  codes: number[];
}

// failoverCodes are the answers that can be failures of a group's first origin.
export const failoverCodes: [number, string][] = [
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [416, "Range Not Satisfiable"],
  [429, "Too Many Requests"],
  [500, "Internal Server Error"],
  [502, "Bad Gateway; also: no valid answer"],
  [503, "Service Unavailable; also: no connection"],
  [504, "Gateway Timeout; also: no answer in time"],
];

export function groupDraft(g?: OriginGroup): GroupDraft {
  const [first, second] = g?.Members?.Items ?? [];
  return { id: g?.Id ?? "", first: first?.OriginId ?? "", second: second?.OriginId ?? "", codes: g?.FailoverCriteria?.StatusCodes?.Items ?? [500, 502, 503, 504] };
}

// checkGroup takes the names that origins and other groups have: a behavior names either.
export function checkGroup(d: GroupDraft, taken: string[] = []): Wrong<GroupDraft> {
  const wrong: Wrong<GroupDraft> = {};
  if (!d.id.trim()) wrong.id = "Give the group a name.";
  else if (taken.includes(d.id.trim())) wrong.id = "There is already an origin or an origin group of this name.";
  if (!d.first) wrong.first = "Choose an origin.";
  if (!d.second) wrong.second = "Choose an origin.";
  else if (d.second === d.first) wrong.second = "Choose another origin than the first.";
  if (d.codes.length === 0) wrong.codes = "Choose at least one.";
  return wrong;
}

export function toGroup(d: GroupDraft, was?: OriginGroup): OriginGroup {
  return {
    ...was,
    Id: d.id.trim(),
    FailoverCriteria: { StatusCodes: { Quantity: d.codes.length, Items: d.codes } },
    Members: { Quantity: 2, Items: [{ OriginId: d.first }, { OriginId: d.second }] },
  };
}

export const originIds = (c: DistributionConfig): string[] => (c.Origins?.Items ?? []).map((o) => o.Id ?? "");
export const groupIds = (c: DistributionConfig): string[] => (c.OriginGroups?.Items ?? []).map((g) => g.Id ?? "");

// usedBy says what needs an origin or a group of this name, if anything does.
export function usedBy(c: DistributionConfig, id: string | undefined): string | undefined {
  const behaviors = [c.DefaultCacheBehavior, ...(c.CacheBehaviors?.Items ?? [])];
  if (behaviors.some((b) => b?.TargetOriginId === id)) return "A behavior uses it.";
  const group = (c.OriginGroups?.Items ?? []).find((g) => g.Members?.Items?.some((m) => m.OriginId === id));
  return group && `The origin group ${group.Id} has it.`;
}
