import { useCollection } from "@cloudscape-design/collection-hooks";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useNavigate } from "react-router";
import { client } from "../../client";
import { bytes, count, percent, plural } from "../../format";
import type { PopularObject } from "../../own";
import { useLoad, useMay } from "../../use";
import { Empty } from "../Empty";
import { LoadFailure } from "../LoadFailure";
import { Path } from "../Path";
import { Time } from "../Time";

// Popular lists what a distribution is asked for most; what is chosen can be invalidated. The title is not that of the page that it stands on.
export function Popular({ id, title }: { id: string; title: string }) {
  const navigate = useNavigate();
  const may = useMay();
  const list = useLoad(
    (signal) => client.own<{ items: PopularObject[]; since: string | null; unanswered?: { edge: string; error: string }[] }>("GET", `/distributions/${encodeURIComponent(id)}/popular?max=100`, undefined, signal),
    [id],
    { every: () => 15_000 },
  );
  const { items, filterProps, filteredItemsCount, paginationProps, collectionProps, actions } = useCollection(list.data?.items ?? [], {
    filtering: {
      fields: ["path"],
      empty: !list.error && <Empty title="No objects">Nothing has been asked for yet that is stored.</Empty>,
      noMatch: <Empty title="No matches" action={<Button onClick={() => actions.setFiltering("")}>Clear filter</Button>} />,
    },
    pagination: { pageSize: 20 },
    sorting: {},
    selection: { trackBy: "path", keepSelection: true },
  });
  const chosen = collectionProps.selectedItems ?? [];
  const invalidate = () => {
    const paths = new URLSearchParams(chosen.map((o) => ["path", o.path]));
    void navigate(`/distributions/${id}/invalidations/create?${paths}`);
  };
  return (
    <SpaceBetween size="l">
      <LoadFailure of={list} />
      {list.data?.unanswered?.map((e) => <StatusIndicator key={e.edge} type="warning">{`Not counted: ${e.edge} (${e.error})`}</StatusIndicator>)}
      <Table
        {...collectionProps}
        items={items}
        columnDefinitions={columns}
        wrapLines
        enableKeyboardNavigation
        selectionType="multi"
        loading={list.loading && !list.data}
        loadingText="Asking the edges"
        ariaLabels={{
          tableLabel: "Popular objects",
          selectionGroupLabel: "Objects",
          allItemsSelectionLabel: () => "Select all",
          itemSelectionLabel: (_, o) => `Select ${o.path}`,
        }}
        header={
          <Header
            variant="h2"
            counter={list.data && `(${list.data.items.length})`}
            description={list.data?.since && <>Of what is stored now, each counted since it was stored: the oldest since <Time at={list.data.since} />.</>}
            actions={<Button disabled={chosen.length === 0 || !may.invalidate} onClick={invalidate}>Create invalidation</Button>}
          >
            {title}
          </Header>
        }
        filter={
          <TextFilter {...filterProps} filteringPlaceholder="Search paths" filteringAriaLabel="Search paths" countText={plural(filteredItemsCount ?? 0, "match", "matches")} />
        }
        pagination={<Pagination {...paginationProps} />}
      />
    </SpaceBetween>
  );
}

const columns: TableProps.ColumnDefinition<PopularObject>[] = [
  { id: "path", header: "Object", isRowHeader: true, sortingField: "path", minWidth: 200, cell: (o) => <Path text={o.path} most={200} /> },
  { id: "requests", header: "Requests", sortingField: "requests", cell: (o) => count(o.requests) },
  { id: "hits", header: "Hits", sortingField: "hits", cell: (o) => count(o.hits) },
  { id: "ratio", header: "Hit ratio", sortingComparator: (a, b) => hitRatio(a) - hitRatio(b), cell: (o) => (o.requests > 0 ? percent(hitRatio(o)) : "–") },
  { id: "bytes", header: "Bytes", sortingField: "bytes", cell: (o) => bytes(o.bytes) },
];

function hitRatio(o: PopularObject): number {
  return o.requests > 0 ? o.hits / o.requests : 0;
}
