import Box from "@cloudscape-design/components/box";
import { localTime, utcTime } from "../format";

// Time shows a moment in the viewer's zone, in UTC on hover.
export function Time({ at }: { at: string | Date | null | undefined }) {
  if (!at) return <Box color="text-status-inactive" variant="span">–</Box>;
  const date = typeof at === "string" ? new Date(at) : at;
  return (
    <time dateTime={date.toISOString()} title={utcTime(date)}>
      {localTime(date)}
    </time>
  );
}
