import { useCollection } from "@cloudscape-design/collection-hooks";
import Alert from "@cloudscape-design/components/alert";
import Header from "@cloudscape-design/components/header";
import LiveRegion from "@cloudscape-design/components/live-region";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { bytes, count, duration, plural } from "../../format";
import type { Receipt, ReceiptRow } from "../../own";
import { Doubted } from "../../parts/Doubted";
import { Empty } from "../../parts/Empty";
import { Time } from "../../parts/Time";
import { Spread } from "./Spread";

// ReceiptPanel says edge by edge how the invalidation went.
export function ReceiptPanel({ receipt }: { receipt: Receipt }) {
  const { doubt, edges, edgeCount, invalidation } = receipt;
  const applied = edges.filter((e) => e.applied);
  const asked = edges.filter((e) => !e.former);
  const former = edges.length - asked.length;
  const forgotten = Math.max(0, edgeCount - asked.length); // have applied it, and do not remember when
  const done = applied.length + forgotten;
  const all = asked.length + forgotten;
  const many = edges.length > pageSize;
  const { items, filterProps, paginationProps, collectionProps } = useCollection(many ? waitingFirst(edges) : edges, {
    filtering: {
      filteringFunction: (e, text) => `${e.edge} ${e.location} ${e.lagging}`.toLowerCase().includes(text.toLowerCase()),
      empty: forgotten > 0 ? (
        <Empty title="No lines">The journal keeps no lines of so many edge locations, and none of them remembers this invalidation any more.</Empty>
      ) : (
        <Empty title="No edge locations">There was no edge when it was created: it was complete at once.</Empty>
      ),
      noMatch: <Empty title="No matches" />,
    },
    pagination: { pageSize },
  });
  const sum = (of: (e: ReceiptRow) => number | null) => applied.reduce((n, e) => n + (of(e) ?? 0), 0);
  const counting = applied.some((e) => !e.counted && e.objects !== null);
  const text = [
    `Applied by ${count(done)} of ${plural(all, "edge location")}${former > 0 ? `, and ${plural(former, "former edge")} to be waited for` : ""};`,
    `${counting ? "so far " : ""}${plural(sum((e) => e.objects), "object")}, ${bytes(sum((e) => e.bytes))} ${invalidation.mode === "stale" ? "marked stale" : "dropped"}.`,
    forgotten > 0 && `What ${plural(forgotten, "of them", "of them")} did is not known any more.`,
  ].filter(Boolean).join(" ");
  const unbound = edges.filter((e) => e.unbound).map((e) => e.edge);
  return (
    <SpaceBetween size="s">
      {unbound.length > 0 && (
        <Alert type="warning" header={`Completed does not speak for ${unbound.join(", ")}`}>
          The control plane has not heard of {unbound.length === 1 ? "this edge" : "these edges"}, and the distribution has the tag
          warmfront:isolation=serve-stale. Until {unbound.length === 1 ? "it is" : "they are"} back, {unbound.length === 1 ? "it" : "they"} may go on showing what this
          invalidation removes.
        </Alert>
      )}
      {doubt && <Doubted doubt={doubt} />}
      <Table
        {...collectionProps}
        items={items}
        columnDefinitions={columns}
        trackBy={(e) => `${e.edge} ${e.former}`}
        wrapLines
        ariaLabels={{ tableLabel: "Receipt" }}
        header={
          <Header variant="h2" counter={`(${count(done)}/${count(all)})`} description={<LiveRegion tagName="span">{text}</LiveRegion>}>
            Receipt
          </Header>
        }
        footer={edges.length > 0 && <Spread rows={edges} running={invalidation.status !== "Completed"} />}
        filter={many && <TextFilter {...filterProps} filteringPlaceholder="Search edge locations" filteringAriaLabel="Search edge locations" />}
        pagination={many && <Pagination {...paginationProps} />}
      />
    </SpaceBetween>
  );
}

const pageSize = 25;

// waitingFirst puts those in front of many that are waited for.
function waitingFirst(edges: ReceiptRow[]): ReceiptRow[] {
  return [...edges].sort((a, b) => Number(a.applied) - Number(b.applied));
}

const columns: TableProps.ColumnDefinition<ReceiptRow>[] = [
  { id: "edge", header: "Edge location", isRowHeader: true, minWidth: 130, cell: (e) => (e.edge === e.location ? e.edge : `${e.location} (${e.edge})`) },
  { id: "status", header: "Status", minWidth: 215, cell: (e) => <RowStatus row={e} /> },
  { id: "at", header: "Applied at", minWidth: 140, cell: (e) => <Time at={e.at} precise /> },
  { id: "took", header: "After", minWidth: 90, cell: (e) => duration(e.tookMs) },
  { id: "objects", header: "Objects", cell: (e) => counted(e, e.objects, count) },
  { id: "bytes", header: "Size", minWidth: 90, cell: (e) => counted(e, e.bytes, bytes) },
];

function RowStatus({ row }: { row: ReceiptRow }) {
  if (row.applied) return <StatusIndicator>Applied</StatusIndicator>;
  if (row.waits) return <StatusIndicator type="pending">Its turn has not come</StatusIndicator>;
  if (row.former) return <Why type="in-progress" word="Former edge" why={row.lagging} />;
  if (!row.lagging) return <StatusIndicator type="in-progress">Waiting</StatusIndicator>;
  return <Why type={row.unbound ? "error" : "warning"} word="Lagging" why={row.lagging} />;
}

// Why is a status with its reason beside it: what is in a status breaks in the middle of words.
function Why({ type, word, why }: { type: StatusIndicatorProps.Type; word: string; why: string }) {
  return (
    <span>
      <StatusIndicator type={type}>{word}</StatusIndicator>: {why}
    </span>
  );
}

function counted(row: ReceiptRow, n: number | null, say: (n: number) => string) {
  if (!row.applied || n === null) return "–";
  return row.counted ? say(n) : <StatusIndicator type="loading">{say(n)}</StatusIndicator>;
}
