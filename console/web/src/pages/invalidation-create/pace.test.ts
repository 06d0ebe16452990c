import { expect, test } from "vitest";
import { noPace, paceOf, typedPaceOf } from "./PaceFields";

test("nothing is wanted", () => {
  expect(paceOf(noPace)).toBeNull();
  expect(paceOf({ ...noPace, pause: "soon" })).toBeNull();
});

test("a pace, and locations in turn", () => {
  expect(paceOf({ ...noPace, perSecond: "0.5" })).toEqual({ requestsPerSecond: 0.5, refetch: false, byLocation: null });
  expect(paceOf({ ...noPace, perSecond: "5", refetch: true })).toEqual({ requestsPerSecond: 5, refetch: true, byLocation: null });
  expect(paceOf({ perSecond: "", refetch: true, byLocation: true, first: "GRU50, FRA50", pause: "0" })).toEqual({
    requestsPerSecond: 0,
    refetch: false,
    byLocation: { first: ["GRU50", "FRA50"], pauseSeconds: 0 },
  });
});

test("and back", () => {
  for (const pace of [
    { requestsPerSecond: 0.5, refetch: true, byLocation: null },
    { requestsPerSecond: 0, refetch: false, byLocation: { first: ["GRU50", "FRA50"], pauseSeconds: 0 } },
    { requestsPerSecond: 20, refetch: false, byLocation: { first: [], pauseSeconds: 90 } },
  ]) {
    expect(paceOf(typedPaceOf(pace))).toEqual(pace);
  }
});

test("what is no number", () => {
  for (const perSecond of ["fast", "0", "-1", "10001", "1e9"]) expect(paceOf({ ...noPace, perSecond })).toBeUndefined();
  for (const pause of ["", "soon", "-1", "86401"]) expect(paceOf({ ...noPace, byLocation: true, pause })).toBeUndefined();
});
