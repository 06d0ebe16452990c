import SideNavigation, { type SideNavigationProps } from "@cloudscape-design/components/side-navigation";
import { useLocation } from "react-router";
import { useFollow } from "../use";

const items: SideNavigationProps.Item[] = [
  { type: "link", text: "Distributions", href: "/distributions" },
];

export function SideNav() {
  const { pathname } = useLocation();
  return (
    <SideNavigation
      header={{ text: "Warmfront", href: "/distributions" }}
      items={items}
      activeHref={"/" + (pathname.split("/")[1] ?? "")}
      onFollow={useFollow()}
    />
  );
}
