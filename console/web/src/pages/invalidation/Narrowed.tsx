import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import type { Where } from "../../own";
import { Time } from "../../parts/Time";

// Narrowed says which of what the paths name an invalidation means.
export function Narrowed({ where }: { where: Where }) {
  const said = (values: string[]) => values.join(" or ") || "Any";
  return (
    <Container header={<Header variant="h2" description="Only what is so is meant.">Conditions</Header>}>
      <KeyValuePairs
        columns={4}
        items={[
          { label: "Status", value: said(where.status) },
          { label: "Content type", value: said(where.contentType) },
          { label: "Host", value: said(where.host) },
          { label: "Stored before", value: where.storedBefore ? <Time at={where.storedBefore} /> : "Any time" },
        ]}
      />
    </Container>
  );
}
