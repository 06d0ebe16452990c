// Something to look at: a web site in front of a demonstration origin.

import type { DistributionConfig } from "@aws-sdk/client-cloudfront";
import type { Obj, World } from "./world";

const optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6";
const disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

export function sampleConfig(origin: string, comment: string, aliases: string[] = []): DistributionConfig {
  const id = origin.split(".")[0] ?? origin;
  return {
    CallerReference: crypto.randomUUID(),
    Aliases: { Quantity: aliases.length, ...(aliases.length > 0 && { Items: aliases }) },
    DefaultRootObject: "index.html",
    Origins: {
      Quantity: 1,
      Items: [
        {
          Id: id,
          DomainName: origin,
          OriginPath: "",
          CustomHeaders: { Quantity: 0 },
          CustomOriginConfig: {
            HTTPPort: 80,
            HTTPSPort: 443,
            OriginProtocolPolicy: "http-only",
            OriginSslProtocols: { Quantity: 1, Items: ["TLSv1.2"] },
            OriginReadTimeout: 30,
            OriginKeepaliveTimeout: 5,
          },
          ConnectionAttempts: 3,
          ConnectionTimeout: 10,
          OriginShield: { Enabled: false },
          OriginAccessControlId: "",
        },
      ],
    },
    OriginGroups: { Quantity: 0 },
    DefaultCacheBehavior: { ...behavior(id), CachePolicyId: optimized },
    CacheBehaviors: { Quantity: 1, Items: [{ PathPattern: "/api/time", ...behavior(id), CachePolicyId: disabled }] },
    CustomErrorResponses: { Quantity: 1, Items: [{ ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: "404", ErrorCachingMinTTL: 10 }] },
    Comment: comment,
    Logging: { Enabled: false, IncludeCookies: false, Bucket: "", Prefix: "" },
    PriceClass: "PriceClass_All",
    Enabled: true,
    ViewerCertificate: { CloudFrontDefaultCertificate: true, MinimumProtocolVersion: "TLSv1", CertificateSource: "cloudfront" },
    Restrictions: { GeoRestriction: { RestrictionType: "none", Quantity: 0 } },
    WebACLId: "",
    HttpVersion: "http2",
    IsIPV6Enabled: true,
    CacheTagConfig: { HeaderName: "x-amz-meta-cache-tag" },
  };
}

function behavior(origin: string) {
  return {
    TargetOriginId: origin,
    TrustedSigners: { Enabled: false, Quantity: 0 },
    TrustedKeyGroups: { Enabled: false, Quantity: 0 },
    ViewerProtocolPolicy: "redirect-to-https" as const,
    AllowedMethods: { Quantity: 2, Items: ["HEAD" as const, "GET" as const], CachedMethods: { Quantity: 2, Items: ["HEAD" as const, "GET" as const] } },
    SmoothStreaming: false,
    Compress: true,
    LambdaFunctionAssociations: { Quantity: 0 },
    FunctionAssociations: { Quantity: 0 },
    FieldLevelEncryptionId: "",
    GrpcConfig: { Enabled: false },
  };
}

export function sampleObjects(world: World): Obj[] {
  const paths: [string, number, number, string][] = [
    ["/index.html", 9_400, 46, "page"],
    ["/styles/site.css", 18_200, 44, "style"],
    ["/app.js", 52_000, 41, "script"],
    ["/images/hero.svg", 31_000, 38, "image"],
    ["/fonts/isobar.woff2", 48_800, 12, "font"],
    ["/feed.xml", 5_100, 3, "page"],
  ];
  for (let i = 1; i <= 48; i++) paths.push([`/images/stations/${String(i).padStart(3, "0")}.png`, 4_000 + ((i * 7919) % 90_000), Math.max(0.1, 20 / i), "image"]);
  for (let i = 1; i <= 30; i++) paths.push([`/stations/${String(i).padStart(3, "0")}/`, 3_000 + ((i * 104729) % 6_000), Math.max(0.1, 11 / i), "page"]);
  return paths.map(([path, bytes, perMinute, tag], i) => {
    const stored = new Map(
      world.edges
        .filter((_, e) => (i * 7 + e * 3) % 5 !== 0)
        .map(({ edge }) => [edge, { at: Date.now() - (i + 1) * 37_000, stamp: world.seq, hits: Math.round(perMinute * (i + 1)), etag: `"${bytes.toString(16)}"` }]),
    );
    return { path, bytes, perMinute, tags: [tag, "edition:3"], stored };
  });
}
