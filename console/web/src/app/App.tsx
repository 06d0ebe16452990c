import Spinner from "@cloudscape-design/components/spinner";
import Box from "@cloudscape-design/components/box";
import { Suspense, lazy, useEffect, useState } from "react";
import { Navigate, Route, Routes, useLocation } from "react-router";
import { client } from "../client";
import { SignedOut } from "../errors";
import { useSession } from "../use";
import { Frame } from "./Frame";

const SignIn = lazy(() => import("../pages/sign-in"));
const Distributions = lazy(() => import("../pages/distributions"));
const Distribution = lazy(() => import("../pages/distribution"));
const CreateInvalidation = lazy(() => import("../pages/invalidation-create"));
const Invalidation = lazy(() => import("../pages/invalidation"));
const CreateDistribution = lazy(() => import("../pages/distribution-create"));
const Settings = lazy(() => import("../pages/settings"));
const Behavior = lazy(() => import("../pages/behavior"));
const Origin = lazy(() => import("../pages/origin"));
const OriginGroup = lazy(() => import("../pages/origin-group"));
const ErrorPage = lazy(() => import("../pages/error-page"));
const Monitoring = lazy(() => import("../pages/monitoring"));
const PopularObjects = lazy(() => import("../pages/popular-objects"));
const Edges = lazy(() => import("../pages/edges"));
const Users = lazy(() => import("../pages/users"));
const AccessKeys = lazy(() => import("../pages/access-keys"));
const Audit = lazy(() => import("../pages/audit"));
const NotFound = lazy(() => import("../pages/not-found"));

export function App() {
  const session = useSession();
  const location = useLocation();
  const here = location.pathname + location.search;

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const ask = () =>
      client.credentials().catch((e: unknown) => {
        if (!(e instanceof SignedOut)) timer = setTimeout(ask, 2000);
      });
    void ask();
    return () => clearTimeout(timer);
  }, []);

  const [owner, setOwner] = useState<string>(); // whose page it is that is shown
  if (session && session.user !== owner) setOwner(session.user);
  if (session === null && location.pathname === "/sign-in" && owner !== undefined) setOwner(undefined); // signed out
  const out = session === null && location.pathname !== "/sign-in";
  if (out && owner === undefined) return <Navigate to={`/sign-in?return=${encodeURIComponent(here)}`} replace />;
  if (session === undefined) {
    return (
      <Frame>
        <Waiting />
      </Frame>
    );
  }
  return (
    <Frame>
      <Suspense fallback={<Waiting />}>
        {out && <SignIn ended />}
        {/* A page whose session has ended keeps what was typed, for the same user alone. */}
        <div key={owner ?? ""} hidden={out}>
          <Routes>
            <Route path="/" element={<Navigate to="/distributions" replace />} />
            <Route path="/sign-in" element={<SignIn />} />
            <Route path="/distributions" element={<Distributions />} />
            <Route path="/distributions/create" element={<CreateDistribution />} />
            <Route path="/distributions/:id/edit" element={<Settings />} />
            <Route path="/distributions/:id/origins/create" element={<Origin />} />
            <Route path="/distributions/:id/origins/:which/edit" element={<Origin />} />
            <Route path="/distributions/:id/origin-groups/create" element={<OriginGroup />} />
            <Route path="/distributions/:id/origin-groups/:which/edit" element={<OriginGroup />} />
            <Route path="/distributions/:id/behaviors/create" element={<Behavior />} />
            <Route path="/distributions/:id/behaviors/:which/edit" element={<Behavior />} />
            <Route path="/distributions/:id/error-pages/create" element={<ErrorPage />} />
            <Route path="/distributions/:id/error-pages/:which/edit" element={<ErrorPage />} />
            <Route path="/distributions/:id/invalidations/create" element={<CreateInvalidation />} />
            <Route path="/distributions/:id/invalidations/:inv" element={<Invalidation />} />
            <Route path="/distributions/:id/:tab?" element={<Distribution />} />
            <Route path="/monitoring" element={<Monitoring />} />
            <Route path="/popular-objects" element={<PopularObjects />} />
            <Route path="/edges" element={<Edges />} />
            <Route path="/users" element={<Users />} />
            <Route path="/access-keys" element={<AccessKeys />} />
            <Route path="/audit" element={<Audit />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </div>
      </Suspense>
    </Frame>
  );
}

function Waiting() {
  return (
    <Box textAlign="center" padding="xxl">
      <Spinner size="large" />
    </Box>
  );
}
