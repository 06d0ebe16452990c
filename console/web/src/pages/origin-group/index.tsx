import type { OriginGroup } from "@aws-sdk/client-cloudfront";
import Checkbox from "@cloudscape-design/components/checkbox";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { type GroupDraft, checkGroup, failoverCodes, groupDraft, groupIds, originIds, toGroup } from "../../groups";
import { type Part, PartPage } from "../../parts/forms/PartPage";

// The page makes an origin group, or edits the one whose name is in the address.
export default function OriginGroupPage() {
  return (
    <PartPage
      one="origin group"
      tab="origins"
      items={(c) => c.OriginGroups?.Items}
      name={(g) => g.Id ?? ""}
      into={(OriginGroups) => ({ OriginGroups })}
      fields={Fields}
    />
  );
}

function Fields({ config, was, keep, frame }: Part<OriginGroup>) {
  const origins = originIds(config);
  const [draft, setDraft] = useState<GroupDraft>(() => groupDraft(was));
  const [tried, setTried] = useState(false);
  const problems = checkGroup(draft, [...origins, ...groupIds(config).filter((id) => id !== was?.Id)]);
  const wrong = tried ? problems : {};
  const change = (part: Partial<GroupDraft>) => setDraft((d) => ({ ...d, ...part }));

  const submit = () => {
    setTried(true);
    if (Object.keys(problems).length === 0) keep(toGroup(draft, was));
  };
  const member = (key: "first" | "second", label: string, description: string) => (
    <FormField label={label} description={description} errorText={wrong[key]}>
      <Select
        options={origins.map((value) => ({ value }))}
        selectedOption={draft[key] ? { value: draft[key] } : null}
        placeholder="Choose an origin"
        onChange={(e) => change({ [key]: e.detail.selectedOption.value ?? "" })}
      />
    </FormField>
  );
  return frame(
    <SpaceBetween size="l">
      <FormField label="Name" description={was ? "Behaviors refer to the origin group by it." : "Behaviors name it in the place of an origin."} errorText={wrong.id}>
        <Input value={draft.id} readOnly={Boolean(was)} spellcheck={false} onChange={(e) => change({ id: e.detail.value })} />
      </FormField>
      {member("first", "Primary origin", "Every fetch begins here.")}
      {member("second", "Secondary origin", "Asked in the same request when the primary origin fails.")}
      <FormField label="Failover criteria" description="What of the primary origin is a failure." errorText={wrong.codes}>
        <SpaceBetween size="xs">
          {failoverCodes.map(([code, text]) => (
            <Checkbox
              key={code}
              checked={draft.codes.includes(code)}
              onChange={(e) => change({ codes: failoverCodes.map(([c]) => c).filter((c) => (c === code ? e.detail.checked : draft.codes.includes(c))) })}
            >
              {code} {text}
            </Checkbox>
          ))}
        </SpaceBetween>
      </FormField>
    </SpaceBetween>,
    submit,
  );
}
