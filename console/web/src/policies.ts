// Policies by their names: ids say nothing to people.

import { ListCachePoliciesCommand, ListOriginRequestPoliciesCommand } from "@aws-sdk/client-cloudfront";
import { client } from "./client";

export interface Policy {
  id: string;
  name: string;
  comment: string;
  managed: boolean;
}

export interface Policies {
  cache: Policy[];
  originRequest: Policy[];
}

export async function listPolicies(signal?: AbortSignal): Promise<Policies> {
  const options = signal && { abortSignal: signal };
  const [cache, originRequest] = await Promise.all([
    client.cloudfront((sdk) => sdk.send(new ListCachePoliciesCommand({}), options)),
    client.cloudfront((sdk) => sdk.send(new ListOriginRequestPoliciesCommand({}), options)),
  ]);
  return {
    cache: (cache.CachePolicyList?.Items ?? []).map((p) =>
      policy(p.CachePolicy?.Id, p.Type, p.CachePolicy?.CachePolicyConfig),
    ),
    originRequest: (originRequest.OriginRequestPolicyList?.Items ?? []).map((p) =>
      policy(p.OriginRequestPolicy?.Id, p.Type, p.OriginRequestPolicy?.OriginRequestPolicyConfig),
    ),
  };
}

type Config = { Name?: string | undefined; Comment?: string | undefined };

function policy(id: string | undefined, type: string | undefined, config: Config | undefined): Policy {
  return { id: id ?? "", name: plainName(config?.Name ?? id ?? ""), comment: config?.Comment ?? "", managed: type === "managed" };
}

// plainName is a managed policy's name as CloudFront's console shows it.
export function plainName(name: string): string {
  return name.replace(/^Managed-/, "");
}
