import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import type { Invalidation, Plan } from "../../own";
import { Path } from "../../parts/Path";
import { Time } from "../../parts/Time";
import { Withdraw } from "./Withdraw";

// Planned says what a scheduled invalidation waits for, or what became of it.
export function Planned({ id, of, plan, reload, gone }: { id: string; of: Invalidation; plan: Plan; reload: () => void; gone: () => void }) {
  const waits = of.status === "Scheduled";
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={waits ? "Nothing has been dropped yet." : undefined}
          actions={waits && <Withdraw id={id} of={of} reload={reload} gone={gone} what="It will not come into force. Once it is, it cannot be withdrawn." />}
        >
          Schedule
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        items={[
          plan.when
            ? { label: "In force when", value: <><Path text={plan.when.url} /> answers with <Path text={`${plan.when.field}: ${plan.when.value}`} /></> }
            : { label: "In force at", value: <Time at={plan.at} /> },
          of.status === "Withdrawn" ? { label: "Withdrawn", value: <Time at={plan.withdrawn} /> } : { label: "In force since", value: <Time at={plan.inForce} /> },
          plan.when && { label: "Looked at last", value: plan.lookedAt ? <><Time at={plan.lookedAt} />: {plan.waiting}</> : "–" },
        ].filter((x) => x !== null)}
      />
    </Container>
  );
}
