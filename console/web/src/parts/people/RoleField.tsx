import FormField from "@cloudscape-design/components/form-field";
import RadioGroup from "@cloudscape-design/components/radio-group";
import type { Role } from "../../own";

export const roles: { value: Role; label: string; description: string }[] = [
  { value: "viewer", label: "Viewer", description: "Sees everything but users and keys, changes nothing." },
  { value: "invalidator", label: "Invalidator", description: "Also creates invalidations. For deployments." },
  { value: "administrator", label: "Administrator", description: "Also changes distributions, policies, users and keys." },
];

export function roleName(role: Role): string {
  return roles.find((r) => r.value === role)?.label ?? role;
}

export function RoleField({ role, set }: { role: Role; set: (role: Role) => void }) {
  return (
    <FormField label="Role">
      <RadioGroup items={roles} value={role} onChange={(e) => set(e.detail.value as Role)} />
    </FormField>
  );
}
