import Header from "@cloudscape-design/components/header";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { count } from "../../format";
import type { ControlNode, RelayNode } from "./machines";

export function ControlNodes({ all }: { all: ControlNode[] }) {
  return (
    <Table
      items={all}
      columnDefinitions={controlColumns}
      trackBy="name"
      ariaLabels={{ tableLabel: "Control nodes" }}
      header={<Header counter={`(${all.length})`}>Control nodes</Header>}
    />
  );
}

export function Relays({ all }: { all: RelayNode[] }) {
  return (
    <Table
      items={all}
      columnDefinitions={relayColumns}
      trackBy="name"
      ariaLabels={{ tableLabel: "Relays" }}
      header={
        <Header counter={`(${all.length})`} description="A relay passes on what is invalidated to edges that do not come to the control nodes themselves.">
          Relays
        </Header>
      }
    />
  );
}

const controlColumns: TableProps.ColumnDefinition<ControlNode>[] = [
  { id: "name", header: "Control node", isRowHeader: true, cell: (n) => n.name },
  { id: "health", header: "Health", cell: (n) => (n.ready ? <StatusIndicator>Ready</StatusIndicator> : <StatusIndicator type="error">{n.problem}</StatusIndicator>) },
  { id: "leads", header: "Journal", cell: (n) => (n.leads ? "Leads" : "–") },
  { id: "position", header: "Entry", cell: (n) => (n.position > 0 ? count(n.position) : "–") },
  { id: "version", header: "Version", cell: (n) => n.version || "–" },
];

const relayColumns: TableProps.ColumnDefinition<RelayNode>[] = [
  { id: "name", header: "Relay", isRowHeader: true, cell: (n) => n.name },
  { id: "health", header: "Health", cell: (n) => (n.ready ? <StatusIndicator>Ready</StatusIndicator> : <StatusIndicator type="error">Does not answer</StatusIndicator>) },
  { id: "address", header: "Address", cell: (n) => n.address || "–" },
  { id: "edges", header: "Passes on to", cell: (n) => (n.ready ? count(n.edges) : "–") },
  { id: "position", header: "Entry", cell: (n) => (n.position > 0 ? count(n.position) : "–") },
  { id: "version", header: "Version", cell: (n) => n.version || "–" },
];
