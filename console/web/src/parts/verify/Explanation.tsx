import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { TableProps } from "@cloudscape-design/components/table";
import { bytes, count, plural } from "../../format";
import type { ExplainedEdge, Explanation as Explained } from "../../own";
import { plainName } from "../../policies";
import { Link } from "../Link";
import { PagedTable } from "../PagedTable";
import { Path, short } from "../Path";
import { Time } from "../Time";

// Explanation says how the edges see a URL: whose it is, under which key, where it is stored, and what
// would drop it.
export function Explanation({ of: e, invalidation }: { of: Explained; invalidation: string | undefined }) {
  const tags = e.subject.tags;
  const matching = e.wouldMatch;
  return (
    <SpaceBetween size="m">
      <Header variant="h3">How the edges see <Path text={`${e.subject.path}${e.subject.query && `?${e.subject.query}`}`} most={200} /></Header>
      <KeyValuePairs
        columns={3}
        items={[
          { label: "Behavior", value: `${e.behavior.pathPattern === "*" ? "Default (*)" : e.behavior.pathPattern} (precedence ${e.behavior.precedence})` },
          { label: "Cache policy", value: e.cachePolicy ? plainName(e.cachePolicy.name) : "Legacy cache settings" },
          { label: "Cache tags", value: tags.length > 0 ? tags.map((t) => `#${t}`).join(", ") : "–" },
          { label: "Cache key", value: <Path text={e.cacheKey.readable} most={400} /> },
          { label: "Distribution", value: e.domainName },
          {
            label: "Matched by recent invalidations",
            value:
              matching.length === 0
                ? "None"
                : matching.slice(0, 5).map((m) => (
                    <div key={m.invalidationId + m.item}>
                      <Path text={m.item} most={100} />{" "}
                      {m.invalidationId === invalidation ? "of this one" : <Link href={`/distributions/${e.distributionId}/invalidations/${m.invalidationId}`}>{m.invalidationId}</Link>}
                    </div>
                  )),
          },
        ]}
      />
      <PagedTable variant="embedded" items={e.edges} columnDefinitions={columns} trackBy="edge" wrapLines ariaLabels={{ tableLabel: "Where it is stored" }} />
    </SpaceBetween>
  );
}

const columns: TableProps.ColumnDefinition<ExplainedEdge>[] = [
  { id: "edge", header: "Edge location", isRowHeader: true, minWidth: 110, cell: (e) => e.edge },
  { id: "stored", header: "Stored", minWidth: 110, cell: (e) => <Stored edge={e} /> },
  { id: "through", header: "Fills through", cell: (e) => (e.error ? "–" : way(e)) },
  { id: "in", header: "In", cell: (e) => (e.stored ? tiers(e) : "–") },
  { id: "since", header: "Since", minWidth: 120, cell: (e) => (e.stored ? <Time at={e.storedAt} /> : "–") },
  { id: "until", header: "Fresh until", minWidth: 120, cell: (e) => (e.stored ? <Time at={e.freshUntil} /> : "–") },
  { id: "age", header: "Age", cell: (e) => (e.stored ? `${count(e.ageSeconds)} s` : "–") },
  { id: "bytes", header: "Size", cell: (e) => (e.stored ? bytes(e.bytes) : "–") },
  { id: "hits", header: "Hits", cell: (e) => (e.stored ? count(e.hits) : "–") },
  { id: "stamp", header: "Stamp", cell: (e) => (e.stored ? e.stamp : "–") },
];

// way is whom an edge asks for what it has not.
function way(e: ExplainedEdge): string {
  return e.through.length > 0 ? [...e.through.map((t) => t.edge), "the origin"].join(", then ") : "The origin";
}

function tiers(e: ExplainedEdge): string {
  const where = e.disk ? (e.memory ? "Memory, disk" : "Disk") : "Memory";
  return e.slices > 0 ? `${where}, ${count(e.slicesStored)} of ${plural(e.slices, "slice")}` : where;
}

function Stored({ edge }: { edge: ExplainedEdge }) {
  if (edge.error) return <StatusIndicator type="warning" wrapText>{`Not known: ${edge.error}`}</StatusIndicator>;
  if (!edge.stored) return <StatusIndicator type="stopped">Not stored</StatusIndicator>;
  const dead = edge.matchedBy[0];
  if (edge.marked) return <StatusIndicator type="pending" wrapText>{dead ? `Marked stale by ${short(dead.item, 60)} of ${dead.invalidationId}` : "Marked stale"}</StatusIndicator>;
  if (dead) return <StatusIndicator type="warning" wrapText>{`Dropped by ${short(dead.item, 60)} of ${dead.invalidationId}`}</StatusIndicator>;
  return edge.fresh ? <StatusIndicator>Fresh</StatusIndicator> : <StatusIndicator type="pending">Stale</StatusIndicator>;
}
