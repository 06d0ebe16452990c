// Dark or light: as the viewer chose, else as their system says.

import { Mode, applyMode } from "@cloudscape-design/global-styles";
import { useSyncExternalStore } from "react";

const key = "warmfront.mode";
const system = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function mode(): Mode {
  const chosen = localStorage.getItem(key);
  if (chosen === "dark" || chosen === "light") return chosen as Mode;
  return system?.matches ? Mode.Dark : Mode.Light;
}

export function applyTheme(): void {
  applyMode(mode());
  for (const l of listeners) l();
}

export function toggleMode(): void {
  localStorage.setItem(key, mode() === Mode.Dark ? "light" : "dark");
  applyTheme();
}

system?.addEventListener("change", applyTheme);

export function useMode(): Mode {
  return useSyncExternalStore((l) => (listeners.add(l), () => listeners.delete(l)), mode);
}
