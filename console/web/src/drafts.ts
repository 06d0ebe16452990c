// Origins and behaviors as forms hold them, and the way from and to the configuration. What a form does
// not show is carried over as it was.

import type { CacheBehavior, DefaultCacheBehavior, Method, Origin, OriginProtocolPolicy, ViewerProtocolPolicy } from "@aws-sdk/client-cloudfront";

export type Wrong<T> = Partial<Record<keyof T, string>>;

export interface OriginDraft {
  domain: string;
  id: string;
  path: string;
  protocol: OriginProtocolPolicy;
  httpPort: string;
  httpsPort: string;
  attempts: string;
  connectTimeout: string;
  readTimeout: string;
  keepalive: string;
  headers: { name: string; value: string }[];
}

export function originDraft(o?: Origin): OriginDraft {
  const custom = o?.CustomOriginConfig;
  return {
    domain: o?.DomainName ?? "",
    id: o?.Id ?? "",
    path: o?.OriginPath ?? "",
    protocol: custom?.OriginProtocolPolicy ?? "match-viewer",
    httpPort: String(custom?.HTTPPort ?? 80),
    httpsPort: String(custom?.HTTPSPort ?? 443),
    attempts: String(o?.ConnectionAttempts ?? 3),
    connectTimeout: String(o?.ConnectionTimeout ?? 10),
    readTimeout: String(custom?.OriginReadTimeout ?? o?.S3OriginConfig?.OriginReadTimeout ?? 30),
    keepalive: String(custom?.OriginKeepaliveTimeout ?? 5),
    headers: (o?.CustomHeaders?.Items ?? []).map((h) => ({ name: h.HeaderName ?? "", value: h.HeaderValue ?? "" })),
  };
}

export function checkOrigin(d: OriginDraft, taken: string[] = []): Wrong<OriginDraft> {
  const wrong: Wrong<OriginDraft> = {};
  if (!d.domain.trim()) wrong.domain = "Give the host name of the server that has the content.";
  else if (/[/:\s]/.test(d.domain.trim())) wrong.domain = "Only the host name: no https://, port or path. Ports are below.";
  if (d.path && (!d.path.startsWith("/") || d.path.endsWith("/"))) wrong.path = "Begin with / and do not end with it, as in /site.";
  if (taken.includes(d.id.trim())) wrong.id = "There is already an origin of this name.";
  for (const key of ["httpPort", "httpsPort"] as const) {
    const n = Number(d[key]);
    if (!(Number.isInteger(n) && (n === 80 || n === 443 || (n >= 1024 && n <= 65535)))) wrong[key] = "80, 443, or 1024 to 65535.";
  }
  between(d, wrong, "attempts", 1, 3);
  between(d, wrong, "connectTimeout", 1, 10);
  between(d, wrong, "readTimeout", 1, 120);
  between(d, wrong, "keepalive", 1, 120);
  if (d.headers.some((h) => !h.name.trim())) wrong.headers = "Every header needs a name.";
  return wrong;
}

function between<T>(d: T, wrong: Wrong<T>, key: keyof T, least: number, most: number): void {
  const n = Number(d[key]);
  if (!(Number.isInteger(n) && n >= least && n <= most)) wrong[key] = `A whole number from ${least} to ${most}.`;
}

export function toOrigin(d: OriginDraft, was?: Origin): Origin {
  const headers = d.headers.map((h) => ({ HeaderName: h.name.trim(), HeaderValue: h.value }));
  const next: Origin = {
    ...was,
    Id: d.id.trim() || d.domain.trim(),
    DomainName: d.domain.trim(),
    OriginPath: d.path.trim(),
    ConnectionAttempts: Number(d.attempts),
    ConnectionTimeout: Number(d.connectTimeout),
    CustomHeaders: { Quantity: headers.length, ...(headers.length > 0 && { Items: headers }) },
  };
  if (was?.S3OriginConfig) return { ...next, S3OriginConfig: { ...was.S3OriginConfig, OriginReadTimeout: Number(d.readTimeout) } };
  return {
    ...next,
    CustomOriginConfig: {
      OriginSslProtocols: { Quantity: 1, Items: ["TLSv1.2"] },
      ...was?.CustomOriginConfig,
      HTTPPort: Number(d.httpPort),
      HTTPSPort: Number(d.httpsPort),
      OriginProtocolPolicy: d.protocol,
      OriginReadTimeout: Number(d.readTimeout),
      OriginKeepaliveTimeout: Number(d.keepalive),
    },
  };
}

