import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import { useState } from "react";
import { flash } from "../../app/flash";
import { client } from "../../client";
import type { Invalidation, Plan } from "../../own";
import { Dialog } from "../../parts/Dialog";
import { Time } from "../../parts/Time";
import { useMay } from "../../use";

// Planned says what a scheduled invalidation waits for, or what became of it, and takes it back.
export function Planned({ id, of, plan, reload }: { id: string; of: Invalidation; plan: Plan; reload: () => void }) {
  const may = useMay();
  const [asking, ask] = useState(false);
  const waits = of.status === "Scheduled";
  const withdraw = async () => {
    await client.own("POST", `/distributions/${encodeURIComponent(id)}/invalidations/${encodeURIComponent(of.id)}/withdraw`, {});
    ask(false);
    flash({ type: "success", header: `Withdrew invalidation ${of.id}` });
    reload();
  };
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={waits ? "Nothing has been dropped yet." : undefined}
          actions={waits && <Button disabled={!may.invalidate} onClick={() => ask(true)}>Withdraw</Button>}
        >
          Schedule
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        items={[
          plan.when
            ? { label: "In force when", value: <><Box variant="code">{plan.when.url}</Box> answers with <Box variant="code">{`${plan.when.field}: ${plan.when.value}`}</Box></> }
            : { label: "In force at", value: <Time at={plan.at} /> },
          of.status === "Withdrawn" ? { label: "Withdrawn", value: <Time at={plan.withdrawn} /> } : { label: "In force since", value: <Time at={plan.inForce} /> },
          { label: "Looked at last", value: plan.lookedAt ? <><Time at={plan.lookedAt} />: {plan.waiting}</> : "–" },
        ]}
      />
      {asking && (
        <Dialog title="Withdraw invalidation" button="Withdraw" work={withdraw} close={() => ask(false)}>
          <Box>Withdraw <b>{of.id}</b>? It will not come into force. Once it is, it cannot be withdrawn.</Box>
        </Dialog>
      )}
    </Container>
  );
}
