// Distributions as the CloudFront API has them, and the few commands that pages share.

import {
  CreateInvalidationCommand,
  DeleteDistributionCommand,
  type Distribution,
  type DistributionConfig,
  type DistributionSummary,
  GetDistributionCommand,
  GetInvalidationCommand,
  ListDistributionsCommand,
  ListTagsForResourceCommand,
  UpdateDistributionCommand,
} from "@aws-sdk/client-cloudfront";
import { client } from "./client";
import { code } from "./errors";
import { hundreds } from "./list";
import { live } from "./live";
import type { Invalidation, Mode, Page, Terms } from "./own";

type Signal = AbortSignal | undefined;

// Row is a distribution in a list.
export interface Row {
  id: string;
  description: string;
  domain: string;
  aliases: string[];
  origins: string[];
  enabled: boolean;
  deploying: boolean;
  modified: Date | undefined;
}

// Found is a distribution with the version that an update must name, and its tags.
export interface Found {
  etag: string;
  distribution: Distribution;
  config: DistributionConfig;
  tags: Record<string, string>;
}

export function row(d: DistributionSummary): Row {
  return {
    id: d.Id ?? "",
    description: d.Comment ?? "",
    domain: d.DomainName ?? "",
    aliases: d.Aliases?.Items ?? [],
    origins: d.Origins?.Items?.map((o) => o.DomainName ?? "") ?? [],
    enabled: d.Enabled ?? false,
    deploying: d.Status !== "Deployed",
    modified: d.LastModifiedTime,
  };
}

let last: { rows: Row[]; at: number } | undefined;
live.listen((c) => {
  if (c.kind === "distribution" || c.kind === "missed") last = undefined;
});

// knownDistributions is for choosing among them: what was listed within the last minute will do.
export async function knownDistributions(signal?: Signal, emit?: (rows: Row[]) => void): Promise<Row[]> {
  return last && Date.now() - last.at < 60_000 ? last.rows : listDistributions(signal, emit);
}

// listDistributions returns all; emit gets what is there so far, page by page.
export async function listDistributions(signal?: Signal, emit?: (rows: Row[]) => void): Promise<Row[]> {
  const rows: Row[] = [];
  for (let marker: string | undefined; ; ) {
    const { DistributionList: list } = await client.cloudfront((sdk) =>
      sdk.send(new ListDistributionsCommand({ ...(marker && { Marker: marker }), MaxItems: 100 }), signal && { abortSignal: signal }),
    );
    rows.push(...(list?.Items ?? []).map(row));
    if (!list?.IsTruncated || !list.NextMarker) {
      last = { rows, at: Date.now() };
      return rows;
    }
    marker = list.NextMarker;
    emit?.([...rows]);
  }
}

export async function getDistribution(id: string, signal?: Signal): Promise<Found> {
  const options = signal && { abortSignal: signal };
  const { Distribution: distribution, ETag } = await client.cloudfront((sdk) => sdk.send(new GetDistributionCommand({ Id: id }), options));
  if (!distribution?.DistributionConfig) throw new Error("The answer has no distribution.");
  const { Tags } = await client.cloudfront((sdk) => sdk.send(new ListTagsForResourceCommand({ Resource: distribution.ARN }), options));
  const tags = Object.fromEntries((Tags?.Items ?? []).map((t) => [t.Key ?? "", t.Value ?? ""]));
  return { etag: ETag ?? "", distribution, config: distribution.DistributionConfig, tags };
}

// updateDistribution replaces the configuration if it is still the version that was read.
export async function updateDistribution(id: string, etag: string, config: DistributionConfig): Promise<void> {
  await client.cloudfront((sdk) => sdk.send(new UpdateDistributionCommand({ Id: id, IfMatch: etag, DistributionConfig: config })));
}

export async function setEnabled(id: string, enabled: boolean): Promise<void> {
  const { etag, config } = await getDistribution(id);
  await updateDistribution(id, etag, { ...config, Enabled: enabled });
}

export async function deleteDistribution(id: string): Promise<void> {
  const { etag } = await getDistribution(id);
  await client.cloudfront((sdk) => sdk.send(new DeleteDistributionCommand({ Id: id, IfMatch: etag })));
}

// createInvalidation returns the id. The reference makes a repeated call, as after a lost answer, the
// same invalidation. CloudFront's API is asked unless there is something that it has no field for.
export async function createInvalidation(id: string, items: string[], reference: string, terms: Terms = {}): Promise<string> {
  if (Object.keys(terms).length > 0) {
    const body = { items, callerReference: reference, ...terms };
    return (await client.own<Invalidation>("POST", `/distributions/${encodeURIComponent(id)}/invalidations`, body)).id;
  }
  const { Invalidation: made } = await client.cloudfront((sdk) =>
    sdk.send(
      new CreateInvalidationCommand({
        DistributionId: id,
        InvalidationBatch: { CallerReference: reference, Paths: { Quantity: items.length, Items: items } },
      }),
    ),
  );
  return made?.Id ?? "";
}

// recentInvalidations are the newest, with who made them: so many hundreds.
export function recentInvalidations(id: string, pages: number, signal?: Signal): Promise<Page<Invalidation>> {
  return hundreds(`/distributions/${encodeURIComponent(id)}/invalidations`, pages, signal);
}

// awsWildcards tells how the distribution's invalidations read a * that is not last.
export function awsWildcards(tags: Record<string, string>): boolean {
  return tags["warmfront:wildcards"] === "aws";
}

// invalidationMode is what the distribution's invalidations do that do not say so themselves.
export function invalidationMode(tags: Record<string, string>): Mode {
  return tags["warmfront:invalidation-mode"] === "stale" ? "stale" : "remove";
}

export type Isolation = "revalidate" | "bypass" | "fail" | "serve-stale";

// isolation is what an edge does that has lost the control plane.
export function isolation(tags: Record<string, string>): Isolation {
  const policy = tags["warmfront:isolation"];
  return policy === "bypass" || policy === "fail" || policy === "serve-stale" ? policy : "revalidate";
}

// getInvalidationStatus returns nothing when the distribution has no such invalidation.
export async function getInvalidationStatus(id: string, inv: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { Invalidation: of } = await client.cloudfront((sdk) =>
      sdk.send(new GetInvalidationCommand({ DistributionId: id, Id: inv }), { abortSignal: signal }),
    );
    return of?.Status;
  } catch (e) {
    if (code(e) === "NoSuchInvalidation" || code(e) === "NoSuchDistribution") return undefined;
    throw e;
  }
}
