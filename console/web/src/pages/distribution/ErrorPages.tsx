import type { CustomErrorResponse, DistributionConfig } from "@aws-sdk/client-cloudfront";
import Header from "@cloudscape-design/components/header";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { Empty } from "../../parts/Empty";

const columns: TableProps.ColumnDefinition<CustomErrorResponse>[] = [
  { id: "code", header: "HTTP error code", isRowHeader: true, cell: (e) => e.ErrorCode },
  { id: "ttl", header: "Error caching minimum TTL", cell: (e) => `${e.ErrorCachingMinTTL ?? 10} s` },
  { id: "path", header: "Response page path", cell: (e) => e.ResponsePagePath || "–" },
  { id: "response", header: "HTTP response code", cell: (e) => e.ResponseCode || "–" },
];

export function ErrorPages({ config }: { config: DistributionConfig }) {
  const pages = config.CustomErrorResponses?.Items ?? [];
  return (
    <Table
      items={pages}
      columnDefinitions={columns}
      trackBy={(e) => String(e.ErrorCode)}
      enableKeyboardNavigation
      ariaLabels={{ tableLabel: "Custom error responses" }}
      header={<Header variant="h2" counter={`(${pages.length})`}>Error pages</Header>}
      empty={<Empty title="No custom error responses">Errors of the origin reach viewers as they are.</Empty>}
    />
  );
}
