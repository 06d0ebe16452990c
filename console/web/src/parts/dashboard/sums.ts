import type { MetricPoint, Metrics } from "../../own";

export function sum(points: MetricPoint[], of: (p: MetricPoint) => number): number {
  return points.reduce((n, p) => n + of(p), 0);
}

// hitRatio counts what could have been a hit: errors and redirects could not. Undefined when there was
// nothing.
export function hitRatio(points: MetricPoint[]): number | undefined {
  const hits = sum(points, (p) => p.hits + p.refreshHits);
  const all = hits + sum(points, (p) => p.misses);
  return all > 0 ? hits / all : undefined;
}

// coarser joins neighbouring points until there are at most so many.
export function coarser({ points, step }: Pick<Metrics, "points" | "step">, most: number): { points: MetricPoint[]; step: number } {
  const factor = Math.ceil(points.length / most);
  if (factor <= 1) return { points, step };
  const joined: MetricPoint[] = [];
  for (let end = points.length; end > 0; end -= factor) joined.unshift(join(points.slice(Math.max(0, end - factor), end)));
  return { points: joined, step: step * factor };
}

function join(of: MetricPoint[]): MetricPoint {
  const fetches = sum(of, (p) => p.originRequests);
  const add = (key: keyof MetricPoint) => sum(of, (p) => Number(p[key]));
  return {
    time: of[0]!.time,
    requests: add("requests"),
    hits: add("hits"),
    refreshHits: add("refreshHits"),
    misses: add("misses"),
    errors: add("errors"),
    redirects: add("redirects"),
    bytes: add("bytes"),
    originRequests: fetches,
    // Medians cannot be joined exactly: theirs, weighted. Of the slowest, the slowest.
    originLatencyMsP50: fetches > 0 ? sum(of, (p) => p.originLatencyMsP50 * p.originRequests) / fetches : 0,
    originLatencyMsP99: Math.max(...of.map((p) => p.originLatencyMsP99)),
  };
}
