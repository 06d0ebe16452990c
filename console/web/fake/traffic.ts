// Invented traffic: a day's wave with an invalidation's dip in the hit ratio.

import type { Metrics } from "../src/own";
import type { Stored } from "./world";

export function metrics(d: Stored, minutes: number): Metrics {
  const step = 10;
  const end = Math.floor(Date.now() / 1000 / step) * step;
  const busy = d.objects.length > 0;
  const points = Array.from({ length: busy ? Math.floor((minutes * 60) / step) : 0 }, (_, i) => {
    const at = end - ((minutes * 60) / step - i) * step;
    const requests = Math.round(step * (6 + 3 * Math.sin(at / 900) + ((at / step) * 7919) % 1.7));
    const ago = (end - at) / 60;
    const dip = Math.abs(ago - minutes / 3) < 2 ? 0.4 : 0;
    const hits = Math.round(requests * (0.91 - dip));
    const errors = Math.round(requests * 0.004);
    const refreshHits = Math.round(requests * 0.03);
    const misses = requests - hits - errors - refreshHits;
    return {
      time: new Date(at * 1000).toISOString(),
      ...{ requests, hits, refreshHits, misses, errors, redirects: 0 },
      bytes: requests * 23_400,
      originRequests: misses + refreshHits,
      originLatencyMsP50: 18 + 4 * Math.sin(at / 300),
      originLatencyMsP99: 74 + 30 * Math.abs(Math.sin(at / 500)),
    };
  });
  return { step, points, now: { requestsPerSecond: busy ? 6.4 : 0, hitRatio: busy ? 0.912 : 0 } };
}
