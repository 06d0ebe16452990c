import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import Tabs from "@cloudscape-design/components/tabs";
import { Suspense, lazy } from "react";
import { useNavigate, useParams } from "react-router";
import { distributionCrumb, distributionsCrumb, usePage } from "../../app/page";
import { type Found, getDistribution } from "../../distributions";
import { Await } from "../../parts/Await";
import { Copyable } from "../../parts/Copyable";
import { VerifyPanel } from "../../parts/verify/VerifyPanel";
import { useLoad } from "../../use";
import NotFound from "../not-found";
import { Behaviors } from "./Behaviors";
import { ErrorPages } from "./ErrorPages";
import { General } from "./General";
import { Invalidations } from "./Invalidations";
import { OriginGroups } from "./OriginGroups";
import { Origins } from "./Origins";
import { Tags } from "./Tags";

const Dashboard = lazy(async () => ({ default: (await import("../../parts/dashboard/Dashboard")).Dashboard }));
const Popular = lazy(async () => ({ default: (await import("../../parts/dashboard/Popular")).Popular }));

export default function Distribution() {
  const { id = "", tab = "general" } = useParams();
  return tabs.some((t) => t === tab) ? <Tabbed id={id} tab={tab} /> : <NotFound />;
}

const tabs = ["general", "origins", "behaviors", "error-pages", "invalidations", "monitoring", "verify", "tags"];

function Tabbed({ id, tab }: { id: string; tab: string }) {
  const navigate = useNavigate();
  const home = `/distributions/${id}`;
  usePage(distributionsCrumb, distributionCrumb(id));
  const found = useLoad((signal) => getDistribution(id, signal), [id], {
    on: (c) => c.kind === "distribution" && c.id === id,
    every: (d) => (d.distribution.Status === "Deployed" ? undefined : 3000),
  });
  const name = found.data?.tags["Name"] ?? found.data?.config.Comment;

  return (
    <SpaceBetween size="l">
      <Header
        variant="h1"
        description={name || undefined}
        actions={<Button onClick={() => navigate(`${home}/monitoring`)}>View metrics</Button>}
      >
        <Copyable text={id} what="distribution ID" />
      </Header>
      <Await of={found} what="the distribution">
        {(d) => (
          <Tabs
            ariaLabel="Distribution"
            activeTabId={tab}
            onChange={(e) => navigate(e.detail.activeTabHref ?? home)}
            tabs={[
              { id: "general", label: "General", href: home, content: <General found={d} /> },
              { id: "origins", label: "Origins", href: `${home}/origins`, content: <Servers found={d} /> },
              { id: "behaviors", label: "Behaviors", href: `${home}/behaviors`, content: <Behaviors found={d} /> },
              { id: "error-pages", label: "Error pages", href: `${home}/error-pages`, content: <ErrorPages found={d} /> },
              { id: "invalidations", label: "Invalidations", href: `${home}/invalidations`, content: <Invalidations id={id} /> },
              { id: "monitoring", label: "Monitoring", href: `${home}/monitoring`, content: <Metrics id={id} /> },
              { id: "verify", label: "Verify", href: `${home}/verify`, content: <VerifyPanel id={id} suggestions={[]} /> },
              { id: "tags", label: "Tags", href: `${home}/tags`, content: <Tags found={d} reload={found.reload} /> },
            ]}
          />
        )}
      </Await>
    </SpaceBetween>
  );
}

function Servers({ found }: { found: Found }) {
  return (
    <SpaceBetween size="l">
      <Origins found={found} />
      <OriginGroups found={found} />
    </SpaceBetween>
  );
}

function Metrics({ id }: { id: string }) {
  return (
    <Suspense fallback={<Spinner />}>
      <SpaceBetween size="l">
        <Dashboard id={id} title="Monitoring" />
        <Popular id={id} title="Popular objects" />
      </SpaceBetween>
    </Suspense>
  );
}
