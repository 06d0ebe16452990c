import Checkbox from "@cloudscape-design/components/checkbox";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { Pace } from "../../own";

// TypedPace is what has been typed of how the origin is spared.
export interface TypedPace {
  perSecond: string; // empty: not bounded
  refetch: boolean;
  byLocation: boolean;
  first: string;
  pause: string; // seconds
}

export const noPace: TypedPace = { perSecond: "", refetch: false, byLocation: false, first: "", pause: "30" };

// paceOf reads it: null when nothing is wanted, undefined when something is no number.
export function paceOf(t: TypedPace): Pace | null | undefined {
  const perSecond = Number(t.perSecond);
  const pause = Number(t.pause);
  if (badRate(t.perSecond) || (t.byLocation && badPause(t.pause))) return undefined;
  if (!perSecond && !t.byLocation) return null;
  const first = t.first.split(/[\s,]+/).filter((l) => l !== "");
  return { requestsPerSecond: perSecond, refetch: t.refetch && perSecond > 0, byLocation: t.byLocation ? { first, pauseSeconds: pause } : null };
}

// typedPaceOf is the reverse.
export function typedPaceOf({ requestsPerSecond, refetch, byLocation }: Pace): TypedPace {
  return {
    perSecond: requestsPerSecond > 0 ? String(requestsPerSecond) : "",
    refetch,
    byLocation: byLocation !== null,
    first: byLocation?.first.join(", ") ?? "",
    pause: byLocation ? String(byLocation.pauseSeconds) : noPace.pause,
  };
}

function badRate(s: string): string | undefined {
  const n = Number(s);
  return s.trim() === "" || (n >= 0.1 && n <= 10000) ? undefined : "From 0.1 to 10,000.";
}

function badPause(s: string): string | undefined {
  const n = Number(s);
  return s.trim() !== "" && n >= 0 && n <= 86400 ? undefined : "From 0 to 86,400 seconds, a day.";
}

export function PaceFields({ typed, change }: { typed: TypedPace; change: (t: TypedPace) => void }) {
  const set = (part: Partial<TypedPace>) => change({ ...typed, ...part });
  return (
    <SpaceBetween size="m">
      <FormField
        label="Pace"
        description="How often each edge may ask origins for what is dropped. Viewers wait in order, for 10 seconds at most."
        constraintText="Requests a second and edge. Empty: no limit."
        errorText={badRate(typed.perSecond)}
      >
        <Input value={typed.perSecond} onChange={(e) => set({ perSecond: e.detail.value })} placeholder="20" inputMode="decimal" />
      </FormField>
      {typed.perSecond.trim() !== "" && (
        <Checkbox checked={typed.refetch} onChange={(e) => set({ refetch: e.detail.checked })} description="Within the pace, and only while no viewer waits.">
          Fetch again what is wanted most
        </Checkbox>
      )}
      <Checkbox checked={typed.byLocation} onChange={(e) => set({ byLocation: e.detail.checked })} description="Until the last location's turn, the rest can be withdrawn.">
        One edge location after the other
      </Checkbox>
      {typed.byLocation && (
        <SpaceBetween direction="horizontal" size="xs">
          <FormField label="First" constraintText="Locations, with commas. Empty: by name.">
            <Input value={typed.first} onChange={(e) => set({ first: e.detail.value })} placeholder="FRA50-P1" />
          </FormField>
          <FormField label="Pause" constraintText="Seconds between two." errorText={badPause(typed.pause)}>
            <Input value={typed.pause} onChange={(e) => set({ pause: e.detail.value })} inputMode="decimal" />
          </FormField>
        </SpaceBetween>
      )}
    </SpaceBetween>
  );
}
