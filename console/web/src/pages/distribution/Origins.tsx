import type { DistributionConfig, Origin } from "@aws-sdk/client-cloudfront";
import Header from "@cloudscape-design/components/header";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { Empty } from "../../parts/Empty";

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

export function Origins({ config }: { config: DistributionConfig }) {
  const origins = config.Origins?.Items ?? [];
  return (
    <Table
      items={origins}
      columnDefinitions={columns}
      trackBy={(o) => o.Id ?? ""}
      enableKeyboardNavigation
      ariaLabels={{ tableLabel: "Origins" }}
      header={<Header variant="h2" counter={`(${origins.length})`}>Origins</Header>}
      empty={<Empty title="No origins" />}
    />
  );
}
