import Spinner from "@cloudscape-design/components/spinner";
import Box from "@cloudscape-design/components/box";
import { Suspense, lazy, useEffect } from "react";
import { Navigate, Route, Routes, useLocation } from "react-router";
import { client } from "../client";
import { Unreachable } from "../errors";
import { useSession } from "../use";
import { Frame } from "./Frame";

const SignIn = lazy(() => import("../pages/sign-in"));
const Distributions = lazy(() => import("../pages/distributions"));
const Distribution = lazy(() => import("../pages/distribution"));
const CreateInvalidation = lazy(() => import("../pages/invalidation-create"));
const Invalidation = lazy(() => import("../pages/invalidation"));
const NotFound = lazy(() => import("../pages/not-found"));

export function App() {
  const session = useSession();
  const location = useLocation();
  const here = location.pathname + location.search;

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const ask = () =>
      client.credentials().catch((e: unknown) => {
        if (e instanceof Unreachable) timer = setTimeout(ask, 2000);
      });
    void ask();
    return () => clearTimeout(timer);
  }, []);

  if (session === null && location.pathname !== "/sign-in") {
    return <Navigate to={`/sign-in?return=${encodeURIComponent(here)}`} replace />;
  }
  return (
    <Frame>
      {session === undefined ? <Waiting /> : <Suspense fallback={<Waiting />}>
        <Routes>
          <Route path="/" element={<Navigate to="/distributions" replace />} />
          <Route path="/sign-in" element={<SignIn />} />
          <Route path="/distributions" element={<Distributions />} />
          <Route path="/distributions/:id/invalidations/create" element={<CreateInvalidation />} />
          <Route path="/distributions/:id/invalidations/:inv" element={<Invalidation />} />
          <Route path="/distributions/:id/:tab?" element={<Distribution />} />
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Suspense>}
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
