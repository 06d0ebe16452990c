import { useCollection } from "@cloudscape-design/collection-hooks";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useNavigate } from "react-router";
import { recentInvalidations } from "../../distributions";
import { count, plural } from "../../format";
import { live } from "../../live";
import type { Invalidation } from "../../own";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { Link } from "../../parts/Link";
import { short } from "../../parts/Path";
import { InvalidationStatus } from "../../parts/Status";
import { Time } from "../../parts/Time";
import { useLoad, useMay } from "../../use";

export function Invalidations({ id }: { id: string }) {
  const navigate = useNavigate();
  const may = useMay();
  const home = `/distributions/${id}/invalidations`;
  const list = useLoad((signal) => recentInvalidations(id, signal), [id], {
    on: (c) => c.kind === "invalidation" && c.distributionId === id,
    every: (page) => (page.items.some((i) => i.status === "InProgress" || i.status === "Scheduled") ? (live.up ? 5000 : 1000) : undefined),
  });
  const create = (
    <Button variant="primary" disabled={!may.invalidate} onClick={() => navigate(`${home}/create`)}>
      Create invalidation
    </Button>
  );
  const { items, filterProps, filteredItemsCount, paginationProps, collectionProps, actions } = useCollection(list.data?.items ?? [], {
    filtering: {
      filteringFunction: (i, text) => [i.id, i.status, i.by.user, i.by.accessKey, i.comment, i.plan?.when?.url ?? "", ...i.items].some((s) => s.toLowerCase().includes(text.toLowerCase())),
      empty: !list.error && <Empty title="No invalidations" action={create}>You have not dropped anything from the caches yet.</Empty>,
      noMatch: <Empty title="No matches" action={<Button onClick={() => actions.setFiltering("")}>Clear filter</Button>} />,
    },
    pagination: { pageSize: 20 },
    sorting: {},
    selection: { trackBy: "id", keepSelection: true },
  });
  const chosen = collectionProps.selectedItems?.[0] as Invalidation | undefined;

  return (
    <SpaceBetween size="l">
      <LoadFailure of={list} />
      <Table
        {...collectionProps}
        items={items}
        columnDefinitions={columns(home)}
        enableKeyboardNavigation
        selectionType="single"
        loading={list.loading && !list.data}
        loadingText="Loading invalidations"
        ariaLabels={{ tableLabel: "Invalidations", selectionGroupLabel: "Invalidation", itemSelectionLabel: (_, i) => `Select ${i.id}` }}
        header={
          <Header
            variant="h2"
            counter={list.data && `(${list.data.items.length}${list.data.nextMarker ? "+" : ""})`}
            description={list.data?.nextMarker ? "The last 100." : undefined}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel="Refresh" loading={list.loading && Boolean(list.data)} onClick={list.reload} />
                <Button disabled={!chosen} onClick={() => navigate(`${home}/${chosen!.id}`)}>View details</Button>
                <Button disabled={!chosen || !may.invalidate} onClick={() => navigate(`${home}/create?copy=${chosen!.id}`)}>Copy to new</Button>
                {create}
              </SpaceBetween>
            }
          >
            Invalidations
          </Header>
        }
        filter={
          <TextFilter
            {...filterProps}
            filteringPlaceholder="Search invalidations"
            filteringAriaLabel="Search invalidations"
            countText={plural(filteredItemsCount ?? 0, "match", "matches")}
          />
        }
        pagination={<Pagination {...paginationProps} />}
      />
    </SpaceBetween>
  );
}

function columns(home: string): TableProps.ColumnDefinition<Invalidation>[] {
  return [
    { id: "id", header: "Invalidation ID", isRowHeader: true, sortingField: "id", cell: (i) => <Link href={`${home}/${i.id}`}>{i.id}</Link> },
    { id: "status", header: "Status", sortingField: "status", cell: (i) => <><InvalidationStatus status={i.status} /><Due of={i} /></> },
    { id: "created", header: "Date created", sortingField: "createTime", cell: (i) => <Time at={i.createTime} /> },
    { id: "by", header: "Created by", sortingComparator: (a, b) => a.by.user.localeCompare(b.by.user), cell: (i) => i.by.user || "–" },
    { id: "items", header: "Items", sortingField: "itemCount", cell: (i) => <span title={i.items.slice(0, 10).join("\n")}>{count(i.itemCount)}</span> },
    { id: "first", header: "Paths and tags", cell: (i) => sample(i) },
    { id: "comment", header: "Comment", cell: (i) => i.comment || "–" },
  ];
}

// Due says when a scheduled one comes into force.
function Due({ of: { status, plan } }: { of: Invalidation }) {
  if (status !== "Scheduled" || !plan) return null;
  return <Box variant="small" display="block">{plan.when ? `when ${short(plan.when.url, 60)} answers with ${short(`${plan.when.field}: ${plan.when.value}`, 40)}` : <Time at={plan.at} />}</Box>;
}

function sample(i: Invalidation): string {
  const shown = i.items.slice(0, 2).map((item) => short(item, 40)).join(", ");
  return i.itemCount > 2 ? `${shown}, …` : shown;
}
