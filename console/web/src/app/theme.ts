// Dark or light: as the viewer chose, else as their system says.

import { Mode, applyMode } from "@cloudscape-design/global-styles";
import { useSyncExternalStore } from "react";
import { Store } from "../store";

const key = "warmfront.mode";
const system = globalThis.matchMedia("(prefers-color-scheme: dark)");
const mode = new Store(wanted());

function wanted(): Mode {
  const chosen = localStorage.getItem(key);
  if (chosen === "dark" || chosen === "light") return chosen as Mode;
  return system.matches ? Mode.Dark : Mode.Light;
}

export function applyTheme(): void {
  mode.set(wanted());
  applyMode(mode.get());
}

export function toggleMode(): void {
  localStorage.setItem(key, mode.get() === Mode.Dark ? "light" : "dark");
  applyTheme();
}

system.addEventListener("change", applyTheme);

export function useMode(): Mode {
  return useSyncExternalStore(mode.watch, mode.get);
}
