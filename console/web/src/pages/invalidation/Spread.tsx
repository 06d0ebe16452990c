import * as tokens from "@cloudscape-design/design-tokens";
import Box from "@cloudscape-design/components/box";
import { duration } from "../../format";
import type { ReceiptRow } from "../../own";
import { niceEnd } from "./scale";

const width = 1000;
const pad = 12;
const rail = 16;
const named = 12; // edges that are told one by one to who does not see the drawing

// Spread draws on one line when each edge had applied the invalidation: how far apart they are shows at
// a glance.
export function Spread({ rows, running }: { rows: ReceiptRow[]; running: boolean }) {
  const elapsed = Math.max(...rows.map((r) => r.tookMs), 1);
  const scale = niceEnd(elapsed);
  const x = (ms: number) => pad + (ms / scale) * (width - 2 * pad);
  const applied = rows.filter((r) => r.applied).sort((a, b) => a.tookMs - b.tookMs);
  const first = applied[0];
  const last = applied.at(-1);
  const says = rows.length > named ? summary(applied, rows.length) : rows.map((r) => `${r.edge} ${r.applied ? `after ${duration(r.tookMs)}` : "not yet"}`).join("; ");
  return (
    <div>
      <Box fontSize="body-s" color="text-body-secondary">
        {summary(applied, rows.length)}
      </Box>
      <svg viewBox={`0 0 ${width} ${rail * 2}`} width="100%" height={rail * 2} preserveAspectRatio="none" role="img" aria-label={says}>
        <line x1={pad} x2={width - pad} y1={rail} y2={rail} stroke={tokens.colorBorderDividerDefault} strokeWidth="2" vectorEffect="non-scaling-stroke" />
        {first && last && (
          <line x1={x(first.tookMs)} x2={x(last.tookMs)} y1={rail} y2={rail} stroke={tokens.colorTextStatusSuccess} strokeWidth="4" vectorEffect="non-scaling-stroke" />
        )}
        {rows.map((r) => (
          <line
            key={`${r.edge} ${r.former}`}
            x1={x(r.tookMs)}
            x2={x(r.tookMs)}
            y1={rail - 9}
            y2={rail + 9}
            stroke={r.applied ? tokens.colorTextStatusSuccess : tokens.colorTextStatusWarning}
            strokeWidth="4"
            strokeDasharray={r.applied ? undefined : "3 3"}
            vectorEffect="non-scaling-stroke"
          >
            <title>{`${r.edge}: ${r.applied ? "" : "waiting, "}${duration(r.tookMs)}`}</title>
          </line>
        ))}
      </svg>
      <div style={{ display: "flex", justifyContent: "space-between", position: "relative" }}>
        <Box variant="small">0</Box>
        {running && elapsed > scale * 0.04 && elapsed < scale * 0.9 && ( // not over the numbers
          <span style={{ position: "absolute", insetInlineStart: `${(x(elapsed) / width) * 100}%`, transform: "translateX(-50%)" }}>
            <Box variant="small">now</Box>
          </span>
        )}
        <Box variant="small">{duration(scale)}</Box>
      </div>
    </div>
  );
}

function summary(applied: ReceiptRow[], all: number): string {
  const first = applied[0];
  const last = applied.at(-1);
  if (!first || !last) return "No edge has applied it yet.";
  if (applied.length < all) return `The first edge had applied it after ${duration(first.tookMs)}.`;
  return `First edge after ${duration(first.tookMs)}, last after ${duration(last.tookMs)}: ${duration(last.tookMs - first.tookMs)} apart.`;
}
