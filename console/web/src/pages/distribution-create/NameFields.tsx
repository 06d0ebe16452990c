import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import type { NameDraft } from "./create";

interface Props {
  draft: NameDraft;
  change: (part: Partial<NameDraft>) => void;
  wrong: string | undefined;
}

export function NameFields({ draft, change, wrong }: Props) {
  return (
    <Container header={<Header variant="h2">Distribution options</Header>}>
      <SpaceBetween size="l">
        <FormField label="Distribution name" description="Kept as the tag Name." errorText={wrong}>
          <Input value={draft.name} autoFocus onChange={(e) => change({ name: e.detail.value })} />
        </FormField>
        <FormField label={<>Description <i>- optional</i></>}>
          <Input value={draft.comment} onChange={(e) => change({ comment: e.detail.value })} />
        </FormField>
        <FormField label={<>Alternate domain names (CNAME) <i>- optional</i></>} description="One per line. Requests for these names are answered by this distribution.">
          <Textarea value={draft.aliases} rows={2} spellcheck={false} placeholder="www.example.com" onChange={(e) => change({ aliases: e.detail.value })} />
        </FormField>
        <FormField label={<>Default root object <i>- optional</i></>} description="The object that answers a request for /.">
          <Input value={draft.root} onChange={(e) => change({ root: e.detail.value })} />
        </FormField>
      </SpaceBetween>
    </Container>
  );
}
