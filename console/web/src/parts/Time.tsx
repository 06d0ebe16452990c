import Box from "@cloudscape-design/components/box";
import { localTime, preciseTime, utcTime } from "../format";

interface Props {
  at: string | Date | null | undefined;
  precise?: boolean; // to the millisecond, without the day
}

// Time shows a moment in the viewer's zone, in UTC on hover.
export function Time({ at, precise }: Props) {
  if (!at) return <Box color="text-status-inactive" variant="span">–</Box>;
  const date = typeof at === "string" ? new Date(at) : at;
  return (
    <time dateTime={date.toISOString()} title={utcTime(date)}>
      {precise ? preciseTime(date) : localTime(date)}
    </time>
  );
}
