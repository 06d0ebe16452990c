import Box from "@cloudscape-design/components/box";
import Pagination from "@cloudscape-design/components/pagination";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { useState } from "react";
import { bytes, count, plural, rate } from "../../format";
import type { PreviewItem } from "../../own";
import { Path } from "../../parts/Path";

const pageSize = 10;
const sampled = 10; // URLs that a sample has at most

// A row is an item, or below it one URL of its sample.
type Row = { key: string; item?: PreviewItem; url?: string };

export function PreviewTable({ items }: { items: PreviewItem[] }) {
  const [wanted, setPage] = useState(1);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const pages = Math.max(1, Math.ceil(items.length / pageSize));
  const page = Math.min(wanted, pages);
  const rows: Row[] = items.slice((page - 1) * pageSize, page * pageSize).map((item) => ({ key: item.item, item }));
  // The samples of a few items are open, those of many closed, until somebody says otherwise.
  const open = rows.filter((r) => toggled.has(r.key) !== items.length <= 2);

  return (
    <Table
      variant="embedded"
      contentDensity="compact"
      items={rows}
      columnDefinitions={columns}
      trackBy="key"
      wrapLines
      ariaLabels={{ tableLabel: "Preview by path" }}
      expandableRows={{
        getItemChildren: (r) => r.item?.sample.map((url) => ({ key: `${r.key} ${url}`, url })) ?? [],
        isItemExpandable: (r) => (r.item?.sample.length ?? 0) > 0,
        expandedItems: open,
        onExpandableItemToggle: (e) => {
          const next = new Set(toggled);
          if (!next.delete(e.detail.item.key)) next.add(e.detail.item.key);
          setToggled(next);
        },
      }}
      pagination={
        pages > 1 && (
          <Pagination
            currentPageIndex={page}
            pagesCount={pages}
            onChange={(e) => setPage(e.detail.currentPageIndex)}
            ariaLabels={{ nextPageLabel: "Next page", previousPageLabel: "Previous page", pageLabel: (n) => `Page ${n}` }}
          />
        )
      }
    />
  );
}

const columns: TableProps.ColumnDefinition<Row>[] = [
  {
    id: "item",
    header: "Path or tag",
    isRowHeader: true,
    cell: ({ item, url }) => (
      <>
        <Path text={item?.item ?? url ?? ""} most={200} />
        {item && item.sample.length >= sampled && (
          <Box variant="small" display="block">{`a sample of ${plural(item.sample.length, "URL")}`}</Box>
        )}
        {item?.error && <Box variant="small" color="text-status-error" display="block">{item.error.hint}</Box>}
      </>
    ),
  },
  { id: "objects", header: "Objects", minWidth: 80, cell: ({ item }) => (item ? count(item.objects) : "") },
  { id: "bytes", header: "Size", minWidth: 80, cell: ({ item }) => (item ? bytes(item.bytes) : "") },
  { id: "rate", header: "Requests", minWidth: 90, cell: ({ item }) => (item ? `${rate(item.requestsPerMinute)}/min` : "") },
];
