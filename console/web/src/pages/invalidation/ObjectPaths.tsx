import { useCollection } from "@cloudscape-design/collection-hooks";
import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import Table from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { count } from "../../format";
import { Empty } from "../../parts/Empty";
import { Path } from "../../parts/Path";

export function ObjectPaths({ items: all, count: total }: { items: string[]; count: number }) {
  const many = all.length > 10;
  const { items, filterProps, paginationProps, collectionProps } = useCollection(
    all.map((path) => ({ path })),
    { filtering: { noMatch: <Empty title="No matches" /> }, pagination: { pageSize: 10 } },
  );
  return (
    <Table
      {...collectionProps}
      items={items}
      columnDefinitions={[{ id: "path", header: "Path or tag", isRowHeader: true, cell: (i) => <Path text={i.path} /> }]}
      contentDensity="compact"
      wrapLines
      ariaLabels={{ tableLabel: "Object paths" }}
      header={
        <Header variant="h2" counter={`(${count(total)})`} actions={
            <CopyToClipboard
              variant="icon"
              textToCopy={all.join("\n")}
              copyButtonAriaLabel="Copy all paths"
              copySuccessText="Copied"
              copyErrorText="Could not copy"
            />
          }>
          Object paths
        </Header>
      }
      filter={many && <TextFilter {...filterProps} filteringPlaceholder="Search paths" filteringAriaLabel="Search paths" />}
      pagination={many && <Pagination {...paginationProps} />}
    />
  );
}
