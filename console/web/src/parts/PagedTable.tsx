import { useCollection } from "@cloudscape-design/collection-hooks";
import Pagination from "@cloudscape-design/components/pagination";
import Table, { type TableProps } from "@cloudscape-design/components/table";

const pageSize = 25;

// PagedTable is a table with pages when it has many rows, as of a fleet of hundreds.
export function PagedTable<T>(props: TableProps<T>) {
  const { items, paginationProps } = useCollection(props.items, { pagination: { pageSize } });
  return <Table {...props} items={items} pagination={props.items.length > pageSize && <Pagination {...paginationProps} />} />;
}
