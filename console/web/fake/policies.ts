// A few of the managed policies, as the API lists them.

function managed(id: string, name: string, comment: string) {
  return { id, name: "Managed-" + name, comment };
}

const cache = [
  { ...managed("658327ea-f89d-4fab-a63d-7e88639e58f6", "CachingOptimized", "Policy with caching enabled. Supports Gzip and Brotli compression."), ttl: [1, 86400, 31536000] },
  { ...managed("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled", "Policy with caching disabled"), ttl: [0, 0, 0] },
  { ...managed("83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders", "Policy for origins that return Cache-Control headers"), ttl: [0, 0, 31536000] },
  { ...managed("4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings", "The same, query strings in the cache key"), ttl: [0, 0, 31536000] },
];

const modified = new Date("2026-01-01T00:00:00Z");

export const cachePolicies = cache.map(({ id, name, comment, ttl: [MinTTL, DefaultTTL, MaxTTL] }) => ({
  Type: "managed",
  CachePolicy: {
    Id: id,
    LastModifiedTime: modified,
    CachePolicyConfig: {
      Name: name,
      Comment: comment,
      MinTTL,
      DefaultTTL,
      MaxTTL,
      ParametersInCacheKeyAndForwardedToOrigin: {
        EnableAcceptEncodingGzip: true,
        EnableAcceptEncodingBrotli: true,
        HeadersConfig: { HeaderBehavior: "none" },
        CookiesConfig: { CookieBehavior: "none" },
        QueryStringsConfig: { QueryStringBehavior: name.endsWith("QueryStrings") ? "all" : "none" },
      },
    },
  },
}));

const forwarding = [
  managed("216adef6-5c7f-47e4-b989-5492eafa07d3", "AllViewer", "Policy to forward all parameters in viewer requests"),
  managed("b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader", "Policy to forward all parameters in viewer requests except for the Host header"),
  managed("59781a5b-3903-41f3-afcb-af62929ccde1", "CORS-CustomOrigin", "Policy for CORS with custom origin"),
];

export const originRequestPolicies = forwarding.map(({ id, name, comment }) => ({
  Type: "managed",
  OriginRequestPolicy: {
    Id: id,
    LastModifiedTime: modified,
    OriginRequestPolicyConfig: {
      Name: name,
      Comment: comment,
      HeadersConfig: { HeaderBehavior: "allViewer" },
      CookiesConfig: { CookieBehavior: "all" },
      QueryStringsConfig: { QueryStringBehavior: "all" },
    },
  },
}));
