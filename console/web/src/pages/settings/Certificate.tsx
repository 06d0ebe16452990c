import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type CertificateDraft, securities } from "../../certificates";

interface Props {
  draft: CertificateDraft;
  change: (part: Partial<CertificateDraft>) => void;
  wrong: string | undefined;
}

// Certificate asks which certificate the distribution names, and what viewers must speak.
export function Certificate({ draft, change, wrong }: Props) {
  const named = draft.name.trim() !== "";
  const security = named ? draft.security : "TLSv1";
  return (
    <SpaceBetween size="l">
      <FormField
        label={<>Custom SSL certificate <i>- optional</i></>}
        description="Kept for your tools. Which certificate an edge shows is decided by the name that a viewer asks for: the operator’s, one from ACME, or one of Warmfront’s own authority."
        errorText={wrong}
      >
        <Input value={draft.name} spellcheck={false} placeholder="arn:aws:acm:us-east-1:…" onChange={(e) => change({ name: e.detail.value })} />
      </FormField>
      <FormField
        label="Security policy"
        description="The oldest TLS that viewers may speak, and its cipher suites. Without a custom certificate it is TLSv1, as with CloudFront."
      >
        <Select
          disabled={!named}
          options={securities.map((value) => ({ value }))}
          selectedOption={{ value: security }}
          onChange={(e) => change({ security: e.detail.selectedOption.value ?? security })}
        />
      </FormField>
    </SpaceBetween>
  );
}
