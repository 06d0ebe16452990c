import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { plural } from "../../format";
import { Path } from "../../parts/Path";
import type { Line } from "../../paths";

const shown = 8;

// Problems explains the lines that cannot be sent, and mends those whose meaning is clear.
export function Problems({ lines, replace }: { lines: Line[]; replace: (fixes: Map<number, string>) => void }) {
  if (lines.length === 0) return null;
  const fixes = new Map(lines.flatMap((l) => (l.problem?.fix === undefined ? [] : [[l.number, l.problem.fix]])));
  return (
    <Alert
      type="error"
      header={`${plural(lines.length, "line")} cannot be used as typed`}
      action={fixes.size > 0 && <Button onClick={() => replace(fixes)}>{`Fix ${plural(fixes.size, "line")}`}</Button>}
    >
      <SpaceBetween size="xs">
        {lines.slice(0, shown).map((l) => (
          <div key={l.number}>
            <b>Line {l.number}</b> <Path text={l.typed.trim()} most={60} />: {l.problem?.what}. {l.problem?.hint}
          </div>
        ))}
        {lines.length > shown && <div>… and {plural(lines.length - shown, "more line")}.</div>}
      </SpaceBetween>
    </Alert>
  );
}
