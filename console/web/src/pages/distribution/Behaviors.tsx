import type { CacheBehavior, DefaultCacheBehavior } from "@aws-sdk/client-cloudfront";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { Found } from "../../distributions";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Failure";
import { type Policies, listPolicies } from "../../policies";
import { useLoad, useMay } from "../../use";
import { useReorder } from "./useReorder";

export interface Ranked {
  precedence: number;
  pattern: string;
  isDefault: boolean;
  behavior: CacheBehavior | DefaultCacheBehavior;
}

const viewer: Record<string, string> = {
  "allow-all": "HTTP and HTTPS",
  "redirect-to-https": "Redirect HTTP to HTTPS",
  "https-only": "HTTPS only",
};

// ranked lists the behaviors in the order in which they are tried, the default one last.
export function ranked(found: Found): Ranked[] {
  const own = found.config.CacheBehaviors?.Items ?? [];
  const all: Ranked[] = own.map((behavior, i) => ({ precedence: i, pattern: behavior.PathPattern ?? "", isDefault: false, behavior }));
  const last = found.config.DefaultCacheBehavior;
  return last ? [...all, { precedence: own.length, pattern: "Default (*)", isDefault: true, behavior: last }] : all;
}

export function Behaviors({ found }: { found: Found }) {
  const id = found.distribution.Id ?? "";
  const navigate = useNavigate();
  const may = useMay();
  const policies = useLoad(listPolicies, []);
  const rows = ranked(found);
  const [selected, setSelected] = useState("");
  const chosen = rows.find((r) => r.pattern === selected);
  const [asking, setAsking] = useState(false);
  const { busy, error, move, remove } = useReorder(found);
  const movable = may.administer && chosen && !chosen.isDefault && !busy;

  return (
    <SpaceBetween size="l">
      <Failure error={error} />
      <Table
        items={rows}
        columnDefinitions={columns(policies.data)}
        trackBy="pattern"
        enableKeyboardNavigation
        selectionType="single"
        selectedItems={chosen ? [chosen] : []}
        onSelectionChange={(e) => setSelected(e.detail.selectedItems[0]?.pattern ?? "")}
        ariaLabels={{ tableLabel: "Behaviors", selectionGroupLabel: "Behavior", itemSelectionLabel: (_, r) => `Select ${r.pattern}` }}
        header={
          <Header
            variant="h2"
            counter={`(${rows.length})`}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={!movable || chosen.precedence === 0} onClick={() => move(chosen!.precedence, -1)}>Move up</Button>
                <Button disabled={!movable || chosen.precedence >= rows.length - 2} onClick={() => move(chosen!.precedence, 1)}>Move down</Button>
                <Button
                  disabled={!may.administer || !chosen}
                  onClick={() => navigate(`/distributions/${id}/behaviors/${chosen!.isDefault ? "default" : chosen!.precedence}/edit`)}
                >
                  Edit
                </Button>
                <Button disabled={!movable} onClick={() => setAsking(true)}>Delete</Button>
                <Button variant="primary" disabled={!may.administer} onClick={() => navigate(`/distributions/${id}/behaviors/create`)}>
                  Create behavior
                </Button>
              </SpaceBetween>
            }
          >
            Behaviors
          </Header>
        }
      />
      {asking && chosen && (
        <Dialog title="Delete behavior" button="Delete" work={async () => (await remove(chosen.precedence), setAsking(false))} close={() => setAsking(false)}>
          <Box>Delete <b>{chosen.pattern}</b>? The next behavior that matches decides what becomes of its requests.</Box>
        </Dialog>
      )}
    </SpaceBetween>
  );
}

function columns(policies: Policies | undefined): TableProps.ColumnDefinition<Ranked>[] {
  const name = (kind: keyof Policies, id: string | undefined) => (id ? (policies?.[kind].find((p) => p.id === id)?.name ?? id) : "–");
  return [
    { id: "precedence", header: "Precedence", cell: (r) => r.precedence },
    { id: "pattern", header: "Path pattern", isRowHeader: true, cell: (r) => r.pattern },
    { id: "origin", header: "Origin or origin group", cell: (r) => r.behavior.TargetOriginId },
    { id: "viewer", header: "Viewer protocol policy", cell: (r) => viewer[r.behavior.ViewerProtocolPolicy ?? ""] },
    { id: "cache", header: "Cache policy name", cell: (r) => (r.behavior.CachePolicyId ? name("cache", r.behavior.CachePolicyId) : "Legacy cache settings") },
    { id: "request", header: "Origin request policy name", cell: (r) => name("originRequest", r.behavior.OriginRequestPolicyId) },
  ];
}
