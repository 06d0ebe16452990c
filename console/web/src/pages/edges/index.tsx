import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { TableProps } from "@cloudscape-design/components/table";
import { usePage } from "../../app/page";
import { client } from "../../client";
import { bytes, count, duration, percent, plural, utcTime } from "../../format";
import type { EdgeNode } from "../../own";
import { Doubted } from "../../parts/Doubted";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { PagedTable } from "../../parts/PagedTable";
import { Time } from "../../parts/Time";
import { useLoad } from "../../use";
import { ControlNodes, Relays } from "./Tables";
import type { Machines, PlaceOfEdges } from "./machines";

export default function Edges() {
  usePage({ text: "Edge locations", href: "/edges" });
  const nodes = useLoad((signal) => client.own<Machines>("GET", "/nodes", undefined, signal), [], {
    every: () => 2000,
    on: (c) => c.kind === "node",
  });
  const places = useLoad((signal) => client.own<{ places: PlaceOfEdges[] }>("GET", "/places", undefined, signal), [], {
    every: () => 10000,
    on: (c) => c.kind === "node",
  });
  const parents = new Map(places.data?.places.map((p) => [p.place, p.parent]));
  const edges = nodes.data?.edges ?? [];
  const ready = edges.filter((e) => e.ready).length;
  return (
    <SpaceBetween size="l">
      <LoadFailure of={nodes} />
      {nodes.data?.doubt && <Doubted doubt={nodes.data.doubt} />}
      <PagedTable
        variant="full-page"
        stickyHeader
        wrapLines
        items={edges}
        columnDefinitions={columns(parents)}
        trackBy="edge"
        enableKeyboardNavigation
        loading={nodes.loading && !nodes.data}
        loadingText="Asking the edges"
        ariaLabels={{ tableLabel: "Edge locations" }}
        header={
          <Header
            variant="awsui-h1-sticky"
            counter={nodes.data && `(${edges.length})`}
            description={nodes.data && `${plural(ready, "edge location")} ready. An edge serves hits only while it holds a fresh lease on the journal.`}
            actions={<Button iconName="refresh" ariaLabel="Refresh" onClick={nodes.reload} />}
          >
            Edge locations
          </Header>
        }
        empty={!nodes.error && <Empty title="No edge locations">An edge appears here when it has joined.</Empty>}
      />
      {nodes.data && nodes.data.relays.length > 0 && <Relays all={nodes.data.relays} />}
      {nodes.data && nodes.data.control.length > 0 && <ControlNodes all={nodes.data.control} />}
    </SpaceBetween>
  );
}

const columns = (parents: Map<string, string>): TableProps.ColumnDefinition<EdgeNode>[] => [
  {
    id: "edge",
    header: "Edge location",
    isRowHeader: true,
    minWidth: 150,
    cell: (e) => (
      <>
        {e.edge === e.location ? e.edge : `${e.location} (${e.edge})`}
        {e.url && <Box variant="small" display="block">{e.url}</Box>}
        {e.version && <Box variant="small" display="block">Warmfront {e.version}</Box>}
        {e.joined && <Box variant="small" display="block">joined <Time at={e.joined} /></Box>}
      </>
    ),
  },
  { id: "health", header: "Health", minWidth: 110, cell: (e) => <Health of={e} /> },
  { id: "parent", header: "Fills through", minWidth: 110, cell: (e) => parents.get(e.location) || "The origin" },
  {
    id: "lease",
    header: "Lease",
    minWidth: 130,
    cell: (e) => (
      <StatusIndicator type={e.lease === "fresh" ? "success" : "warning"}>
        {e.lease === "fresh" ? "Fresh" : `Expired, ${duration(e.leaseAgeMs)} old`}
      </StatusIndicator>
    ),
  },
  { id: "applied", header: "Applied entry", minWidth: 120, cell: (e) => (e.behind > 0 ? `${count(e.applied)}, ${plural(e.behind, "entry", "entries")} behind` : count(e.applied)) },
  { id: "heard", header: "Last heard", minWidth: 120, cell: (e) => <Ago at={e.heard} /> },
  { id: "hits", header: "Hit ratio", minWidth: 90, cell: (e) => (e.hitRatio === null ? "–" : percent(e.hitRatio)) },
  { id: "fill", header: "Cache", minWidth: 190, cell: (e) => <Fill of={e} /> },
];

function Health({ of: { ready, originsDown } }: { of: EdgeNode }) {
  return (
    <>
      {ready ? <StatusIndicator>Ready</StatusIndicator> : <StatusIndicator type="error">Not ready</StatusIndicator>}
      {originsDown.map(({ address, since }) => (
        <div key={address}>
          <StatusIndicator type="warning">
            {address} does not answer since <Time at={since} />
          </StatusIndicator>
        </div>
      ))}
    </>
  );
}

function Ago({ at }: { at: string | null }) {
  if (!at) return "–";
  const date = new Date(at);
  return <time dateTime={at} title={utcTime(date)}>{`${duration(Math.max(0, Date.now() - date.getTime()))} ago`}</time>;
}

function Fill({ of: { edge, cache } }: { of: EdgeNode }) {
  const value = cache.capacity > 0 ? (cache.bytes / cache.capacity) * 100 : 0;
  return (
    <ProgressBar
      value={Math.round(value)}
      ariaLabel={`Cache of ${edge}`}
      description={`${bytes(cache.bytes)} of ${bytes(cache.capacity)}`}
      additionalInfo={`${plural(cache.objects, "object")}, ${count(cache.evictions)} evicted`}
    />
  );
}
