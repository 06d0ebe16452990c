import SideNavigation, { type SideNavigationProps } from "@cloudscape-design/components/side-navigation";
import { useLocation } from "react-router";
import { useFollow, useMay } from "../use";
import { type Place, places } from "./places";

export function SideNav() {
  const { pathname } = useLocation();
  const may = useMay();
  const link = ({ text, href }: Place) => ({ type: "link" as const, text, href });
  const items: SideNavigationProps.Item[] = [];
  for (const place of places) {
    if (place.administrator && !may.administer) continue;
    const last = items.at(-1);
    if (place.group === "") items.push(link(place));
    else if (last?.type === "section-group" && last.title === place.group) (last.items as SideNavigationProps.Item[]).push(link(place));
    else items.push({ type: "section-group", title: place.group, items: [link(place)] });
  }
  return (
    <SideNavigation
      header={{ text: "Warmfront", href: "/distributions" }}
      items={items}
      activeHref={"/" + (pathname.split("/")[1] ?? "")}
      onFollow={useFollow()}
    />
  );
}
