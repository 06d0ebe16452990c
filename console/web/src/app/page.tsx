// Where the viewer is: title and breadcrumbs, which every page sets and the frame shows.

import { createContext, useContext, useEffect } from "react";

export interface Crumb {
  text: string;
  href: string;
}

export const CrumbContext = createContext<(crumbs: Crumb[]) => void>(() => undefined);

// usePage says what this page is; the last crumb is the page itself.
export function usePage(...crumbs: Crumb[]): void {
  const set = useContext(CrumbContext);
  const key = JSON.stringify(crumbs);
  useEffect(() => {
    const all = JSON.parse(key) as Crumb[];
    set(all);
    document.title = [...all.map((c) => c.text).reverse(), "Warmfront"].join(" · ");
  }, [key, set]);
}

export const distributionsCrumb: Crumb = { text: "Distributions", href: "/distributions" };

export function distributionCrumb(id: string): Crumb {
  return { text: id, href: `/distributions/${id}` };
}
