import TopNavigation, { type TopNavigationProps } from "@cloudscape-design/components/top-navigation";
import { Mode } from "@cloudscape-design/global-styles";
import { useNavigate } from "react-router";
import { client } from "../client";
import { explain } from "../errors";
import { useSession } from "../use";
import { Search } from "./search/Search";
import { flash } from "./flash";
import { toggleMode, useMode } from "./theme";

export function TopBar() {
  const session = useSession();
  const mode = useMode();
  const navigate = useNavigate();

  const chosen = (id: string) => {
    if (id === "mode") toggleMode();
    if (id === "sign-out") {
      client.signOut().then(
        () => navigate("/sign-in"),
        (e: unknown) => flash({ type: "error", header: "You are still signed in", content: explain(e) }),
      );
    }
  };
  const switchMode = { id: "mode", text: mode === Mode.Dark ? "Light mode" : "Dark mode" };
  const menu: TopNavigationProps.Utility[] = session
    ? [
        {
          type: "menu-dropdown",
          iconName: "user-profile",
          text: session.user,
          description: session.role,
          items: [switchMode, { id: "sign-out", text: "Sign out" }],
          onItemClick: (e) => chosen(e.detail.id),
        },
      ]
    : [{ type: "button", ...switchMode, onClick: toggleMode }];

  return (
    <TopNavigation
      identity={{
        href: "/",
        title: "Warmfront",
        logo: { src: "/favicon.svg", alt: "" },
        onFollow: (e) => (e.preventDefault(), void navigate("/")),
      }}
      search={session && <Search />}
      utilities={menu}
    />
  );
}
