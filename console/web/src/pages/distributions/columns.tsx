import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { TableProps } from "@cloudscape-design/components/table";
import { Fragment } from "react";
import type { Row } from "../../distributions";
import { Link } from "../../parts/Link";
import { EnabledStatus } from "../../parts/Status";
import { Time } from "../../parts/Time";

export const columns: TableProps.ColumnDefinition<Row>[] = [
  { id: "id", header: "ID", sortingField: "id", isRowHeader: true, minWidth: 150, cell: (r) => <Link href={`/distributions/${r.id}`}>{r.id}</Link> },
  { id: "description", header: "Description", sortingField: "description", minWidth: 140, cell: (r) => r.description || "–" },
  { id: "type", header: "Type", minWidth: 100, cell: () => "Standard" },
  { id: "domain", header: "Domain name", sortingField: "domain", minWidth: 150, cell: (r) => names([r.domain]) },
  { id: "aliases", header: "Alternate domain names", minWidth: 130, cell: (r) => names(r.aliases) },
  { id: "origins", header: "Origins", minWidth: 130, cell: (r) => names(r.origins) },
  {
    id: "status",
    header: "Status",
    minWidth: 125, // a word of a status must not break
    sortingComparator: (a, b) => Number(b.enabled) - Number(a.enabled),
    cell: (r) => <EnabledStatus enabled={r.enabled} />,
  },
  {
    id: "modified",
    header: "Last modified",
    minWidth: 185,
    sortingComparator: (a, b) => Number(a.deploying) - Number(b.deploying) || (a.modified?.getTime() ?? 0) - (b.modified?.getTime() ?? 0),
    cell: (r) => (r.deploying ? <StatusIndicator type="in-progress">Deploying</StatusIndicator> : <Time at={r.modified} />),
  },
];

// shown are the columns that are there until somebody chooses others: the type is always the same.
export const shown = columns.map(({ id = "" }) => ({ id, visible: id !== "type" }));

// names shows the first of them, which may break into lines at its dots.
function names([first, ...more]: string[]) {
  if (first === undefined) return "–";
  const parts = first.split(".").map((part, i) => (
    <Fragment key={i}>
      {i > 0 && <wbr />}
      {i > 0 && "."}
      {part}
    </Fragment>
  ));
  return (
    <>
      {parts}
      {more.length > 0 && ` and ${more.length} more`}
    </>
  );
}
