import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { useState } from "react";
import { usePage } from "../../app/page";
import { client } from "../../client";
import type { AccessKey } from "../../own";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { Time } from "../../parts/Time";
import { roleName } from "../../parts/people/RoleField";
import { useLoad } from "../../use";
import { CreateKey, DeleteKey } from "./dialogs";

const columns: TableProps.ColumnDefinition<AccessKey>[] = [
  { id: "id", header: "Access key ID", isRowHeader: true, cell: (k) => k.id },
  { id: "user", header: "User", cell: (k) => k.user || "–" },
  { id: "role", header: "Role", cell: (k) => roleName(k.role) },
  { id: "created", header: "Created", cell: (k) => <Time at={k.created} /> },
];

export default function AccessKeys() {
  usePage({ text: "Access keys", href: "/access-keys" });
  const keys = useLoad((signal) => client.own<{ items: AccessKey[] }>("GET", "/access-keys", undefined, signal), []);
  const [selected, setSelected] = useState("");
  const [open, setOpen] = useState<"create" | "delete">();
  const all = keys.data?.items ?? [];
  const chosen = all.find((k) => k.id === selected);
  const close = () => (setOpen(undefined), keys.reload());

  return (
    <SpaceBetween size="l">
      <LoadFailure of={keys} />
      <Table
        variant="full-page"
        items={all}
        columnDefinitions={columns}
        trackBy="id"
        enableKeyboardNavigation
        selectionType="single"
        selectedItems={chosen ? [chosen] : []}
        onSelectionChange={(e) => setSelected(e.detail.selectedItems[0]?.id ?? "")}
        loading={keys.loading && !keys.data}
        loadingText="Loading access keys"
        ariaLabels={{ tableLabel: "Access keys", selectionGroupLabel: "Access key", itemSelectionLabel: (_, k) => `Select ${k.id}` }}
        header={
          <Header
            variant="awsui-h1-sticky"
            counter={keys.data && `(${all.length})`}
            description="With a key, the AWS CLI, the SDKs and Terraform call this Warmfront. Its role says what they may do."
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={!chosen} onClick={() => setOpen("delete")}>Delete</Button>
                <Button variant="primary" disabled={!keys.data} onClick={() => setOpen("create")}>Create access key</Button>
              </SpaceBetween>
            }
          >
            Access keys
          </Header>
        }
        empty={!keys.error && <Empty title="No access keys" />}
      />
      {open === "create" && <CreateKey close={close} />}
      {open === "delete" && chosen && <DeleteKey accessKey={chosen} close={close} />}
    </SpaceBetween>
  );
}
