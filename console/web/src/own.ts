// What Warmfront's own API, /warmfront/v1, speaks about: the things CloudFront has no words for.

import type { Mode } from "./invalidation";

export type Role = "viewer" | "invalidator" | "administrator";

export interface Session {
  user: string;
  role: Role;
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string; expiration: string };
}

export interface About {
  version: string;
  suffix: string;
  edges: { name: string; location: string; url: string }[];
  accountId: string;
  demo: { url: string; distributionId: string } | null;
  quotas: { pathsPerInvalidation: number };
}

export interface Actor {
  user: string;
  accessKey: string;
  address: string;
}

export type { Condition, Doubt, Invalidation, Mode, Pace, Plan, Receipt, ReceiptRow, Terms, Wave, Where } from "./invalidation";

export interface Page<T> {
  items: T[];
  nextMarker: string; // empty on the last page
}

export interface EdgeCount {
  edge: string;
  objects: number;
  bytes: number;
  requestsPerMinute: number;
}

export interface PreviewItem {
  item: string;
  kind: string;
  error?: { reason: string; hint: string };
  warning?: string;
  objects: number;
  bytes: number;
  requestsPerMinute: number;
  originRequests: number;
  edges: EdgeCount[];
  sample: string[];
}

export interface Preview {
  items: PreviewItem[];
  mode: Mode; // of an invalidation that does not say so itself
  total: { objects: number; bytes: number; requestsPerMinute: number; originRequests: number; edges: EdgeCount[] };
  unanswered?: { edge: string; error: string }[]; // edges of which nothing is counted
}

export interface Match {
  invalidationId: string;
  item: string;
  mode: Mode;
}

export interface ExplainedEdge {
  edge: string;
  error?: string; // why it has not told
  stored: boolean;
  status: number;
  storedAt: string | null;
  stamp: number;
  fresh: boolean;
  freshUntil: string | null;
  ageSeconds: number;
  bytes: number;
  hits: number;
  memory: boolean;
  disk: boolean;
  slices: number; // 0: it is not cut
  slicesStored: number;
  second: string; // of an origin group, if it has sent it
  marked: boolean; // stale, by an invalidation
  matchedBy: Match[]; // what has killed it, until it is swept away, or marked it
  through: { edge: string; place: string }[]; // edges that it asks before the origin, the nearest first
}

export interface Explanation {
  distributionId: string;
  domainName: string;
  behavior: { pathPattern: string; precedence: number; origins: string[] };
  cachePolicy: { id: string; name: string } | null;
  cacheKey: { readable: string };
  subject: { path: string; query: string; tags: string[] };
  edges: ExplainedEdge[];
  wouldMatch: Match[]; // of the last invalidations, newest first
  items: { item: string; kind: string; error?: { reason: string; hint: string }; warning?: string; matches: boolean }[];
}

export interface VerifiedEdge {
  edge: string;
  location: string;
  url: string;
  scheme: string; // how the edge was asked
  status: number;
  xCache: string;
  age: number | null;
  etag: string;
  lastModified: string;
  contentType: string;
  contentLength: number;
  cfId: string;
  tookMs: number;
  error?: string;
}

export interface EdgeNode {
  edge: string;
  location: string;
  url: string; // empty for an edge of another process
  joined: string | null;
  applied: number;
  behind: number;
  heard: string | null;
  lease: "fresh" | "expired";
  leaseAgeMs: number;
  cache: { objects: number; bytes: number; capacity: number; evictions: number };
  ready: boolean;
  version: string; // empty when it does not answer
  hitRatio: number | null; // of the last five minutes
  originsDown: { address: string; since: string; failure: string }[]; // that have not answered for a while
}

export interface MetricPoint {
  time: string;
  requests: number;
  hits: number;
  refreshHits: number;
  misses: number;
  errors: number;
  redirects: number;
  bytes: number;
  originRequests: number;
  originLatencyMsP50: number;
  originLatencyMsP99: number;
}

export interface Metrics {
  step: number;
  points: MetricPoint[];
  now: { requestsPerSecond: number; hitRatio: number };
}

export interface PopularObject {
  path: string;
  requests: number;
  hits: number;
  bytes: number;
}

export interface AuditEntry {
  time: string;
  action: string;
  resource: string;
  by: Actor;
  seq: number;
}

export interface AccessKey {
  id: string;
  user: string;
  role: Role;
  created: string;
}

export interface User {
  name: string;
  role: Role;
  created: string;
}

// Change is one event of the stream: something happened to something; whoever shows it asks again.
export interface Change {
  kind: "distribution" | "invalidation" | "policy" | "node" | "missed";
  id: string;
  distributionId: string;
  status: string;
  seq: number;
}
