import AreaChart from "@cloudscape-design/components/area-chart";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import LineChart from "@cloudscape-design/components/line-chart";
import { localTime } from "../../format";
import type { MetricPoint } from "../../own";

interface Props {
  title: string;
  points: MetricPoint[];
  minutes: number;
  step: number; // seconds from one point to the next
  series: { title: string; color?: string; of: (p: MetricPoint) => number | undefined }[];
  unit: (n: number) => string;
  stacked?: boolean;
  most?: number; // end of the scale, when it is known
  least?: number; // where the scale ends at the earliest: below it its numbers would all read the same
}

const hour = new Intl.DateTimeFormat("en-US", { hour: "numeric", minute: "2-digit", hour12: false });

export function Chart({ title, points, minutes, step, series, unit, stacked, most, least = 0 }: Props) {
  const data = series.map((s) => ({
    title: s.title,
    ...(s.color && { color: s.color }),
    data: seen(
      points.flatMap((p) => {
        const y = s.of(p);
        return y === undefined ? [] : [{ x: new Date(p.time), y }];
      }),
      step,
    ),
    valueFormatter: unit,
  }));
  const end = new Date(points.at(-1)?.time ?? Date.now());
  const highest = Math.max(...points.map((p) => (stacked ? total(series, p) : Math.max(...series.map((s) => s.of(p) ?? 0)))), 0);
  const shared = {
    height: 180,
    xScaleType: "time" as const,
    xDomain: [new Date(end.getTime() - minutes * 60_000), end] as [Date, Date],
    yDomain: [0, most ?? (highest > 0 ? Math.max(highest * 1.1, least) : Math.max(1, least))] as [number, number],
    hideFilter: true,
    hideLegend: series.length === 1,
    ariaLabel: title,
    ariaDescription: `${title} over the last ${minutes} minutes`,
    i18nStrings: { xTickFormatter: (x: Date) => hour.format(x), yTickFormatter: unit, detailPopoverDismissAriaLabel: "Close" },
    empty: <Box textAlign="center" color="text-body-secondary">No requests yet</Box>,
  };
  const popover = { detailPopoverFooter: (x: Date) => <Box variant="small">{localTime(x)}</Box> };
  return (
    <Container fitHeight header={<Header variant="h3">{title}</Header>}>
      {stacked ? (
        <AreaChart {...shared} {...popover} series={data.map((s) => ({ ...s, type: "area" as const }))} />
      ) : (
        <LineChart {...shared} {...popover} series={data.map((s) => ({ ...s, type: "line" as const }))} />
      )}
    </Container>
  );
}

// seen makes a line of a single point, which would not be seen: its value is that of the time before it.
function seen(data: { x: Date; y: number }[], step: number): { x: Date; y: number }[] {
  const [only] = data;
  return only && data.length === 1 ? [{ x: new Date(only.x.getTime() - step * 1000), y: only.y }, only] : data;
}

function total(series: Props["series"], p: MetricPoint): number {
  return series.reduce((n, s) => n + (s.of(p) ?? 0), 0);
}
