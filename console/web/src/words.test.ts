import { describe, expect, test } from "vitest";
import { Refused, explain, title } from "./errors";
import { bytes, duration, percent, plural, rate, utcTime } from "./format";
import { niceEnd } from "./pages/invalidation/scale";
import { inside } from "./inside";
import { coarser, hitRatio } from "./parts/dashboard/sums";
import { beforeAndAfter, target } from "./parts/verify/runs";

test("numbers as people read them", () => {
  expect([0, 1023, 1536, 5 << 20, 300 * 2 ** 20].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "300 MiB"]);
  expect([0, 1.94, 12.4, 999, 1500, 61_000, 7_260_000].map(duration)).toEqual(["0 ms", "1.9 ms", "12 ms", "999 ms", "1.50 s", "1 min 1 s", "2 h 1 min"]);
  // No unit is full: sixty seconds are a minute.
  expect([999.6, 9996, 59_960, 3_599_600, 200_000_000].map(duration)).toEqual(["1.00 s", "10.0 s", "1 min 0 s", "1 h 0 min", "2 d 8 h"]);
  expect([0, 0.0333, 2.25, 1234.5].map(rate)).toEqual(["0", "0.033", "2.3", "1,235"]);
  expect([plural(1, "object"), plural(2000, "object"), plural(2, "match", "matches")]).toEqual(["1 object", "2,000 objects", "2 matches"]);
  expect(percent(0.9178)).toBe("91.8%");
  expect(utcTime(new Date("2026-03-01T10:20:30.456Z"))).toBe("2026-03-01 10:20:30.456 UTC");
  expect([1, 3, 225, 700, 1200].map(niceEnd)).toEqual([1, 5, 500, 1000, 2000]);
});

test("the way back after signing in stays in the console", () => {
  expect(inside("/distributions/E1?x=1")).toBe("/distributions/E1?x=1");
  for (const to of [null, "", "https://evil.test", "//evil.test", "/\\evil.test", "/sign-in?return=/"]) expect(inside(to)).toBe("/distributions");
});

test("a hit ratio counts only what could have been a hit", () => {
  const point = { time: "", requests: 10, hits: 6, refreshHits: 1, misses: 1, errors: 2, redirects: 0, bytes: 0, originRequests: 2, originLatencyMsP50: 0, originLatencyMsP99: 0 };
  expect(hitRatio([point])).toBe(7 / 8);
  expect(hitRatio([])).toBeUndefined();
  const coarse = coarser({ points: Array<typeof point>(7).fill(point), step: 10 }, 3);
  expect(coarse.step).toBe(30);
  expect(coarse.points.map((p) => p.requests)).toEqual([10, 30, 30]);
  expect(hitRatio(coarse.points)).toBe(7 / 8);
});

test("before and after are the runs around the moment", () => {
  const run = (at: number) => ({ at, path: "/", edges: [] });
  const runs = [run(1), run(2), run(5), run(6)];
  expect(beforeAndAfter(runs, 3)).toEqual({ before: run(2), after: run(5) });
  expect(beforeAndAfter(runs, undefined)).toEqual({ before: run(5), after: run(6) });
  expect(beforeAndAfter([run(5)], 3)).toEqual({ before: undefined, after: run(5) });
});

test("what is to be verified is a path, or a URL whose scheme counts", () => {
  expect(target("/a?b=http://c")).toEqual({ path: "/a?b=http://c" });
  expect(target(" index.html ")).toEqual({ path: "/index.html" });
  expect(target("https://d1.localhost:8441/a?b")).toEqual({ path: "/a?b", scheme: "https" });
  expect(target("HTTP://d1.localhost//a")).toEqual({ path: "//a", scheme: "http" });
  expect(target("https://d1.localhost")).toEqual({ path: "/", scheme: "https" });
  expect(target("https://d1.localhost?x")).toEqual({ path: "/?x", scheme: "https" });
});

describe("errors", () => {
  test("are said in sentences", () => {
    const conflict = Object.assign(new Error("The request failed"), { name: "PreconditionFailed" });
    expect(explain(conflict)).toContain("Somebody else");
    expect(title(conflict)).toBe("Changed by somebody else");
    expect(explain(new Refused(403, "AccessDenied", "A viewer may not do this."))).toContain("A viewer may not");
    expect(explain("odd")).toBe("odd");
  });
});
