// The operations of the CloudFront API that the console uses, on the fake's world.

import type { DistributionConfig, InvalidationBatch, Tags } from "@aws-sdk/client-cloudfront";
import type { Actor } from "../src/own";
import type { Fields, Operations } from "./cloudfront";
import { Refusal } from "./http";
import { cachePolicies, originRequestPolicies } from "./policies";
import type { Inv } from "./invalidations";
import type { Stored, World } from "./world";

export function operations(world: World, by: Actor): Operations {
  const find = (id: unknown): Stored => {
    const d = world.distributions.get(String(id));
    if (!d) throw new Refusal(404, "NoSuchDistribution", "The specified distribution does not exist.");
    return d;
  };
  const matching = (input: Fields): Stored => {
    const d = find(input["Id"]);
    if (!input["IfMatch"]) throw new Refusal(400, "InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.");
    if (input["IfMatch"] !== d.etag) throw new Refusal(412, "PreconditionFailed", "The request failed because it didn't meet the preconditions in one or more request-header fields.");
    return d;
  };
  const tagged = (input: Fields): Stored => find(String(input["Resource"]).split("/").pop());
  return {
    ListDistributions: (input) => {
      const page = cut([...world.distributions.values()].reverse(), input);
      return { DistributionList: { ...page.head, Items: page.items.length ? page.items.map(summary) : undefined } };
    },
    GetDistribution: (input) => ({ ETag: find(input["Id"]).etag, Distribution: full(find(input["Id"])) }),
    GetDistributionConfig: (input) => ({ ETag: find(input["Id"]).etag, DistributionConfig: find(input["Id"]).config }),
    CreateDistributionWithTags: (input) => {
      const { DistributionConfig: config, Tags: tags } = input["DistributionConfigWithTags"] as { DistributionConfig: DistributionConfig; Tags: Tags };
      const d = world.create(complete(config), Object.fromEntries((tags.Items ?? []).map((t) => [t.Key ?? "", t.Value ?? ""])), by);
      return { Distribution: full(d), ETag: d.etag };
    },
    UpdateDistribution: (input) => {
      const d = matching(input);
      world.update(d, complete(input["DistributionConfig"] as DistributionConfig), by);
      return { Distribution: full(d), ETag: d.etag };
    },
    DeleteDistribution: (input) => {
      const d = matching(input);
      if (d.config.Enabled || !d.deployed) throw new Refusal(409, "DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.");
      world.distributions.delete(d.id);
      world.happened("DeleteDistribution", `distribution/${d.id}`, by);
      return undefined;
    },
    CreateInvalidation: (input) => {
      const d = find(input["DistributionId"]);
      const batch = input["InvalidationBatch"] as InvalidationBatch;
      const items = batch.Paths?.Items ?? [];
      if (items.length === 0 || items.some((i) => !/^[/#]/.test(i))) throw new Refusal(400, "InvalidArgument", "Your request contains one or more invalid invalidation paths.");
      return { Invalidation: invalidation(world.invalidate(d, items, batch.CallerReference ?? "", by)) };
    },
    GetInvalidation: (input) => {
      const inv = find(input["DistributionId"]).invalidations.find((i) => i.id === input["Id"]);
      if (!inv) throw new Refusal(404, "NoSuchInvalidation", "The specified invalidation does not exist.");
      return { Invalidation: invalidation(inv) };
    },
    ListTagsForResource: (input) => ({ Tags: { Items: Object.entries(tagged(input).tags).map(([Key, Value]) => ({ Key, Value })) } }),
    TagResource: (input) => {
      for (const t of (input["Tags"] as Tags).Items ?? []) tagged(input).tags[t.Key ?? ""] = t.Value ?? "";
      return undefined;
    },
    UntagResource: (input) => {
      for (const k of (input["TagKeys"] as { Items?: string[] }).Items ?? []) delete tagged(input).tags[k];
      return undefined;
    },
    ListCachePolicies: () => ({ CachePolicyList: { MaxItems: 100, Quantity: cachePolicies.length, Items: cachePolicies } }),
    ListOriginRequestPolicies: () => ({ OriginRequestPolicyList: { MaxItems: 100, Quantity: originRequestPolicies.length, Items: originRequestPolicies } }),
  };
}

function cut<T extends { id: string }>(all: T[], input: Fields) {
  const most = Math.min(Number(input["MaxItems"] ?? 100), 100);
  const marker = String(input["Marker"] ?? "");
  const from = marker ? all.findIndex((x) => x.id === marker) + 1 : 0;
  const items = all.slice(from, from + most);
  const more = from + most < all.length;
  return { items, head: { Marker: marker, MaxItems: most, IsTruncated: more, Quantity: items.length, NextMarker: more ? items.at(-1)?.id : undefined } };
}

export function arn(d: Stored): string {
  return `arn:aws:cloudfront::123456789012:distribution/${d.id}`;
}

function status(d: Stored): string {
  return d.deployed ? "Deployed" : "InProgress";
}

function full(d: Stored): Fields {
  const off = { Enabled: false, Quantity: 0 };
  return {
    Id: d.id,
    ARN: arn(d),
    Status: status(d),
    LastModifiedTime: d.modified,
    InProgressInvalidationBatches: d.invalidations.filter((i) => !i.completed).length,
    DomainName: d.domain,
    ActiveTrustedSigners: off,
    ActiveTrustedKeyGroups: off,
    DistributionConfig: d.config,
  };
}

function summary(d: Stored): Fields {
  const { Aliases, Origins, OriginGroups, DefaultCacheBehavior, CacheBehaviors, CustomErrorResponses, Comment, PriceClass } = d.config;
  const { Enabled, ViewerCertificate, Restrictions, WebACLId, HttpVersion, IsIPV6Enabled } = d.config;
  return {
    ...{ Id: d.id, ARN: arn(d), ETag: d.etag, Status: status(d), LastModifiedTime: d.modified, DomainName: d.domain, Staging: false },
    ...{ Aliases, Origins, OriginGroups, DefaultCacheBehavior, CacheBehaviors, CustomErrorResponses, Comment, PriceClass },
    ...{ Enabled, ViewerCertificate, Restrictions, WebACLId, HttpVersion, IsIPV6Enabled },
  };
}

export function invalidation(inv: Inv): Fields {
  return {
    Id: inv.id,
    Status: inv.completed ? "Completed" : "InProgress",
    CreateTime: new Date(inv.created),
    InvalidationBatch: { Paths: { Quantity: inv.items.length, Items: inv.items }, CallerReference: inv.reference },
  };
}

// complete fills in what the service fills in, as far as the console looks at it.
function complete(config: DistributionConfig): DistributionConfig {
  if (!config.Origins?.Items?.length) throw new Refusal(400, "InvalidArgument", "The parameter Origins is required.");
  const targets = [config.DefaultCacheBehavior, ...(config.CacheBehaviors?.Items ?? [])].map((b) => b?.TargetOriginId);
  const groups = config.OriginGroups?.Items ?? [];
  const isOrigin = (id: string | undefined) => config.Origins?.Items?.some((o) => o.Id === id);
  const members = groups.flatMap((g) => g.Members?.Items ?? []);
  if (!targets.every((t) => isOrigin(t) || groups.some((g) => g.Id === t)) || !members.every((m) => isOrigin(m.OriginId))) throw new Refusal(404, "NoSuchOrigin", "One or more of your origins or origin groups do not exist.");
  return {
    ...config,
    Aliases: config.Aliases ?? { Quantity: 0 },
    CacheBehaviors: config.CacheBehaviors ?? { Quantity: 0 },
    CustomErrorResponses: config.CustomErrorResponses ?? { Quantity: 0 },
    OriginGroups: config.OriginGroups ?? { Quantity: 0 },
    PriceClass: config.PriceClass ?? "PriceClass_All",
    HttpVersion: config.HttpVersion ?? "http2",
    WebACLId: "",
    ViewerCertificate: { CloudFrontDefaultCertificate: true, MinimumProtocolVersion: "TLSv1", CertificateSource: "cloudfront" },
    Restrictions: { GeoRestriction: { RestrictionType: "none", Quantity: 0 } },
    IsIPV6Enabled: config.IsIPV6Enabled ?? false,
  };
}
