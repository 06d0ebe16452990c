import type { CustomErrorResponse } from "@aws-sdk/client-cloudfront";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { type Part, PartPage } from "../../parts/forms/PartPage";

const codes = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];
const options = (of: number[]) => of.map((c) => ({ value: String(c) }));

// The page makes a custom error response, or edits the one whose error code is in the address.
export default function ErrorPage() {
  return (
    <PartPage
      one="custom error response"
      tab="error-pages"
      items={(c) => c.CustomErrorResponses?.Items}
      name={(e) => String(e.ErrorCode)}
      into={(CustomErrorResponses) => ({ CustomErrorResponses })}
      fields={Fields}
    />
  );
}

function Fields({ others, was, keep, frame }: Part<CustomErrorResponse>) {
  const free = codes.filter((c) => !others.some((e) => e.ErrorCode === c));
  const [draft, setDraft] = useState({
    error: String(was?.ErrorCode ?? free[0] ?? ""),
    ttl: String(was?.ErrorCachingMinTTL ?? 10),
    custom: was?.ResponsePagePath ? "yes" : "no",
    path: was?.ResponsePagePath ?? "",
    response: was?.ResponseCode ?? "",
  });
  const [tried, setTried] = useState(false);
  const change = (part: Partial<typeof draft>) => setDraft((d) => ({ ...d, ...part }));
  const custom = draft.custom === "yes";
  const wrongTTL = /^\d+$/.test(draft.ttl) ? undefined : "A number of seconds.";
  const wrongPath = !custom || draft.path.startsWith("/") ? undefined : "A path that begins with /.";

  const submit = () => {
    setTried(true);
    if (wrongTTL || wrongPath) return;
    keep({
      ErrorCode: Number(draft.error),
      ErrorCachingMinTTL: Number(draft.ttl),
      ResponsePagePath: custom ? draft.path.trim() : "",
      ResponseCode: custom ? draft.response || draft.error : "",
    });
  };
  return frame(
    <SpaceBetween size="l">
      <FormField label="HTTP error code" description="The error of the origin.">
        <Select options={options(free)} selectedOption={{ value: draft.error }} disabled={Boolean(was)} onChange={(e) => change({ error: e.detail.selectedOption.value ?? "" })} />
      </FormField>
      <FormField label="Error caching minimum TTL" constraintText="Seconds" errorText={tried && wrongTTL}>
        <Input type="number" value={draft.ttl} onChange={(e) => change({ ttl: e.detail.value })} />
      </FormField>
      <FormField label="Customize error response">
        <RadioGroup
          items={[{ value: "no", label: "No" }, { value: "yes", label: "Yes" }]}
          value={draft.custom}
          onChange={(e) => change({ custom: e.detail.value })}
        />
      </FormField>
      {custom && (
        <FormField label="Response page path" errorText={tried && wrongPath}>
          <Input value={draft.path} placeholder="/404.html" onChange={(e) => change({ path: e.detail.value })} />
        </FormField>
      )}
      {custom && (
        <FormField label="HTTP response code">
          <Select options={options([200, ...codes])} selectedOption={{ value: draft.response || draft.error }} onChange={(e) => change({ response: e.detail.selectedOption.value ?? "" })} />
        </FormField>
      )}
    </SpaceBetween>,
    submit,
  );
}
