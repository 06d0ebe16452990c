import { useCollection } from "@cloudscape-design/collection-hooks";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useState } from "react";
import { useNavigate } from "react-router";
import { recentInvalidations } from "../../distributions";
import { count, plural } from "../../format";
import { live } from "../../live";
import type { Invalidation } from "../../own";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { Link } from "../../parts/Link";
import { Path, short } from "../../parts/Path";
import { InvalidationStatus } from "../../parts/Status";
import { Time } from "../../parts/Time";
import { useLoad, useMay } from "../../use";

export function Invalidations({ id }: { id: string }) {
  const navigate = useNavigate();
  const may = useMay();
  const home = `/distributions/${id}/invalidations`;
  const [pages, setPages] = useState(1);
  const loaded = useLoad((signal) => recentInvalidations(id, pages, signal), [id, pages], {
    on: (c) => c.kind === "invalidation" && c.distributionId === id,
    every: (page) => (page.items.some((i) => i.status === "InProgress" || i.status === "Scheduled") ? (live.up ? 5000 : 1000) : undefined),
  });
  const [kept, keep] = useState(loaded.data);
  if (loaded.data && loaded.data !== kept) keep(loaded.data); // stays while older ones come
  const list = { ...loaded, data: loaded.data ?? kept };
  const more = list.data?.nextMarker && (
    <Button loading={loaded.loading && !loaded.data} onClick={() => setPages(pages + 1)}>
      Show older
    </Button>
  );
  const create = (
    <Button variant="primary" disabled={!may.invalidate} onClick={() => navigate(`${home}/create`)}>
      Create invalidation
    </Button>
  );
  const { items, filterProps, filteredItemsCount, paginationProps, collectionProps, actions } = useCollection(list.data?.items ?? [], {
    filtering: {
      filteringFunction: (i, text) => [i.id, i.status, i.by.user, i.by.accessKey, i.comment, i.plan?.when?.url ?? "", ...i.items].some((s) => s.toLowerCase().includes(text.toLowerCase())),
      empty: !list.error && <Empty title="No invalidations" action={create}>You have not dropped anything from the caches yet.</Empty>,
      noMatch: <Empty title={more ? `No matches among the last ${count(list.data?.items.length ?? 0)}` : "No matches"} action={<Button onClick={() => actions.setFiltering("")}>Clear filter</Button>} />,
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
        wrapLines
        enableKeyboardNavigation
        selectionType="single"
        loading={list.loading && !list.data}
        loadingText="Loading invalidations"
        ariaLabels={{ tableLabel: "Invalidations", selectionGroupLabel: "Invalidation", itemSelectionLabel: (_, i) => `Select ${i.id}` }}
        header={
          <Header
            variant="h2"
            counter={list.data && `(${list.data.items.length}${list.data.nextMarker ? "+" : ""})`}
            description={more ? `The last ${count(list.data?.items.length ?? 0)}.` : undefined}
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
        footer={more && <Box textAlign="center">{more}</Box>}
      />
    </SpaceBetween>
  );
}

function columns(home: string): TableProps.ColumnDefinition<Invalidation>[] {
  return [
    { id: "id", header: "Invalidation ID", isRowHeader: true, sortingField: "id", minWidth: 170, cell: (i) => <Link href={`${home}/${i.id}`}>{i.id}</Link> },
    { id: "status", header: "Status", sortingField: "status", minWidth: 150, cell: (i) => <><InvalidationStatus status={i.status} /><Due of={i} /></> },
    { id: "created", header: "Date created", sortingField: "createTime", minWidth: 130, cell: (i) => <Time at={i.createTime} /> },
    { id: "by", header: "Created by", sortingComparator: (a, b) => a.by.user.localeCompare(b.by.user), minWidth: 130, cell: (i) => i.by.user || "–" },
    { id: "items", header: "Items", sortingField: "itemCount", minWidth: 90, cell: (i) => <span title={i.items.slice(0, 10).join("\n")}>{count(i.itemCount)}</span> },
    { id: "first", header: "Paths and tags", minWidth: 180, cell: (i) => <Path text={sample(i)} /> },
    { id: "comment", header: "Comment", minWidth: 160, cell: (i) => <span style={{ overflowWrap: "anywhere" }}>{short(i.comment, 200) || "–"}</span> },
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