export interface BehaviorDraft {
  pattern: string;
  origin: string;
  viewer: ViewerProtocolPolicy;
  methods: string; // joined by ", "
  cachePolicy: string; // "" keeps legacy cache settings
  requestPolicy: string; // "" is none
  compress: boolean;
}

export const methodSets: Method[][] = [
  ["GET", "HEAD"],
  ["GET", "HEAD", "OPTIONS"],
  ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
];

export const optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"; // Managed-CachingOptimized

type Behavior = CacheBehavior | DefaultCacheBehavior;

export function behaviorDraft(b?: Behavior): BehaviorDraft {
  return {
    pattern: (b && "PathPattern" in b && b.PathPattern) || "",
    origin: b?.TargetOriginId ?? "",
    viewer: b?.ViewerProtocolPolicy ?? "redirect-to-https",
    methods: methodSet(b?.AllowedMethods?.Items ?? []),
    cachePolicy: b ? (b.CachePolicyId ?? "") : optimized,
    requestPolicy: b?.OriginRequestPolicyId ?? "",
    compress: b?.Compress ?? true,
  };
}

function methodSet(methods: Method[]): string {
  const set = methodSets.find((s) => s.length === methods.length && s.every((m) => methods.includes(m)));
  return (set ?? methodSets[0]!).join(", ");
}

// checkBehavior takes the patterns of other behaviors, and the names of origin groups.
export function checkBehavior(d: BehaviorDraft, isDefault: boolean, taken: string[] = [], groups: string[] = []): Wrong<BehaviorDraft> {
  const wrong: Wrong<BehaviorDraft> = {};
  const pattern = d.pattern.trim();
  if (!isDefault && !pattern) wrong.pattern = "Give a path pattern such as /images/*.jpg.";
  else if (!isDefault && taken.includes(pattern)) wrong.pattern = "There is already a behavior for this pattern.";
  else if (/\s/.test(pattern)) wrong.pattern = "A path pattern has no blanks.";
  if (!d.origin) wrong.origin = "Choose an origin.";
  if (groups.includes(d.origin) && d.methods === methodSets[2]!.join(", ")) wrong.methods = "With an origin group only GET, HEAD and OPTIONS can be allowed.";
  return wrong;
}

export function toBehavior<T extends Behavior>(d: BehaviorDraft, was?: T): T {
  const { ForwardedValues: _f, MinTTL: _min, DefaultTTL: _def, MaxTTL: _max, ...modern } = (was ?? {}) as Behavior;
  const kept = d.cachePolicy ? modern : was; // legacy settings cannot stand beside a policy
  const methods = d.methods.split(", ") as Method[];
  const cached = (was?.AllowedMethods?.CachedMethods?.Items ?? ["GET", "HEAD"]).filter((m) => methods.includes(m));
  return {
    ...kept,
    ...(d.pattern.trim() && { PathPattern: d.pattern.trim() }),
    TargetOriginId: d.origin,
    ViewerProtocolPolicy: d.viewer,
    AllowedMethods: { Quantity: methods.length, Items: methods, CachedMethods: { Quantity: cached.length, Items: cached } },
    CachePolicyId: d.cachePolicy || undefined,
    OriginRequestPolicyId: d.requestPolicy || undefined,
    Compress: d.compress,
  } as unknown as T;
}
