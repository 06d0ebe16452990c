import type { DistributionConfig } from "@aws-sdk/client-cloudfront";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { useState } from "react";
import { useNavigate } from "react-router";
import { flash } from "../../app/flash";
import { type Found, updateDistribution } from "../../distributions";
import { Dialog } from "../../parts/Dialog";
import { Empty } from "../../parts/Empty";
import { useMay } from "../../use";

interface Props<T> {
  found: Found;
  title: string;
  one: string; // the noun of a row
  tab: string; // below whose address rows are made and edited
  items: T[];
  name: (item: T) => string;
  columns: TableProps.ColumnDefinition<T>[];
  keep?: (item: T) => string | undefined; // why it cannot be deleted
  without: (items: T[]) => DistributionConfig;
  empty: string;
}

// PartTable lists parts of a distribution's configuration, each of which can be edited and deleted.
export function PartTable<T>({ found, title, one, tab, items, name, columns, keep, without, empty }: Props<T>) {
  const id = found.distribution.Id ?? "";
  const navigate = useNavigate();
  const may = useMay();
  const [selected, setSelected] = useState("");
  const [asking, setAsking] = useState(false);
  const chosen = items.find((i) => name(i) === selected);
  const create = (
    <Button variant="primary" disabled={!may.administer} onClick={() => navigate(`/distributions/${id}/${tab}/create`)}>
      {`Create ${one}`}
    </Button>
  );
  const remove = async () => {
    await updateDistribution(id, found.etag, without(items.filter((i) => i !== chosen)));
    flash({ type: "success", header: `Deleted ${one} ${selected}` });
    setAsking(false);
  };
  const why = chosen && keep?.(chosen);
  return (
    <>
      <Table
        items={items}
        columnDefinitions={columns}
        trackBy={name}
        enableKeyboardNavigation
        selectionType="single"
        selectedItems={chosen ? [chosen] : []}
        onSelectionChange={(e) => setSelected(e.detail.selectedItems[0] ? name(e.detail.selectedItems[0]) : "")}
        ariaLabels={{ tableLabel: title, selectionGroupLabel: one, itemSelectionLabel: (_, i) => `Select ${name(i)}` }}
        header={
          <Header
            variant="h2"
            counter={`(${items.length})`}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={!may.administer || !chosen} onClick={() => navigate(`/distributions/${id}/${tab}/${encodeURIComponent(selected)}/edit`)}>
                  Edit
                </Button>
                <Button disabled={!may.administer || !chosen || Boolean(why)} disabledReason={why} onClick={() => setAsking(true)}>
                  Delete
                </Button>
                {create}
              </SpaceBetween>
            }
          >
            {title}
          </Header>
        }
        empty={<Empty title={`No ${title.toLowerCase()}`} action={create}>{empty}</Empty>}
      />
      {asking && (
        <Dialog title={`Delete ${one}`} button="Delete" work={remove} close={() => setAsking(false)}>
          <Box>Delete <b>{selected}</b>? Edges will go on without it.</Box>
        </Dialog>
      )}
    </>
  );
}
