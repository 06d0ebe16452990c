import type { CollectionPreferencesProps } from "@cloudscape-design/components/collection-preferences";
import { useState } from "react";

export type Preferences = CollectionPreferencesProps.Preferences<unknown>;

// usePreferences keeps how somebody likes a table, in this browser.
export function usePreferences(table: string, otherwise: Preferences): [Preferences, (p: Preferences) => void] {
  const key = `warmfront.table.${table}`;
  const [preferences, set] = useState<Preferences>(() => {
    try {
      return { ...otherwise, ...(JSON.parse(localStorage.getItem(key) ?? "{}") as Preferences) };
    } catch {
      return otherwise;
    }
  });
  const keep = (p: Preferences) => {
    set(p);
    localStorage.setItem(key, JSON.stringify(p));
  };
  return [preferences, keep];
}
