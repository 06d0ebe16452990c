import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { count, plural } from "../../format";
import type { Pace, Receipt, Wave } from "../../own";
import { Time } from "../../parts/Time";
import { Withdraw } from "./Withdraw";

// Paced says how an invalidation spares the origin, and how far it is.
export function Paced({ id, pace, receipt, reload, gone }: { id: string; pace: Pace; receipt: Receipt; reload: () => void; gone: () => void }) {
  const { invalidation: of, edges } = receipt;
  const sum = (n: (number | null)[]) => n.reduce<number>((all, x) => all + (x ?? 0), 0);
  const owed = edges.some((e) => e.owed !== null);
  const comes = of.status === "InProgress" && of.waves.length > 0 && of.waves.every((w) => w.locations.length > 0);
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={comes ? "Its turn has not come everywhere." : undefined}
          actions={comes && <Withdraw id={id} of={of} reload={reload} gone={gone} what="It stays in force where its turn has come. The other locations will never apply it." />}
        >
          Pace
        </Header>
      }
    >
      <KeyValuePairs
        columns={3}
        items={[
          { label: "Requests to origins", value: pace.requestsPerSecond ? `${count(pace.requestsPerSecond)} a second and edge, ${count(pace.requestsPerSecond * edges.length)} in all${pace.refetch ? "; what is wanted most is fetched again" : ""}` : "No limit" },
          { label: "Brought back", value: owed ? `${plural(sum(edges.map((e) => e.owed)), "object")} still owed; ${plural(sum(edges.map((e) => e.asked)), "request")} let through` : "–" },
          { label: "Locations", value: pace.byLocation ? <Turns waves={of.waves} /> : "All at once" },
        ]}
      />
    </Container>
  );
}

function Turns({ waves }: { waves: Wave[] }) {
  if (waves.length === 0) return <>One after the other</>;
  return (
    <SpaceBetween size="xxs">
      {waves.map((w) => (
        <div key={w.began}>
          <StatusIndicator type={w.completed ? "success" : "in-progress"}>{w.locations.join(", ") || "All others"}</StatusIndicator> since <Time at={w.began} />
        </div>
      ))}
    </SpaceBetween>
  );
}
