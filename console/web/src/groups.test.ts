import type { DistributionConfig, OriginGroup } from "@aws-sdk/client-cloudfront";
import { describe, expect, test } from "vitest";
import { behaviorDraft, checkBehavior, methodSets } from "./drafts";
import { checkGroup, groupDraft, toGroup, usedBy } from "./groups";

describe("an origin group", () => {
  const was: OriginGroup = {
    Id: "both",
    FailoverCriteria: { StatusCodes: { Quantity: 2, Items: [404, 503] } },
    Members: { Quantity: 2, Items: [{ OriginId: "a" }, { OriginId: "b" }] },
    SelectionCriteria: "default",
  };

  test("that is opened and saved is the same, with what the form does not show", () => {
    expect(toGroup(groupDraft(was), was)).toEqual(was);
  });

  test("is checked", () => {
    expect(checkGroup(groupDraft(was), ["a", "b"])).toEqual({});
    expect(Object.keys(checkGroup({ ...groupDraft(), codes: [] })).sort()).toEqual(["codes", "first", "id", "second"]);
    expect(checkGroup({ ...groupDraft(was), second: "a", id: " b " }, ["a", "b"])).toEqual({
      id: "There is already an origin or an origin group of this name.",
      second: "Choose another origin than the first.",
    });
  });

  test("keeps its origins, and a behavior keeps the group", () => {
    const config = {
      OriginGroups: { Quantity: 1, Items: [was] },
      DefaultCacheBehavior: { TargetOriginId: "c" },
      CacheBehaviors: { Quantity: 1, Items: [{ TargetOriginId: "both" }] },
    } as unknown as DistributionConfig;
    expect(["a", "b", "c", "both", "d"].map((id) => usedBy(config, id))).toEqual([
      "The origin group both has it.",
      "The origin group both has it.",
      "A behavior uses it.",
      "A behavior uses it.",
      undefined,
    ]);
  });

  test("allows a behavior no method that has an effect", () => {
    const draft = { ...behaviorDraft(), pattern: "/a", origin: "both" };
    const all = { ...draft, methods: methodSets[2]!.join(", ") };
    expect(checkBehavior(draft, false, [], ["both"])).toEqual({});
    expect(Object.keys(checkBehavior(all, false, [], ["both"]))).toEqual(["methods"]);
    expect(checkBehavior({ ...all, origin: "a" }, false, [], ["both"])).toEqual({});
  });
});
