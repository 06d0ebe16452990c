import type { CustomErrorResponse } from "@aws-sdk/client-cloudfront";
import type { TableProps } from "@cloudscape-design/components/table";
import type { Found } from "../../distributions";
import { PartTable } from "./PartTable";

const columns: TableProps.ColumnDefinition<CustomErrorResponse>[] = [
  { id: "code", header: "HTTP error code", isRowHeader: true, cell: (e) => e.ErrorCode },
  { id: "ttl", header: "Error caching minimum TTL", cell: (e) => `${e.ErrorCachingMinTTL ?? 10} s` },
  { id: "path", header: "Response page path", cell: (e) => e.ResponsePagePath || "–" },
  { id: "response", header: "HTTP response code", cell: (e) => e.ResponseCode || "–" },
];

export function ErrorPages({ found }: { found: Found }) {
  const { config } = found;
  return (
    <PartTable
      found={found}
      title="Error pages"
      one="custom error response"
      tab="error-pages"
      items={config.CustomErrorResponses?.Items ?? []}
      name={(e) => String(e.ErrorCode)}
      columns={columns}
      without={(items) => ({ ...config, CustomErrorResponses: { Quantity: items.length, ...(items.length > 0 && { Items: items }) } })}
      empty="Errors of the origin reach viewers as they are."
    />
  );
}
