import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Toggle from "@cloudscape-design/components/toggle";
import type { ViewerProtocolPolicy } from "@aws-sdk/client-cloudfront";
import { type BehaviorDraft, type Wrong, methodSets } from "../../drafts";
import type { Policies, Policy } from "../../policies";

interface Props {
  draft: BehaviorDraft;
  change: (part: Partial<BehaviorDraft>) => void;
  wrong: Wrong<BehaviorDraft>;
  policies: Policies | undefined;
  origins?: string[]; // not asked for when there is only one to come
  isDefault: boolean;
  legacy?: boolean; // has cache settings of its own instead of a policy
}

const viewers = [
  { value: "allow-all", label: "HTTP and HTTPS" },
  { value: "redirect-to-https", label: "Redirect HTTP to HTTPS" },
  { value: "https-only", label: "HTTPS only" },
];

export function BehaviorFields({ draft, change, wrong, policies, origins, isDefault, legacy }: Props) {
  return (
    <SpaceBetween size="l">
      <FormField
        label="Path pattern"
        description="The first behavior whose pattern matches a request decides. * stands for any characters, ? for one."
        errorText={wrong.pattern}
      >
        <Input value={isDefault ? "Default (*)" : draft.pattern} disabled={isDefault} placeholder="/images/*" spellcheck={false} onChange={(e) => change({ pattern: e.detail.value })} />
      </FormField>
      {origins && (
        <FormField label="Origin or origin group" errorText={wrong.origin}>
          <Select
            options={origins.map((value) => ({ value }))}
            selectedOption={draft.origin ? { value: draft.origin } : null}
            placeholder="Choose an origin"
            onChange={(e) => change({ origin: e.detail.selectedOption.value ?? "" })}
          />
        </FormField>
      )}
      <FormField label="Viewer protocol policy" description="A redirect leads to the HTTPS port of the same edge. HTTPS only answers plain HTTP with 403.">
        <RadioGroup items={viewers} value={draft.viewer} onChange={(e) => change({ viewer: e.detail.value as ViewerProtocolPolicy })} />
      </FormField>
      <FormField label="Allowed HTTP methods" errorText={wrong.methods}>
        <RadioGroup
          items={methodSets.map((set) => ({ value: set.join(", "), label: set.join(", ") }))}
          value={draft.methods}
          onChange={(e) => change({ methods: e.detail.value })}
        />
      </FormField>
      <FormField label="Cache policy" description="What is in the cache key, and how long answers are kept when the origin says nothing.">
        <PolicySelect
          of={policies?.cache}
          chosen={draft.cachePolicy}
          none={legacy ? "Legacy cache settings (as they are)" : undefined}
          choose={(cachePolicy) => change({ cachePolicy })}
        />
      </FormField>
      <FormField label={<>Origin request policy <i>- optional</i></>} description="What requests to the origin carry besides the cache key.">
        <PolicySelect of={policies?.originRequest} chosen={draft.requestPolicy} none="None" choose={(requestPolicy) => change({ requestPolicy })} />
      </FormField>
      <Toggle
        checked={draft.compress}
        onChange={(e) => change({ compress: e.detail.checked })}
        description="Text and the like, from 1,000 to 10,000,000 bytes, with gzip or Brotli where the cache policy supports them."
      >
        Compress objects automatically
      </Toggle>
    </SpaceBetween>
  );
}

interface SelectProps {
  of: Policy[] | undefined;
  chosen: string;
  none: string | undefined;
  choose: (id: string) => void;
}

function PolicySelect({ of = [], chosen, none, choose }: SelectProps) {
  const option = (p: Policy) => ({ value: p.id, label: p.name, description: p.comment });
  const first = none === undefined ? [] : [{ value: "", label: none }];
  const group = (label: string, managed: boolean) => {
    const options = of.filter((p) => p.managed === managed).map(option);
    return options.length > 0 ? [{ label, options }] : [];
  };
  const known = of.find((p) => p.id === chosen);
  const selected = known ? option(known) : chosen ? { value: chosen, label: chosen } : (first[0] ?? null);
  return (
    <Select
      options={[...first, ...group("Custom policies", false), ...group("Managed policies", true)]}
      selectedOption={selected}
      filteringType="auto"
      placeholder="Choose a policy"
      statusType={of.length === 0 ? "loading" : "finished"}
      onChange={(e) => choose(e.detail.selectedOption.value ?? "")}
    />
  );
}
