import * as tokens from "@cloudscape-design/design-tokens";
import Box from "@cloudscape-design/components/box";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Button from "@cloudscape-design/components/button";
import { useSearchParams } from "react-router";
import { client } from "../../client";
import { bytes, count, percent, rate } from "../../format";
import type { Metrics } from "../../own";
import { useLoad } from "../../use";
import { Await } from "../Await";
import { Chart } from "./Chart";
import { coarser, hitRatio, sum } from "./sums";

const drawn = 120; // points of a chart: more are only noise

const spans = [
  { id: "15", text: "15 minutes" },
  { id: "60", text: "1 hour" },
  { id: "180", text: "3 hours" },
];

// Dashboard shows how a distribution does: now, and over a while. The title is not that of the page that it stands on.
export function Dashboard({ id, title }: { id: string; title: string }) {
  const [params, setParams] = useSearchParams();
  const minutes = spans.find((s) => s.id === params.get("minutes"))?.id ?? "15";
  const metrics = useLoad(
    (signal) => client.own<Metrics>("GET", `/distributions/${encodeURIComponent(id)}/metrics?minutes=${minutes}`, undefined, signal),
    [id, minutes],
    { every: () => 5000 },
  );
  const choose = (span: string) => {
    const next = new URLSearchParams(params);
    next.set("minutes", span);
    setParams(next, { replace: true });
  };
  return (
    <SpaceBetween size="l">
      <Header
        variant="h2"
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <SegmentedControl label="Time span" options={spans} selectedId={minutes} onChange={(e) => choose(e.detail.selectedId)} />
            <Button iconName="refresh" ariaLabel="Refresh" onClick={metrics.reload} />
          </SpaceBetween>
        }
      >
        {title}
      </Header>
      <Await of={metrics} what="metrics">
        {(m) => (
          <SpaceBetween size="l">
            <Now of={m} />
            <Charts of={m} minutes={Number(minutes)} />
          </SpaceBetween>
        )}
      </Await>
    </SpaceBetween>
  );
}

function Now({ of: m }: { of: Metrics }) {
  const figures: [string, string][] = [
    ["Requests per second, now", rate(m.now.requestsPerSecond)],
    ["Hit ratio, now", m.now.requestsPerSecond > 0 ? percent(m.now.hitRatio) : "–"],
    ["Requests", count(sum(m.points, (p) => p.requests))],
    ["Hit ratio", ratio(m)],
    ["Bytes", bytes(sum(m.points, (p) => p.bytes))],
    ["Errors", count(sum(m.points, (p) => p.errors))],
    ["Requests to the origin", count(sum(m.points, (p) => p.originRequests))],
    ["Origin latency (p50), now", latency(m)],
  ];
  return (
    <Container>
      <ColumnLayout columns={4} minColumnWidth={140} variant="text-grid">
        {figures.map(([label, value]) => (
          <div key={label}>
            <Box variant="awsui-key-label">{label}</Box>
            <Box fontSize="heading-xl" fontWeight="bold">{value}</Box>
          </div>
        ))}
      </ColumnLayout>
    </Container>
  );
}

function ratio(m: Metrics): string {
  const of = hitRatio(m.points);
  return of === undefined ? "–" : percent(of);
}

function latency(m: Metrics): string {
  const last = m.points.filter((p) => p.originRequests > 0).at(-1);
  return last ? `${rate(last.originLatencyMsP50)} ms` : "–";
}

function Charts({ of, minutes }: { of: Metrics; minutes: number }) {
  const { points, step } = coarser(of, drawn);
  const shared = { points, minutes, step };
  return (
    <ColumnLayout columns={2} minColumnWidth={340}>
      <Chart
        {...shared}
        title="Requests"
        unit={(n) => `${rate(n)}/s`}
        stacked
        series={[
          { title: "Hits", color: tokens.colorChartsStatusPositive, of: (p) => (p.hits + p.refreshHits) / step },
          { title: "Misses", color: tokens.colorChartsStatusInfo, of: (p) => p.misses / step },
          { title: "Errors", color: tokens.colorChartsStatusHigh, of: (p) => p.errors / step },
        ]}
      />
      <Chart {...shared} title="Hit ratio" unit={percent} most={1} series={[{ title: "Hit ratio", color: tokens.colorChartsStatusPositive, of: (p) => hitRatio([p]) }]} />
      <Chart {...shared} title="Bytes" unit={(n) => `${bytes(n)}/s`} least={10} stacked series={[{ title: "To viewers", of: (p) => p.bytes / step }]} />
      <Chart
        {...shared}
        title="Errors"
        unit={(n) => `${rate(n)}/s`}
        series={[{ title: "Errors", color: tokens.colorChartsStatusHigh, of: (p) => p.errors / step }]}
      />
      <Chart
        {...shared}
        title="Origin latency"
        unit={(n) => `${rate(n)} ms`}
        series={[
          { title: "Half of the fetches (p50)", of: (p) => (p.originRequests > 0 ? p.originLatencyMsP50 : undefined) },
          { title: "All but one in a hundred (p99)", of: (p) => (p.originRequests > 0 ? p.originLatencyMsP99 : undefined) },
        ]}
      />
      <Chart
        {...shared}
        title="Requests to the origin"
        unit={(n) => `${rate(n)}/s`}
        stacked
        series={[{ title: "To the origin", of: (p) => p.originRequests / step }]}
      />
    </ColumnLayout>
  );
}
