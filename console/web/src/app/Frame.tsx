// What is around every page: the top bar, the navigation, breadcrumbs, messages.

import AppLayoutToolbar from "@cloudscape-design/components/app-layout-toolbar";
import BreadcrumbGroup from "@cloudscape-design/components/breadcrumb-group";
import Flashbar, { type FlashbarProps } from "@cloudscape-design/components/flashbar";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useLocation } from "react-router";
import { live } from "../live";
import { useFollow, useOnline, useSession } from "../use";
import { SideNav } from "./SideNav";
import { TopBar } from "./TopBar";
import { arrive, content } from "./arrival";
import { turnPage, useFlashes } from "./flash";
import { type Crumb, CrumbContext } from "./page";

const away: FlashbarProps.MessageDefinition = {
  id: "away",
  type: "warning",
  loading: true,
  header: "Warmfront does not answer",
  content: "What you see may be out of date. The console keeps trying, and goes on by itself.",
};

export function Frame({ children }: { children: ReactNode }) {
  const session = useSession();
  const online = useOnline();
  const flashes = useFlashes();
  const follow = useFollow();
  const [crumbs, setCrumbs] = useState<Crumb[]>([]);
  const [open, setOpen] = useState(() => globalThis.innerWidth > 1100);
  const user = session?.user;
  const { pathname } = useLocation();

  useEffect(() => (user ? live.start() : undefined), [user]);
  useEffect(turnPage, [pathname]);

  const page = crumbs.map((c) => c.text).join("\n"); // the tabs of one are one page
  const before = useRef("");
  useEffect(() => {
    const first = before.current === "";
    before.current = page;
    return first ? undefined : arrive();
  }, [page]);

  return (
    <CrumbContext.Provider value={setCrumbs}>
      <div id="top" style={{ position: "sticky", insetBlockStart: 0, zIndex: 1002 }}>
        <TopBar />
      </div>
      <AppLayoutToolbar
        headerSelector="#top"
        ariaLabels={{
          navigation: "Navigation",
          navigationToggle: "Open navigation",
          navigationClose: "Close navigation",
          notifications: "Notifications",
        }}
        toolsHide
        navigationHide={!user}
        navigationWidth={230}
        navigation={<SideNav />}
        navigationOpen={open}
        onNavigationChange={(e) => setOpen(e.detail.open)}
        breadcrumbs={user && <BreadcrumbGroup items={[{ text: "Warmfront", href: "/distributions" }, ...crumbs]} onFollow={follow} />}
        notifications={<Flashbar stackItems items={online ? flashes : [away, ...flashes]} />}
        content={<div id={content}>{children}</div>}
      />
    </CrumbContext.Provider>
  );
}
