import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import { useState } from "react";
import { usePage } from "../../app/page";
import { client } from "../../client";
import type { User } from "../../own";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { Time } from "../../parts/Time";
import { roleName } from "../../parts/people/RoleField";
import { useLoad, useSession } from "../../use";
import { DeleteUser, EditUser } from "./dialogs";

const columns: TableProps.ColumnDefinition<User>[] = [
  { id: "name", header: "User name", isRowHeader: true, cell: (u) => u.name },
  { id: "role", header: "Role", cell: (u) => roleName(u.role) },
  { id: "created", header: "Created", cell: (u) => <Time at={u.created} /> },
];

export default function Users() {
  usePage({ text: "Users", href: "/users" });
  const me = useSession()?.user;
  const users = useLoad((signal) => client.own<{ items: User[] }>("GET", "/users", undefined, signal), []);
  const [selected, setSelected] = useState("");
  const [open, setOpen] = useState<"create" | "edit" | "delete">();
  const all = users.data?.items ?? [];
  const chosen = all.find((u) => u.name === selected);
  const close = () => setOpen(undefined);
  const done = () => (close(), users.reload());

  return (
    <SpaceBetween size="l">
      <LoadFailure of={users} />
      <Table
        variant="full-page"
        items={all}
        columnDefinitions={columns}
        trackBy="name"
        enableKeyboardNavigation
        selectionType="single"
        selectedItems={chosen ? [chosen] : []}
        onSelectionChange={(e) => setSelected(e.detail.selectedItems[0]?.name ?? "")}
        loading={users.loading && !users.data}
        loadingText="Loading users"
        ariaLabels={{ tableLabel: "Users", selectionGroupLabel: "User", itemSelectionLabel: (_, u) => `Select ${u.name}` }}
        header={
          <Header
            variant="awsui-h1-sticky"
            counter={users.data && `(${all.length})`}
            description="People who sign in to this console."
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={!chosen} onClick={() => setOpen("edit")}>Edit</Button>
                <Button
                  disabled={!chosen || chosen.name === me}
                  disabledReason={chosen?.name === me ? "This is you." : undefined}
                  onClick={() => setOpen("delete")}
                >
                  Delete
                </Button>
                <Button variant="primary" disabled={!users.data} onClick={() => setOpen("create")}>Create user</Button>
              </SpaceBetween>
            }
          >
            Users
          </Header>
        }
        empty={!users.error && <Empty title="No users" />}
      />
      {open === "create" && <EditUser user={undefined} close={close} done={done} />}
      {open === "edit" && chosen && <EditUser user={chosen} close={close} done={done} />}
      {open === "delete" && chosen && <DeleteUser user={chosen} close={close} done={done} />}
    </SpaceBetween>
  );
}
