import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { TableProps } from "@cloudscape-design/components/table";
import type { Invalidation, Match, VerifiedEdge } from "../../own";
import { duration } from "../../format";
import { PagedTable } from "../PagedTable";
import { Path } from "../Path";
import { Time } from "../Time";
import { type Run, beforeAndAfter } from "./runs";

interface Row {
  edge: string;
  location: string;
  before: VerifiedEdge | undefined;
  after: VerifiedEdge | undefined;
  last: VerifiedEdge | undefined;
}

// Runs lays the answers from before and after side by side, edge by edge.
export function Runs({ runs, invalidation }: { runs: Run[]; invalidation: Invalidation | undefined }) {
  if (runs.length === 0) return null;
  const { before, after } = beforeAndAfter(runs, invalidation && Date.parse(invalidation.createTime));
  const newest = runs.at(-1);
  const last = newest !== after && newest !== before ? newest : undefined;
  const names = (newest ?? after ?? before)?.edges ?? [];
  const rows: Row[] = names.map(({ edge, location }) => {
    const of = (run: Run | undefined) => run?.edges.find((e) => e.edge === edge);
    return { edge, location, before: of(before), after: of(after), last: of(last) };
  });
  const columns: TableProps.ColumnDefinition<Row>[] = [{ id: "edge", header: "Edge location", isRowHeader: true, cell: (r) => r.edge }];
  if (before) columns.push({ id: "before", header: <Heading text={invalidation ? "Before" : "Earlier"} run={before} />, cell: (r) => <Answer of={r.before} /> });
  if (after) columns.push({ id: "after", header: <Heading text={invalidation ? "First after" : "Now"} run={after} />, cell: (r) => <Answer of={r.after} was={r.before} dropped={after.dropped} here={invalidation?.id} /> });
  if (last) columns.push({ id: "last", header: <Heading text="Now" run={last} />, cell: (r) => <Answer of={r.last} was={r.after} dropped={last.dropped} here={invalidation?.id} /> });
  return (
    <SpaceBetween size="xs">
      <PagedTable variant="embedded" items={rows} columnDefinitions={columns} trackBy="edge" wrapLines ariaLabels={{ tableLabel: "Answers of the edges" }} />
      {invalidation && !before && (
        <Box variant="small">To have a “before” to compare with, verify a path on the distribution’s Verify tab before you invalidate it.</Box>
      )}
    </SpaceBetween>
  );
}

function Heading({ text, run }: { text: string; run: Run }) {
  return (
    <>
      {text} <Box variant="small"><Time at={new Date(run.at)} /></Box>
    </>
  );
}

interface AnswerProps {
  of: VerifiedEdge | undefined;
  was?: VerifiedEdge | undefined;
  dropped?: Match | undefined;
  here?: string | undefined; // the invalidation whose page this is
}

function Answer({ of, was, dropped, here }: AnswerProps) {
  if (!of) return "–";
  if (of.error) return <StatusIndicator type="error" wrapText>{of.error}</StatusIndicator>;
  const changed = was?.etag && of.etag && was.etag !== of.etag;
  return (
    <SpaceBetween size="xxs">
      <span title={`${of.url}\n${of.contentType}\nX-Amz-Cf-Id: ${of.cfId}`}>
        <StatusIndicator type={of.status < 400 ? "success" : "warning"}>{of.status}</StatusIndicator>{" "}
        <Badge color={badge(of.xCache)}>{of.xCache || "no X-Cache"}</Badge>
      </span>
      <Box variant="small">{of.age === null ? "no Age" : `Age ${of.age} s`} · {duration(of.tookMs)} · {of.scheme}</Box>
      <Box variant="small">
        ETag {of.etag || "–"} {changed && <b>(changed)</b>}
      </Box>
      {was && isHit(was) && of.xCache.startsWith("Miss") && dropped && (
        <Box variant="small">
          dropped by <Path text={dropped.item} most={100} /> of {dropped.invalidationId === here ? "this invalidation" : dropped.invalidationId}
        </Box>
      )}
    </SpaceBetween>
  );
}

function isHit(e: VerifiedEdge): boolean {
  return /^(Hit|RefreshHit)/.test(e.xCache);
}

function badge(xCache: string): "green" | "blue" | "red" | "grey" {
  if (/^(Hit|RefreshHit)/.test(xCache)) return "green";
  if (xCache.startsWith("Miss")) return "blue";
  return xCache.startsWith("Error") ? "red" : "grey";
}
