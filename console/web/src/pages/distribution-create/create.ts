import { CreateDistributionWithTagsCommand, type DistributionConfig } from "@aws-sdk/client-cloudfront";
import { client } from "../../client";
import { type BehaviorDraft, type OriginDraft, toBehavior, toOrigin } from "../../drafts";

export interface NameDraft {
  name: string;
  comment: string;
  aliases: string; // one per line
  root: string;
}

export interface Drafts {
  name: NameDraft;
  origin: OriginDraft;
  behavior: BehaviorDraft;
  reference: string; // makes a repeated call, as after a lost answer, the same distribution
}

export function toConfig({ name, origin, behavior, reference }: Drafts): DistributionConfig {
  const made = toOrigin(origin);
  const aliases = name.aliases.split(/[\s,]+/).filter(Boolean);
  return {
    CallerReference: reference,
    Comment: name.comment.trim(),
    Enabled: true,
    Aliases: { Quantity: aliases.length, ...(aliases.length > 0 && { Items: aliases }) },
    DefaultRootObject: name.root.trim(),
    Origins: { Quantity: 1, Items: [made] },
    DefaultCacheBehavior: toBehavior({ ...behavior, pattern: "", origin: made.Id ?? "" }),
    PriceClass: "PriceClass_All",
    HttpVersion: "http2",
    IsIPV6Enabled: true,
  };
}

// createDistribution returns the id. The name is a tag, as CloudFront's console keeps it.
export async function createDistribution(drafts: Drafts): Promise<string> {
  const { Distribution: made } = await client.cloudfront((sdk) =>
    sdk.send(
      new CreateDistributionWithTagsCommand({
        DistributionConfigWithTags: { DistributionConfig: toConfig(drafts), Tags: { Items: [{ Key: "Name", Value: drafts.name.name.trim() }] } },
      }),
    ),
  );
  return made?.Id ?? "";
}
