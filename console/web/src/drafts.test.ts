import type { CacheBehavior, Origin } from "@aws-sdk/client-cloudfront";
import { describe, expect, test } from "vitest";
import { behaviorDraft, checkBehavior, checkOrigin, optimized, originDraft, toBehavior, toOrigin } from "./drafts";

describe("an origin", () => {
  const was: Origin = {
    Id: "site",
    DomainName: "www.example.com",
    OriginPath: "/a",
    OriginShield: { Enabled: false },
    OriginAccessControlId: "",
    ConnectionAttempts: 2,
    ConnectionTimeout: 5,
    CustomHeaders: { Quantity: 1, Items: [{ HeaderName: "X-Key", HeaderValue: "v" }] },
    CustomOriginConfig: {
      HTTPPort: 8080,
      HTTPSPort: 443,
      OriginProtocolPolicy: "http-only",
      OriginSslProtocols: { Quantity: 2, Items: ["TLSv1.1", "TLSv1.2"] },
      OriginReadTimeout: 60,
      OriginKeepaliveTimeout: 9,
    },
  };

  test("that is opened and saved is the same, with what the form does not show", () => {
    expect(toOrigin(originDraft(was), was)).toEqual(was);
  });

  test("of a bucket keeps its kind", () => {
    const s3: Origin = { Id: "b", DomainName: "b.s3.amazonaws.com", S3OriginConfig: { OriginAccessIdentity: "" } };
    const saved = toOrigin(originDraft(s3), s3);
    expect(saved.CustomOriginConfig).toBeUndefined();
    expect(saved.S3OriginConfig).toEqual({ OriginAccessIdentity: "", OriginReadTimeout: 30 });
  });

  test("without a name has its domain's", () => {
    expect(toOrigin({ ...originDraft(), domain: " a.test " })).toMatchObject({ Id: "a.test", DomainName: "a.test" });
  });

  test("is checked", () => {
    expect(checkOrigin({ ...originDraft(), domain: "a.test" })).toEqual({});
    const wrong = { ...originDraft(), domain: "https://a.test/", path: "x/", id: "b", httpPort: "22", attempts: "9", headers: [{ name: " ", value: "" }] };
    expect(Object.keys(checkOrigin(wrong, ["b"])).sort()).toEqual(["attempts", "domain", "headers", "httpPort", "id", "path"]);
  });
});

describe("a behavior", () => {
  const was: CacheBehavior = {
    PathPattern: "/a/*",
    TargetOriginId: "site",
    ViewerProtocolPolicy: "allow-all",
    AllowedMethods: { Quantity: 2, Items: ["HEAD", "GET"], CachedMethods: { Quantity: 2, Items: ["HEAD", "GET"] } },
    SmoothStreaming: false,
    Compress: false,
    CachePolicyId: optimized,
    OriginRequestPolicyId: "r",
    FunctionAssociations: { Quantity: 0 },
  };

  test("keeps what the form does not show", () => {
    const saved = toBehavior({ ...behaviorDraft(was), compress: true }, was);
    expect(saved).toMatchObject({ PathPattern: "/a/*", SmoothStreaming: false, FunctionAssociations: { Quantity: 0 }, Compress: true, OriginRequestPolicyId: "r" });
    expect(saved.AllowedMethods?.Items).toEqual(["GET", "HEAD"]);
  });

  test("with legacy settings keeps them until a policy is chosen", () => {
    const legacy: CacheBehavior = { ...was, CachePolicyId: undefined, ForwardedValues: { QueryString: true, Cookies: { Forward: "none" } }, MinTTL: 1, DefaultTTL: 2, MaxTTL: 3 };
    expect(toBehavior(behaviorDraft(legacy), legacy)).toMatchObject({ MinTTL: 1, ForwardedValues: { QueryString: true } });
    const modern = toBehavior({ ...behaviorDraft(legacy), cachePolicy: optimized }, legacy);
    expect(modern.ForwardedValues).toBeUndefined();
    expect(modern.MinTTL).toBeUndefined();
    expect(modern.CachePolicyId).toBe(optimized);
  });

  test("does not cache methods that it does not allow", () => {
    const options: CacheBehavior = { ...was, AllowedMethods: { Quantity: 3, Items: ["GET", "HEAD", "OPTIONS"], CachedMethods: { Quantity: 3, Items: ["GET", "HEAD", "OPTIONS"] } } };
    expect(behaviorDraft(options).methods).toBe("GET, HEAD, OPTIONS");
    const less = toBehavior({ ...behaviorDraft(options), methods: "GET, HEAD" }, options);
    expect(less.AllowedMethods?.CachedMethods?.Items).toEqual(["GET", "HEAD"]);
  });

  test("is checked", () => {
    expect(checkBehavior({ ...behaviorDraft(was) }, false)).toEqual({});
    expect(Object.keys(checkBehavior({ ...behaviorDraft(), pattern: "" }, false))).toEqual(["pattern", "origin"]);
    expect(Object.keys(checkBehavior(behaviorDraft(was), false, ["/a/*"]))).toEqual(["pattern"]);
  });
});
