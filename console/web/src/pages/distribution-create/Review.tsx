import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { BehaviorDraft, OriginDraft } from "../../drafts";
import type { Policies } from "../../policies";
import type { NameDraft } from "./create";

interface Props {
  name: NameDraft;
  origin: OriginDraft;
  behavior: BehaviorDraft;
  policies: Policies | undefined;
  edit: (step: number) => void;
}

const protocols = { "http-only": "HTTP only", "https-only": "HTTPS only", "match-viewer": "Match viewer" };
const viewers = { "allow-all": "HTTP and HTTPS", "redirect-to-https": "Redirect HTTP to HTTPS", "https-only": "HTTPS only" };

export function Review({ name, origin, behavior, policies, edit }: Props) {
  const policy = (kind: keyof Policies, id: string) => policies?.[kind].find((p) => p.id === id)?.name ?? (id || "None");
  const part = (title: string, step: number, items: [string, string][]) => (
    <Container key={title} header={<Header variant="h2" actions={<Button ariaLabel={`Edit ${title.toLowerCase()}`} onClick={() => edit(step)}>Edit</Button>}>{title}</Header>}>
      <KeyValuePairs columns={3} items={items.map(([label, value]) => ({ label, value: value || "–" }))} />
    </Container>
  );
  return (
    <SpaceBetween size="l">
      {part("Distribution options", 0, [
        ["Distribution name", name.name],
        ["Description", name.comment],
        ["Alternate domain names", name.aliases.split(/[\s,]+/).filter(Boolean).join(", ")],
        ["Default root object", name.root],
      ])}
      {part("Origin", 1, [
        ["Origin domain", origin.domain],
        ["Origin path", origin.path],
        ["Protocol", protocols[origin.protocol]],
        ["Ports", `${origin.httpPort}, ${origin.httpsPort}`],
        ["Custom headers", origin.headers.map((h) => h.name).join(", ")],
      ])}
      {part("Default behavior", 2, [
        ["Viewer protocol policy", viewers[behavior.viewer]],
        ["Allowed HTTP methods", behavior.methods],
        ["Cache policy", policy("cache", behavior.cachePolicy)],
        ["Origin request policy", policy("originRequest", behavior.requestPolicy)],
        ["Compress objects automatically", behavior.compress ? "Yes" : "No"],
      ])}
    </SpaceBetween>
  );
}
