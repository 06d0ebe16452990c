// Messages at the top of the page. They outlive one change of page: what a form has done is said on the
// page that it leads to.

import type { FlashbarProps } from "@cloudscape-design/components/flashbar";
import { useSyncExternalStore } from "react";
import { Store } from "../store";

type Message = FlashbarProps.MessageDefinition;

const messages = new Store<readonly (Message & { pages: number })[]>([]); // pages: how many it has been on
let last = 0;

// flash shows a message; a success takes the place of the one before.
export function flash(message: Pick<Message, "type" | "header" | "content" | "action">): void {
  const id = String(++last);
  const onDismiss = () => messages.set(messages.get().filter((m) => m.id !== id));
  const others = messages.get().filter((m) => !(message.type === "success" && m.type === "success"));
  messages.set([{ ...message, id, pages: 0, dismissible: true, dismissLabel: "Dismiss", onDismiss }, ...others].slice(0, 3));
}

// turnPage is called when the page changes.
export function turnPage(): void {
  if (messages.get().length === 0) return;
  messages.set(messages.get().map((m) => ({ ...m, pages: m.pages + 1 })).filter((m) => m.pages < 2));
}

export function useFlashes(): readonly Message[] {
  return useSyncExternalStore(messages.watch, messages.get);
}
