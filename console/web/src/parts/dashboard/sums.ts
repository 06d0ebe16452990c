import type { MetricPoint } from "../../own";

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
