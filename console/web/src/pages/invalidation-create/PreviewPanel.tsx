import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import LiveRegion from "@cloudscape-design/components/live-region";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { bytes, count, plural, rate } from "../../format";
import type { EdgeCount, Mode, Preview, Where } from "../../own";
import { Failure } from "../../parts/Failure";
import { PreviewTable } from "./PreviewTable";
import { usePreview } from "./usePreview";

// PreviewPanel shows, beside the typing, what would be dropped or marked stale. Nothing is, yet.
export function PreviewPanel({ id, mode, items, where, most }: { id: string; mode: Mode; items: string[]; where: Where | null; most: number }) {
  const { data, error, loading } = usePreview(id, items, where, most);
  const total = data?.total;
  return (
    <Container
      header={
        <Header variant="h2" description={`What these paths would ${mode === "stale" ? "mark stale" : "drop"} now. Nothing is invalidated yet.`} info={loading && <StatusIndicator type="loading">Counting</StatusIndicator>}>
          Preview
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Failure error={error} header="There is no preview" again />
        {!total && !error && (
          <Box color="text-body-secondary">{items.length > 0 ? "Asking the edges…" : "Type a path to see what it matches."}</Box>
        )}
        {total && <Totals total={total} done={mode === "stale" ? "marked stale" : "dropped"} />}
        {data?.unanswered?.map((e) => <StatusIndicator key={e.edge} type="warning">{`Not counted: ${e.edge} (${e.error})`}</StatusIndicator>)}
        {data && <PreviewTable items={data.items} />}
      </SpaceBetween>
    </Container>
  );
}

function Totals({ total, done }: { total: Preview["total"]; done: string }) {
  return (
    <SpaceBetween size="m">
      <LiveRegion hidden>{`${plural(total.objects, "object")} would be ${done}`}</LiveRegion>
      <KeyValuePairs
        columns={4}
        items={[
          { label: "Cached copies", value: <Big>{count(total.objects)}</Big> },
          { label: "Size", value: <Big>{bytes(total.bytes)}</Big> },
          { label: "Asked for", value: <Big>{`${rate(total.requestsPerMinute)}/min`}</Big> },
          { label: "Origin requests", value: <Big>{`≤ ${count(Math.ceil(total.originRequests))}`}</Big> },
        ]}
      />
      <Box variant="small">
        Asked for: how often these objects answered requests in the last minutes. Origin requests: how many of that reach the origin in the
        first minute after; each edge fetches each object once.
      </Box>
      {total.edges.length > shown && <Box variant="small">{`Of ${count(total.edges.length)} edge locations, those with the most copies:`}</Box>}
      <KeyValuePairs
        columns={3}
        items={largest(total.edges).map((e) => ({ label: e.edge, value: `${plural(e.objects, "object")}, ${bytes(e.bytes)}, ${rate(e.requestsPerMinute)}/min` }))}
      />
    </SpaceBetween>
  );
}

const shown = 12; // edges

function largest(edges: EdgeCount[]): EdgeCount[] {
  return edges.length > shown ? [...edges].sort((a, b) => b.objects - a.objects).slice(0, shown) : edges;
}

function Big({ children }: { children: string }) {
  return (
    <Box variant="span" fontSize="heading-xl" fontWeight="bold">
      {children}
    </Box>
  );
}
