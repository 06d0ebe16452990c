import Button, { type ButtonProps } from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useCallback, useRef } from "react";
import { useNavigate, useParams } from "react-router";
import { distributionCrumb, distributionsCrumb, usePage } from "../../app/page";
import { client } from "../../client";
import { duration } from "../../format";
import { live } from "../../live";
import type { Receipt } from "../../own";
import { Await } from "../../parts/Await";
import { Copyable } from "../../parts/Copyable";
import { Link } from "../../parts/Link";
import { InvalidationStatus } from "../../parts/Status";
import { Time } from "../../parts/Time";
import { VerifyPanel } from "../../parts/verify/VerifyPanel";
import { useLoad, useMay } from "../../use";
import { ObjectPaths } from "./ObjectPaths";
import { Narrowed } from "./Narrowed";
import { Paced } from "./Paced";
import { Planned } from "./Planned";
import { ReceiptPanel } from "./ReceiptPanel";

export default function Invalidation() {
  const { id = "", inv = "" } = useParams();
  const navigate = useNavigate();
  const may = useMay();
  const home = `/distributions/${id}/invalidations`;
  usePage(distributionsCrumb, distributionCrumb(id), { text: "Invalidations", href: home }, { text: inv, href: "" });
  const receipt = useLoad(
    (signal) => client.own<Receipt>("GET", `/distributions/${encodeURIComponent(id)}/invalidations/${encodeURIComponent(inv)}/receipt`, undefined, signal),
    [id, inv],
    { on: (c) => c.kind === "invalidation" && c.id === inv, every: nextLook },
  );
  const copy = useRef<ButtonProps.Ref>(null);
  const gone = useCallback(() => copy.current?.focus(), []);
  return (
    <SpaceBetween size="l">
      <Header
        variant="h1"
        actions={<Button ref={copy} disabled={!may.invalidate || !receipt.data} onClick={() => navigate(`${home}/create?copy=${inv}`)}>Copy to new</Button>}
      >
        <Copyable text={inv} what="invalidation ID" />
      </Header>
      <Await of={receipt} what="the invalidation">
        {(r) => (
          <SpaceBetween size="l">
            <Details id={id} receipt={r} />
            {r.invalidation.where && <Narrowed where={r.invalidation.where} />}
            {r.invalidation.plan && <Planned id={id} of={r.invalidation} plan={r.invalidation.plan} reload={receipt.reload} gone={gone} />}
            {r.invalidation.pace && inForce(r) && <Paced id={id} pace={r.invalidation.pace} receipt={r} reload={receipt.reload} gone={gone} />}
            {inForce(r) && <ReceiptPanel receipt={r} />}
            {inForce(r) && <VerifyPanel id={id} suggestions={suggested(r.invalidation.items)} invalidation={r.invalidation} />}
            <ObjectPaths items={r.invalidation.items} count={r.invalidation.itemCount} />
          </SpaceBetween>
        )}
      </Await>
    </SpaceBetween>
  );
}

// nextLook: the end of an invalidation is pushed; what is polled for are the rows on the way, and the
// counts, which edges make after it.
function nextLook(r: Receipt): number | undefined {
  if (r.invalidation.status === "Scheduled") return 5000;
  if (r.invalidation.status === "Withdrawn") return undefined;
  if (r.invalidation.status !== "Completed") return live.up ? 1000 : 500;
  const age = Date.now() - Date.parse(r.invalidation.createTime);
  if (r.edges.some((e) => e.owed || e.unbound)) return 5000;
  return r.edges.some((e) => e.applied && !e.counted && e.objects !== null) && age < 10 * 60_000 ? 1500 : undefined;
}

// inForce tells whether edges have to do with it.
function inForce({ invalidation: { status, waves } }: Receipt): boolean {
  return status === "InProgress" || status === "Completed" || waves.length > 0;
}

// suggested are paths of the invalidation that can be requested as they are.
function suggested(items: string[]): string[] {
  return items.filter((i) => i.startsWith("/") && !i.includes("*")).slice(0, 20);
}

function Details({ id, receipt }: { id: string; receipt: Receipt }) {
  const { invalidation: i, tookMs } = receipt;
  return (
    <Container header={<Header variant="h2">Details</Header>}>
      <KeyValuePairs
        columns={4}
        items={[
          { label: "Status", value: <InvalidationStatus status={i.status} /> },
          { label: "Date created", value: <Time at={i.createTime} /> },
          { label: i.status === "InProgress" ? "Running for" : "Completed after", value: inForce(receipt) && i.status !== "Withdrawn" ? duration(tookMs) : "–" },
          { label: "Created by", value: i.by.user || "–" },
          { label: "Distribution ID", value: <Link href={`/distributions/${id}`}>{id}</Link> },
          { label: "Caller reference", value: i.callerReference },
          { label: "Access key", value: i.by.accessKey || "–" },
          { label: "From", value: i.by.address || "–" },
          { label: "What is matched", value: i.mode === "stale" ? "Is marked stale: shown until its first revalidation" : "Is removed" },
          { label: "Comment", value: i.comment || "–" },
        ]}
      />
    </Container>
  );
}
