// Lists that come page by page.

import { client } from "./client";
import type { Page } from "./own";

// hundreds asks for so many pages of a list, of a hundred each, as one.
export async function hundreds<T>(path: string, most: number, signal?: AbortSignal): Promise<Page<T>> {
  const items: T[] = [];
  let marker = "";
  for (let i = 0; i < most; i++) {
    const query = new URLSearchParams({ max: "100", ...(marker && { marker }) });
    const page = await client.own<Page<T>>("GET", `${path}?${query}`, undefined, signal);
    items.push(...page.items);
    marker = page.nextMarker;
    if (!marker) break;
  }
  return { items, nextMarker: marker };
}
