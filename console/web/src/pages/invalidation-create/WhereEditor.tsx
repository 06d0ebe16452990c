import DateInput from "@cloudscape-design/components/date-input";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import TimeInput from "@cloudscape-design/components/time-input";
import { useState } from "react";
import type { Where } from "../../own";

// TypedWhere is what has been typed of the conditions.
export interface TypedWhere {
  status: string;
  contentType: string;
  host: string;
  date: string; // YYYY-MM-DD
  time: string; // HH:MM, in the viewer's zone
}

export const nowhere: TypedWhere = { status: "", contentType: "", host: "", date: "", time: "00:00" };

// whereOf reads them: null when there are none, undefined when something cannot be meant.
export function whereOf(t: TypedWhere): Where | null | undefined {
  if (badStatus(t.status) || badType(t.contentType) || badHost(t.host)) return undefined;
  const before = t.date ? new Date(`${t.date}T${t.time || "00:00"}`) : null;
  if (before && Number.isNaN(before.getTime())) return undefined;
  const w = { status: words(t.status), contentType: words(t.contentType), host: words(t.host), storedBefore: before?.toISOString() ?? null };
  return w.status.length + w.contentType.length + w.host.length === 0 && !w.storedBefore ? null : w;
}

// typedOf is the reverse, to the minute: rather a later one, or the copy would mean less.
export function typedOf(w: Where | null): TypedWhere {
  if (!w) return nowhere;
  const before = w.storedBefore ? new Date(Math.ceil(Date.parse(w.storedBefore) / 60_000) * 60_000) : null;
  const two = (n: number) => String(n).padStart(2, "0");
  return {
    status: w.status.join(", "),
    contentType: w.contentType.join(", "),
    host: w.host.join(", "),
    date: before ? `${before.getFullYear()}-${two(before.getMonth() + 1)}-${two(before.getDate())}` : "",
    time: before ? `${two(before.getHours())}:${two(before.getMinutes())}` : "00:00",
  };
}

function words(s: string): string[] {
  return s.split(/[\s,]+/).filter((w) => w !== "");
}

function each(s: string, form: RegExp, says: string): string | undefined {
  const all = words(s);
  if (all.length > 16) return "At most 16.";
  return all.every((w) => form.test(w)) ? undefined : says;
}

const badStatus = (s: string) => each(s, /^[1-5](\d\d|xx)$/i, "Codes such as 404, and classes such as 4xx.");
const badType = (s: string) => each(s, /^[\w!#$&^.+-]+\/(\*|[\w!#$&^.+-]+)$/, "Types such as text/css, and image/* for all images.");
const badHost = (s: string) => each(s, /^[\w.-]+$/, "Host names, without a port and without *.");

export function WhereEditor({ typed, change, tried }: { typed: TypedWhere; change: (t: TypedWhere) => void; tried: boolean }) {
  const [open, setOpen] = useState(typed !== nowhere);
  if (!open && tried && whereOf(typed) === undefined) setOpen(true); // what is wrong is not hidden
  const set = (part: Partial<TypedWhere>) => change({ ...typed, ...part });
  return (
    <ExpandableSection headerText="Conditions" headerDescription="Only some of what the paths name" variant="container" expanded={open} onChange={(e) => setOpen(e.detail.expanded)}>
      <SpaceBetween size="m">
        <FormField label="Status" constraintText="What the origin answered with: codes and classes, with commas." errorText={badStatus(typed.status)}>
          <Input value={typed.status} onChange={(e) => set({ status: e.detail.value })} placeholder="404, 5xx" />
        </FormField>
        <FormField label="Content type" constraintText="Parameters do not count." errorText={badType(typed.contentType)}>
          <Input value={typed.contentType} onChange={(e) => set({ contentType: e.detail.value })} placeholder="image/*, text/css" />
        </FormField>
        <FormField
          label="Host"
          constraintText="Where the cache key has the host. Without it a copy is for every host, and is meant whichever is named."
          errorText={badHost(typed.host)}
        >
          <Input value={typed.host} onChange={(e) => set({ host: e.detail.value })} placeholder="www.example.com" />
        </FormField>
        <SpaceBetween direction="horizontal" size="xs">
          <FormField label="Stored before" constraintText="By each edge's own clock.">
            <DateInput value={typed.date} onChange={(e) => set({ date: e.detail.value })} placeholder="YYYY/MM/DD" />
          </FormField>
          <FormField label="Stored before, time" description="Your zone">
            <TimeInput value={typed.time} onChange={(e) => set({ time: e.detail.value })} format="hh:mm" placeholder="hh:mm" disabled={!typed.date} />
          </FormField>
        </SpaceBetween>
      </SpaceBetween>
    </ExpandableSection>
  );
}
