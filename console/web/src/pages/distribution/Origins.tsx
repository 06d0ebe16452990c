import type { Origin } from "@aws-sdk/client-cloudfront";
import type { TableProps } from "@cloudscape-design/components/table";
import type { Found } from "../../distributions";
import { usedBy } from "../../groups";
import { PartTable } from "./PartTable";

const protocols: Record<string, string> = { "http-only": "HTTP only", "https-only": "HTTPS only", "match-viewer": "Match viewer" };

const columns: TableProps.ColumnDefinition<Origin>[] = [
  { id: "name", header: "Origin name", isRowHeader: true, cell: (o) => o.Id },
  { id: "domain", header: "Origin domain", cell: (o) => o.DomainName },
  { id: "path", header: "Origin path", cell: (o) => o.OriginPath || "–" },
  { id: "type", header: "Origin type", cell: (o) => (o.S3OriginConfig ? "S3" : "Custom origin") },
  { id: "protocol", header: "Protocol", cell: (o) => protocols[o.CustomOriginConfig?.OriginProtocolPolicy ?? ""] ?? "–" },
  { id: "ports", header: "Ports", cell: (o) => (o.CustomOriginConfig ? `${o.CustomOriginConfig.HTTPPort}, ${o.CustomOriginConfig.HTTPSPort}` : "–") },
  { id: "timeout", header: "Response timeout", cell: (o) => `${o.CustomOriginConfig?.OriginReadTimeout ?? 30} s` },
];

export function Origins({ found }: { found: Found }) {
  const { config } = found;
  return (
    <PartTable
      found={found}
      title="Origins"
      one="origin"
      tab="origins"
      items={config.Origins?.Items ?? []}
      name={(o) => o.Id ?? ""}
      columns={columns}
      keep={(o) => usedBy(config, o.Id)}
      without={(items) => ({ ...config, Origins: { Quantity: items.length, Items: items } })}
      empty="An origin is the server that has the content."
    />
  );
}
