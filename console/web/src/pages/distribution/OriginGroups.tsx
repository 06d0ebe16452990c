import type { OriginGroup } from "@aws-sdk/client-cloudfront";
import type { TableProps } from "@cloudscape-design/components/table";
import type { Found } from "../../distributions";
import { usedBy } from "../../groups";
import { PartTable } from "./PartTable";

const member = (g: OriginGroup, at: number) => g.Members?.Items?.[at]?.OriginId ?? "–";

const columns: TableProps.ColumnDefinition<OriginGroup>[] = [
  { id: "name", header: "Origin group name", isRowHeader: true, cell: (g) => g.Id },
  { id: "first", header: "Primary origin", cell: (g) => member(g, 0) },
  { id: "second", header: "Secondary origin", cell: (g) => member(g, 1) },
  { id: "codes", header: "Failover criteria", cell: (g) => g.FailoverCriteria?.StatusCodes?.Items?.join(", ") },
];

export function OriginGroups({ found }: { found: Found }) {
  const { config } = found;
  return (
    <PartTable
      found={found}
      title="Origin groups"
      one="origin group"
      tab="origin-groups"
      items={config.OriginGroups?.Items ?? []}
      name={(g) => g.Id ?? ""}
      columns={columns}
      keep={(g) => usedBy(config, g.Id)}
      without={(items) => ({ ...config, OriginGroups: { Quantity: items.length, ...(items.length > 0 && { Items: items }) } })}
      empty="An origin group asks a second origin when the first fails."
    />
  );
}
