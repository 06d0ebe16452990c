// Access keys and users of the fake.

import type { AccessKey, Actor, Role, User } from "../src/own";
import { Refusal } from "./http";
import { type World, randomId } from "./world";

const state = new WeakMap<World, { keys: AccessKey[]; users: User[] }>();

export function people(world: World, by: Actor) {
  const created = "2026-03-02T09:14:00.000Z";
  const held = state.get(world) ?? {
    keys: [
      { id: "AKIAEXAMPLEEXAMPLE00", user: "admin", role: "administrator" as Role, created },
      { id: "AKIAEXAMPLECIDEPLOY1", user: "ci", role: "invalidator" as Role, created },
    ],
    users: [
      { name: "admin", role: "administrator" as Role, created },
      { name: "vera", role: "viewer" as Role, created },
    ],
  };
  state.set(world, held);
  const done = (action: string, resource: string) => world.happened(action, resource, by);
  return {
    "GET /access-keys": () => ({ items: held.keys }),
    "POST /access-keys": (_: string[], { user, role }: { user: string; role: Role }) => {
      const key = { id: randomId("AKIA", 16), user, role, created: new Date().toISOString() };
      held.keys.push(key);
      done("CreateAccessKey", `access-key/${key.id}`);
      return { ...key, secret: randomId("", 40) };
    },
    "DELETE /access-keys/*": ([id = ""]: string[]) => {
      held.keys = held.keys.filter((k) => k.id !== id);
      done("DeleteAccessKey", `access-key/${id}`);
      return undefined;
    },
    "GET /users": () => ({ items: held.users }),
    "POST /users": (_: string[], { name, role }: { name: string; role: Role }) => {
      if (held.users.some((u) => u.name === name)) throw new Refusal(400, "InvalidArgument", "There is already a user of this name.");
      held.users.push({ name, role, created: new Date().toISOString() });
      done("CreateUser", `user/${name}`);
      return held.users.at(-1);
    },
    "PUT /users/*": ([name = ""]: string[], { role }: { role?: Role }) => {
      const user = held.users.find((u) => u.name === name);
      if (!user) throw new Refusal(404, "NotFound", "There is no such user.");
      if (role) user.role = role;
      done("UpdateUser", `user/${name}`);
      return user;
    },
    "DELETE /users/*": ([name = ""]: string[]) => {
      held.users = held.users.filter((u) => u.name !== name);
      done("DeleteUser", `user/${name}`);
      return undefined;
    },
  };
}
