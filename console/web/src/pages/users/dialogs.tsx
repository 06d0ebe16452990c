import Box from "@cloudscape-design/components/box";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import { useState } from "react";
import { flash } from "../../app/flash";
import { client } from "../../client";
import type { Role, User } from "../../own";
import { Dialog } from "../../parts/Dialog";
import { RoleField } from "../../parts/people/RoleField";

const shortest = 8; // characters of a password

interface Props {
  close: () => void;
  done: () => void;
}

// EditUser makes a user, or changes the role or the password of one.
export function EditUser({ user, close, done }: Props & { user: User | undefined }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>(user?.role ?? "invalidator");
  const goodPassword = password.length >= shortest || (user !== undefined && password === "");
  const ready = goodPassword && (user !== undefined || name.trim() !== "");
  const work = async () => {
    if (user) {
      const change = { ...(role !== user.role && { role }), ...(password && { password }) };
      if (Object.keys(change).length > 0) await client.own("PUT", `/users/${encodeURIComponent(user.name)}`, change);
    } else {
      await client.own("POST", "/users", { name: name.trim(), password, role });
    }
    flash({ type: "success", header: user ? `Changed user ${user.name}` : `Created user ${name.trim()}` });
    done();
  };
  return (
    <Dialog title={user ? `Edit user ${user.name}` : "Create user"} button={user ? "Save changes" : "Create user"} work={work} close={close} ready={ready}>
      {!user && (
        <FormField label="User name">
          <Input value={name} onChange={(e) => setName(e.detail.value)} autoComplete={false} autoFocus />
        </FormField>
      )}
      <FormField label={user ? "New password" : "Password"} constraintText={`At least ${shortest} characters.${user ? " Left empty, it stays." : ""}`}>
        <Input type="password" value={password} onChange={(e) => setPassword(e.detail.value)} autoComplete="new-password" />
      </FormField>
      <RoleField role={role} set={setRole} />
    </Dialog>
  );
}

export function DeleteUser({ user, close, done }: Props & { user: User }) {
  const work = async () => {
    await client.own("DELETE", `/users/${encodeURIComponent(user.name)}`);
    flash({ type: "success", header: `Deleted user ${user.name}` });
    done();
  };
  return (
    <Dialog title="Delete user" button="Delete" work={work} close={close}>
      <Box>Delete <b>{user.name}</b>? Their sessions end. Access keys must be deleted first.</Box>
    </Dialog>
  );
}
