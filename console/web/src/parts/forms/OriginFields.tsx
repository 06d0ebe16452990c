import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { OriginProtocolPolicy } from "@aws-sdk/client-cloudfront";
import type { OriginDraft, Wrong } from "../../drafts";

interface Props {
  draft: OriginDraft;
  change: (part: Partial<OriginDraft>) => void;
  wrong: Wrong<OriginDraft>;
  s3?: boolean | undefined;
  fixedId?: boolean | undefined; // behaviors refer to it
}

const protocols = [
  { value: "http-only", label: "HTTP only" },
  { value: "https-only", label: "HTTPS only" },
  { value: "match-viewer", label: "Match viewer" },
];

export function OriginFields({ draft, change, wrong, s3, fixedId }: Props) {
  const input = (key: "domain" | "id" | "path", placeholder: string, readOnly = false) => (
    <Input value={draft[key]} placeholder={placeholder} readOnly={readOnly} spellcheck={false} onChange={(e) => change({ [key]: e.detail.value })} />
  );
  return (
    <SpaceBetween size="l">
      <FormField label="Origin domain" description="The host name of the server that has the content." errorText={wrong.domain}>
        {input("domain", "www.example.com")}
      </FormField>
      {!s3 && (
        <FormField label="Protocol" description="How edges speak to the origin.">
          <RadioGroup items={protocols} value={draft.protocol} onChange={(e) => change({ protocol: e.detail.value as OriginProtocolPolicy })} />
        </FormField>
      )}
      {!s3 && (
        <ColumnLayout columns={2}>
          <Port label="HTTP port" value={draft.httpPort} set={(httpPort) => change({ httpPort })} error={wrong.httpPort} off={draft.protocol === "https-only"} />
          <Port label="HTTPS port" value={draft.httpsPort} set={(httpsPort) => change({ httpsPort })} error={wrong.httpsPort} off={draft.protocol === "http-only"} />
        </ColumnLayout>
      )}
      <FormField label={<>Origin path <i>- optional</i></>} description="Put before the path of every request to the origin." errorText={wrong.path}>
        {input("path", "/site")}
      </FormField>
      <FormField label={<>Name <i>- optional</i></>} description={fixedId ? "Behaviors refer to the origin by it." : "If left empty, it is the domain."} errorText={wrong.id}>
        {input("id", draft.domain, fixedId)}
      </FormField>
      <Additional draft={draft} change={change} wrong={wrong} s3={s3} />
    </SpaceBetween>
  );
}

function Additional({ draft, change, wrong, s3 }: Props) {
  const numbers: [keyof OriginDraft & ("attempts" | "connectTimeout" | "readTimeout" | "keepalive"), string, string][] = [
    ["attempts", "Connection attempts", "1 to 3"],
    ["connectTimeout", "Connection timeout", "1 to 10 seconds"],
    ["readTimeout", "Response timeout", "1 to 120 seconds"],
  ];
  if (!s3) numbers.push(["keepalive", "Keep-alive timeout", "1 to 120 seconds"]);
  const broken = numbers.some(([key]) => wrong[key]) || wrong.headers;
  return (
    <ExpandableSection headerText="Additional settings" defaultExpanded={Boolean(broken) || draft.headers.length > 0}>
      <SpaceBetween size="l">
        <ColumnLayout columns={2}>
          {numbers.map(([key, label, constraint]) => (
            <FormField key={key} label={label} constraintText={constraint} errorText={wrong[key]}>
              <Input type="number" value={draft[key]} onChange={(e) => change({ [key]: e.detail.value })} />
            </FormField>
          ))}
        </ColumnLayout>
        <FormField label="Custom headers" description="Added to every request to the origin." errorText={wrong.headers}>
          <AttributeEditor
            items={draft.headers}
            addButtonText="Add header"
            removeButtonText="Remove"
            empty="No custom headers."
            onAddButtonClick={() => change({ headers: [...draft.headers, { name: "", value: "" }] })}
            onRemoveButtonClick={(e) => change({ headers: draft.headers.filter((_, i) => i !== e.detail.itemIndex) })}
            definition={(["name", "value"] as const).map((part) => ({
              label: part === "name" ? "Header name" : "Value",
              control: (_: unknown, at: number) => (
                <Input
                  value={draft.headers[at]?.[part] ?? ""}
                  onChange={(e) => change({ headers: draft.headers.map((h, i) => (i === at ? { ...h, [part]: e.detail.value } : h)) })}
                />
              ),
            }))}
          />
        </FormField>
      </SpaceBetween>
    </ExpandableSection>
  );
}

function Port({ label, value, set, error, off }: { label: string; value: string; set: (v: string) => void; error: string | undefined; off: boolean }) {
  return (
    <FormField label={label} errorText={error}>
      <Input type="number" value={value} disabled={off} onChange={(e) => set(e.detail.value)} />
    </FormField>
  );
}
