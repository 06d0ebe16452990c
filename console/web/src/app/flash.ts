// Messages at the top of the page, which outlive a change of page.

import type { FlashbarProps } from "@cloudscape-design/components/flashbar";
import { useSyncExternalStore } from "react";

let messages: readonly FlashbarProps.MessageDefinition[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: readonly FlashbarProps.MessageDefinition[]): void {
  messages = next;
  for (const l of listeners) l();
}

export function flash(message: Pick<FlashbarProps.MessageDefinition, "type" | "header" | "content" | "action">): void {
  const id = String(++last);
  const dismiss = () => set(messages.filter((m) => m.id !== id));
  set([{ ...message, id, dismissible: true, dismissLabel: "Dismiss", onDismiss: dismiss }, ...messages].slice(0, 3));
}

export function useFlashes(): readonly FlashbarProps.MessageDefinition[] {
  return useSyncExternalStore((l) => (listeners.add(l), () => listeners.delete(l)), () => messages);
}
