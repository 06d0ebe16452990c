import ExpandableSection from "@cloudscape-design/components/expandable-section";
import DateInput from "@cloudscape-design/components/date-input";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import TimeInput from "@cloudscape-design/components/time-input";
import { useState } from "react";
import type { Terms } from "../../own";
import { PaceFields, noPace, paceOf, type TypedPace } from "./PaceFields";

// Typed is what has been typed of the terms.
export interface Typed {
  comment: string;
  force: "now" | "at" | "when";
  date: string; // YYYY-MM-DD
  time: string; // HH:MM, in the viewer's zone
  url: string;
  field: string;
  value: string;
  pace: TypedPace;
}

export const noTerms: Typed = { comment: "", force: "now", date: "", time: "00:00", url: "", field: "ETag", value: "", pace: noPace };

// termsOf reads them; nothing when something is missing.
export function termsOf(t: Typed): Terms | undefined {
  const terms: Terms = t.comment.trim() ? { comment: t.comment.trim() } : {};
  if (t.force === "at") {
    const at = new Date(`${t.date}T${t.time || "00:00"}`);
    if (Number.isNaN(at.getTime())) return undefined;
    terms.at = at.toISOString();
  }
  if (t.force === "when") {
    if (![t.url, t.field, t.value].every((s) => s.trim())) return undefined;
    terms.when = { url: t.url.trim(), field: t.field.trim(), value: t.value.trim() };
  }
  const pace = paceOf(t.pace);
  if (pace === undefined) return undefined;
  if (pace) terms.pace = pace;
  return terms;
}

export function TermsEditor({ typed, change, tried }: { typed: Typed; change: (t: Typed) => void; tried: boolean }) {
  const set = (part: Partial<Typed>) => change({ ...typed, ...part });
  const missing = (s: string) => (tried && !s.trim() ? "This is needed." : undefined);
  const [open, setOpen] = useState(typed !== noTerms);
  if (!open && tried && termsOf(typed) === undefined) setOpen(true); // what is wrong is not hidden
  return (
    <ExpandableSection headerText="Why, from when on, and how fast" variant="container" expanded={open} onChange={(e) => setOpen(e.detail.expanded)}>
      <SpaceBetween size="m">
        <FormField label="Comment" description="Why, for the history." constraintText="One line.">
          <Input value={typed.comment} onChange={(e) => set({ comment: e.detail.value })} placeholder="The new logo, ticket 4711" />
        </FormField>
        <FormField label="In force">
          <RadioGroup
            value={typed.force}
            onChange={(e) => set({ force: e.detail.value as Typed["force"] })}
            items={[
              { value: "now", label: "At once" },
              { value: "at", label: "At a time" },
              { value: "when", label: "When an origin answers so", description: "Looked at every 5 seconds, so that it never runs ahead of a deploy." },
            ]}
          />
        </FormField>
        {typed.force === "at" && (
          <SpaceBetween direction="horizontal" size="xs">
            <FormField label="Date" errorText={missing(typed.date)}>
              <DateInput value={typed.date} onChange={(e) => set({ date: e.detail.value })} placeholder="YYYY/MM/DD" />
            </FormField>
            <FormField label="Time" description="Your zone">
              <TimeInput value={typed.time} onChange={(e) => set({ time: e.detail.value })} format="hh:mm" placeholder="hh:mm" />
            </FormField>
          </SpaceBetween>
        )}
        {typed.force === "when" && (
          <SpaceBetween size="s">
            <FormField label="URL" description="Of one of this distribution's origins." errorText={missing(typed.url)}>
              <Input value={typed.url} onChange={(e) => set({ url: e.detail.value })} placeholder="https://origin.example.com/version.txt" />
            </FormField>
            <FormField label="Header" errorText={missing(typed.field)}>
              <Input value={typed.field} onChange={(e) => set({ field: e.detail.value })} />
            </FormField>
            <FormField label="Value" errorText={missing(typed.value)}>
              <Input value={typed.value} onChange={(e) => set({ value: e.detail.value })} placeholder="v42" />
            </FormField>
          </SpaceBetween>
        )}
        <PaceFields typed={typed.pace} change={(pace) => set({ pace })} />
      </SpaceBetween>
    </ExpandableSection>
  );
}
