import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useState } from "react";
import { usePage } from "../../app/page";
import { plural } from "../../format";
import { hundreds } from "../../list";
import type { Actor, AuditEntry } from "../../own";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { Link } from "../../parts/Link";
import { Time } from "../../parts/Time";
import { useLoad } from "../../use";

export default function Audit() {
  usePage({ text: "Audit trail", href: "/audit" });
  const [pages, setPages] = useState(1);
  const [filter, setFilter] = useState("");
  const trail = useLoad((signal) => hundreds<AuditEntry>("/audit", pages, signal), [pages], { on: (c) => c.kind !== "missed" });
  const [kept, setKept] = useState(trail.data);
  if (trail.data && trail.data !== kept) setKept(trail.data); // stays while the next page comes
  const all = kept?.items ?? [];
  const items = all.filter((e) => says(e).toLowerCase().includes(filter.toLowerCase()));
  return (
    <SpaceBetween size="l">
      <LoadFailure of={trail} />
      <Table
        variant="full-page"
        stickyHeader
        items={items}
        columnDefinitions={columns}
        trackBy={(e) => `${e.seq} ${e.resource} ${e.action}`}
        enableKeyboardNavigation
        loading={trail.loading && !kept}
        loadingText="Loading the audit trail"
        ariaLabels={{ tableLabel: "Audit trail" }}
        header={
          <Header
            variant="awsui-h1-sticky"
            description="Who changed what, when, from where and with which key: the journal’s own facts, newest first."
            actions={<Button iconName="refresh" ariaLabel="Refresh" onClick={trail.reload} />}
          >
            Audit trail
          </Header>
        }
        filter={
          <TextFilter
            filteringText={filter}
            onChange={(e) => setFilter(e.detail.filteringText)}
            filteringPlaceholder="Search by action, resource, user, key or address"
            filteringAriaLabel="Search the audit trail"
            countText={filter ? `${plural(items.length, "match", "matches")} of the ${all.length} newest` : ""}
          />
        }
        footer={kept?.nextMarker ? <Button loading={trail.loading} onClick={() => setPages(pages + 1)}>Show older</Button> : undefined}
        empty={!trail.error && <Empty title={filter ? "No matches" : "Nothing has been changed yet"} />}
      />
    </SpaceBetween>
  );
}

function says(e: AuditEntry): string {
  return [e.action, e.resource, e.by.user, e.by.accessKey, e.by.address].join(" ");
}

const columns: TableProps.ColumnDefinition<AuditEntry>[] = [
  { id: "time", header: "Time", isRowHeader: true, minWidth: 180, cell: (e) => <Time at={e.time} /> },
  { id: "action", header: "Action", minWidth: 160, cell: (e) => e.action },
  { id: "resource", header: "Resource", minWidth: 260, cell: (e) => <Resource of={e} /> },
  { id: "user", header: "User and access key", minWidth: 190, cell: (e) => <Who by={e.by} /> },
  { id: "address", header: "From", minWidth: 110, cell: (e) => e.by.address || "–" },
  { id: "seq", header: "Entry", minWidth: 70, cell: (e) => e.seq },
];

function Who({ by }: { by: Actor }) {
  return (
    <>
      {by.user || "–"}
      {by.accessKey && <Box variant="small" display="block">{by.accessKey}</Box>}
    </>
  );
}

// Resource links to what the entry is about, where there is a page of it.
function Resource({ of: { resource, action } }: { of: AuditEntry }) {
  const [kind, id, , inv] = resource.split("/");
  if (kind !== "distribution" || action === "DeleteDistribution") return resource;
  return inv ? <Link href={`/distributions/${id}/invalidations/${inv}`}>{`${id} / ${inv}`}</Link> : <Link href={`/distributions/${id}`}>{id}</Link>;
}
